"""Registrations over a crash: an agent can be called from the first moment, before the phone has come back."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.live_centre import LiveCentre, running_centre
from tests.support.ports import PortPool

pytestmark = pytest.mark.integration


def test_a_call_reaches_a_phone_that_registered_with_the_engine_that_was_killed(
    session_ports: PortPool, tmp_path: Path
) -> None:
    with running_centre(session_ports, tmp_path) as centre:
        engine = centre.engine
        with centre.agent("alice", "demo") as alice, centre.agent("bob", "demo", transport="tcp"):
            (phone,) = engine.agent("alice")["bindings"]
            assert phone["source"].startswith("127.0.0.1:")
            assert engine.agent("bob")["bindings"][0]["transport"] == "TCP"
            # Changes are written once a second.
            centre.until(lambda: kept(engine.state / "hearthline.db") == ["alice"], "the registration on the disk")
            centre.until(lambda: reached(centre).count("alice") == 1, "the record of it")
            engine.process.kill()
            engine.process.wait(timeout=5)
            engine.start()

            assert engine.agent("alice")["state"] == "idle"
            assert engine.agent("bob")["bindings"] == []
            (again,) = engine.agent("alice")["bindings"]
            assert (again["contact"], again["source"]) == (phone["contact"], phone["source"])
            assert 0 < again["expires_s"] < phone["expires_s"]
            shown = json.loads(engine.command("agent", "show", "alice", "--json").stdout)
            assert shown["bindings"][0]["source"] == phone["source"]
            with centre.caller() as caller:
                talk, _ = centre.connect(caller, alice)
                assert talk.hang_up().status == 200
            centre.until(lambda: reached(centre).count("alice") == 2, "a record by each process")
            told = reached(centre)
            assert alice.register().status == 200
            assert reached(centre) == told, "a refresh is no news"
            centre.no_legs()


def reached(centre: LiveCentre) -> list[str]:
    """Agents that became reachable, by the records."""
    return [each["body"]["agent"] for each in centre.engine.records("AgentReachable")]


def kept(database: Path) -> list[str]:
    """The agents whose registrations are on the disk."""
    with closing(sqlite3.connect(database)) as connection:
        return [agent for (agent,) in connection.execute("SELECT agent FROM bindings ORDER BY agent")]
