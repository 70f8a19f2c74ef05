"""Registrations from one process to the next, through a real store."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from engine.app.binding_keeper import BindingKeeper
from engine.calls.directory import Drop
from engine.calls.log import AgentReachable, AgentUnreachable
from engine.errors import Unavailable
from engine.ids import AgentName
from engine.sip.events import InviteReceived
from engine.sip.flow import Flow
from engine.store.binding_store import BindingStore
from tests.support.at_once import AtOnce
from tests.support.centre_rig import CentreRig

ALICE = AgentName("alice")


class Clocks:
    """The rig's monotonic time, and a time of day that begins elsewhere."""

    def __init__(self, rig: CentreRig, wall: float = 1_000_000.0) -> None:
        self._rig, self._wall, self._began = rig, wall, rig.wire.now

    def monotonic(self) -> float:
        return self._rig.wire.now

    def wall(self) -> float:
        return self._wall + self._rig.wire.now - self._began


def keeper(rig: CentreRig, database: Engine, wall: float = 1_000_000.0) -> BindingKeeper:
    return BindingKeeper(rig.core, BindingStore(database), Clocks(rig, wall), AtOnce())


def restored(database: Engine, *, wall: float = 1_000_000.0) -> tuple[CentreRig, BindingKeeper]:
    """The next process; it finds the store at this time of day."""
    rig = CentreRig()
    rig.wire.run(7.0)
    next_keeper = keeper(rig, database, wall)
    next_keeper.restore(Flow)
    rig.wire.run(0.1)
    return rig, next_keeper


def test_after_a_restart_a_call_reaches_the_phone_that_has_not_come_back(database: Engine) -> None:
    before = CentreRig()
    kept = keeper(before, database)
    before.register(before.alice)
    kept.keep()

    rig, _ = restored(database, wall=1_000_100.0)
    assert rig.centre.bodies(AgentReachable) == before.centre.bodies(AgentReachable)
    rig.call()
    rig.wire.run(1.0)
    assert rig.alice.told(InviteReceived)
    binding = rig.core.endpoint.bindings("alice")[0]
    assert binding.expires_at - rig.wire.now == pytest.approx(200, abs=5)


def test_its_refresh_is_no_news_and_its_end_is(database: Engine) -> None:
    before = CentreRig()
    kept = keeper(before, database)
    before.register(before.alice)
    kept.keep()
    rig, _ = restored(database)
    rig.alice._sequence = before.alice._sequence
    rig.register(rig.alice)
    assert len(rig.centre.bodies(AgentReachable)) == 1
    rig.wire.run(400)
    assert len(rig.centre.bodies(AgentUnreachable)) == 1


def test_what_expired_meanwhile_is_not_restored_and_no_longer_kept(database: Engine) -> None:
    before = CentreRig()
    kept = keeper(before, database)
    before.register(before.alice)
    kept.keep()
    assert len(BindingStore(database).load()) == 1
    rig, after = restored(database, wall=1_000_400.0)
    assert rig.centre.bodies(AgentReachable) == []
    after.keep()
    assert BindingStore(database).load() == []


def test_an_agent_who_is_no_more_is_not_restored(database: Engine) -> None:
    before = CentreRig()
    kept = keeper(before, database)
    before.register(before.alice)
    before.register(before.bob)
    kept.keep()
    rig = CentreRig()
    rig.core.change_directory(Drop(entity=rig.core.directory.agents[ALICE]), "test", rig.wire.now)
    keeper(rig, database).restore(Flow)
    assert rig.core.endpoint.bindings("alice") == ()
    assert len(rig.core.endpoint.bindings("bob")) == 1


def test_what_cannot_be_reached_or_read_is_passed_over(database: Engine) -> None:
    before = CentreRig()
    kept = keeper(before, database)
    before.register(before.alice)
    kept.keep()
    rig = CentreRig()
    keeper(rig, database).restore(lambda transport, local, remote: None)
    assert rig.core.endpoint.bindings("alice") == ()
    store = BindingStore(database)
    (row,) = store.load()
    object.__setattr__(row, "contact", "rubbish")
    store.replace({ALICE: [row]})
    keeper(rig, database).restore(Flow)
    assert rig.core.endpoint.bindings("alice") == ()


def test_a_phone_on_a_connection_comes_back_by_itself_and_is_not_kept(database: Engine) -> None:
    rig = CentreRig()
    kept = keeper(rig, database)
    rig.alice.flow, _ = rig.wire.connect(rig.alice, rig.centre)
    rig.register(rig.alice)
    kept.keep()
    assert BindingStore(database).load() == []


def test_what_the_disk_did_not_take_is_tried_again_with_what_came_since(
    database: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rig = CentreRig()
    kept = keeper(rig, database)
    rig.register(rig.alice)

    def full(*_: Any) -> None:
        raise Unavailable("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(BindingStore, "replace", full)
        kept.keep()
    assert [record.getMessage() for record in caplog.records] == ["bindings_not_kept"]
    rig.register(rig.bob)
    kept.keep()
    assert [each.agent for each in BindingStore(database).load()] == ["alice", "bob"]
    rig.core.endpoint.remove_bindings("alice", rig.wire.now)
    kept.keep()
    assert [each.agent for each in BindingStore(database).load()] == ["bob"]
