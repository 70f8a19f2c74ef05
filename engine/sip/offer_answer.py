"""Offer and answer (RFC 3264) for one audio stream in G.711 with telephone-event (RFC 4733). Pure: bytes in, bytes and
what was agreed out. Directions in `Agreed` are from our side."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from engine.sip.errors import RemoteSipError
from engine.sip.names import REASONS
from engine.sip.sdp import Connection, Direction, MediaDescription, Origin, RtpMap, SessionDescription, parse_sdp

__all__ = ["Agreed", "AudioCodec", "Direction", "Local", "NotAcceptable", "make_answer", "make_offer", "read_answer"]

PTIME_MS: Final = 20
DTMF_PAYLOAD_TYPE: Final = 101
"""What our own offers call telephone-event; answers keep the offer's number."""
_DTMF_EVENTS: Final = "0-16"
_CLOCK: Final = 8000
_RTP: Final = "RTP/AVP"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """What we bring: where our media process listens and what it can do."""

    address: str
    """IPv4 or IPv6 address that the peer is to send to."""
    port: int
    session_id: int
    version: int
    """Raise it by one whenever what is sent differs from what was sent before (RFC 3264 8)."""
    codecs: tuple[AudioCodec, ...] = (AudioCodec.PCMU, AudioCodec.PCMA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
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
    formats = [*(codec.payload_type for codec in local.codecs), DTMF_PAYLOAD_TYPE]
    mappings = [(codec.payload_type, codec.value) for codec in local.codecs]
    audio = _audio(local, formats, mappings, DTMF_PAYLOAD_TYPE, direction)
    return _describe(local, (audio,), ("0 0",)).to_bytes()


def make_answer(offer: bytes, local: Local, want: Direction = Direction.SENDRECV) -> tuple[bytes, Agreed]:
    """The answer to an offer: the first audio stream that we can do, with one codec (the first of the offer that is
    also ours), every other stream refused. Raises NotAcceptable where there is none, RemoteSipError for a malformed
    offer."""
    session = parse_sdp(offer)
    chosen, agreed = _choose(session, local, want)
    formats = [agreed.payload_type]
    if agreed.dtmf_payload_type is not None:
        formats.append(agreed.dtmf_payload_type)
    mappings = [(agreed.payload_type, agreed.codec.value)]
    audio = _audio(local, formats, mappings, agreed.dtmf_payload_type, agreed.direction)
    media = tuple(audio if at == chosen else _refused(stream) for at, stream in enumerate(session.media))
    return _describe(local, media, session.times).to_bytes(), agreed


def read_answer(offer: bytes, answer: bytes) -> Agreed:
    """What the peer's answer to our offer agreed to. Raises NotAcceptable where the stream was refused or nothing of
    ours is in it, RemoteSipError for a malformed answer."""
    ours, theirs = parse_sdp(offer), parse_sdp(answer)
    at = next((n for n, stream in enumerate(ours.media) if stream.kind == "audio" and stream.port), 0)
    if at >= len(theirs.media) or theirs.media[at].kind != "audio":
        raise NotAcceptable("the answer has no audio stream", warn_code=304)
    stream = theirs.media[at]
    if not stream.port:
        raise NotAcceptable("the audio stream was refused", warn_code=304)
    if stream.proto != _RTP:
        raise NotAcceptable("the answer changed the transport protocol", warn_code=302)
    offered = tuple(codec for _, codec in _codecs(ours.media[at], ours.media[at].rtpmap()))
    connection = ours.connection_of(ours.media[at])
    local = Local(
        address=connection.address if connection else "",
        port=ours.media[at].port,
        session_id=0,
        version=0,
        codecs=offered,
    )
    return _agree(theirs, stream, local, ours.direction_of(ours.media[at]))


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
    mappings = stream.rtpmap()
    payload_type, codec = next(((n, c) for n, c in _codecs(stream, mappings) if c in local.codecs), (None, None))
    if payload_type is None or codec is None:
        raise NotAcceptable("no common audio codec", warn_code=305)
    theirs = session.direction_of(stream)
    if address in _NO_ADDRESS:
        theirs = theirs.narrowed(Direction.SENDONLY)
    return Agreed(
        address=address,
        port=stream.port,
        rtcp_port=stream.rtcp_port or 0,
        codec=codec,
        payload_type=payload_type,
        dtmf_payload_type=_dtmf(stream, mappings),
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


@lru_cache(maxsize=1024)
def _version(address: str) -> int | None:
    """4 or 6; None for a host name, and for what would reach several hosts. Remembered, for peers are few."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return None if parsed.is_multicast or address == "255.255.255.255" else parsed.version


def _codecs(stream: MediaDescription, mappings: dict[int, RtpMap]) -> list[tuple[int, AudioCodec]]:
    """Payload numbers of the stream that mean one of our codecs, in the stream's order."""
    found: list[tuple[int, AudioCodec]] = []
    for number in _numbers(stream):
        mapping = mappings.get(number)
        if mapping is None:
            # RFC 3264 5.1: a static number needs no rtpmap.
            codec = _STATIC.get(number)
        elif mapping.clock_rate == _CLOCK and mapping.channels == 1:
            codec = _BY_NAME.get(mapping.encoding.upper())
        else:
            codec = None
        if codec is not None:
            found.append((number, codec))
    return found


def _dtmf(stream: MediaDescription, mappings: dict[int, RtpMap]) -> int | None:
    for number in _numbers(stream):
        mapping = mappings.get(number)
        if mapping and mapping.encoding.lower() == "telephone-event" and mapping.clock_rate == _CLOCK:
            return number
    return None


def _numbers(stream: MediaDescription) -> list[int]:
    return [int(text) for text in stream.formats if text.isascii() and text.isdigit() and len(text) <= 3]


def _audio(
    local: Local, formats: list[int], mappings: list[tuple[int, str]], dtmf: int | None, direction: Direction
) -> MediaDescription:
    attributes: list[tuple[str, str | None]] = [("rtpmap", f"{number} {name}/{_CLOCK}") for number, name in mappings]
    if dtmf is not None:
        attributes += [("rtpmap", f"{dtmf} telephone-event/{_CLOCK}"), ("fmtp", f"{dtmf} {_DTMF_EVENTS}")]
    attributes += [("ptime", str(PTIME_MS)), (direction.value, None)]
    return MediaDescription(
        kind="audio", port=local.port, formats=tuple(map(str, formats)), attributes=tuple(attributes)
    )


def _refused(stream: MediaDescription) -> MediaDescription:
    """The same stream with port 0 (RFC 3264 6)."""
    return MediaDescription(kind=stream.kind, port=0, proto=stream.proto, formats=stream.formats)


def _describe(local: Local, media: tuple[MediaDescription, ...], times: tuple[str, ...]) -> SessionDescription:
    family = "IP6" if ":" in local.address else "IP4"
    return SessionDescription(
        origin=Origin(
            session_id=str(local.session_id), version=str(local.version), family=family, address=local.address
        ),
        connection=Connection(family=family, address=local.address),
        times=times,
        media=media,
    )
