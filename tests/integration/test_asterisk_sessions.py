"""100rel and session timers with a real Asterisk 22 that insists on both (RFC 3262, RFC 4028)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.asterisk import TRUNK, Asterisk, Asterisks
from tests.support.live_centre import LiveCentre
from tests.support.plain_phone import PlainPhone

pytestmark = pytest.mark.integration

DIALPLAN = """
[context.from-trunk]
[[context.from-trunk.extension]]
number = "300"
agent = "alice"

[context.agents]
[[context.agents.extension]]
number = "_9."
trunk = "asterisk"
strip = 1
"""

RINGS_FIRST = """
[from-hearthline](+)
exten => 777,1,Progress()
 same => n,Ringing()
 same => n,Wait(0.5)
 same => n,Answer()
 same => n,Echo()
"""


@pytest.fixture
def centre(centres: Callable[..., LiveCentre], tmp_path: Path) -> LiveCentre:
    (tmp_path / "dialplan.toml").write_text(DIALPLAN)
    return centres(dialplan={"file": str(tmp_path / "dialplan.toml")}, sip={"session_expires_s": 90})


@pytest.fixture
def asterisk(asterisks: Asterisks, centre: LiveCentre) -> Asterisk:
    shipped = TRUNK.read_text()
    strict = shipped.replace("timers = yes\n", "timers = always\ntimers_sess_expires = 90\n100rel = required\n")
    assert strict != shipped
    extra = {"pjsip_hearthline.conf": strict, "extensions_extra.conf": RINGS_FIRST}
    asterisk = asterisks.start(engine_port=centre.engine.sip_port, extra=extra)
    asterisk.ami.command("pjsip set logger on")
    centre.trunk("asterisk", "127.0.0.1", port=asterisk.ports.sip, match_port=True)
    return asterisk


@pytest.fixture
def alice(centre: LiveCentre) -> PlainPhone:
    return centre.agent("alice")


def seen(asterisk: Asterisk, *texts: str) -> bool:
    log = asterisk.log()
    return all(text in log for text in texts)


def test_asterisk_requires_both_of_a_call_of_ours(centre: LiveCentre, asterisk: Asterisk, alice: PlainPhone) -> None:
    talk = alice.call("9777")
    talk.wait(200)
    # Our first INVITE did not offer 100rel; the second did, and each of Asterisk's provisional answers got its PRACK.
    assert seen(asterisk, "SIP/2.0 421 Extension Required", "RSeq: ", "PRACK sip:", "RAck: ")
    assert seen(asterisk, "Session-Expires: 90;refresher=")
    assert talk.hang_up().status == 200
    cdr = centre.cdr(talk)
    assert (cdr["reason"], cdr["destination"]) == ("caller_hangup", "trunk:asterisk/777")
    centre.until(lambda: asterisk.channels() == [], "the end of Asterisk's channels")


def test_asterisk_requires_both_in_a_call_to_us(centre: LiveCentre, asterisk: Asterisk, alice: PlainPhone) -> None:
    asterisk.wait_for_trunk()
    call = asterisk.originate("PJSIP/300@hearthline", exten="silence")
    call.wait_answered()
    assert seen(asterisk, "Require: 100rel", "RSeq: ", "PRACK sip:", "Require: timer")
    talk = alice.talk()
    assert talk.hang_up().status == 200
    (cdr,) = centre.engine.wait_for_cdrs(1)
    assert cdr["reason"] == "agent_hangup"
    centre.until(lambda: asterisk.channels() == [], "the end of Asterisk's channels")
