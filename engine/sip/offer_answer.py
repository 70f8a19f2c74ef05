"""Offer and answer (RFC 3264) for one audio stream, plain or encrypted (RFC 4568). Pure: bytes in, bytes and what was
agreed out. Directions in `Agreed` are from our side. What stands in a stream but for keys is in `audio_stream`."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

from engine.sip.audio_format import AudioCodec, Format, Passed
from engine.sip.audio_stream import PTIME_MS, Named, named, number_at, read_audio, write_audio
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.memory import remember
from engine.sip.names import REASONS
from engine.sip.sdes import Crypto, Secured, Srtp, crypto_line, read_crypto
from engine.sip.sdp import Connection, Direction, MediaDescription, SessionDescription, parse_sdp

__all__ = [
    "Agreed",
    "AudioCodec",
    "Direction",
    "Format",
    "Local",
    "NotAcceptable",
    "Offered",
    "Passed",
    "answer_to",
    "make_answer",
    "make_offer",
    "read_answer",
    "read_offer",
]

_RTP: Final = "RTP/AVP"
_SRTP: Final = "RTP/SAVP"
_EVENTS_HZ: Final = 8000
"""The clock of telephone-event where nobody says another (RFC 4733 7.1.1)."""
_NO_ADDRESS: Final = frozenset({"0.0.0.0", "::"})
"""RFC 2543's hold: "send me nothing" (RFC 3264 8.4)."""


_MOST_OF_L16_16K_MS: Final = 40
"""Packets of it that are longer do not fit a packet of Ethernet."""


class Local(NamedTuple):
    """What we bring: where our media process listens and what it can do."""

    address: str
    """IPv4 or IPv6 address that the peer is to send to."""
    port: int
    session_id: int
    version: int
    """Raise it by one whenever what is sent differs from what was sent before (RFC 3264 8)."""
    codecs: tuple[Format, ...] = (AudioCodec.PCMU, AudioCodec.PCMA)
    """What may be agreed, best first. A `Passed` one is described as the peer is to hear it described."""
    srtp: Srtp = Srtp.OFF
    crypto: tuple[Crypto, ...] = ()
    """A key of ours for each suite, best first; none with `Srtp.OFF`."""
    ours_first: bool = False
    """Whether our order decides on the codec of an answer; else the offer's does (RFC 3264 6.1)."""
    noise: bool = False
    """Whether our offers have comfort noise; our answers have it where the peer's offer has."""
    ptime_ms: int = PTIME_MS
    """What our offers say; our answers say what the peer likes."""
    spoken_for: tuple[int, ...] = ()
    """Payload numbers with another meaning in this session than we would give them now."""
    events: bool = True
    """Whether telephone-events may be agreed."""


class Agreed(NamedTuple):
    """The outcome of one offer and answer."""

    address: str
    """Where to send; "0.0.0.0" or "::" under RFC 2543's hold, and the direction then does not send."""
    port: int
    rtcp_port: int
    codec: Format
    """A `Passed` one as the peer describes it."""
    payload_type: int
    """What we send it as."""
    dtmf_payload_type: int | None
    """None where the peer takes no telephone-event at the codec's clock rate, nor at `dtmf_clock_rate`."""
    direction: Direction
    secured: Secured | None = None
    """None: not encrypted."""
    ptime_ms: int = PTIME_MS
    """How long the packets are to be that we send: 10 to 60 in tens."""
    cn_payload_type: int | None = None
    """None where comfort noise was not agreed."""
    heard_as: int | None = None
    """The codec's payload number in what we hear, where our offer called it otherwise than the peer's answer."""
    dtmf_heard_as: int | None = None
    """The same of telephone-event."""
    dtmf_clock_rate: int | None = None
    """Of telephone-event, where it is not the codec's."""


class Offered(NamedTuple):
    """What an offer has, for whoever is to make another offer like it."""

    codecs: tuple[Format, ...]
    """In the peer's order."""
    noise: bool
    ptime_ms: int


class _Choice(NamedTuple):
    """The stream that was taken of an offer."""

    at: int
    agreed: Agreed
    ours: Format
    """Its codec as we describe it."""


