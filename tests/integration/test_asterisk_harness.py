"""The harness itself: Asterisk with the shipped trunk and dialplan, SIPp, and audio that is measured, not assumed."""

from __future__ import annotations

import time

import pytest

from tests.support.ami import AmiError
from tests.support.asterisk import Asterisk, Asterisks
from tests.support.ports import PortPool
from tests.support.procs import wait_until
from tests.support.sipp import TESTER_ADDRESS, Sipps
from tests.support.tones import dominant_frequency, gaps, line_dbfs, tone_dbfs

pytestmark = pytest.mark.integration

FAR_END = """
; Stands in for the engine: the numbers of its demo dialplan.
[from-hearthline](+)
exten => 600,1,Answer()
 same => n,Echo()
exten => 602,1,Answer()
 same => n,PlayTones(440)
 same => n,Wait(1.5)
 same => n,StopPlayTones()
 same => n,Wait(0.3)
 same => n,PlayTones(440)
 same => n,Wait(60)
exten => 603,1,Hangup(21)
"""


@pytest.fixture
def asterisk(asterisks: Asterisks, ports: PortPool) -> Asterisk:
    """Asterisk alone, nothing behind its trunk."""
    return asterisks.start(engine_port=ports.one())


@pytest.fixture
def asterisk_pair(asterisks: Asterisks, ports: PortPool) -> tuple[Asterisk, Asterisk]:
    """Two of them, each the other's engine, so that the shipped fragments are tried in both directions."""
    near_port, far_port = ports.one(), ports.one()
    far = asterisks.start(
        name="far", sip_port=far_port, engine_port=near_port, extra={"extensions_extra.conf": FAR_END}
    )
    near = asterisks.start(name="near", sip_port=near_port, engine_port=far_port)
    near.wait_for_trunk()
    return near, far


def test_sipp_calls_asterisks_echo(asterisk: Asterisk, sipps: Sipps) -> None:
    run = sipps.start(
        "uac_talk",
        target=("127.0.0.1", asterisk.ports.sip),
        service="700",
        calls=3,
        rate=10,
        pause_ms=300,
    )
    result = run.wait()
    assert (result.status, result.successful, result.failed) == (0, 3, 0), result.errors
    answers = [message for message in result.messages if not message.sent and " 200 " in message.first_line]
    assert len(answers) == 6, "an answer to each INVITE and to each BYE"
    assert answers[0].header("call-id") == result.messages[0].header("Call-ID")
    wait_until(lambda: asterisk.channels() == [], timeout=5, what="the end of Asterisk's channels")


@pytest.mark.timing
def test_a_tone_from_asterisk_comes_back_from_sipps_echo(asterisk: Asterisk, sipps: Sipps) -> None:
    telephone = sipps.start(
        "uas_answer",
        local=(TESTER_ADDRESS, asterisk.ports.tester),
        rtp_echo=True,
        pause_ms=100,
    )
    call = asterisk.originate("PJSIP/100@tester")
    call.wait_answered()
    time.sleep(3)
    call.hang_up()
    assert telephone.wait().successful == 1
    heard, said = call.heard().between(0.5, 2.5), call.said().between(0.5, 2.5)
    assert dominant_frequency(heard) == pytest.approx(1004, abs=1)
    assert tone_dbfs(heard, 1004) == pytest.approx(tone_dbfs(said, 1004), abs=0.5)
    assert gaps(heard, 1004) == []


def test_a_refused_call_is_told_apart(asterisk: Asterisk, sipps: Sipps) -> None:
    run = sipps.start(
        "uac_refused",
        target=("127.0.0.1", asterisk.ports.sip),
        service="9999",
        fill={"code": "404"},
    )
    assert run.wait().successful == 1
    answered = sipps.start(
        "uac_refused",
        target=("127.0.0.1", asterisk.ports.sip),
        service="700",
        fill={"code": "404"},
    )
    result = answered.wait()
    assert (result.status, result.failed) == (1, 1)
    assert "200 OK" in result.errors


@pytest.mark.timing
def test_the_shipped_trunk_and_dialplan_carry_a_tone_both_ways(asterisk_pair: tuple[Asterisk, Asterisk]) -> None:
    near, far = asterisk_pair
    call = near.originate("Local/6000@to-hearthline/n")
    call.wait_answered()
    wait_until(lambda: len(far.channels()) == 1, timeout=5, what="the far end's channel")
    time.sleep(2)
    call.hang_up()
    heard = call.heard().between(0.3, 1.8)
    assert tone_dbfs(heard, 1004) == pytest.approx(tone_dbfs(call.said(), 1004), abs=0.5)
    assert line_dbfs(heard, 700) < tone_dbfs(heard, 1004) - 60
    assert gaps(heard, 1004) == []
    wait_until(lambda: near.channels() == far.channels() == [], timeout=5, what="the end of all channels")


@pytest.mark.timing
def test_a_recording_keeps_time_where_the_far_end_falls_silent(asterisk_pair: tuple[Asterisk, Asterisk]) -> None:
    near, _ = asterisk_pair
    call = near.originate("Local/6002@to-hearthline/n", exten="silence")
    call.wait_answered()
    time.sleep(3)
    call.hang_up()
    heard = call.heard()
    assert heard.seconds == pytest.approx(3.0, abs=0.2)
    (gap,) = gaps(heard.between(0.2, 2.8), 440)
    assert gap.length_s == pytest.approx(0.3, abs=0.05)
    assert line_dbfs(call.said(), 1004) < -90


def test_a_rejected_call_says_why(asterisk_pair: tuple[Asterisk, Asterisk]) -> None:
    near, _ = asterisk_pair
    call = near.originate("Local/6003@to-hearthline/n")
    with pytest.raises(AmiError, match="not answered"):
        call.wait_answered()
    assert call.wait_ended().fields["Cause"] == "21"


@pytest.mark.timing(stall_ms=200)
def test_a_trunk_without_an_engine_fails_at_once(asterisk: Asterisk) -> None:
    asterisk.wait_for_trunk(up=False)
    call = asterisk.originate("Local/6000@to-hearthline/n")
    assert call.wait_ended(timeout=2).fields["Cause"] == "34"


def test_the_trunk_is_up_when_the_far_end_answers_options(asterisk_pair: tuple[Asterisk, Asterisk]) -> None:
    near, _ = asterisk_pair
    near.wait_for_trunk()


def test_a_caller_from_hearthline_reaches_only_its_context(asterisk: Asterisk, sipps: Sipps) -> None:
    """On the engine's address and port a call is taken without a password, and starts in `from-hearthline`."""
    run = sipps.start(
        "uac_refused",
        local=("127.0.0.1", asterisk.ports.engine),
        target=("127.0.0.1", asterisk.ports.sip),
        service="6000",
        fill={"code": "404"},
    )
    assert run.wait().successful == 1


def test_nothing_is_left_of_a_stopped_asterisk(asterisk: Asterisk) -> None:
    directory = asterisk.directory
    assert directory.exists()
    asterisk.stop()
    assert not directory.exists()
    assert asterisk.process.returncode == 0
