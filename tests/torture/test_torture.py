"""Every case of RFC 4475 and RFC 5118, in words of our own; and, where the RFCs' octets lie beside the repository,
those octets, read in place, against the same outcomes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from engine.sip.message import Request, Response
from engine.sip.parser import KeepAlive, StreamFramer, parse_datagram
from engine.sip.sdp import parse_sdp
from tests.torture.cases import Case, outcome
from tests.torture.octets import OCTETS
from tests.torture.rfc4475_odd import ODD
from tests.torture.rfc4475_refused import REFUSED
from tests.torture.rfc4475_valid import VALID
from tests.torture.rfc5118_cases import CASES as RFC5118

_RFC4475 = (*VALID, *ODD, *REFUSED)
_BY_NAME = {case.name: case for case in (*_RFC4475, *RFC5118)}


def _name(case: Case) -> str:
    return f"{case.section}-{case.name}"


@pytest.mark.parametrize("case", [*_RFC4475, *RFC5118], ids=_name)
def test_our_own_message(case: Case) -> None:
    status, message = outcome(case.data)
    assert status == case.refused
    if case.refused is None:
        assert message is not None
        assert case.holds is not None
        assert case.holds(message)
    else:
        assert (message is not None) is case.answerable


def test_no_case_of_rfc_4475_is_left_out() -> None:
    sections = Counter(case.section for case in _RFC4475)
    parts = {"3.1.1": 13, "3.1.2": 19, "3.2": 1, "3.3": 15, "3.4": 1}
    assert set(sections) == {f"{part}.{n}" for part, count in parts.items() for n in range(1, count + 1)}
    assert max(sections.values()) == 1


@pytest.mark.parametrize("case", [c for c in (*_RFC4475, *RFC5118) if c.refused is None], ids=_name)
def test_what_is_taken_survives_printing(case: Case) -> None:
    message = parse_datagram(case.data)
    assert isinstance(message, Request | Response)
    assert parse_datagram(message.to_bytes()) == message


@pytest.mark.parametrize("case", [c for c in _RFC4475 if c.refused is not None and c.answerable], ids=_name)
def test_what_is_refused_can_be_answered(case: Case) -> None:
    status, message = outcome(case.data)
    if isinstance(message, Request):
        assert status is not None
        lines = Response.build(message, status, to_tag="refusal").to_bytes().decode().split("\r\n")
        assert lines[0].startswith(f"SIP/2.0 {case.refused} ")
        assert [line for line in lines if line.startswith("Via:")] == [
            f"Via: {value}" for value in message.headers.get_all("Via")
        ]
        names = Counter(line.partition(":")[0] for line in lines[1:-2])
        assert all(names[name] == 1 for name in ("From", "To", "Call-ID", "CSeq", "Content-Length"))


def test_two_messages_of_one_stream_are_both_read() -> None:
    data = _BY_NAME["semiuri"].data + b"\r\n\r\n" + _BY_NAME["sdp01"].data
    items = StreamFramer().feed(data)
    assert [type(item) for item in items] == [Request, KeepAlive, Request]


@pytest.mark.skipif(not OCTETS, reason="the RFCs' octets do not lie beside this checkout")
@pytest.mark.parametrize("path", OCTETS, ids=lambda path: path.stem)
def test_octets_of_the_rfc(path: Path) -> None:
    case = _BY_NAME[path.stem]
    data = path.read_bytes()
    status, message = outcome(data)
    assert status == case.refused
    if case.refused is None:
        assert message is not None
        assert parse_datagram(message.to_bytes()) == message
        if message.content_type == "application/sdp":
            assert any(media.kind == "audio" for media in parse_sdp(message.body).media)
    else:
        assert (message is not None) is case.answerable
