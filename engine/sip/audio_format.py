"""What sound may be coded in: codecs that the media process can decode, and those that may only be passed on as they
came, which we know by their description alone."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from engine.sip.sdp import RtpMap

_LONGEST_NAME: Final = 32
_LONGEST_FMTP: Final = 256
"""Characters; what is longer is no codec that anybody has, and it would be kept and sent on."""
_NOT_CODECS: Final = frozenset({"telephone-event", "cn", "red", "tone", "rtx", "ulpfec", "parityfec", "flexfec"})
"""Encodings that come beside a codec; RED (RFC 2198) and repairs also name other payload numbers, which we may map."""
_TOKEN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`{|}~")
_OF_THE_FORMAT: Final = frozenset({"octet-align", "crc", "robust-sorting", "interleaving", "bitrate", "config"})
"""Parameters that change how the packets look (RFC 4867 8.1, RFC 5577 4, RFC 3640 4.1). The others say what somebody
likes to hear; the two sides of a call may differ in them."""


class AudioCodec(StrEnum):
    """A codec that can be decoded. The value is its name in configuration: the encoding name (RFC 3551 6), with the
    clock rate where there are several."""

    encoding: str
    """The name in rtpmap."""
    clock_rate: int
    """Of RTP timestamps; that of G.722 is 8000, although it samples twice as often (RFC 3551 4.5.2)."""
    wide: bool
    """Whether it carries sound above 4 kHz."""
    payload_type: int | None
    """The static number; None where one has to be chosen."""

    PCMU = "PCMU", 8000, False, 0
    PCMA = "PCMA", 8000, False, 8
    G722 = "G722", 8000, True, 9
    L16 = "L16", 8000, False, None
    L16_16K = "L16/16000", 16000, True, None

    def __new__(cls, value: str, clock_rate: int = 8000, wide: bool = False, number: int | None = None) -> AudioCodec:
        self = str.__new__(cls, value)
        self._value_ = value
        self.encoding = value.partition("/")[0]
        self.clock_rate, self.wide, self.payload_type = clock_rate, wide, number
        return self


_BY_MAPPING: Final = {(codec.encoding, codec.clock_rate): codec for codec in AudioCodec}


class Passed(NamedTuple):
    """A codec that nobody here can decode, as one peer has described it."""

    encoding: str
    clock_rate: int
    channels: int
    fmtp: str
    """Format parameters, passed on as they are."""
    number: int
    """What the peer calls it."""
    key: str
    """Two descriptions with the same key mean the same packets: "opus/48000/2", "amr/8000/1;octet-align=1"."""


Format = AudioCodec | Passed

_STATIC: Final[dict[int, AudioCodec | RtpMap]] = {
    **{codec.payload_type: codec for codec in AudioCodec if codec.payload_type is not None},
    **{number: RtpMap(number, name, 8000, 1) for number, name in ((3, "GSM"), (4, "G723"), (15, "G728"), (18, "G729"))},
}
"""What needs no rtpmap (RFC 3264 5.1, RFC 3551 6)."""


def format_of(number: int, mapping: RtpMap | None, fmtp: str | None) -> Format | None:
    """What a payload number of a description means; None for what is no codec of sound, or a nonsensical one."""
    found = mapping or _STATIC.get(number)
    if found is None or isinstance(found, AudioCodec):
        return found
    if found.channels == 1:
        codec = _BY_MAPPING.get((found.encoding.upper(), found.clock_rate))
        if codec is not None:
            return codec
    return _passed(number, found, fmtp or "")


def _passed(number: int, mapping: RtpMap, fmtp: str) -> Passed | None:
    name = mapping.encoding.lower()
    sound = 0 < len(name) <= _LONGEST_NAME and _TOKEN.issuperset(name) and name not in _NOT_CODECS
    if not sound or not 0 < mapping.channels < 9 or not 0 < mapping.clock_rate <= 384_000:
        return None
    if len(fmtp) > _LONGEST_FMTP or not fmtp.isprintable():
        return None
    words = sorted({word.strip().lower().replace(" ", "") for word in fmtp.split(";")})
    telling = [word for word in words if word.partition("=")[0] in _OF_THE_FORMAT and not word.endswith("=0")]
    key = ";".join([f"{name}/{mapping.clock_rate}/{mapping.channels}", *telling])
    return Passed(mapping.encoding, mapping.clock_rate, mapping.channels, fmtp, number, key)
