"""Offer and answer (RFC 3264) for one audio stream in G.711 with telephone-event (RFC 4733). Pure: bytes in, bytes and
what was agreed out. Directions in `Agreed` are from our side."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple

from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.memory import remember
from engine.sip.names import REASONS
from engine.sip.sdp import Attributes, Connection, Direction, MediaDescription, RtpMap, SessionDescription, parse_sdp

__all__ = [
    "Agreed",
    "AudioCodec",
    "Direction",
    "Local",
    "NotAcceptable",
    "answer_to",
    "make_answer",
    "make_offer",
    "read_answer",
]

PTIME_MS: Final = 20
DTMF_PAYLOAD_TYPE: Final = 101
"""What our own offers call telephone-event; answers keep the offer's number."""
_DTMF_EVENTS: Final = "0-16"
_CLOCK: Final = 8000
_RTP: Final = "RTP/AVP"
_REMEMBERED: Final = 256
_REMEMBERED_LINES: Final = 64
"""Attributes of a stream; one with more is no phone's, and a thousand take a hundred times the bytes of their text."""
_NO_ADDRESS: Final = frozenset({"0.0.0.0", "::"})
"""RFC 2543's hold: "send me nothing" (RFC 3264 8.4)."""


class AudioCodec(StrEnum):
    """The value is the encoding name (RFC 3551 6)."""

    PCMU = "PCMU"
    PCMA = "PCMA"

    @property
    def payload_type(self) -> int:
        """The static number."""
        return 0 if self is AudioCodec.PCMU else 8


_STATIC: Final = {codec.payload_type: codec for codec in AudioCodec}
_BY_NAME: Final = {codec.value: codec for codec in AudioCodec}


class Local(NamedTuple):
    """What we bring: where our media process listens and what it can do."""

    address: str
    """IPv4 or IPv6 address that the peer is to send to."""
    port: int
    session_id: int
    version: int
    """Raise it by one whenever what is sent differs from what was sent before (RFC 3264 8)."""
    codecs: tuple[AudioCodec, ...] = (AudioCodec.PCMU, AudioCodec.PCMA)


class Agreed(NamedTuple):
    """The outcome of one offer and answer."""

    address: str
    """Where to send; "0.0.0.0" or "::" under RFC 2543's hold, and the direction then does not send."""
    port: int
    rtcp_port: int
    codec: AudioCodec
    payload_type: int
    dtmf_payload_type: int | None
    """None where the peer takes no telephone-event."""
    direction: Direction


class NotAcceptable(RemoteSipError):
    """Nothing in the description that we can do: 488, with the text of a Warning header (RFC 3261 20.43)."""

    def __init__(self, text: str, *, warn_code: int) -> None:
        super().__init__(text, status_hint=488, reason=REASONS[488])
        self.warning = f'{warn_code} hearthline "{text}"'


def make_offer(local: Local, direction: Direction = Direction.SENDRECV) -> bytes:
    """An offer of one audio stream with all of the local codecs, in their order. Raises LocalSipError for an address
    that holds a line break."""
    return _describe(local, "t=0 0\r\n", f"m=audio {local.port}{_offered_audio(local.codecs, direction)}")


def make_answer(offer: bytes, local: Local, want: Direction = Direction.SENDRECV) -> tuple[bytes, Agreed]:
    """The answer to an offer: the first audio stream that we can do, with one codec (the first of the offer that is
    also ours), every other stream refused. Raises NotAcceptable where there is none, RemoteSipError for a malformed
    offer."""
    session = parse_sdp(offer)
    chosen, agreed = _choose(session, local, want)
    audio = _agreed_audio(agreed.codec, agreed.payload_type, agreed.dtmf_payload_type, agreed.direction)
    media = f"m=audio {local.port}{audio}"
    if len(session.media) > 1:
        media = "".join(media if at == chosen else _refused(stream) for at, stream in enumerate(session.media))
    times = "".join([f"t={time}\r\n" for time in session.times])
    return _describe(local, times, media), agreed


