"""Codecs that nobody here can decode, between phones and an Asterisk 22 trunk: passed on both ways, each side with its
own payload number, and refused with why where they would have to be decoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.ami import AmiError
from tests.support.asterisk import TRUNK, Asterisk, Asterisks
from tests.support.coded_phone import CodedPhone
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.ports import PortPool
from tests.support.procs import wait_until

pytestmark = pytest.mark.integration

PLAN = """
[[context.agents.extension]]
number = "_97XX"
trunk = "asterisk"
strip = 1

[[context.from-trunk.extension]]
number = "200"
agent = "anna"
[[context.from-trunk.extension]]
number = "201"
agent = "bert"
[[context.from-trunk.extension]]
number = "600"
queue = "demo"
"""
ECHO = """
[probe](+)
exten => echo,1,Answer()
 same => n,Echo()
"""
"""What Asterisk passes on without decoding it."""


class G729Phone(CodedPhone):
    codings = ((97, "G729/8000"),)
    parameters = "annexb=no"


class OpusPhone(CodedPhone):
    codings = ((96, "opus/48000/2"),)
    parameters = "useinbandfec=1"


@pytest.fixture
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    directory = tmp_path_factory.mktemp("codecs_asterisk")
    (directory / "plan.toml").write_text(PLAN)
    with running_centre(session_ports, directory, dialplan={"file": str(directory / "plan.toml")}) as centre:
        yield centre


@pytest.fixture
def asterisk(asterisks: Asterisks, centre: LiveCentre) -> Asterisk:
    shipped = TRUNK.read_text(encoding="utf-8")
    coded = shipped.replace("allow = ulaw,alaw", "allow = g729,opus")
    assert coded != shipped
    asterisk = asterisks.start(
        engine_port=centre.engine.sip_port,
        modules=("res_format_attr_opus", "res_format_attr_g729"),
        extra={TRUNK.name: coded, "extensions_extra.conf": ECHO},
    )
    centre.trunk("asterisk", "127.0.0.1", port=asterisk.ports.sip, match_port=True)
    return asterisk


def hears_itself(phone: Any) -> None:
    """Its own packets come back, with its own number for them."""
    heard = phone.voice.heard[phone.voice.mark]
    before = len(heard)
    wait_until(lambda: len(heard) > before + 30, timeout=10, what=f"what {phone.user} says")
    assert phone.voice.types == [phone.codings[0][0]]


def refusals(centre: LiveCentre) -> list[tuple[str, int]]:
    """Codecs that somebody kept, and the status of his refusal of any other."""
    found = [record["body"] for record in centre.engine.records("CodecRefused")]
    return [(body["codec"], body["status"]) for body in found]


def test_g729_and_opus_pass_between_phones_and_asterisk(centre: LiveCentre, asterisk: Asterisk) -> None:
    anna: Any = centre.agent("anna", kind=G729Phone)
    anna.voice.says = bytes([anna.voice.mark]) * 20  # two frames of 10 ms, as Asterisk counts them
    bert: Any = centre.agent("bert", kind=OpusPhone)
    for phone, number, name, theirs in ((anna, "200", "G729", 18), (bert, "201", "opus", 107)):
        talk = phone.call("9700")
        answer = talk.wait(200).body.decode()
        assert f"a=rtpmap:{phone.codings[0][0]} {phone.codings[0][1]}" in answer
        hears_itself(phone)
        (live,) = centre.engine.api.get("/api/v1/calls")["items"]
        assert (live["caller_codec"], live["peer_codec"]) == (name, name)
        talk.hang_up()
        centre.no_legs()

        call = asterisk.originate(f"PJSIP/{number}@hearthline", exten="echo")
        call.wait_answered()
        offer = phone.talk().invite.body.decode()
        assert f"a=rtpmap:{theirs} {phone.codings[0][1]}" in offer, "what Asterisk calls it"
        hears_itself(phone)
        call.hang_up()
        centre.no_legs()


def test_what_would_have_to_be_decoded_is_refused_with_why(centre: LiveCentre, asterisk: Asterisk) -> None:
    with pytest.raises(AmiError, match="not answered"):
        asterisk.originate("PJSIP/600@hearthline", exten="echo").wait_answered()
    cdr = centre.engine.wait_for_cdrs(1)[0]
    assert (cdr["reason"], cdr["sip_code"]) == ("not_acceptable", 488)
    shown = centre.engine.command("trace", cdr["call"], "--full").stdout
    assert 'Warning: 305 hearthline "no common audio codec; found: G729, opus"' in shown

    anna: Any = centre.agent("anna", kind=G729Phone)
    anna.voice.says = bytes([anna.voice.mark]) * 20
    boss = centre.agent("boss")
    talk = anna.call("9700")
    talk.wait(200)
    hears_itself(anna)
    (live,) = centre.engine.api.get("/api/v1/calls")["items"]
    centre.engine.command("listen", live["call"], "--agent", "boss")
    away = boss.talk().wait_bye()
    assert away["reason"] == 'SIP;cause=488;text="the call is spoken in G729, which nobody else can be mixed with"'
    wait_until(lambda: len(refusals(centre)) == 2, timeout=5, what="both refusals")
    assert refusals(centre) == [("G729", 488), ("G729", 488)]
    for words, why in (
        (("listen", live["call"], "--agent", "boss"), "is spoken in G729, which nobody else can be mixed with"),
        (("recording", "start", live["call"]), "speaks G729, which can only be passed through, and has refused any"),
    ):
        refused = centre.engine.command(*words, check=False)
        assert refused.returncode == 1
        assert why in refused.stderr
    hears_itself(anna)
    talk.hang_up()
    centre.at_rest()
