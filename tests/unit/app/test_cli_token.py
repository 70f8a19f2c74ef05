from __future__ import annotations

import time

import pytest
from sqlalchemy import Engine

from engine.store.secrets import token_digest
from engine.store.token_store import TokenStore
from tests.support.command_line import CommandLine


def test_create_shows_the_token_and_keeps_its_digest(hearthline: CommandLine, database: Engine) -> None:
    token = hearthline("token", "create", "wallboard").strip()
    assert TokenStore(database).digests() == {token_digest(token): "wallboard"}


def test_list_shows_names_and_when_they_were_made(hearthline: CommandLine) -> None:
    hearthline("token", "create", "wallboard")
    hearthline("token", "create", "crm")
    assert [entry["name"] for entry in hearthline.json("token", "list")] == ["crm", "wallboard"]
    assert hearthline.json("token", "list")[0]["created"] == pytest.approx(time.time(), abs=60)
    head, crm, _ = hearthline("token", "list").splitlines()
    assert head.split() == ["name", "created"]
    assert crm.startswith(f"crm        {time.gmtime().tm_year}-")
    assert crm.endswith("Z")


def test_revoke_voids_it(hearthline: CommandLine, database: Engine) -> None:
    hearthline("token", "create", "crm")
    assert hearthline("token", "revoke", "crm") == "token crm revoked\n"
    assert TokenStore(database).digests() == {}
    assert hearthline.fails("token", "revoke", "crm") == "not_found: no token 'crm'"


def test_a_name_is_taken_once(hearthline: CommandLine) -> None:
    hearthline("token", "create", "crm")
    assert hearthline.fails("token", "create", "crm") == "already_exists: token 'crm' exists already; revoke it first"
