"""SIP written and read by hand, with nothing of Hearthline's own stack: what a test puts on a real socket.

Independent on purpose. A fault that parser and printer of the engine share would be invisible to a peer built on them.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Field = tuple[str, str]

_SHORT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}
_numbers = itertools.count(1)


def token(what: str) -> str:
    """A name that was not given before in this run."""
    return f"{what}{time.monotonic_ns():x}{next(_numbers)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A message that came."""

    at: float
    """Monotonic seconds."""
    start: str
    fields: Sequence[Field]
    """Names in lower case and written out."""
    body: bytes

    @property
    def status(self) -> int:
        """Of a response; 0 for a request."""
        return int(self.start.split(" ", 2)[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """Of a request, or of that which a response answers."""
        return self["cseq"].split()[1] if self.status else self.start.split(" ", 1)[0]

    def __getitem__(self, name: str) -> str:
        """The first field of that name; empty where there is none."""
        return next((value for key, value in self.fields if key == name), "")

    def all(self, name: str) -> list[Field]:
        """Every field of that name, ready to be sent back."""
        return [(key, value) for key, value in self.fields if key == name]

    @property
    def recorded_routes(self) -> list[str]:
        """Of Record-Route, in order."""
        return [each.strip() for _, value in self.all("record-route") for each in value.split(",")]

    @property
    def number(self) -> int:
        return int(self["cseq"].split()[0])

    @property
    def contact_uri(self) -> str:
        found = re.search(r"<([^>]+)>", self["contact"])
        assert found is not None, f"no Contact in {self.start}"
        return found[1]


def read(data: bytes) -> Heard:
    """One whole message."""
    head, _, body = data.partition(b"\r\n\r\n")
    start, *lines = head.decode("utf-8", "replace").split("\r\n")
    fields = []
    for line in lines:
        name, _, value = line.partition(":")
        key = name.strip().lower()
        fields.append((_SHORT.get(key, key), value.strip()))
    return Heard(at=time.monotonic(), start=start, fields=fields, body=body)


def cut(buffer: bytearray) -> Iterable[bytes]:
    """Take whole messages off the front of what came on a stream."""
    while True:
        while buffer[:2] == b"\r\n":
            del buffer[:2]
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        found = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", bytes(buffer[:end]))
        length = end + 4 + (int(found[1]) if found else 0)
        if len(buffer) < length:
            return
        message = bytes(buffer[:length])
        del buffer[:length]
        yield message


def write(start: str, fields: Iterable[Field], body: bytes = b"") -> bytes:
    """A message; Content-Length is added."""
    lines = [start, *(f"{name}: {value}" for name, value in fields), f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answer(
    request: Heard, status: int, reason: str, *, tag: str = "", fields: Iterable[Field] = (), body: bytes = b""
) -> bytes:
    """A response to a request that came (RFC 3261 8.2.6.2, 12.1.1)."""
    to = request["to"] + (f";tag={tag}" if tag and ";tag=" not in request["to"] else "")
    copied = [*request.all("via"), ("From", request["from"]), ("To", to)]
    copied += [("Call-ID", request["call-id"]), ("CSeq", request["cseq"]), *request.all("record-route")]
    return write(f"SIP/2.0 {status} {reason}", [*copied, *fields], body)


def sdp(host: str, port: int, *, direction: str = "sendrecv", formats: str = "0 101", version: int = 1) -> bytes:
    """An offer or answer of PCMU and telephone-event."""
    lines = ["v=0", f"o=- 7 {version} IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    lines += [f"m=audio {port} RTP/AVP {formats}", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000"]
    return "\r\n".join([*lines, f"a={direction}", ""]).encode()


def media_address(body: bytes) -> tuple[str, int]:
    """Where a description wants its audio."""
    host = re.search(rb"^c=IN IP4 (\S+)", body, re.MULTILINE)
    port = re.search(rb"^m=audio (\d+)", body, re.MULTILINE)
    assert host is not None, f"no address in {body!r}"
    assert port is not None, f"no audio in {body!r}"
    return host[1].decode(), int(port[1])


def direction_of(body: bytes) -> str:
    """What a description says of its direction."""
    found = re.search(rb"^a=(sendrecv|sendonly|recvonly|inactive)", body, re.MULTILINE)
    return found[1].decode() if found else "sendrecv"


def authorization(challenge: str, *, user: str, password: str, method: str, uri: str, count: int = 1) -> Field:
    """The answer to a digest challenge with qop=auth (RFC 7616 3.4); `count` is how often its nonce was used."""
    asked = dict(re.findall(r'(\w+)="?([^",]*)"?', challenge.partition(" ")[2]))
    digest = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[asked.get("algorithm", "MD5")]

    def hashed(text: str) -> str:
        return digest(text.encode()).hexdigest()

    cnonce = token("c")
    secret = hashed(f"{user}:{asked['realm']}:{password}")
    response = hashed(f"{secret}:{asked['nonce']}:{count:08x}:{cnonce}:auth:{hashed(f'{method}:{uri}')}")
    said = f'Digest username="{user}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", uri="{uri}"'
    said += f', response="{response}", algorithm={asked.get("algorithm", "MD5")}, cnonce="{cnonce}", qop=auth'
    return "Authorization", f"{said}, nc={count:08x}"
