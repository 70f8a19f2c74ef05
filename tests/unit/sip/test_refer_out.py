"""REFER of ours, and what the peer says of it."""

from __future__ import annotations

import pytest

from engine.sip.errors import LocalSipError
from engine.sip.events import ReferAnswered, ReferId, ReferNotified
from engine.sip.message import Request
from engine.sip.replaces import Replaces
from engine.sip.uri import SipUri
from tests.support.sip_raw import RawPeer, Taken, taken
from tests.support.wire import EndpointStation, Wire

TARGET = SipUri(user="200", host="192.0.2.50")


def sent(**options: object) -> tuple[Taken, ReferId, Request]:
    """A REFER of ours that the peer has."""
    call = taken()
    station, raw, wire, session, _ = call
    refer = station.endpoint.refer(session, TARGET, now=wire.now, **options)  # type: ignore[arg-type]
    wire.run(0.1)
    return call, refer, raw.requests("REFER")[-1]


def notify(raw: RawPeer, wire: Wire, tag: str, number: int, body: str, **change: str) -> int:
    """The peer notifies; our answer."""
    fields = {
        "Event": "refer",
        "Subscription-State": "active;expires=60",
        "Content-Type": "message/sipfrag",
    } | {name.replace("_", "-"): value for name, value in change.items()}
    raw.ask("NOTIFY", to_tag=tag, number=number, fields=list(fields.items()), body=body.encode())
    wire.run(0.1)
    return raw.statuses()[-1]


def told(station: EndpointStation) -> list[tuple[int | None, str, bool]]:
    return [(e.status, e.reason, e.over) for e in station.told(ReferNotified) if isinstance(e, ReferNotified)]


def test_what_the_peer_says_is_told_up_to_its_last_word() -> None:
    (station, raw, wire, _, tag), refer, request = sent(referred_by="<sip:x@y>")
    assert request.headers.get("Refer-To") == "<sip:200@192.0.2.50>"
    assert request.headers.get("Referred-By") == "<sip:x@y>"
    assert request.headers.get("Contact") == "<sip:192.0.2.9:5060>"
    assert "Refer-Sub" not in request.headers
    raw.respond(request, 202)
    assert notify(raw, wire, tag, 2, "SIP/2.0 180 Ringing\r\n") == 200
    last = "terminated;reason=noresource"
    assert notify(raw, wire, tag, 3, "SIP/2.0 200 OK", Subscription_State=last, Event="refer; id=1") == 200
    assert station.told(ReferAnswered) == [ReferAnswered(refer=refer, status=202)]
    assert told(station) == [(180, "Ringing", False), (200, "OK", True)]
    assert notify(raw, wire, tag, 4, "SIP/2.0 200 OK") == 481


def test_what_the_peer_says_is_told_without_line_breaks() -> None:
    (station, raw, wire, _, tag), _, refer = sent()
    raw.respond(refer, 202)
    notify(raw, wire, tag, 2, "SIP/2.0 180 Ring\u2028ing\r\n")
    assert told(station) == [(180, "Ring ing", False)]


def test_replaces_goes_with_the_target_escaped() -> None:
    replaces = Replaces(call_id="a@b", to_tag="1", from_tag="2", early_only=True)
    _, _, request = sent(replaces=replaces)
    expected = "<sip:200@192.0.2.50?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2%3Bearly-only>"
    assert request.headers.get("Refer-To") == expected


def test_a_refusal_is_all_that_follows() -> None:
    (station, raw, wire, _, tag), refer, request = sent()
    raw.respond(request, 603)
    wire.run(0.1)
    assert station.told(ReferAnswered) == [ReferAnswered(refer=refer, status=603)]
    assert notify(raw, wire, tag, 2, "SIP/2.0 200 OK") == 481
    wire.run(60.0)
    assert told(station) == []


def test_without_an_answer_it_has_failed() -> None:
    (station, _, wire, _, _), refer, _ = sent()
    wire.run(40.0)
    assert station.told(ReferAnswered) == [ReferAnswered(refer=refer, status=408)]


def test_without_subscription_the_answer_is_the_end() -> None:
    (station, raw, wire, _, _), _, request = sent(subscribe=False)
    assert request.headers.get("Refer-Sub") == "false"
    assert request.supported == ("norefersub",)
    raw.respond(request, 202, fields=[("Refer-Sub", "false")])
    wire.run(0.1)
    assert told(station) == [(None, "", True)]


