"""The API's tokens on disk: only their digests."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, delete, insert, select

from engine.errors import AlreadyExists, NotFound
from engine.store.database import reading
from engine.store.errors import translated
from engine.store.field_checks import check_name
from engine.store.secrets import new_token, token_digest
from engine.store.tables import api_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenInfo:
    """A token as it is listed: its name and when it was made, UTC seconds since the epoch."""

    name: str
    created: float


class TokenStore:
    """Makes, lists and revokes API tokens. All methods wait for the database: call them in a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, name: str, *, now: float) -> str:
        """A new token of this name, to be shown once. Raises AlreadyExists, InvalidRequest."""
        check_name("token", "name", name)
        token = new_token()
        with translated(), self._engine.begin() as connection:
            if connection.execute(select(api_tokens.c.name).where(api_tokens.c.name == name)).first():
                raise AlreadyExists(f"token {name!r} exists already; revoke it first")
            connection.execute(insert(api_tokens).values(sha256=token_digest(token), name=name, created=now))
        return token

    def revoke(self, name: str) -> None:
        """Make the token worthless. Raises NotFound."""
        with translated(), self._engine.begin() as connection:
            if connection.execute(delete(api_tokens).where(api_tokens.c.name == name)).rowcount == 0:
                raise NotFound(f"no token {name!r}")

    def list(self) -> list[TokenInfo]:
        with translated(), reading(self._engine) as connection:
            rows = connection.execute(select(api_tokens.c.name, api_tokens.c.created).order_by(api_tokens.c.name))
            return [TokenInfo(name=row.name, created=row.created) for row in rows]

    def digests(self) -> dict[str, str]:
        """Name of the token by its SHA-256 in hex: what the API checks against."""
        with translated(), reading(self._engine) as connection:
            rows = connection.execute(select(api_tokens.c.sha256, api_tokens.c.name))
            return {row.sha256: row.name for row in rows}
