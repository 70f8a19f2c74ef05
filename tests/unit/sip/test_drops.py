"""Why nothing came of a message, counted by reason."""

from __future__ import annotations

from engine.sip.drops import MALFORMED, REASONS, UNANSWERABLE, UNEXPECTED, UNMATCHED
from tests.support.sip_raw import pair

RESPONSE = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>;tag=2\r\n"
    b"Call-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"
)


def test_each_reason_is_counted_under_its_name() -> None:
    station, raw, wire = pair()
    drops = station.endpoint.drops
    raw.send(RESPONSE)
    wire.run(0.1)
    assert drops == {UNMATCHED: 1}
    raw.send(b"no SIP at all, and long enough to be no keep-alive")
    wire.run(0.1)
    assert drops == {UNMATCHED: 1, MALFORMED: 1}
    raw.send(RESPONSE.replace(b"SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx", b"?"))
    wire.run(0.1)
    assert drops == {UNMATCHED: 1, MALFORMED: 2}
    assert set(drops) | {UNEXPECTED, UNANSWERABLE} == set(REASONS)
    assert station.endpoint.dropped == 3
