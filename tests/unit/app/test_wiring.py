"""Joints that the wiring makes itself. The whole is run in tests/integration."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Engine

from engine.app.config import Config
from engine.app.dialplan_file import configured_dialplan
from engine.app.state import StateDir
from engine.app.storage import open_storage
from engine.app.wiring import load_tokens, tell_doubts
from engine.calls.directory import Agent, Queue, Trunk
from engine.ids import AgentName, QueueName, TrunkName
from engine.store.directory_store import DirectoryStore
from engine.store.secrets import token_digest
from engine.store.token_store import TokenStore
from tests.support.at_once import AtOnce
from tests.support.call_fakes import SetClock


def test_good_tokens_are_those_of_the_store_and_the_one_of_the_state_directory(
    config: Config, database: Engine
) -> None:
    state, store = StateDir(config.state_dir), TokenStore(database)
    crm = store.create("crm", now=0.0)
    found = asyncio.run(load_tokens(state, store, AtOnce()))
    assert found == {token_digest(crm): "crm", token_digest(state.secret("api-token")): "local"}


def test_what_is_hardly_meant_is_told_at_the_start(
    config: Config, database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    store = DirectoryStore(database)
    for number in range(12):
        store.put(Agent(name=AgentName(f"agent{number:02}")))
    store.rotate_secret("agent00", config.sip.realm)
    store.rotate_secret("agent01", "another")
    storage = open_storage(config, SetClock())
    tell_doubts(config, configured_dialplan(config), storage)
    storage.close()
    told = {entry.getMessage(): entry.pairs for entry in caplog.records}  # type: ignore[attr-defined]
    assert "demo" in str(told["dialplan_warning"]["warning"]), "the demo's dialplan names a queue that is not there"
    assert told["agents_without_secret"] == {
        "realm": config.sip.realm,
        "agents": 11,
        "names": " ".join(f"agent{number:02}" for number in range(1, 11)) + " ...",
    }


def test_nothing_is_told_where_all_is_well(config: Config, database: Engine, caplog: pytest.LogCaptureFixture) -> None:
    store = DirectoryStore(database)
    store.put(Queue(name=QueueName("demo")))
    store.put(Agent(name=AgentName("anna")))
    store.rotate_secret("anna", config.sip.realm)
    store.put(Trunk(name=TrunkName("demo-caller"), host="127.0.0.1"))
    storage = open_storage(config, SetClock())
    tell_doubts(config, configured_dialplan(config), storage)
    storage.close()
    assert [entry for entry in caplog.records if entry.getMessage() == "agents_without_secret"] == []