def read_answer(offer: bytes, answer: bytes) -> Agreed:
    """What the peer's answer to our offer agreed to. Raises NotAcceptable where the stream was refused or nothing of
    ours is in it, RemoteSipError for a malformed answer."""
    ours = parse_sdp(offer)
    at = next((n for n, stream in enumerate(ours.media) if stream.kind == "audio" and stream.port), 0)
    stream = ours.media[at]
    connection = ours.connection_of(stream)
    local = Local(
        address=connection.address if connection else "",
        port=stream.port,
        session_id=0,
        version=0,
        codecs=tuple([codec for _, codec in _audio(stream.formats, stream.attributes).codecs]),
    )
    return _read(parse_sdp(answer), at, local, ours.direction_of(stream))


def answer_to(offered: Local, answer: bytes, direction: Direction = Direction.SENDRECV) -> Agreed:
    """As `read_answer`, to the offer that `make_offer` made of the same `offered` and `direction`: for who still knows
    what he offered, so that it need not be read."""
    return _read(parse_sdp(answer), 0, offered, direction)


def _read(theirs: SessionDescription, at: int, local: Local, direction: Direction) -> Agreed:
    if at >= len(theirs.media) or theirs.media[at].kind != "audio":
        raise NotAcceptable("the answer has no audio stream", warn_code=304)
    stream = theirs.media[at]
    if not stream.port:
        raise NotAcceptable("the audio stream was refused", warn_code=304)
    if stream.proto != _RTP:
        raise NotAcceptable("the answer changed the transport protocol", warn_code=302)
    return _agree(theirs, stream, local, direction)


def _choose(session: SessionDescription, local: Local, want: Direction) -> tuple[int, Agreed]:
    """Index of the first stream that we can do, and what it comes to."""
    problem = NotAcceptable("no audio stream", warn_code=304)
    for at, stream in enumerate(session.media):
        if stream.kind == "audio" and stream.port:
            try:
                return at, _agree(session, stream, local, want)
            except NotAcceptable as error:
                problem = error
    raise problem


def _agree(session: SessionDescription, stream: MediaDescription, local: Local, want: Direction) -> Agreed:
    if stream.proto != _RTP:
        raise NotAcceptable(f"transport protocol is not {_RTP}", warn_code=302)
    address = _address(session.connection_of(stream), local)
    audio = _audio(stream.formats, stream.attributes)
    common = [each for each in audio.codecs if each[1] in local.codecs]
    if not common:
        raise NotAcceptable("no common audio codec", warn_code=305)
    payload_type, codec = common[0]
    theirs = audio.direction or session.direction_of(stream)
    if address in _NO_ADDRESS:
        theirs = theirs.narrowed(Direction.SENDONLY)
    return Agreed(
        address=address,
        port=stream.port,
        rtcp_port=audio.rtcp_port or (stream.port + 1 if stream.port < 65535 else 0),
        codec=codec,
        payload_type=payload_type,
        dtmf_payload_type=audio.dtmf,
        direction=theirs.mirrored.narrowed(want),
    )


def _address(connection: Connection | None, local: Local) -> str:
    """The address to send to: one of our family, and no host name, which would have to be looked up."""
    if connection is None:
        raise NotAcceptable("no connection address", warn_code=301)
    there, here = _version(connection.address), _version(local.address)
    if there is None:
        raise NotAcceptable("connection address is no IP address of one host", warn_code=301)
    if there != here and connection.address not in _NO_ADDRESS:
        raise NotAcceptable("connection address is of another IP version", warn_code=301)
    return connection.address


@remember(1024, 64)
def _version(address: str) -> int | None:
    """4 or 6; None for a host name, and for what would reach several hosts. Remembered, for peers are few."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return None if parsed.is_multicast or address == "255.255.255.255" else parsed.version


class _Audio(NamedTuple):
    """What an audio stream says but for address and port."""

    codecs: tuple[tuple[int, AudioCodec], ...]
    """Payload numbers that mean one of our codecs, in the stream's order."""
    dtmf: int | None
    direction: Direction | None
    rtcp_port: int | None
    """Where a=rtcp names one."""


