"""What an agent can do from any SIP phone: be available, take a break, ask for the own status, hold, press keys.

The codes are those of the demo dialplan; the tones are told apart by what is heard.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.support.live_centre import LiveCentre, running_centre
from tests.support.plain_message import direction_of
from tests.support.plain_phone import PlainPhone
from tests.support.plain_talk import Talk
from tests.support.ports import PortPool
from tests.support.procs import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def shared(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    with running_centre(session_ports, tmp_path_factory.mktemp("codes")) as centre:
        yield centre


@pytest.fixture
def centre(shared: LiveCentre) -> Iterator[LiveCentre]:
    yield shared
    for agent in shared.engine.api.get("/api/v1/agents")["items"]:
        shared.engine.api.delete(f"/api/v1/agents/{agent['name']}")
    shared.at_rest()


def dial(phone: PlainPhone, code: str) -> bytes:
    """Dial a code, wait until the engine hangs up; what was heard, as mu-law octets."""
    phone.voice.sound.clear()
    talk = phone.call(code)
    talk.wait(200)
    talk.wait_bye()
    return bytes(phone.voice.sound)


def test_an_agent_changes_and_asks_his_status_by_dialling(centre: LiveCentre) -> None:
    alice = centre.agent("alice", "demo")
    confirmed = dial(alice, "*12")
    seen = centre.engine.agent("alice")
    assert (seen["status"], seen["status_reason"]) == ("break", "phone")
    denied = dial(alice, "*10")
    caller = centre.caller()
    talk = caller.call("600")
    talk.wait(200)
    assert dial(alice, "*11")
    centre.hear_each_other(caller, alice)
    assert centre.engine.agent("alice")["status"] == "available"
    assert talk.hang_up().status == 200
    alice.talk().wait_bye()
    available = dial(alice, "*10")
    assert len(confirmed) > 800, "at least a tenth of a second of tone"
    assert similar(confirmed, available), "CONFIRM says done, and available"
    assert not similar(confirmed, denied), "DENY says on a break"
    by = [record["body"]["by"] for record in centre.engine.records("AgentStatusChanged")]
    assert by == ["phone", "phone"]


def similar(one: bytes, other: bytes) -> bool:
    """Whether two tones have the same pitch, by their changes of sign, and about the same length."""

    def changes(sound: bytes) -> int:
        return sum(a >> 7 != b >> 7 for a, b in pairwise(sound))

    return abs(changes(one) - changes(other)) < 0.1 * changes(one)


def test_a_rona_stands_in_all_three_places_and_the_code_takes_it_back(centre: LiveCentre) -> None:
    centre.queue(ring_timeout_s=1)
    alice = centre.agent("alice", "demo")
    alice.behaviour = "ring"
    talk = centre.caller().call("600")
    alice.talk()
    wait_until(lambda: centre.engine.agent("alice")["status"] == "break", timeout=5, what="a RONA")
    assert centre.engine.agent("alice")["status_reason"].startswith("rona")
    assert "rona" in centre.engine.command("agent", "list").stdout
    assert "rona" in centre.engine.command("status").stdout
    assert talk.hang_up().status == 200
    alice.behaviour = "answer"
    dial(alice, "*11")
    seen = centre.engine.agent("alice")
    assert (seen["status"], seen["status_reason"]) == ("available", "")


def test_codes_are_for_agents_only(centre: LiveCentre) -> None:
    talk = centre.caller().call("*11")
    assert talk.wait(404).status == 404, "what a trunk enters does not have them"


@pytest.mark.timing(stall_ms=100)
def test_hold_by_direction_plays_music_to_the_other_and_resume_brings_the_voice_back(centre: LiveCentre) -> None:
    alice, caller = centre.agent("alice", "demo"), centre.caller()
    talk, other = centre.connect(caller, alice)
    for holder, held, dialog in ((alice, caller, other), (caller, alice, talk)):
        answer = dialog.change("sendonly")
        assert answer.status == 200
        assert direction_of(answer.body) == "recvonly"
        under_way, packets = time.monotonic() + 0.2, held.voice.packets
        wait_until(lambda held=held, packets=packets: held.voice.packets > packets + 25, timeout=3, what="music")
        assert held.voice.heard_since(holder.voice.mark, under_way) == 0, "the holder's room is not heard"
        assert centre.engine.api.get("/api/v1/calls")["items"][0]["phase"] == "held"
        answer = dialog.change("sendrecv")
        assert direction_of(answer.body) == "sendrecv"
        centre.hear_each_other(caller, alice)
    assert other.hang_up().status == 200
    talk.wait_bye()
    kinds = [record["type"] for record in centre.engine.records(call=centre.cdr(talk)["call"])]
    assert [kind for kind in kinds if kind in {"CallHeld", "CallResumed"}] == ["CallHeld", "CallResumed"] * 2


def test_both_on_hold_and_then_neither(centre: LiveCentre) -> None:
    alice, caller = centre.agent("alice", "demo"), centre.caller()
    talk, other = centre.connect(caller, alice)
    assert other.change("sendonly").status == 200
    assert direction_of(talk.change("inactive").body) == "inactive"
    assert other.change("sendrecv").status == 200
    assert talk.change("sendrecv").status == 200
    centre.hear_each_other(caller, alice)
    assert talk.hang_up().status == 200


@pytest.mark.timing
def test_keys_reach_the_other_side_and_the_log(centre: LiveCentre) -> None:
    alice, caller = centre.agent("alice", "demo"), centre.caller()
    talk, _ = centre.connect(caller, alice)
    caller.voice.press("159*#")
    wait_until(lambda: len(alice.voice.digits) == 5, timeout=5, what="five digits")
    assert alice.voice.digits == list("159*#")
    alice.voice.press("7")
    wait_until(lambda: caller.voice.digits == ["7"], timeout=5, what="a digit the other way")

    def noted() -> list[tuple[str, int]]:
        return [
            (record["body"]["digit"], record["body"]["duration_ms"])
            for record in centre.engine.records("DigitReceived")
        ]

    wait_until(lambda: len(noted()) == 6, timeout=5, what="six digits in the log")
    assert noted() == [(digit, 100) for digit in "159*#7"]
    assert talk.hang_up().status == 200


def test_refused_codecs_and_further_media_lines(centre: LiveCentre) -> None:
    caller = centre.caller()
    assert caller.call("601", formats="3 18").wait(488)["warning"]
    caller.extra_media = "m=video 4000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    talk: Talk = caller.call("601", formats="18 0 101")
    answer = talk.wait(200).body
    assert b"m=video 0 RTP/AVP" in answer
    assert b"m=audio" in answer
    wait_until(lambda: len(caller.voice.heard[caller.voice.mark]) > 5, timeout=5, what="an echo")
    assert talk.hang_up().status == 200
