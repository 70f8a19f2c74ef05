from __future__ import annotations

import pytest

from engine.sip.events import InviteFailed, SessionEnded
from engine.sip.reason import Causes, read_reasons
from tests.support.sip_raw import answering, calling, pair


@pytest.mark.parametrize(
    ("text", "causes"),
    [
        ("", (None, None)),
        ('Q.850;cause=16;text="Terminated"', (16, None)),
        ('SIP;cause=200;text="Call completed elsewhere"', (None, 200)),
        ('q.850 ;cause=17, sip;cause=486;text="a, b"', (17, 486)),
        ("Q.850;cause=17, Q.850;cause=31", (17, None)),
        ("Q.850;cause=0", (None, None)),
        ("Q.850;cause=128", (None, None)),
        ("SIP;cause=99", (None, None)),
        ("SIP;cause=700", (None, None)),
        ("Q.850", (None, None)),
        ("Q.850;cause=x", (None, None)),
        ('Q.850;cause=16;text="cut', (None, None)),
        ("preemption;cause=1;text=x, Q.850;cause=8", (8, None)),
    ],
)
def test_what_a_reason_says(text: str, causes: tuple[int | None, int | None]) -> None:
    assert read_reasons(text) == Causes(*causes)


def test_every_field_of_a_message_is_told() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE")
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag
    raw.ask("ACK", to_tag=tag)
    raw.ask("BYE", number=2, to_tag=tag, fields=[("Reason", "SIP;cause=480"), ("Reason", "Q.850;cause=19")])
    wire.run(0.1)
    (ended,) = station.told(SessionEnded)
    assert isinstance(ended, SessionEnded)
    assert ended.reason == "SIP;cause=480, Q.850;cause=19"


def test_a_refusal_may_have_one_and_it_is_shortened() -> None:
    station, raw, wire, _, invite = calling()
    raw.respond(invite, 503, fields=[("Reason", "Q.850;cause=34;text=" + "x" * 300), ("Retry-After", "7")])
    wire.run(0.1)
    (failed,) = station.told(InviteFailed)
    assert isinstance(failed, InviteFailed)
    assert failed.reason_header == ("Q.850;cause=34;text=" + "x" * 300)[:200]
    assert failed.retry_after == 7
