"""Just enough of SIP to have Asterisk bridge calls whose far ends are the traffic process: caller and called in one
socket, and callers with SRTP in another."""

from __future__ import annotations

import itertools
import re
import socket
import time
from dataclasses import dataclass, replace

from engine.media.commands import Codec
from tests.bench.media_traffic import Keys

ADDRESS = "127.0.0.2"
"""Where Asterisk's configuration of the tests knows testers by."""

RETRANSMIT_S = 0.5


class CallFailed(Exception):
    """Asterisk did not set a call up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One leg that is up."""

    port: int
    """Ours."""
    peer_port: int
    """Asterisk's RTP port."""
    codec: Codec = Codec.PCMU
    keys: Keys | None = None


@dataclass(slots=True)
class _Dialling:
    """A call that we place."""

    number: int
    extension: str
    port: int
    codec: Codec
    keys: Keys | None
    """With our own, to begin with."""
    peer_port: int | None = None


class TinyPhone:
    """Places calls to Asterisk and answers those that come; nothing is ever hung up."""

    def __init__(self, *, port: int, asterisk_port: int, address: str = ADDRESS) -> None:
        self._port = port
        self._address = address
        self._asterisk = ("127.0.0.1", asterisk_port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, port))
        self._socket.settimeout(RETRANSMIT_S)
        self._numbers = itertools.count(1)
        self._answered: dict[str, Leg] = {}

    def call(
        self,
        extension: str,
        port: int,
        *,
        answer_on: int | None = None,
        codec: Codec = Codec.PCMU,
        answer_in: Codec = Codec.PCMU,
        keys: Keys | None = None,
        answering: TinyPhone | None = None,
        timeout: float = 10.0,
    ) -> list[Leg]:
        """Call `extension` with our RTP on `port`, encrypted with `keys.ours` if they are given. With `answer_on` the
        call comes back to us (or to `answering`) and is answered there: both legs, ours first."""
        dialling = _Dialling(number=next(self._numbers), extension=extension, port=port, codec=codec, keys=keys)
        if answering is not None:
            return self._call_to(answering, dialling, answer_on, answer_in, timeout)
        before = set(self._answered)
        deadline = time.monotonic() + timeout
        self._invite(dialling)
        while dialling.peer_port is None:
            if time.monotonic() > deadline:
                raise CallFailed(f"no answer from {extension} within {timeout:g} s")
            try:
                data, source = self._socket.recvfrom(8192)
            except TimeoutError:
                self._invite(dialling)
                continue
            self._message(data.decode(), source, dialling, answer_on, answer_in)
        return [_leg(dialling), *(leg for call_id, leg in self._answered.items() if call_id not in before)]

    def _call_to(
        self, answering: TinyPhone, dialling: _Dialling, answer_on: int | None, answer_in: Codec, timeout: float
    ) -> list[Leg]:
        """The same with another phone that answers."""
        before = set(answering._answered)
        deadline = time.monotonic() + timeout
        self._invite(dialling)
        for phone in (self, answering):
            phone._socket.settimeout(0.01)
        while dialling.peer_port is None:
            if time.monotonic() > deadline:
                raise CallFailed(f"no answer from {dialling.extension} within {timeout:g} s")
            for phone in (self, answering):
                try:
                    data, source = phone._socket.recvfrom(8192)
                except TimeoutError:
                    continue
                phone._message(data.decode(), source, dialling, answer_on, answer_in)
        return [_leg(dialling), *(leg for call_id, leg in answering._answered.items() if call_id not in before)]

    def close(self) -> None:
        self._socket.close()

    def _invite(self, dialling: _Dialling) -> None:
        body = _sdp(dialling.port, dialling.codec, dialling.keys)
        self._send(
            self._request("INVITE", dialling)
            + f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )

    def _request(self, method: str, dialling: _Dialling, to_tag: str = "") -> str:
        number = dialling.number
        return (
            f"{method} sip:{dialling.extension}@127.0.0.1 SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self._address}:{self._port};branch=z9hG4bK{method}{number}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:bench@{self._address}>;tag=f{number}\r\n"
            f"To: <sip:{dialling.extension}@127.0.0.1>{to_tag}\r\nCall-ID: bench-{number}\r\n"
            f"CSeq: 1 {method}\r\nContact: <sip:bench@{self._address}:{self._port}>\r\n"
        )

    def _message(
        self, text: str, source: tuple[str, int], dialling: _Dialling, answer_on: int | None, answer_in: Codec
    ) -> None:
        if text.startswith("INVITE ") and answer_on is not None:
            self._answer(text, source, answer_on, answer_in)
        elif text.startswith("SIP/2.0 ") and f"bench-{dialling.number}\r\n" in text:
            status = int(text[8:11])
            if status >= 300:
                raise CallFailed(f"{dialling.extension}: {text.splitlines()[0]}")
            if status == 200 and "CSeq: 1 INVITE" in text:
                tag = re.search(r"^To:.*(;tag=[^;\r]+)", text, re.MULTILINE)
                self._send(self._request("ACK", dialling, tag[1] if tag else "") + "Content-Length: 0\r\n\r\n")
                dialling.peer_port = _media_port(text)
                key = re.search(r"^a=crypto:\S+ \S+ inline:([^|\s]+)", text, re.MULTILINE)
                if dialling.keys is not None and key is not None:
                    dialling.keys = replace(dialling.keys, theirs=key[1])

    def _answer(self, text: str, source: tuple[str, int], port: int, codec: Codec) -> None:
        echoed = "".join(
            line + (";tag=t" if line.startswith("To:") else "") + "\r\n"
            for line in text.split("\r\n\r\n", maxsplit=1)[0].split("\r\n")[1:]
            if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route")
        )
        body = _sdp(port, codec, None)
        answer = (
            f"SIP/2.0 200 OK\r\n{echoed}Contact: <sip:bench@{self._address}:{self._port}>\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
        self._socket.sendto(answer.encode(), source)
        call_id = re.search(r"^Call-ID: (.*)\r$", text, re.MULTILINE)
        self._answered[call_id[1] if call_id else ""] = Leg(port=port, peer_port=_media_port(text), codec=codec)

    def _send(self, text: str) -> None:
        self._socket.sendto(text.encode(), self._asterisk)


def _leg(dialling: _Dialling) -> Leg:
    assert dialling.peer_port is not None, "the call is up"
    return Leg(port=dialling.port, peer_port=dialling.peer_port, codec=dialling.codec, keys=dialling.keys)


def _sdp(port: int, codec: Codec, keys: Keys | None) -> str:
    number = 0 if codec is Codec.PCMU else 8
    crypto = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{keys.ours}\r\n" if keys is not None else ""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {ADDRESS}\r\ns=-\r\nc=IN IP4 {ADDRESS}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/{'SAVP' if crypto else 'AVP'} {number}\r\n"
        f"a=rtpmap:{number} {codec}/8000\r\na=ptime:20\r\n{crypto}"
    )


def _media_port(text: str) -> int:
    found = re.search(r"^m=audio (\d+) ", text, re.MULTILINE)
    if found is None:
        raise CallFailed(f"no audio in the SDP:\n{text}")
    return int(found[1])