def _audio(formats: tuple[str, ...], attributes: Attributes) -> _Audio:
    """Remembered where it is not long, since it is the same in every call of one phone."""
    read = _remembered_audio if len(attributes) <= _REMEMBERED_LINES else _read_audio
    return read(formats, attributes)


def _read_audio(formats: tuple[str, ...], attributes: Attributes) -> _Audio:
    stream = MediaDescription("audio", 0, 1, _RTP, formats, None, attributes)
    mappings = stream.rtpmap()
    numbers = [int(text) for text in formats if text.isascii() and text.isdigit() and len(text) <= 3]
    codecs = [(number, _codec(number, mappings.get(number))) for number in numbers]
    dtmf = [number for number in numbers if _is_dtmf(mappings.get(number))]
    return _Audio(
        codecs=tuple([(number, codec) for number, codec in codecs if codec is not None]),
        dtmf=dtmf[0] if dtmf else None,
        direction=stream.direction,
        rtcp_port=stream.rtcp_port,
    )


_remembered_audio: Final = lru_cache(maxsize=_REMEMBERED)(_read_audio)


def _codec(number: int, mapping: RtpMap | None) -> AudioCodec | None:
    if mapping is None:
        # RFC 3264 5.1: a static number needs no rtpmap.
        return _STATIC.get(number)
    if mapping.clock_rate == _CLOCK and mapping.channels == 1:
        return _BY_NAME.get(mapping.encoding.upper())
    return None


def _is_dtmf(mapping: RtpMap | None) -> bool:
    return mapping is not None and mapping.encoding.lower() == "telephone-event" and mapping.clock_rate == _CLOCK


@lru_cache(maxsize=_REMEMBERED)
def _offered_audio(codecs: tuple[AudioCodec, ...], direction: Direction) -> str:
    return _media_lines([(codec.payload_type, codec) for codec in codecs], DTMF_PAYLOAD_TYPE, direction)


@lru_cache(maxsize=_REMEMBERED)
def _agreed_audio(codec: AudioCodec, payload_type: int, dtmf: int | None, direction: Direction) -> str:
    return _media_lines([(payload_type, codec)], dtmf, direction)


def _media_lines(codecs: list[tuple[int, AudioCodec]], dtmf: int | None, direction: Direction) -> str:
    """What follows the port in our m-line, and the lines below it."""
    numbers = [number for number, _ in codecs]
    lines = [f"a=rtpmap:{number} {codec}/{_CLOCK}" for number, codec in codecs]
    if dtmf is not None:
        numbers.append(dtmf)
        lines += [f"a=rtpmap:{dtmf} telephone-event/{_CLOCK}", f"a=fmtp:{dtmf} {_DTMF_EVENTS}"]
    lines += [f"a=ptime:{PTIME_MS}", f"a={direction}"]
    return "\r\n".join([f" {_RTP} {' '.join(map(str, numbers))}", *lines, ""])


def _refused(stream: MediaDescription) -> str:
    """The same stream with port 0 (RFC 3264 6)."""
    return f"m={stream.kind} 0 {stream.proto} {' '.join(stream.formats)}\r\n"


def _describe(local: Local, times: str, media: str) -> bytes:
    """A description of ours (RFC 8866 5 fixes the order): the only text in it that is not made here is the address, and
    lines of the peer's offer."""
    address = local.address
    if "\n" in address or "\r" in address:
        raise LocalSipError("line break inside the address of a session description")
    net = f"IN IP6 {address}" if ":" in address else f"IN IP4 {address}"
    return f"v=0\r\no=- {local.session_id} {local.version} {net}\r\ns=-\r\nc={net}\r\n{times}{media}".encode()
