"""What is malformed where the way in looks late, or not at all: answered with what is wrong (RFC 4475)."""

from __future__ import annotations

import pytest

from engine.sip.events import InviteReceived, OfferReceived
from tests.support.sip_raw import Fields, answering, pair, taken


def statuses(method: str, *, uri: str = "sip:100@192.0.2.9", fields: Fields = ()) -> list[int]:
    """What a trunk is answered finally."""
    _, raw, wire = pair()
    raw.ask(method, uri=uri, fields=fields)
    wire.run(0.1)
    return [status for status in raw.statuses() if status >= 200]


@pytest.mark.parametrize(
    ("field", "status"),
    [
        (("To", '"Ann, of the Desk" < sip:ann@example.com >'), 400),
        (("From", "Builder, Bob <sip:bob@example.com>;tag=77"), 400),
        (("Max-Forwards", "many"), 400),
        (("Require", "neverHeardOf"), 420),
    ],
)
def test_options_is_read_as_a_whole(field: tuple[str, str], status: int) -> None:
    assert statuses("OPTIONS", fields=[field]) == [status]


def test_options_of_a_foreign_scheme_is_416() -> None:
    assert statuses("OPTIONS", uri="neverHeardOf:anything") == [416]
    assert statuses("OPTIONS") == [200]


def test_an_invite_may_not_bring_header_fields_in_its_request_uri() -> None:
    assert statuses("INVITE", uri="sip:100@192.0.2.9?Route=%3Csip:edge.example.com%3E") == [400]


def test_an_invite_to_an_address_that_cannot_be_read_is_refused() -> None:
    assert statuses("INVITE", fields=[("To", '"Ann of the Desk <sip:ann@example.com>')]) == [400]


_LATE: list[Fields] = [
    [("Supported", "x,,y")],
    [("Supported", "timer"), ("Supported", "x,,y")],
    [("Supported", "timer"), ("Min-SE", "soon")],
    [("Supported", "timer"), ("Session-Expires", "later")],
]


@pytest.mark.parametrize("fields", _LATE, ids=str)
def test_what_is_read_when_a_call_is_accepted_is_refused_before(fields: Fields) -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE", fields=fields)
    wire.run(0.1)
    assert raw.statuses() == [400]
    assert not station.told(InviteReceived)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("fields", _LATE, ids=str)
def test_what_is_read_when_a_change_is_accepted_is_refused_before(fields: Fields, method: str) -> None:
    station, raw, wire, _, tag = taken()
    raw.ask(method, number=2, to_tag=tag, fields=[*fields, ("Contact", "<sip:raw@192.0.2.1>")], contact=None)
    wire.run(0.1)
    assert raw.statuses()[-1] == 400
    assert not station.endpoint.defects
    assert not station.told(OfferReceived)


@pytest.mark.parametrize("via", ["SIP/2.0/UDP 192.0.2.1;;,;,,", "SIP/7.0/UDP 192.0.2.1;branch=z9hG4bKx"])
def test_a_via_that_cannot_be_read_is_answered_where_it_came_from(via: str) -> None:
    _, raw, wire = pair()
    raw.ask("OPTIONS", via=via)
    wire.run(0.1)
    assert raw.statuses() == [400]


def test_a_version_that_is_not_ours_is_told_so_also_where_the_via_has_it_too() -> None:
    _, raw, wire = pair()
    request = raw.request("OPTIONS", via="SIP/7.0/UDP 192.0.2.1;branch=z9hG4bKx").to_bytes()
    raw.send(request.replace(b" SIP/2.0\r\n", b" SIP/7.0\r\n", 1))
    wire.run(0.1)
    assert raw.statuses() == [505]
