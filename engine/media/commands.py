"""What control says to the media process and what it hears back: plain values, nothing else.

Control owns calls and decides who hears whom; the media process owns ports and sockets. The two speak over a Unix
stream socket (`framing`). Everything asynchronous is answered by an event that names the leg.

The hearing matrix: a leg is a source and a sink. `Connect(source, sink, gain_db)` is one edge; a bridge is two edges.
A leg that is given `Play` hears the player as well as its edges. This module imports no numpy, so that `engine.calls`
may use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PROTOCOL_VERSION: Final = 2
"""Raised when a command or event changes shape; a control process drains a media process of another version."""


class Codec(StrEnum):
    """What the media plane can decode; the value is the name in SDP's rtpmap (RFC 3551)."""

    PCMU = "PCMU"
    PCMA = "PCMA"


class Direction(StrEnum):
    """SDP direction from our side (RFC 3264): SENDRECV sends and receives, SENDONLY only sends."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


class Tone(StrEnum):
    """Named tones; their frequencies and cadences stand in `media/tones.py`."""

    RINGBACK = "ringback"
    BUSY = "busy"
    CONGESTION = "congestion"
    CONFIRM = "confirm"
    DENY = "deny"
    MILLIWATT = "milliwatt"


# --- commands ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """First frame on every connection; anything else first closes it."""

    version: int
    secret: str
    """From the state directory; a stranger on the same machine cannot command the media process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLeg:
    """Bind an even RTP port and the odd RTCP port above it. Answered by LegOpened or LegFailed."""

    leg: str
    tag: str
    """Opaque to media, returned by Legs: call id, role and start, for a control process that was restarted."""
    port: int | None = None
    """A spare pair, which spares the wait for LegOpened: none follows. None for whichever pair is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRemote:
    """Tell a leg what the offer/answer exchange agreed. May be repeated (re-INVITE)."""

    leg: str
    address: str
    """IP address in the peer's SDP c= line; "0.0.0.0" is hold by RFC 2543 and sends nothing."""
    port: int
    flow_address: str
    """Source address of the dialog's SIP flow: the other address a first packet may come from (NAT)."""
    codec: Codec
    payload_type: int
    """Payload number to send with and to expect: 0 PCMU, 8 PCMA, or as mapped."""
    dtmf_payload_type: int | None
    """Number of telephone-event/8000, or None when the peer has not got it."""
    direction: Direction
    """What we do on this leg after the exchange."""
    rtcp_port: int | None = None
    """From a=rtcp (RFC 3605); None means port + 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """Let `sink` hear `source`, at `gain_db`. Connecting twice changes the gain. source == sink is an echo."""

    source: str
    sink: str
    gain_db: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    """Take the edge away; no error when it is not there."""

    source: str
    sink: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Play a WAV file or a tone to a leg, replacing what it plays now. Exactly one of file and tone is set.
    Answered, when it comes to its end by itself, by PlayFinished; a loop ends only by StopPlay or CloseLeg."""

    leg: str
    player: str
    """The caller's name for this playing; PlayFinished carries it."""
    file: str | None = None
    tone: Tone | None = None
    loop: bool = False
    gain_db: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPlay:
    """Stop what the leg plays; no PlayFinished follows."""

    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDtmf:
    """Send digits as telephone-events (RFC 4733), 100 ms each, 60 ms apart, after those already under way."""

    leg: str
    digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLeg:
    """Close the leg's sockets and forget it. Answered by LegClosed; no packet is sent or heard afterwards."""

    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLegs:
    """Ask for Legs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Open no more legs; end when the last one is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """Close every leg and end now."""


Command = (
    Hello
    | OpenLeg
    | SetRemote
    | Connect
    | Disconnect
    | Play
    | StopPlay
    | SendDtmf
    | CloseLeg
    | ListLegs
    | Drain
    | Shutdown
)

# --- events ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """Answer to a good Hello."""

    version: int
    pid: int
    port_min: int
    port_max: int
    legs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Answer to a bad Hello; the connection is closed after it."""

    reason: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spares:
    """Pairs of ports that are bound already and wait for an OpenLeg that names them, besides those told before on this
    connection. After Welcome, and whenever few are left."""

    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegOpened:
    leg: str
    port: int
    """The even RTP port; RTCP is port + 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegFailed:
    """A command about this leg could not be done: no port left, unknown leg, unreadable file."""

    leg: str
    command: str
    """Type name of the command."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Latched:
    """The leg hears its peer from this address; strangers are dropped by the kernel from now on."""

    leg: str
    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfDigit:
    """A telephone-event from the peer, once per digit, at its end (or after it falls silent)."""

    leg: str
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayFinished:
    leg: str
    player: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpTimeout:
    """Nothing valid was heard on a receiving leg for this long. Sent once; RtpResumed follows if it comes back."""

    leg: str
    silent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpResumed:
    leg: str
    silent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What was measured on one leg so far. In Quality events at most once a second, and last in LegClosed."""

    leg: str
    packets_received: int
    packets_sent: int
    octets_received: int
    lost: int
    """Expected minus received, as RFC 3550 A.3; may be negative with duplicates."""
    jitter_ms: float
    """Interarrival jitter of what we receive (RFC 3550 6.4.1)."""
    remote_lost: int | None
    """Cumulative loss that the peer reported of what we send, None before its first report."""
    remote_jitter_ms: float | None
    round_trip_ms: float | None
    """From LSR and DLSR (RFC 3550 6.4.1), None before the first report block."""
    strangers: int
    """Packets dropped because they came from the wrong address or were not valid RTP."""
    refused: int
    """ECONNREFUSED seen on the connected socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegClosed:
    leg: str
    quality: Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class LegInfo:
    leg: str
    tag: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Legs:
    """Answer to ListLegs."""

    legs: tuple[LegInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneStats:
    """How the process itself does, once a second while a control process is connected. Counters since start."""

    legs: int
    relayed_edges: int
    """Legs on the pass-through path."""
    mixed_legs: int
    ticks: int
    late_ticks: int
    """Ticks that began more than 2 ms after their deadline."""
    lateness_p50_ms: float
    lateness_p999_ms: float
    """Of the last second's ticks."""
    lateness_max_ms: float
    packets_received: int
    packets_sent: int
    ports_taken: int
    """Ports in the range that another program held."""
    cpu_s: float
    """User plus system time of the process."""


MediaEvent = (
    Welcome
    | Refused
    | Spares
    | LegOpened
    | LegFailed
    | Latched
    | DtmfDigit
    | PlayFinished
    | RtpTimeout
    | RtpResumed
    | Quality
    | LegClosed
    | Legs
    | PlaneStats
)

Message = Command | MediaEvent