class NotAcceptable(RemoteSipError):
    """Nothing in the description that we can do: 488, with the text of a Warning header (RFC 3261 20.43)."""

    def __init__(self, text: str, *, warn_code: int) -> None:
        super().__init__(text, status_hint=488, reason=REASONS[488])
        self.warning = f'{warn_code} hearthline "{text}"'


def make_offer(local: Local, direction: Direction = Direction.SENDRECV) -> bytes:
    """An offer of one audio stream with all of the local codecs, in their order. Raises LocalSipError for an address
    that holds a line break."""
    what = _named(local)
    media = f"m=audio {local.port}{write_audio(what, direction, _proto_offered(local), local.ptime_ms)}"
    if local.crypto:
        media += "".join([crypto_line(each) for each in local.crypto])
    return _describe(local, "t=0 0\r\n", media)


def _named(local: Local) -> Named:
    """What an offer of ours calls by which number."""
    what = named(local.codecs, local.noise, local.spoken_for)
    return what if local.events else what._replace(events=())


def make_answer(
    offer: bytes | SessionDescription, local: Local, want: Direction = Direction.SENDRECV
) -> tuple[bytes, Agreed]:
    """The answer to an offer: the first audio stream that we can do, with one codec (the first of the offer that is
    also ours, or the other way round), every other stream refused. Raises NotAcceptable where there is none,
    RemoteSipError for a malformed offer."""
    session = offer if isinstance(offer, SessionDescription) else parse_sdp(offer)
    chosen, agreed, ours = _choose(session, local, want)
    secured = agreed.secured
    proto = _SRTP if secured is not None and secured.savp else _RTP
    rate = agreed.codec.clock_rate
    what = Named(
        ((agreed.payload_type, ours),),
        () if agreed.dtmf_payload_type is None else ((agreed.dtmf_clock_rate or rate, agreed.dtmf_payload_type),),
        () if agreed.cn_payload_type is None else ((rate, agreed.cn_payload_type),),
    )
    audio = write_audio(what, agreed.direction, proto, agreed.ptime_ms)
    media = f"m=audio {local.port}{audio}"
    if secured is not None:
        media += crypto_line(Crypto(secured.tag, secured.suite, secured.ours))
    if len(session.media) > 1:
        media = "".join(media if at == chosen else _refused(stream) for at, stream in enumerate(session.media))
    times = "".join([f"t={time}\r\n" for time in session.times])
    return _describe(local, times, media), agreed


def read_offer(session: SessionDescription) -> Offered | None:
    """What the first audio stream of an offer that is not refused has; None where there is none."""
    for stream in session.media:
        if stream.kind == "audio" and stream.port:
            audio = read_audio(stream.formats, stream.attributes)
            codecs = tuple([codec for _, codec in audio.named.formats])
            return Offered(codecs, bool(audio.named.noise), audio.ptime_ms)
    return None


def read_answer(offer: bytes, answer: bytes) -> Agreed:
    """What the peer's answer to our offer agreed to. Raises NotAcceptable where the stream was refused or nothing of
    ours is in it, RemoteSipError for a malformed answer."""
    ours = parse_sdp(offer)
    at = next((n for n, stream in enumerate(ours.media) if stream.kind == "audio" and stream.port), None)
    if at is None:
        raise NotAcceptable("the offer has no audio stream", warn_code=304)
    stream = ours.media[at]
    connection = ours.connection_of(stream)
    what = read_audio(stream.formats, stream.attributes).named
    local = Local(
        address=connection.address if connection else "",
        port=stream.port,
        session_id=0,
        version=0,
        codecs=tuple([codec for _, codec in what.formats]),
        noise=bool(what.noise),
        srtp=Srtp.REQUIRED if stream.proto == _SRTP else Srtp.OPTIONAL if stream.crypto else Srtp.OFF,
        crypto=tuple([each for each in map(read_crypto, stream.crypto) if each is not None]),
    )
    return _read(parse_sdp(answer), at, local, ours.direction_of(stream), what)


def answer_to(offered: Local, answer: bytes, direction: Direction = Direction.SENDRECV) -> Agreed:
    """As `read_answer`, to the offer that `make_offer` made of the same `offered` and `direction`: for who still knows
    what he offered, so that it need not be read."""
    what = _named(offered)
    return _read(parse_sdp(answer), 0, offered, direction, what)


