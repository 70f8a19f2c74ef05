"""How many SIP messages a second one core parses and builds, on what one queued call exchanges. Prints a table and
writes build/bench/parser.json. Run with `python tests/bench/parser.py` from the repository root."""

from __future__ import annotations

import gc
import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import process_time

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))

from engine.sip.message import Message, Request, Response  # noqa: E402
from engine.sip.offer_answer import Local, make_answer, make_offer  # noqa: E402
from engine.sip.parser import StreamFramer, parse_datagram  # noqa: E402
from engine.sip.uri import SipUri  # noqa: E402

CALLS = 200
"""Different calls in the mix, so that nothing is found in a memory that a busy engine would not have either."""
ROUNDS = 25

_ALLOW = "OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, INFO, MESSAGE, REFER"
_SDP = (
    b"v=0\r\no=- 1429284841 1429284841 IN IP4 192.0.2.20\r\ns=Asterisk\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\n"
    b"m=audio 12752 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:140\r\na=sendrecv\r\n"
)
_LOCAL = Local(address="192.0.2.100", port=20002, session_id=77, version=1)


def call(number: int) -> list[bytes]:
    """INVITE, 100, 180, 200, ACK, BYE, 200 as Asterisk and a phone write them."""
    tag = f"{number:08x}-9931-482c-8be8-09d52241d253"
    fields = [
        ("Via", f"SIP/2.0/UDP 192.0.2.20:5060;rport;branch=z9hG4bKPj{number:08x}-2d3e-4f86-b346-d56fc952b416"),
        ("From", f'"Ann Caller" <sip:{1000 + number}@192.0.2.20>;tag={tag}'),
        ("To", "<sip:5000@192.0.2.100>"),
        ("Contact", "<sip:asterisk@192.0.2.20:5060>"),
        ("Call-ID", f"{number:08x}-e134-45cc-b422-e687cc2e596e"),
    ]
    common = [("Max-Forwards", "70"), ("User-Agent", "Asterisk PBX 22.6.0")]
    more = [
        *(("Allow", _ALLOW), ("Supported", "100rel, timer, replaces, norefersub, histinfo")),
        *(("Session-Expires", "1800"), ("Min-SE", "90"), *common),
    ]
    uri = "sip:5000@192.0.2.100:5080"
    invite = Request.build("INVITE", uri, [*fields, ("CSeq", f"{number} INVITE"), *more], _SDP)
    dialog = [*fields[:2], ("To", f"<sip:5000@192.0.2.100>;tag=as{number:08x}"), *fields[4:]]
    ack = Request.build("ACK", uri, [*dialog, ("CSeq", f"{number} ACK"), *common])
    bye = Request.build("BYE", uri, [*dialog, ("CSeq", f"{number + 1} BYE"), ("Reason", "Q.850;cause=16"), *common])
    return [message.to_bytes() for message in (invite, *answers(invite, number), ack, bye, Response.build(bye, 200))]


def answers(invite: Request, number: int) -> list[Response]:
    invite.note_source("192.0.2.20", 5060)
    contact = [("Contact", "<sip:5000@192.0.2.100:5080>"), ("Server", "Hearthline"), ("Allow", _ALLOW)]
    tag = f"as{number:08x}"
    return [
        Response.build(invite, 100),
        Response.build(invite, 180, to_tag=tag, headers=contact),
        Response.build(invite, 200, to_tag=tag, headers=contact, body=_SDP),
    ]


def look_up(message: Message) -> tuple[object, ...]:
    """What a transaction and dialog look-up asks for."""
    via = message.via
    return (message.call_id, message.cseq, via.branch, via.sent_by, message.from_tag, message.to_tag)


def parse_lazily(data: bytes) -> None:
    message = parse_datagram(data)
    assert isinstance(message, Message)
    look_up(message)


def parse_fully(data: bytes) -> None:
    message = parse_datagram(data)
    assert isinstance(message, Message)
    look_up(message)
    message.check()


def seconds_each(jobs: Mapping[str, Callable[[bytes], object]], items: Sequence[bytes]) -> dict[str, float]:
    """Processor time for one item by name of the job: the best of some rounds, in each of which every job has its turn,
    so that a disturbance of the machine does not fall upon one alone."""
    best = dict.fromkeys(jobs, float("inf"))
    gc.collect()
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            start = process_time()
            for item in items:
                job(item)
            best[name] = min(best[name], process_time() - start)
    return {name: seconds / len(items) for name, seconds in best.items()}


def build_ok(invite: Request) -> bytes:
    contact = [("Contact", "<sip:5000@192.0.2.100:5080>"), ("Server", "Hearthline"), ("Allow", _ALLOW)]
    return Response.build(invite, 200, to_tag="as00000001", headers=contact, body=_SDP).to_bytes()


def build_invite(target: SipUri) -> bytes:
    fields = [
        ("Via", "SIP/2.0/UDP 192.0.2.100:5080;rport;branch=z9hG4bK0123456789abcdef"),
        ("Max-Forwards", "70"),
        ("From", '"Ann Caller" <sip:1001@192.0.2.100>;tag=0123456789abcdef'),
        ("To", "<sip:agent7@192.0.2.100>"),
        ("Call-ID", "0123456789abcdef0123456789abcdef"),
        ("CSeq", "1 INVITE"),
        ("Contact", "<sip:hearthline@192.0.2.100:5080>"),
        ("Allow", _ALLOW),
        ("User-Agent", "Hearthline"),
    ]
    return Request.build("INVITE", target, fields, _SDP).to_bytes()


def main() -> None:
    mix = [data for number in range(CALLS) for data in call(number)]
    invites = [data for data in mix if data.startswith(b"INVITE")]
    request = parse_datagram(invites[0])
    assert isinstance(request, Request)
    target = SipUri(user="agent7", host="192.0.2.50", port=5062, params={"transport": "udp"})
    framer = StreamFramer()
    jobs: dict[str, Callable[[bytes], object]] = {
        "parse, look-up only": parse_lazily,
        "parse, every header": parse_fully,
        "frame a stream": framer.feed,
        "build and print 200 with SDP": lambda _: build_ok(request),
        "build and print INVITE with SDP": lambda _: build_invite(target),
        "make an SDP offer": lambda _: make_offer(_LOCAL),
        "answer an SDP offer": lambda _: make_answer(_SDP, _LOCAL),
    }
    results = seconds_each(jobs, mix)
    print(f"Python {platform.python_version()}, {len(mix)} messages of {CALLS} calls, best of {ROUNDS}, one core")
    for name, each in results.items():
        print(f"{name:34} {each * 1e6:8.2f} us {1 / each:12,.0f} /s")
    report = _ROOT / "build" / "bench" / "parser.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    figures = {name: {"us": round(each * 1e6, 3), "per_s": round(1 / each)} for name, each in results.items()}
    report.write_text(json.dumps({"python": platform.python_version(), "results": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
