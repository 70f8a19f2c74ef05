"""Codecs that nobody here can decode, between two phones by hand: passed on while they talk, asked away from when one
holds, refused where sound has to be made for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.coded_phone import CodedPhone
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.plain_message import Heard
from tests.support.ports import PortPool
from tests.support.procs import wait_until

pytestmark = pytest.mark.integration

PLAN = """
[[context.agents.extension]]
number = "200"
agent = "bert"

[[context.from-trunk.extension]]
number = "600"
queue = "demo"
[[context.from-trunk.extension]]
number = "601"
echo = true
"""
OPUS = "opus/48000/2"
PCMU = (0, "PCMU/8000")


class OpusPhone(CodedPhone):
    codings = ((96, OPUS),)
    parameters = "useinbandfec=1"


class OtherOpusPhone(CodedPhone):
    codings = ((111, OPUS), PCMU)


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    directory = tmp_path_factory.mktemp("codecs")
    (directory / "plan.toml").write_text(PLAN)
    settings = {
        "dialplan": {"file": str(directory / "plan.toml")},
        "recording": {"directory": str(directory / "tapes")},
    }
    with running_centre(session_ports, directory, **settings) as centre:
        yield centre


def invites(phone: CodedPhone) -> list[Heard]:
    return [each for each in phone.heard if each.method == "INVITE" and not each.status]


def test_opus_passes_between_two_phones_and_gives_way_to_music(centre: LiveCentre) -> None:
    anna: Any = centre.agent("anna", kind=OpusPhone)
    bert: Any = centre.agent("bert", kind=OtherOpusPhone)
    talk = anna.call("200")
    answer = talk.wait(200).body
    assert b"a=rtpmap:96 opus/48000/2" in answer
    bert.talk()
    offer = invites(bert)[0].body
    assert b"m=audio" in offer
    assert b"RTP/AVP 96 " in offer
    assert b"a=fmtp:96 useinbandfec=1" in offer
    centre.hear_each_other(anna, bert)
    assert (anna.voice.types, bert.voice.types) == ([96], [111]), "each hears the number that it has named"
    (call,) = centre.engine.api.get("/api/v1/calls")["items"]
    assert (call["caller_codec"], call["peer_codec"]) == ("opus", "opus")

    assert talk.change("sendonly").status == 200
    wait_until(lambda: len(invites(bert)) == 2, timeout=5, what="a re-INVITE for another codec")
    assert b"opus" not in invites(bert)[1].body
    wait_until(lambda: bert.voice.types[-1] == 0, timeout=5, what="music in PCMU")

    assert talk.change("sendrecv").status == 200
    wait_until(lambda: len(invites(bert)) == 3, timeout=5, what="Opus again, since the other has nothing else")
    centre.hear_each_other(anna, bert)
    assert talk.hang_up().status == 200
    bert.talk().wait_bye()
    quality = centre.cdr(talk)["caller_quality"]
    assert quality["codec"] == "opus"
    refused = centre.engine.records("CodecRefused")
    assert [(record["body"]["codec"], record["body"]["status"]) for record in refused] == [("opus", 488)]


def test_who_is_to_be_recorded_is_asked_for_another_codec_and_may_refuse(centre: LiveCentre) -> None:
    anna: Any = centre.agent("carl", kind=OtherOpusPhone)
    bert: Any = centre.agent("bert", kind=OtherOpusPhone)
    talk = anna.call("200")
    talk.wait(200)
    bert.talk()
    (live,) = centre.engine.api.get("/api/v1/calls")["items"]
    assert (live["caller_codec"], live["recording"]) == ("opus", "")
    centre.engine.command("recording", "start", live["call"])
    (live,) = centre.engine.api.get("/api/v1/calls")["items"]
    assert (live["caller_codec"], live["peer_codec"], live["recording"]) == ("PCMU", "PCMU", "on")
    centre.hear_each_other(anna, bert)
    assert talk.hang_up().status == 200
    bert.talk().wait_bye()
    row = centre.cdr(talk)
    assert (row["recording"].endswith(f"{live['call']}.flac"), row["recording_missed"]) == (True, "")

    fixed: Any = centre.agent("dora", kind=OpusPhone)
    talk = fixed.call("200")
    talk.wait(200)
    bert.talk()
    (live,) = centre.engine.api.get("/api/v1/calls")["items"]
    told = centre.engine.command("recording", "start", live["call"], check=False)
    why = "agent:dora speaks opus, which can only be passed through, and has refused any other codec"
    assert (told.returncode != 0, f"call {live['call']} cannot be recorded: {why}" in told.stderr) == (True, True)
    wait_until(
        lambda: (
            {each["caller_codec"] + each["peer_codec"] for each in centre.engine.api.get("/api/v1/calls")["items"]}
            == {"opusopus"}
        ),
        timeout=5,
        what="Opus again for the other",
    )
    centre.hear_each_other(fixed, bert)
    assert talk.hang_up().status == 200
    bert.talk().wait_bye()
    row = centre.cdr(talk)
    assert (row["recording"], row["recording_missed"]) == ("", why)
    assert centre.metric("hearthline_recordings_missed_total") == 1


def test_a_queue_and_an_echo_refuse_what_cannot_be_decoded(centre: LiveCentre) -> None:
    caller: Any = centre.caller(kind=OpusPhone)
    for number in ("600", "601"):
        refused = caller.call(number).wait(488)
        assert refused["warning"] == '305 hearthline "no common audio codec; found: opus"'
