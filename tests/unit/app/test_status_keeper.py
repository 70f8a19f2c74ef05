from __future__ import annotations

import pytest
from sqlalchemy import Engine

from engine.acd.centre import Acd
from engine.app.status_keeper import StatusKeeper
from engine.calls.directory import Agent, AgentStatus, Directory
from engine.calls.journal import Journal
from engine.calls.log import AgentStatusChanged
from engine.ids import AgentName
from engine.store.directory_store import DirectoryStore
from tests.support.at_once import AtOnce
from tests.support.call_fakes import Numbers, SetClock
from tests.support.centre_rig import CentreRig
from tests.support.records import WALL, record

ALICE = AgentName("alice")


def changed(agent: str, status: AgentStatus, reason: str = "") -> AgentStatusChanged:
    return AgentStatusChanged(agent=AgentName(agent), status=status, reason=reason, by="test")


def test_the_break_of_an_agent_who_did_not_answer_survives_a_restart(database: Engine) -> None:
    rig = CentreRig(ring_timeout_s=5.0)
    store = DirectoryStore(database)
    for agent in rig.core.directory.agents.values():
        store.put(agent)
    keeper = StatusKeeper(rig.core.directory, store, AtOnce())
    rig.register(rig.alice)
    rig.call()
    rig.wire.run(8.0)
    keeper.observe(rig.centre.records)
    told = next(entry for entry in rig.centre.records if isinstance(entry.body, AgentStatusChanged))

    kept = rig.core.directory.agents[ALICE]
    assert (kept.status, kept.status_since) == (AgentStatus.BREAK, told.wall)
    assert kept.status_reason.startswith("rona")

    after = store.load()
    assert after.agents[ALICE] == kept
    acd = Acd(after, Journal(SetClock()), Numbers(), 0.0)
    seen = {agent.name: agent for agent in acd.snapshot(0.0).agents}
    assert (seen[ALICE].status, seen[ALICE].status_reason) == (AgentStatus.BREAK, kept.status_reason)
    assert seen[AgentName("bob")].status is AgentStatus.AVAILABLE


def test_a_return_is_kept_as_well_and_other_settings_stay(database: Engine) -> None:
    store = DirectoryStore(database)
    agent = Agent(name=ALICE, display="Alice", ha1_md5="0" * 32, status=AgentStatus.BREAK, status_reason="lunch")
    store.put(agent)
    keeper = StatusKeeper(store.load(), store, AtOnce())
    keeper.observe([record(1, changed("alice", AgentStatus.AVAILABLE))])
    kept = store.load().agents[ALICE]
    assert (kept.status, kept.status_reason, kept.status_since) == (AgentStatus.AVAILABLE, "", WALL + 1)
    assert (kept.display, kept.ha1_md5) == ("Alice", "0" * 32)


def test_an_agent_who_is_gone_and_other_records_change_nothing(
    database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    store = DirectoryStore(database)
    keeper = StatusKeeper(Directory(), store, AtOnce())
    keeper.observe([record(1, changed("zoe", AgentStatus.BREAK))])
    assert store.load().agents == {}
    assert caplog.records == []


def test_a_status_that_the_store_does_not_take_is_told_and_counts_all_the_same(
    database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    directory = Directory.of([Agent(name=ALICE)])
    keeper = StatusKeeper(directory, DirectoryStore(database), AtOnce())
    keeper.observe([record(1, changed("alice", AgentStatus.BREAK, "lunch"))])
    assert directory.agents[ALICE].status is AgentStatus.BREAK
    (told,) = caplog.records
    assert told.getMessage() == "status_not_kept"
    assert told.pairs == {"agent": "alice", "code": "not_found", "reason": "no agent 'alice'"}  # type: ignore[attr-defined]
