"""What an audio stream of a description says besides address and port, read and written: codecs with their payload
numbers, telephone-event (RFC 4733) and comfort noise (RFC 3389) at the codecs' clock rates, direction, packet time."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Final, NamedTuple

from engine.sip.audio_format import AudioCodec, Format, Passed, format_of
from engine.sip.sdp import Attributes, Direction, MediaDescription

PTIME_MS: Final = 20
"""Packet time where the peer names none."""
MOST_PTIME_MS: Final = 60
_STEP_MS: Final = 10
DTMF_PAYLOAD_TYPE: Final = 101
"""What our own offers call telephone-event/8000; answers keep the offer's number."""
_DTMF_EVENTS: Final = "0-16"
_NOISE: Final = 13
"""The static number of CN/8000 (RFC 3551 6)."""
_DYNAMIC: Final = range(96, 128)
_LAST_NUMBER: Final = 127
"""A packet has seven bits for it (RFC 3550 5.1)."""
_REMEMBERED: Final = 256
_REMEMBERED_LINES: Final = 64
"""Attributes of a stream; one with more is no phone's, and a thousand take a hundred times the bytes of their text."""
_MOST_FORMATS: Final = 16
"""Codecs of one peer that are looked at: a telephone has 3-12."""

Numbers = tuple[tuple[int, int], ...]
"""Clock rates, and the payload number of each."""


class Named(NamedTuple):
    """What a description calls by which number."""

    formats: tuple[tuple[int, Format], ...]
    """In its order."""
    events: Numbers
    """telephone-event."""
    noise: Numbers
    """Comfort noise."""


class Audio(NamedTuple):
    """What the stream says."""

    named: Named
    direction: Direction | None
    rtcp_port: int | None
    """Where a=rtcp names one."""
    ptime_ms: int
    """What its author likes to hear, in our bounds."""


def number_at(numbers: Numbers, clock_rate: int) -> int | None:
    """The payload number at a clock rate."""
    for rate, number in numbers:
        if rate == clock_rate:
            return number
    return None


def read_audio(formats: tuple[str, ...], attributes: Attributes) -> Audio:
    """What the words of an m-line and the attributes below it say. Remembered where they are not many, since they are
    the same in every call of one phone."""
    read = _remembered if len(attributes) <= _REMEMBERED_LINES else _read
    return read(formats, attributes)


def _read(formats: tuple[str, ...], attributes: Attributes) -> Audio:
    stream = MediaDescription("audio", 0, 1, "", formats, None, attributes)
    mappings, parameters = stream.rtpmap(), _parameters(attributes)
    numbers = [int(text) for text in formats if text.isascii() and text.isdigit() and len(text) <= 3]
    numbers = [number for number in numbers if number <= _LAST_NUMBER]
    found: list[tuple[int, Format]] = []
    events: dict[int, int] = {}
    noise: dict[int, int] = {}
    for number in dict.fromkeys(numbers):
        mapping = mappings.get(number)
        name = "" if mapping is None else mapping.encoding.lower()
        if mapping is not None and name == "telephone-event":
            events.setdefault(mapping.clock_rate, number)
        elif name == "cn" or (mapping is None and number == _NOISE):
            noise.setdefault(8000 if mapping is None else mapping.clock_rate, number)
        elif len(found) < _MOST_FORMATS and (codec := format_of(number, mapping, parameters.get(str(number)))):
            found.append((number, codec))
    return Audio(
        named=Named(tuple(found), tuple(events.items()), tuple(noise.items())),
        direction=stream.direction,
        rtcp_port=stream.rtcp_port,
        ptime_ms=_packet_time(stream),
    )


_remembered: Final = lru_cache(maxsize=_REMEMBERED)(_read)


def _parameters(attributes: Attributes) -> dict[str, str]:
    """Those of each a=fmtp, by the payload number's text."""
    found: dict[str, str] = {}
    for name, value in attributes:
        if name == "fmtp" and value:
            number, _, rest = value.partition(" ")
            found.setdefault(number, rest.strip())
    return found


def _packet_time(stream: MediaDescription) -> int:
    """a=ptime within a=maxptime (RFC 8866 6.4), in tens of milliseconds from 10 to 60."""
    wanted = stream.ptime or PTIME_MS
    text = stream.attribute("maxptime") or ""
    most = int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 0
    return max(_STEP_MS, min(wanted, most or wanted, MOST_PTIME_MS) // _STEP_MS * _STEP_MS)


@lru_cache(maxsize=_REMEMBERED)
def named(codecs: tuple[Format, ...], noise: bool, spoken_for: tuple[int, ...]) -> Named:
    """Payload numbers for an offer of ours: the static ones, a peer's own for what comes from him, and for the rest
    those that are free. `spoken_for` has had a meaning in this session, which it must keep (RFC 3264 8.3.2)."""
    rates = tuple(dict.fromkeys([codec.clock_rate for codec in codecs]))
    taken = {DTMF_PAYLOAD_TYPE, *spoken_for}
    found: list[tuple[int, Format]] = []
    for codec in codecs:
        number = codec.payload_type if isinstance(codec, AudioCodec) else _wish(codec, taken)
        found.append((_free(taken) if number is None else number, codec))
        taken.add(found[-1][0])
    events = []
    for rate in rates:
        spoken = rate != 8000 or DTMF_PAYLOAD_TYPE in spoken_for
        events.append((rate, _free(taken) if spoken else DTMF_PAYLOAD_TYPE))
        taken.add(events[-1][1])
    quiet = []
    for rate in dict.fromkeys([codec.clock_rate for codec in codecs if noise and isinstance(codec, AudioCodec)]):
        quiet.append((rate, _NOISE if rate == 8000 else _free(taken)))
        taken.add(quiet[-1][1])
    return Named(tuple(found), tuple(events), tuple(quiet))


def _wish(codec: Passed, taken: Collection[int]) -> int | None:
    """The number that the other peer uses, unless it has another meaning here."""
    meant = format_of(codec.number, None, None)
    static = isinstance(meant, Passed) and meant.key == codec.key
    return codec.number if codec.number not in taken and (static or codec.number in _DYNAMIC) else None


def _free(taken: Collection[int]) -> int:
    """There are always some: a description has fewer codecs than there are numbers."""
    return next(number for number in _DYNAMIC if number not in taken)


@lru_cache(maxsize=_REMEMBERED)
def write_audio(what: Named, direction: Direction, proto: str, ptime_ms: int) -> str:
    """What follows the port in our m-line, and the lines below it."""
    numbers = [number for number, _ in what.formats]
    lines: list[str] = []
    for number, codec in what.formats:
        channels = f"/{codec.channels}" if isinstance(codec, Passed) and codec.channels != 1 else ""
        lines.append(f"a=rtpmap:{number} {codec.encoding}/{codec.clock_rate}{channels}")
        if isinstance(codec, Passed) and codec.fmtp:
            lines.append(f"a=fmtp:{number} {codec.fmtp}")
    for rate, number in what.noise:
        numbers.append(number)
        lines.append(f"a=rtpmap:{number} CN/{rate}")
    for rate, number in what.events:
        numbers.append(number)
        lines += [f"a=rtpmap:{number} telephone-event/{rate}", f"a=fmtp:{number} {_DTMF_EVENTS}"]
    lines += [f"a=ptime:{ptime_ms}", f"a={direction}"]
    return "\r\n".join([f" {proto} {' '.join(map(str, numbers))}", *lines, ""])
