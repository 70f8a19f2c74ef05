"""Joints that the wiring makes itself. The whole is run in tests/integration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.app.config import Config
from engine.app.dialplan_file import configured_dialplan
from engine.app.state import StateDir
from engine.app.storage import open_storage
from engine.app.wiring import build_books, load_tokens, tell_doubts
from engine.calls.directory import Agent, Queue, Trunk
from engine.ids import AgentName, QueueName, TrunkName
from engine.store.directory_store import DirectoryStore
from engine.store.secrets import token_digest
from engine.store.sink import SqlSink
from engine.store.token_store import TokenStore
from engine.store.writer import EventWriter
from tests.support.at_once import AtOnce
from tests.support.call_fakes import SetClock
from tests.support.centre_rig import CentreRig
from tests.support.records import queue_call


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


class Loop:
    """Keeps what other threads want done on it."""

    def __init__(self) -> None:
        self.wanted: list[Callable[[], None]] = []

    def callFromThread(self, call: Callable[[], None]) -> None:
        self.wanted.append(call)


def test_everybody_understands_the_end_of_a_call_that_a_crash_cut_off(config: Config, database: Engine) -> None:
    sink = SqlSink(database)
    sink.write(queue_call("c1")[:9], [])
    sink.close()
    state = StateDir(config.state_dir)
    state.prepare()
    storage = open_storage(config, SetClock())
    loop: Any = Loop()
    books = build_books(state, storage, CentreRig().core, SetClock(), loop)
    books.keeper.keep(storage.journal.take(), storage.recovered.cdrs)
    assert b'hearthline_calls_total{direction="inbound",outcome="indeterminate"} 1.0' in books.metrics.render()
    assert [line.split("|")[4] for line in books.queue_log.last(10)] == ["COMPLETECALLER", "QUEUESTART"]
    assert books.hub.last_seq == storage.journal.last_seq == 11
    books.thread.shutdown()
    storage.close()


def test_calls_are_refused_while_the_log_is_full_and_taken_when_the_writers_thread_has_made_room(
    config: Config, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.app.storage.EventWriter", partial(EventWriter, max_pending=5))
    state = StateDir(config.state_dir)
    state.prepare()
    storage, rig, loop = open_storage(config, SetClock()), CentreRig(), Loop()
    reactor: Any = loop
    books = build_books(state, storage, rig.core, SetClock(), reactor)
    books.keeper.keep(queue_call("c1"))
    rig.call()
    assert rig.core.calls.live().calls == 0
    storage.writer.start()
    storage.close()
    (room,) = loop.wanted
    rig.call()
    assert rig.core.calls.live().calls == 0, "only the loop changes what the calls layer knows"
    room()
    rig.call()
    assert rig.core.calls.live().calls == 1
    books.thread.shutdown()