def test_silence_after_the_answer_ends_it() -> None:
    (station, raw, wire, _, _), _, request = sent()
    raw.respond(request, 202)
    wire.run(31.0)
    assert told(station) == []
    wire.run(2.0)
    assert told(station) == [(None, "", True)]


def test_it_ends_with_the_time_that_the_peer_named_and_with_the_call() -> None:
    (station, raw, wire, session, tag), _, request = sent()
    raw.respond(request, 202)
    notify(raw, wire, tag, 2, "SIP/2.0 100 Trying", Subscription_State="active;expires=5")
    wire.run(6.0)
    assert told(station) == [(100, "Trying", False), (None, "", True)]
    station.endpoint.refer(session, TARGET, now=wire.now)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("BYE")[0], 200)
    wire.run(0.1)
    assert told(station)[2:] == [(None, "", True)]


def test_what_cannot_be_read_says_nothing() -> None:
    (station, raw, wire, _, tag), _, request = sent()
    raw.respond(request, 202)
    assert notify(raw, wire, tag, 2, "SIP/2.0 20x OK") == 200
    assert notify(raw, wire, tag, 3, "SIP/2.0 200 OK", Content_Type="text/plain") == 200
    assert notify(raw, wire, tag, 4, "", Subscription_State="") == 400
    assert notify(raw, wire, tag, 5, "", Event="presence") == 489
    assert notify(raw, wire, tag, 6, "", Event="refer;id=77") == 481
    assert told(station) == [(None, "", False)] * 2


def test_few_may_be_under_way() -> None:
    (station, _, wire, session, _), _, _ = sent()
    for _ in range(3):
        station.endpoint.refer(session, TARGET, now=wire.now)
    with pytest.raises(LocalSipError, match="under way"):
        station.endpoint.refer(session, TARGET, now=wire.now)


def test_a_call_that_is_not_up_refers_nobody() -> None:
    station, raw, wire, session, tag = taken()
    raw.ask("BYE", to_tag=tag, number=2)
    wire.run(0.1)
    with pytest.raises(LocalSipError, match="not up"):
        station.endpoint.refer(session, TARGET, now=wire.now)


@pytest.mark.parametrize(
    "expires", ["", ";expires", ";expires=", ";expires=٣", ";expires=²", ";expires=9999999999", ";x=5"]
)
def test_without_a_time_that_can_be_read_an_hour_is_waited(expires: str) -> None:
    (station, raw, wire, _, tag), _, request = sent()
    raw.respond(request, 202)
    assert notify(raw, wire, tag, 2, "SIP/2.0 100 Trying", Subscription_State=f"active{expires}") == 200
    wire.run(3590.0)
    assert told(station) == [(100, "Trying", False)]
    wire.run(20.0)
    assert told(station) == [(100, "Trying", False), (None, "", True)]


def test_a_notify_must_say_how_the_subscription_stands() -> None:
    (station, raw, wire, _, tag), _, request = sent()
    raw.respond(request, 202)
    raw.ask("NOTIFY", to_tag=tag, number=2, fields=[("Event", "refer")])
    wire.run(0.1)
    assert (raw.statuses()[-1], told(station)) == (400, [])


@pytest.mark.parametrize("answer", [200, 603, None])
def test_what_is_over_makes_room_and_leaves_no_timer(answer: int | None) -> None:
    (station, raw, wire, session, tag), _, request = sent()
    if answer is None:
        wire.run(40.0)
    elif answer == 200:
        raw.respond(request, 202)
        notify(raw, wire, tag, 2, "SIP/2.0 200 OK", Subscription_State="terminated")
    else:
        raw.respond(request, answer)
    wire.run(60.0)
    assert station.endpoint.next_deadline() is None
    for _ in range(4):
        station.endpoint.refer(session, TARGET, now=wire.now)


def test_what_cannot_be_sent_has_failed() -> None:
    (station, raw, wire, _, tag), refer, _ = sent()
    station.endpoint.send_failed(station.flow_to(raw), wire.now)
    wire.run(0.1)
    assert station.told(ReferAnswered) == [ReferAnswered(refer=refer, status=503)]
    assert notify(raw, wire, tag, 2, "SIP/2.0 200 OK") == 481
