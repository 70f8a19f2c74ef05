"""No input costs more than in proportion to its length. Measured as the processor time of eight times the input against
that of the input: 8 is linear, 64 quadratic, and the bound lies well apart from both."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from time import process_time

import pytest

from engine.sip.errors import RemoteSipError
from engine.sip.headers import (
    parse_auth,
    parse_name_addr,
    parse_name_addr_list,
    parse_params,
    parse_tokens,
    parse_via_list,
)
from engine.sip.limits import MAX_HEAD_BYTES, MAX_SDP_BYTES
from engine.sip.parser import StreamFramer, parse_datagram
from engine.sip.sdp import parse_sdp
from engine.sip.uri import is_host, parse_any_uri

BOUND = 28.0
HEAD = (
    "OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\n"
    "CSeq: 1 OPTIONS\r\n"
)


def cost(job: Callable[[], object]) -> float:
    """Seconds of this process alone."""
    start = process_time()
    with contextlib.suppress(RemoteSipError):
        job()
    return process_time() - start


def grows_in_proportion(make: Callable[[int], object], size: int) -> None:
    small = large = float("inf")
    # One pair of runs decides nearly always; more are taken only where a disturbance may have spoiled it.
    for _ in range(8):
        small = min(small, max(cost(lambda: make(size)), 1e-4))
        large = min(large, cost(lambda: make(size * 8)))
        if large <= BOUND * small:
            return
    raise AssertionError(f"{large / small:.0f} times the cost of an eighth of the input")


PATTERNS = [
    *(" ", "\t", ",", ";", '"', '"a"', '\\"', '"\\', "<", ">", "<>", "a", "a ", "a,", " ,", ";a", ";a=", ";a=b", "; "),
    *(
        "=",
        "@",
        ":",
        "%",
        "%41",
        "a.",
        ".",
        "-",
        "a-",
        "[",
        "[:",
        ":1",
        "?",
        "?a=b",
        "&a=b",
        "(",
        "*",
        "ü",
        "1",
        "a=b,",
    ),
    *('"a" <sip:b@h>,', "<sip:a@h>;x=1,", 'a="b",', "SIP/2.0/UDP h,", "/ ", "sip:a@"),
]
PARSERS: dict[str, Callable[[str], object]] = {
    "uri": lambda text: parse_any_uri("sip:" + text),
    "uri-params": lambda text: parse_any_uri("sip:a@h;" + text),
    "uri-headers": lambda text: parse_any_uri("sip:a@h?" + text),
    "foreign-uri": lambda text: parse_any_uri("urn:" + text),
    "host": is_host,
    "name-addr": parse_name_addr,
    "quoted": lambda text: parse_name_addr('"' + text + '" <sip:a@h>'),
    "open-quote": lambda text: parse_name_addr('"' + text),
    "addresses": parse_name_addr_list,
    "params": lambda text: parse_params(";a" + text),
    "via": lambda text: parse_via_list("SIP/2.0/UDP " + text),
    "via-params": lambda text: parse_via_list("SIP/2.0/UDP h;" + text),
    "tokens": parse_tokens,
    "auth": lambda text: parse_auth("Digest " + text),
}


@pytest.mark.parametrize("parser", PARSERS)
def test_values(parser: str) -> None:
    parse = PARSERS[parser]
    for pattern in PATTERNS:
        grows_in_proportion(lambda n, p=pattern: parse(p * (n // len(p))), 4000)


@pytest.mark.parametrize(
    "pattern", [*PATTERNS, "x: y\r\n", "v: SIP/2.0/UDP h\r\n", "x\r\n", "x: \r\n ", "\n", "\r", "\r\n "]
)
def test_datagrams(pattern: str) -> None:
    def job(n: int) -> None:
        parse_datagram((HEAD + "Subject: " + pattern * (n // len(pattern)) + "\r\n\r\n").encode())

    grows_in_proportion(job, MAX_HEAD_BYTES // 10)


def test_datagrams_whose_start_line_is_long() -> None:
    for pattern in PATTERNS:
        grows_in_proportion(lambda n, p=pattern: parse_datagram((p * n).encode()), MAX_HEAD_BYTES // 32)


@pytest.mark.parametrize("unit", [b"x" * 64, b"\r\n", b"\r", b"\r\n\r\n", b"\r\nx", b"x\r\n"])
def test_a_stream_that_drips(unit: bytes) -> None:
    def job(n: int) -> None:
        framer = StreamFramer(max_head=n * 64)
        for _ in range(n - 1):
            framer.feed(unit)

    grows_in_proportion(job, 2000)


def test_a_body_that_drips() -> None:
    def job(n: int) -> None:
        framer = StreamFramer(max_body=n)
        framer.feed(f"{HEAD}l: {n}\r\n\r\n".encode())
        for _ in range(n):
            framer.feed(b"x")

    grows_in_proportion(job, 500)


@pytest.mark.parametrize("line", ["a=x", "a=rtpmap:1 x/8000", "a=", "c=IN IP4 h", "t=0 0", "b=AS:1", "", "x"])
def test_descriptions(line: str) -> None:
    def job(n: int) -> None:
        lines = ["v=0", "o=- 1 1 IN IP4 h", "m=audio 1 RTP/AVP 0", *[line] * (n // (len(line) + 2))]
        session = parse_sdp("\r\n".join(lines).encode())
        session.media[0].rtpmap()

    grows_in_proportion(job, MAX_SDP_BYTES // 10)
