"""Joints that the wiring makes itself. The whole is run in tests/integration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.app.config import Config, DialplanConfig
from engine.app.dialplan_file import configured_dialplan
from engine.app.doubts import tell_doubts
from engine.app.state import StateDir
from engine.app.storage import open_storage
from engine.app.wiring import build_books, endpoint_config, load_tokens, tell_network
from engine.calls.directory import Agent, AgentStatus, Queue, Trunk
from engine.calls.log import AgentStatusChanged
from engine.ids import AgentName, QueueName, TrunkName
from engine.sip.flow import Address
from engine.store.directory_store import DirectoryStore
from engine.store.secrets import token_digest
from engine.store.sink import SqlSink
from engine.store.token_store import TokenStore
from engine.store.writer import EventWriter
from tests.support.at_once import AtOnce
from tests.support.call_fakes import SetClock
from tests.support.centre_rig import CentreRig
from tests.support.dialplans import extension
from tests.support.records import queue_call, record


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
    store.put(Trunk(name=TrunkName("far"), host="2001:db8::1"))
    storage = open_storage(config, SetClock())
    tell_doubts(config, configured_dialplan(config), storage)
    storage.close()
    told = {entry.getMessage(): entry.pairs for entry in caplog.records}  # type: ignore[attr-defined]
    assert "demo" in str(told["dialplan_warning"]["warning"]), "the demo's dialplan names a queue that is not there"
    assert "no listener speaks UDP over IPv6" in str(told["trunk_warning"]["warning"])
    assert told["agents_without_secret"] == {
        "realm": config.sip.realm,
        "agents": 11,
        "names": " ".join(f"agent{number:02}" for number in range(1, 11)) + " ...",
    }


def test_sounds_that_are_not_there_are_told_at_the_start(
    config: Config, database: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    DirectoryStore(database).put(Queue(name=QueueName("demo"), music="jazz"))
    (tmp_path / "plan.toml").write_text(extension("a", "600", 'play = "hi"'), encoding="utf-8")
    config = config.model_copy(update={"dialplan": DialplanConfig(file=str(tmp_path / "plan.toml"))})
    storage = open_storage(config, SetClock())
    tell_doubts(config, configured_dialplan(config), storage)
    storage.close()
    told = [str(entry.pairs["warning"]) for entry in caplog.records if entry.getMessage() == "dialplan_warning"]  # type: ignore[attr-defined]
    assert any("no sound hi in 'en'" in warning for warning in told)
    assert any("queue demo: music 'jazz'" in warning for warning in told)


def test_nothing_is_told_where_all_is_well(config: Config, database: Engine, caplog: pytest.LogCaptureFixture) -> None:
    store = DirectoryStore(database)
    store.put(Queue(name=QueueName("demo")))
    store.put(Agent(name=AgentName("anna")))
    store.rotate_secret("anna", config.sip.realm)
    store.put(Trunk(name=TrunkName("demo-caller"), host="127.0.0.1"))
    storage = open_storage(config, SetClock())
    tell_doubts(config, configured_dialplan(config), storage)
    storage.close()
    told = {entry.getMessage() for entry in caplog.records}
    assert told.isdisjoint({"agents_without_secret", "trunk_warning"})


def test_what_the_operator_says_of_sip_reaches_the_stack() -> None:
    said = {"realm": "office", "registration_min_s": 45, "registration_max_s": 600, "nonce_ttl_s": 77}
    said |= {"flow_timer_udp_s": 25, "flow_timer_stream_s": 100}
    made = endpoint_config(Config.model_validate({"sip": said}), lambda flow: Address("192.0.2.1", 5080), b"n" * 16)
    assert (made.realm, made.min_expires_s, made.max_expires_s, made.nonce_ttl_s) == ("office", 45, 600, 77)
    assert made.nonce_secret == b"n" * 16
    assert (made.flow_timer_udp_s, made.flow_timer_stream_s) == (25, 100)
    assert made.default_expires_s == 300


def test_a_phone_that_asks_for_no_certain_time_is_not_told_that_it_is_too_brief() -> None:
    said = Config.model_validate({"sip": {"registration_min_s": 900}})
    made = endpoint_config(said, lambda flow: Address("192.0.2.1", 5080), b"n" * 16)
    assert made.default_expires_s == 900


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
    storage.writer.start()
    storage.close()
    assert (state.log_dir / "queue_log").read_text().splitlines() == books.queue_log.last(10)


def test_all_who_follow_what_happens_are_told_of_it(
    config: Config, database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    store = DirectoryStore(database)
    store.put(Agent(name=AgentName("anna")))
    state = StateDir(config.state_dir)
    state.prepare()
    storage = open_storage(config, SetClock())
    loop: Any = Loop()
    books = build_books(state, storage, CentreRig().core, SetClock(), loop)
    first = storage.journal.last_seq + 1
    pause = AgentStatusChanged(agent=AgentName("anna"), status=AgentStatus.BREAK, reason="rona: no answer", by="engine")
    books.keeper.keep([*storage.journal.take(), record(first, pause), *queue_call("c1", first=first + 1)])
    storage.writer.start()
    storage.close()
    books.thread.shutdown()
    metrics = books.metrics.render().decode()
    assert 'hearthline_calls_total{direction="inbound",outcome="success"} 1.0' in metrics
    assert 'hearthline_agent_status{status="break"} 1.0' in metrics
    assert 'hearthline_agents{state="unreachable"} 1.0' in metrics, "known from the start"
    told = [line.event for entry in caplog.records for line in getattr(entry, "lines", ())]
    assert {"AgentStatusChanged", "CallStarted", "CallEnded"} <= set(told)
    assert "|anna|CONNECT|" in (state.log_dir / "queue_log").read_text()
    assert store.load().agents[AgentName("anna")].status_reason == "rona: no answer"
    assert books.hub.last_seq == first + 12


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


def test_what_the_network_does_to_us_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    tell_network("no way to 192.0.2.1")
    (told,) = caplog.records
    assert (told.getMessage(), told.levelname) == ("network", "WARNING")
    assert told.pairs == {"detail": "no way to 192.0.2.1"}  # type: ignore[attr-defined]
