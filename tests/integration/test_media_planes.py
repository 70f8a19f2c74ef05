"""Several media processes under one control process: where calls live, and whom the loss of one harms."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.humming import hear, hum
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.ports import PortPool

pytestmark = pytest.mark.integration

DIALPLAN = """
[context.from-trunk]
[[context.from-trunk.extension]]
number = "600"
queue = "demo"
[[context.from-trunk.extension]]
number = "601"
echo = true
[[context.from-trunk.extension]]
number = "650"
conference = "team"

[context.agents]
include = ["from-trunk"]
[[context.agents.extension]]
number = "201"
agent = "bob"
ring_timeout_s = 5
[[context.agents.extension]]
number = "202"
agent = "carol"
ring_timeout_s = 5
"""


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    """An engine with two media processes."""
    directory = tmp_path_factory.mktemp("planes")
    (directory / "dialplan.toml").write_text(DIALPLAN)
    settings = {"dialplan": {"file": str(directory / "dialplan.toml")}, "media": {"processes": 2}}
    with running_centre(session_ports, directory, **settings) as centre:
        planes_up(centre)
        yield centre


def planes(centre: LiveCentre) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = centre.engine.api.get("/api/v1/media")["planes"]
    return found


def planes_up(centre: LiveCentre) -> None:
    centre.until(lambda: all(plane["state"] == "ready" for plane in planes(centre)), "two media processes")


def legs(centre: LiveCentre) -> list[int]:
    return [plane["legs"] for plane in planes(centre)]


def test_calls_live_on_both_and_the_loss_of_one_harms_only_its_own(centre: LiveCentre) -> None:
    with (
        centre.agent("alice", "demo") as alice,
        centre.agent("bob") as bob,
        centre.caller() as caller,
        centre.agent("carol") as carol,
    ):
        talk, _ = centre.connect(caller, alice)
        other, others = centre.connect(carol, bob, "201")
        centre.until(lambda: legs(centre) == [2, 2], "a call in each media process")
        before = planes(centre)
        assert before[0]["port_max"] < before[1]["port_min"], "each has a share of the range"
        os.kill(before[0]["pid"], signal.SIGKILL)
        talk.wait_bye()
        centre.hear_each_other(carol, bob)
        assert others.bye is None
        assert centre.cdr(talk)["reason"] == "media_lost"
        planes_up(centre)
        after = planes(centre)
        assert (after[0]["pid"] != before[0]["pid"], after[1]["pid"]) == (True, before[1]["pid"])
        assert other.hang_up().status == 200
        others.wait_bye()
        for agent in (alice, bob, carol):
            agent.register(expires=0)
    centre.no_legs()
    centre.prove_a_call()


def test_a_transfer_across_processes_is_heard_at_once_and_then_moved(centre: LiveCentre) -> None:
    with (
        centre.agent("alice", "demo") as alice,
        centre.agent("bob") as bob,
        centre.caller() as caller,
        centre.agent("carol") as carol,
        centre.caller("5552000") as echoing,
    ):
        echo = echoing.call("601")
        echo.wait(200)
        talk, own = centre.connect(caller, alice)
        centre.until(lambda: legs(centre) == [1, 2], "calls in both media processes")
        second = alice.call("202")
        second.wait(200)
        centre.until(lambda: legs(centre) == [3, 2], "the second call in the other media process")
        told = own.transfer("202", replaces=second)
        assert told.status == 202
        own.wait_bye()
        second.wait_bye()
        began = time.monotonic()
        centre.hear_each_other(caller, carol)
        centre.until(lambda: legs(centre) in ([1, 2], [3, 0]), "the two in one media process")
        centre.hear_each_other(caller, carol)
        ended = time.monotonic()
        for phone, mark in ((caller, carol.voice.mark), (carol, caller.voice.mark)):
            gap = phone.voice.longest_gap(mark, began + 0.5, ended - 0.1)
            assert gap < 0.3, f"{phone.user} heard nothing for {gap:.2f} s"
        reinvites = [each for phone in (caller, carol) for each in phone.heard if each.start.startswith("INVITE")]
        assert len(reinvites) == 2, "Carol was called, and one of the two was asked to send elsewhere"
        bob.register(expires=0)
        assert talk.hang_up().status == 200
        carol.talk().wait_bye()
        assert echo.hang_up().status == 200
        for agent in (alice, carol):
            agent.register(expires=0)
    centre.no_legs()


@pytest.mark.timing
def test_who_refuses_to_be_moved_to_a_conference_is_in_it_all_the_same(centre: LiveCentre) -> None:
    with centre.agent("alice", "demo") as alice, centre.agent("bob") as bob, centre.caller() as caller:
        meeting = bob.call("650")
        meeting.wait(200)
        talk, own = centre.connect(caller, alice)
        centre.until(lambda: legs(centre) == [1, 2], "the conference and the call in different media processes")
        hum(caller, bob)
        caller.refuses_changes = 488
        assert own.transfer("650").status == 202
        own.wait_bye()
        hear([caller, bob], "b", "a")
        centre.until(lambda: any(each.start.startswith("INVITE") for each in caller.heard), "the wish to move him")
        hear([caller, bob], "b", "a")
        assert talk.bye is None
        calls = {each["who"]: each["call"] for each in centre.engine.api.get("/api/v1/conferences/team")["members"]}
        centre.engine.command("conference", "mute", "team", calls["trunk:pbx"])
        hear([caller, bob], "b", "")
        assert talk.hang_up().status == 200
        assert meeting.hang_up().status == 200
        for agent in (alice, bob):
            agent.register(expires=0)
    centre.no_legs()


def test_by_policy_calls_of_a_lost_process_go_on_in_the_other(session_ports: PortPool, tmp_path: Path) -> None:
    (tmp_path / "dialplan.toml").write_text(DIALPLAN)
    settings = {
        "dialplan": {"file": str(tmp_path / "dialplan.toml")},
        "media": {"processes": 2, "on_loss": "reestablish"},
    }
    with running_centre(session_ports, tmp_path, **settings) as centre:
        planes_up(centre)
        with centre.agent("alice", "demo") as alice, centre.caller() as caller:
            talk, own = centre.connect(caller, alice)
            centre.until(lambda: 2 in legs(centre), "the call in one process")
            home = legs(centre).index(2)
            os.kill(planes(centre)[home]["pid"], signal.SIGKILL)
            centre.until(lambda: legs(centre)[1 - home] == 2, "both legs in the other process")
            centre.hear_each_other(caller, alice)
            assert (talk.bye, own.bye) == (None, None)
            planes_up(centre)
            assert talk.hang_up().status == 200
            own.wait_bye()
            assert centre.cdr(talk)["reason"] == "caller_hangup"
            alice.register(expires=0)
        centre.no_legs()


def test_a_process_is_taken_out_of_service_and_a_fresh_one_comes(centre: LiveCentre) -> None:
    planes_up(centre)
    with centre.agent("alice", "demo") as alice, centre.caller() as caller:
        talk, own = centre.connect(caller, alice)
        centre.until(lambda: sum(legs(centre)) == 2, "the call in one process")
        home = legs(centre).index(2)
        before = planes(centre)[home]["pid"]
        said = centre.engine.command("media", "drain", str(home), "--move").stdout
        assert f"media process {home} takes no new legs" in said
        centre.until(lambda: legs(centre)[1 - home] == 2, "the call in the other process")
        centre.until(lambda: planes(centre)[home]["pid"] not in (0, before), "a fresh process in its place")
        centre.hear_each_other(caller, alice)
        planes_up(centre)
        assert talk.hang_up().status == 200
        own.wait_bye()
        alice.register(expires=0)
    centre.no_legs()


def test_who_comes_when_every_process_has_enough_to_do_is_refused(session_ports: PortPool, tmp_path: Path) -> None:
    (tmp_path / "dialplan.toml").write_text(DIALPLAN)
    settings = {
        "dialplan": {"file": str(tmp_path / "dialplan.toml")},
        "media": {"processes": 2, "busy_tick": 0.0001},  # two microseconds: any tick is too much
    }
    with running_centre(session_ports, tmp_path, **settings) as centre:
        planes_up(centre)
        with centre.agent("alice") as alice, centre.caller() as caller, centre.caller("5552000") as second:
            talk, other = caller.call("600"), second.call("600")
            for each in (talk, other):
                each.wait(200)  # they wait and hear music, one in each process
            centre.until(lambda: all("busy" in plane["state"] for plane in planes(centre)), "two busy processes")
            assert "ticks take" in centre.engine.command("status").stdout
            with centre.caller("5553000") as late:
                refused = late.call("600").wait(503)
                assert refused["retry-after"] == "5"
            reasons = [cdr["reason"] for cdr in centre.engine.wait_for_cdrs(1)]
            assert reasons == ["media_busy"]
            shown = 'hearthline_media_busy{plane="1"} 1.0'
            centre.until(lambda: shown in centre.engine.api.text("/metrics"), "the metric")
            busy = [record["body"] for record in centre.engine.records("MediaBusy")]
            assert sorted(body["plane"] for body in busy) == [0, 1]
            centre.engine.api.put("/api/v1/members/demo/alice", {})
            centre.hear_each_other(caller, alice)
            for each in (talk, other):
                assert each.hang_up().status == 200
            centre.until(lambda: all(plane["state"] == "ready" for plane in planes(centre)), "calls again")
            centre.prove_a_call()
            alice.register(expires=0)
        centre.no_legs()


def test_no_garbage_is_collected_while_somebody_talks(centre: LiveCentre) -> None:
    planes_up(centre)
    with centre.agent("alice", "demo") as alice, centre.caller() as caller:
        talk, own = centre.connect(caller, alice)
        time.sleep(2.5)
        assert [plane["collections"] for plane in planes(centre)] == [0, 0]
        assert talk.hang_up().status == 200
        own.wait_bye()
        alice.register(expires=0)
    centre.no_legs()
