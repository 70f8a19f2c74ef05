"""INFO: keys, the refusals of RFC 6086, and keys that we send."""

from __future__ import annotations

import pytest

from engine.sip.errors import LocalSipError
from engine.sip.events import DtmfReceived
from tests.support.sip_raw import answering, pair, taken

RELAY = ("Content-Type", "application/dtmf-relay")


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=240\r\n", ("5", 240)),
        ("application/dtmf-relay", b"Signal= *\nDuration= 100", ("*", 100)),
        ("application/dtmf-relay", b"signal=d", ("D", 160)),
        ("application/dtmf-relay", b"Signal=11\r\nDuration=99999999\r\n", ("#", 160)),
        ("application/dtmf-relay", b"Signal=1\r\nDuration=60000\r\n", ("1", 5000)),
        ("application/dtmf", b"7", ("7", 160)),
        ("application/dtmf", b" # ", ("#", 160)),
        ("APPLICATION/DTMF", b"10", ("*", 160)),
    ],
)
def test_a_key_is_told(kind: str, body: bytes, expected: tuple[str, int]) -> None:
    station, raw, wire, session, tag = taken()
    raw.ask("INFO", to_tag=tag, number=2, fields=[("Content-Type", kind)], body=body)
    wire.run(0.1)
    assert raw.statuses()[-1] == 200
    digit, duration = expected
    assert station.told(DtmfReceived) == [DtmfReceived(session=session, digit=digit, duration_ms=duration)]


@pytest.mark.parametrize(
    ("fields", "body", "status"),
    [
        ([RELAY], b"Signal=Z", 400),
        ([RELAY], b"Duration=5", 400),
        ([("Content-Type", "application/dtmf")], b"55x", 400),
        ([("Content-Type", "text/plain")], b"hi", 415),
        ([("Info-Package", "conference"), RELAY], b"Signal=5", 469),
        ([("Info-Package", "dtmf")], b"", 469),
        ([], b"", 200),
        ([("Content-Type", "application/media_control+xml")], b"<media_control/>", 200),
    ],
)
def test_everything_else_has_its_answer(fields: list[tuple[str, str]], body: bytes, status: int) -> None:
    station, raw, wire, _, tag = taken()
    raw.ask("INFO", to_tag=tag, number=2, fields=fields, body=body)
    wire.run(0.1)
    response = raw.responses()[-1]
    assert response.status == status
    assert station.told(DtmfReceived) == []
    assert ("Recv-Info" in response.headers) is (status == 469)
    assert ("Accept" in response.headers) is (status == 415)


def test_whoever_speaks_of_packages_hears_that_we_take_none() -> None:
    for fields, expected in (([], None), ([("Recv-Info", "conference")], "")):
        _, raw, wire = pair(answering)
        raw.ask("INVITE", fields=fields)
        wire.run(0.1)
        assert raw.responses()[-1].headers.get("Recv-Info") == expected


def test_an_info_outside_of_calls_is_not_for_us() -> None:
    _, raw, wire = pair()
    raw.ask("INFO", fields=[RELAY], body=b"Signal=5")
    wire.run(0.1)
    assert raw.statuses() == [481]  # RFC 6086 4.2.2


def test_a_key_is_sent() -> None:
    station, raw, wire, session, _ = taken()
    station.endpoint.send_key(session, "#", 200, now=wire.now)
    wire.run(0.1)
    request = raw.requests("INFO")[0]
    assert request.content_type == "application/dtmf-relay"
    assert request.body == b"Signal=#\r\nDuration=200\r\n"
    with pytest.raises(LocalSipError, match="no key"):
        station.endpoint.send_key(session, "Q", 200, now=wire.now)
