"""A telephone by hand with codecs of its own: it offers and answers them, and says which payload numbers it heard."""

from __future__ import annotations

import re

from tests.support.plain_message import Heard, direction_of
from tests.support.plain_phone import PlainPhone
from tests.support.plain_talk import Talk

_RTPMAP = re.compile(rb"^a=rtpmap:(\d+) ([^\r\n]+)", re.MULTILINE)


class CodedPhone(PlainPhone):
    """Its packets are marked as any other's, whatever they are said to be coded in: nobody decodes them."""

    codings: tuple[tuple[int, str], ...] = ((0, "PCMU/8000"),)
    """What it can do and by which numbers, best first."""
    parameters: str = ""
    """Of the first (a=fmtp)."""

    def describe(self, *, direction: str = "sendrecv", formats: str = "", version: int = 1, to: bytes = b"") -> bytes:
        """All in an offer; the first that the other side has too in an answer, by our own number."""
        theirs = {name.decode().lower(): int(number) for number, name in _RTPMAP.findall(to)}
        chosen = [each for each in self.codings if not to or each[1].lower() in theirs][: 1 if to else None]
        if to and direction_of(to) in ("sendonly", "inactive"):
            direction = "recvonly"
        if chosen:
            # RFC 3264 5.1: what we send has the number that the other side has named.
            self.voice.payload_type = theirs.get(chosen[0][1].lower(), chosen[0][0])
        lines = ["v=0", f"o=- 7 {version} IN IP4 {self.host}", "s=-", f"c=IN IP4 {self.host}", "t=0 0"]
        numbers = " ".join(str(number) for number, _ in chosen)
        lines.append(f"m=audio {self.voice.address[1] if chosen else 0} RTP/AVP {numbers or 0}")
        lines += [f"a=rtpmap:{number} {name}" for number, name in chosen]
        if self.parameters and chosen[:1] == list(self.codings[:1]):
            lines.append(f"a=fmtp:{chosen[0][0]} {self.parameters}")
        return "\r\n".join([*lines, f"a={direction}", ""]).encode()

    def _accept(self, talk: Talk, message: Heard) -> None:
        if any(name.encode() in message.body for _, name in self.codings):
            super()._accept(talk, message)
        else:
            self._answer(message, 488, "Not Acceptable Here")
