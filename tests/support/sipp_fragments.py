"""What the scenarios of tests/integration/sipp/rfc/ share: pieces of messages and of steps, written `@name words@`.

A scenario file says only what it is about. `expand` turns it into XML that SIPp takes: every `@name words@` becomes the
piece of that name below, and pieces may stand in pieces. Values of the run (`@server@`, `@user@` ...) are pieces too.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from typing import Final

Piece = Callable[..., str]

_WORD: Final = re.compile(r"@(\w+)((?: [^@\n]*)?)@")
_OPAQUE: Final = re.compile(r"<!\[CDATA\[.*?\]\]>|<!--.*?-->|<\?.*?\?>", re.DOTALL)
_LEFT: Final = re.compile(r">\s*([^<\s][^<]*)")
_ASSIGNED: Final = re.compile(r'assign_to="(check\d+)"')

_NEW = """Via: SIP/2.0/@TRANSPORT@ [local_ip]:[local_port];branch=[branch{branch}];rport
Max-Forwards: 70
From: <sip:@user@@@domain@>;tag=[pid]f[call_number]
To: <sip:{to}>
Call-ID: [call_id]"""

_WITHIN = """Via: SIP/2.0/@TRANSPORT@ [local_ip]:[local_port];branch=[branch{branch}];rport
[routes]
Max-Forwards: 70
From: <sip:@user@@@domain@>;tag=[pid]f[call_number]
To: <sip:[service]@@server@>[peer_tag_param]
Call-ID: [call_id]"""

_BACK = """Via: SIP/2.0/@TRANSPORT@ [local_ip]:[local_port];branch=[branch];rport
[routes]
Max-Forwards: 70
From:[$called];tag=[pid]t[call_number]
To:[$caller]
Call-ID: [call_id]"""
"""Of a request within the dialog that the other side began."""

_EARLY = """[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:];tag=[pid]t{fork}[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: @contact@"""

_AGAIN = """Via:[$via]
From:[$caller]
To:[$called];tag=[pid]t{fork}[call_number]
Call-ID: [call_id]
CSeq:[$cseq]
Contact: @contact@"""
"""Of a response to the INVITE when other messages have come since."""

_REPLY = """[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]"""

_SDP = """Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 7 {version} IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP {formats} 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a={direction}"""

_EMPTY = "Content-Length: 0\n\n"


def _send(text: str, attributes: str = "") -> str:
    return f"<send{attributes}><![CDATA[\n{text}\n]]></send>"


def _check(where: str, regexp: str, *, inverse: bool = False, number: str) -> str:
    kind = "check_it_inverse" if inverse else "check_it"
    return f'<ereg regexp="{regexp}" {where} {kind}="true" assign_to="check{number}"/>'


def _pieces() -> dict[str, Piece]:
    numbers = itertools.count(1)

    def header(inverse: bool) -> Piece:
        def check(name: str, *regexp: str) -> str:
            where = f'search_in="hdr" header="{name}:"'
            return _check(where, " ".join(regexp) or ".", inverse=inverse, number=str(next(numbers)))

        return check

    def anywhere(place: str, inverse: bool = False) -> Piece:
        def check(*regexp: str) -> str:
            return _check(f'search_in="{place}"', " ".join(regexp), inverse=inverse, number=str(next(numbers)))

        return check

    return {
        # fields
        "new": lambda branch="": _NEW.format(branch=branch, to="[service]@@server@"),
        "register": lambda: _NEW.format(branch="", to="@user@@@domain@"),
        "within": lambda branch="": _WITHIN.format(branch=branch),
        "back": lambda: _BACK,
        "early": lambda fork="": _EARLY.format(fork=fork),
        "again": lambda fork="": _AGAIN.format(fork=fork),
        "reply": lambda: _REPLY,
        "sdp": lambda direction="sendrecv", version="1", *formats: _SDP.format(
            direction=direction, version=version, formats=" ".join(formats) or "0 8"
        ),
        "empty": lambda: _EMPTY,
        # what a message that came must hold
        "has": header(False),
        "lacks": header(True),
        "body": anywhere("body"),
        "bodylacks": anywhere("body", inverse=True),
        "message": anywhere("msg"),
        "messagelacks": anywhere("msg", inverse=True),
        # steps
        "invite": lambda number="[service]": _send(
            f"INVITE sip:{number}@@server@ SIP/2.0\n@new@\nCSeq: 1 INVITE\nContact: @contact@\n@sdp@", ' retrans="500"'
        ),
        "trying": lambda: '<recv response="100" optional="true"/>',
        "ack": lambda number="1": _send(f"ACK [next_url] SIP/2.0\n@within@\nCSeq: {number} ACK\n@empty@"),
        "ackrefused": lambda back, number="1": _send(
            f"ACK sip:[service]@@server@ SIP/2.0\n@within -{back}@\nCSeq: {number} ACK\n@empty@"
        ),
        "answered": lambda: (
            '@trying@\n<recv response="180" optional="true"/>\n<recv response="200" rrs="true"/>\n@ack@'
        ),
        "bye": lambda number="2": (
            _send(f"BYE [next_url] SIP/2.0\n@within@\nCSeq: {number} BYE\n@empty@", ' retrans="500"')
            + '\n<recv response="200"/>'
        ),
        "ended": lambda: '<recv request="BYE"/>\n' + _send("SIP/2.0 200 OK\n@reply@\n@empty@"),
        "invited": lambda: (
            '<recv request="INVITE" rrs="true"><action>'
            '<ereg regexp=".*" search_in="hdr" header="From:" assign_to="caller"/>'
            '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="called"/>'
            '<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>'
            '<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="cseq"/>'
            '</action></recv><Reference variables="caller,called,via,cseq"/>'
        ),
        "ringing": lambda: _send("SIP/2.0 180 Ringing\n@early@\n@empty@"),
        "accept": lambda: _send("SIP/2.0 200 OK\n@early@\n@sdp@", ' retrans="500"') + '\n<recv request="ACK"/>',
    }


def expand(text: str, values: Mapping[str, str | Piece]) -> str:
    """The scenario as SIPp reads it. `values` go before the pieces of this module. Raises ValueError for a piece that
    was given words it does not take, and for what is left over between the tags, which SIPp would pass over."""
    pieces = _pieces() | {name: value for name, value in values.items() if not isinstance(value, str)}

    def piece(found: re.Match[str]) -> str:
        made = pieces.get(found[1])
        if made is None:
            return found[0]
        try:
            return made(*found[2].split())
        except TypeError as error:
            raise ValueError(f"{found[0]}: {error}") from None

    before = ""
    while text != before:
        before = text
        for name, value in values.items():
            if isinstance(value, str):
                text = text.replace(f"@{name}@", value)
        text = _WORD.sub(piece, text)
    if left := _LEFT.search(_OPAQUE.sub("", text)):
        raise ValueError(f"{left[1].strip()!r} stands between the tags")
    checks = _ASSIGNED.findall(text)
    if checks:
        text = text.replace("</scenario>", f'<Reference variables="{",".join(checks)}"/>\n</scenario>')
    return text
