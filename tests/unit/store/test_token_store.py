from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from engine.errors import AlreadyExists, InvalidRequest, NotFound
from engine.store.secrets import token_digest
from engine.store.tables import api_tokens
from engine.store.token_store import TokenInfo, TokenStore


def test_tokens_live_from_create_to_revoke(database: Engine) -> None:
    tokens = TokenStore(database)
    token = tokens.create("wallboard", now=5.0)
    other = tokens.create("cli", now=6.0)
    assert tokens.list() == [TokenInfo(name="cli", created=6.0), TokenInfo(name="wallboard", created=5.0)]
    assert tokens.digests() == {token_digest(token): "wallboard", token_digest(other): "cli"}
    with database.connect() as connection:
        assert token not in str(connection.execute(select(api_tokens)).all())
    tokens.revoke("wallboard")
    assert tokens.digests() == {token_digest(other): "cli"}


def test_names_of_tokens(database: Engine) -> None:
    tokens = TokenStore(database)
    tokens.create("cli", now=0.0)
    with pytest.raises(AlreadyExists, match="revoke it first"):
        tokens.create("cli", now=0.0)
    with pytest.raises(InvalidRequest, match="token: name 'C L I' is not allowed"):
        tokens.create("C L I", now=0.0)
    with pytest.raises(NotFound, match="no token 'nope'"):
        tokens.revoke("nope")