def _read(theirs: SessionDescription, at: int, local: Local, direction: Direction, said: Named) -> Agreed:
    """`said` is what our offer called by which number: the peer sends with our numbers, we with his (RFC 3264 5.1)."""
    if at >= len(theirs.media) or theirs.media[at].kind != "audio":
        raise NotAcceptable("the answer has no audio stream", warn_code=304)
    stream = theirs.media[at]
    if not stream.port:
        raise NotAcceptable("the audio stream was refused", warn_code=304)
    if stream.proto != _proto_offered(local):
        raise NotAcceptable("the answer changed the transport protocol", warn_code=302)
    secured = _key_answered(stream, local) if local.crypto else None
    agreed, ours = _agree(theirs, stream, local, direction, secured, offered=said)
    number = next((number for number, codec in said.formats if codec == ours), agreed.payload_type)
    dtmf = agreed.dtmf_payload_type
    dtmf_number = dtmf and number_at(said.events, agreed.dtmf_clock_rate or ours.clock_rate)
    if (number, dtmf_number) == (agreed.payload_type, dtmf):
        return agreed
    return agreed._replace(
        heard_as=None if number == agreed.payload_type else number,
        dtmf_heard_as=None if dtmf_number == dtmf else dtmf_number,
    )


def _choose(session: SessionDescription, local: Local, want: Direction) -> _Choice:
    """The first stream that we can do, and what it comes to. Of a phone that offers its sound twice, encrypted and
    plain, the encrypted one, if we have keys."""
    problem: NotAcceptable | None = None
    streams = [(at, stream) for at, stream in enumerate(session.media) if stream.kind == "audio"]
    if local.crypto and len(streams) > 1:
        streams.sort(key=lambda each: not each[1].crypto)
    for at, stream in streams:
        if stream.port:
            try:
                plain = stream.proto == _RTP and not local.crypto
                secured = None if plain else _key_offered(stream, local)
                return _Choice(at, *_agree(session, stream, local, want, secured))
            except NotAcceptable as error:
                problem = error
    try:
        raise problem or NotAcceptable("no audio stream", warn_code=304)
    finally:
        del problem  # else our frame would hold the error, whose traceback holds our frame


def _proto_offered(local: Local) -> str:
    """Who may do without SRTP offers plain RTP with keys: RTP/SAVP would be refused by who has none."""
    return _SRTP if local.srtp is Srtp.REQUIRED else _RTP


def _key_offered(stream: MediaDescription, local: Local) -> Secured | None:
    """The first key of an offer that is of a suite of ours (RFC 4568 5.1.2). Keys beside RTP/AVP are taken too, as
    phones mean them that encrypt where they can."""
    savp = stream.proto == _SRTP
    if stream.proto != _RTP and not (savp and local.crypto):
        raise NotAcceptable(f"transport protocol is not {_RTP}", warn_code=302)
    for theirs in map(read_crypto, stream.crypto):
        for ours in local.crypto:
            if theirs is not None and ours.suite is theirs.suite:
                return Secured(theirs.suite, theirs.tag, ours.key, theirs.key, theirs.mki_octets, savp)
    if savp or local.srtp is Srtp.REQUIRED:
        what = "no crypto attribute that can be used" if stream.crypto else "SRTP is required: no crypto attribute"
        raise NotAcceptable(what, warn_code=399)
    return None


def _key_answered(stream: MediaDescription, local: Local) -> Secured | None:
    """The one key of an answer; it must be for a line of ours (RFC 4568 5.1.3)."""
    savp = stream.proto == _SRTP
    if not stream.crypto:
        if savp:
            raise NotAcceptable("the answer has no crypto attribute", warn_code=399)
        return None
    theirs = read_crypto(stream.crypto[0]) if len(stream.crypto) == 1 else None
    for ours in local.crypto:
        if theirs is not None and (ours.tag, ours.suite) == (theirs.tag, theirs.suite):
            return Secured(ours.suite, ours.tag, ours.key, theirs.key, theirs.mki_octets, savp)
    raise NotAcceptable("the answer's crypto attribute is none that was offered", warn_code=399)


def _agree(
    session: SessionDescription,
    stream: MediaDescription,
    local: Local,
    want: Direction,
    secured: Secured | None,
    *,
    offered: Named | None = None,
) -> tuple[Agreed, Format]:
    """What it comes to, and the codec as we describe it. `offered` is what we offered, where this is an answer."""
    address = _address(session.connection_of(stream), local)
    audio = read_audio(stream.formats, stream.attributes)
    found = _common(audio.named, local, offered)
    if found is None:
        raise NotAcceptable(_nothing_in_common(audio.named), warn_code=305)
    payload_type, codec, ours = found
    theirs = audio.direction or session.direction_of(stream)
    if address in _NO_ADDRESS:
        theirs = theirs.narrowed(Direction.SENDONLY)
    dtmf, dtmf_clock_rate = _events(audio.named, codec, offered) if local.events else (None, None)
    agreed = Agreed(
        address=address,
        port=stream.port,
        rtcp_port=audio.rtcp_port or (stream.port + 1 if stream.port < 65535 else 0),
        codec=codec,
        payload_type=payload_type,
        dtmf_payload_type=dtmf,
        direction=theirs.mirrored.narrowed(want),
        secured=secured,
        ptime_ms=audio.ptime_ms if codec is not AudioCodec.L16_16K else min(audio.ptime_ms, _MOST_OF_L16_16K_MS),
        cn_payload_type=_noise(audio.named, codec, offered) if audio.named.noise else None,
        dtmf_clock_rate=dtmf_clock_rate,
    )
    return agreed, ours


def _common(what: Named, local: Local, offered: Named | None) -> tuple[int, Format, Format] | None:
    """The number and the codec as the peer has them, and the codec as we do."""
    if local.ours_first and offered is None:
        for ours in local.codecs:
            for number, theirs in what.formats:
                if ours is theirs or _same(ours, theirs):
                    return number, theirs, ours
        return None
    for number, theirs in what.formats:
        if theirs in local.codecs:
            return number, theirs, theirs
        for ours in local.codecs if isinstance(theirs, Passed) else ():
            if _same(ours, theirs):
                return number, theirs, ours
    return None


def _same(one: Format, other: Format) -> bool:
    return isinstance(one, Passed) and isinstance(other, Passed) and one.key == other.key


def _nothing_in_common(what: Named) -> str:
    """What the peer is told: that, and what it has, in the words that may stand in a Warning."""
    theirs = ", ".join([str(codec) if isinstance(codec, AudioCodec) else codec.encoding for _, codec in what.formats])
    return f"no common audio codec; found: {theirs}" if theirs else "no common audio codec"


def _events(what: Named, codec: Format, offered: Named | None) -> tuple[int | None, int | None]:
    """The number of telephone-event, and its clock where that is not the codec's: many phones that have Opus have
    events at 8000 Hz alone, which is better than none. An answer may have what was offered."""
    number = number_at(what.events, codec.clock_rate)
    if number is not None or not what.events or not isinstance(codec, Passed):
        return number, None
    if offered is not None and number_at(offered.events, _EVENTS_HZ) is None:
        return None, None
    number = number_at(what.events, _EVENTS_HZ)
    return number, None if number is None else _EVENTS_HZ


def _noise(what: Named, codec: Format, offered: Named | None) -> int | None:
    """The number of comfort noise beside a codec that we decode, in whose sound we can set it; an answer may have what
    was offered."""
    if isinstance(codec, Passed) or (offered is not None and not offered.noise):
        return None
    return number_at(what.noise, codec.clock_rate)


def _address(connection: Connection | None, local: Local) -> str:
    """The address to send to: one of our family, and no host name, which would have to be looked up."""
    if connection is None:
        raise NotAcceptable("no connection address", warn_code=301)
    there, here = _plain(connection.address), _plain(local.address)
    if there is None:
        raise NotAcceptable("connection address is no IP address of one host", warn_code=301)
    if there[1] not in _NO_ADDRESS and (here is None or there[0] != here[0]):
        raise NotAcceptable("connection address is of another IP version", warn_code=301)
    return there[1]


@remember(1024, 64)
def _plain(address: str) -> tuple[int, str] | None:
    """4 or 6, and the address as a socket writes it, which is how a packet's source is known again: one of IPv6 may be
    written in many ways (RFC 4291 2.2, RFC 5952). None for a host name, and for what would reach several hosts.
    Remembered, for peers are few."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    if parsed.is_multicast or address == "255.255.255.255":
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return parsed.version, str(mapped or parsed)


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
