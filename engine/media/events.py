"""What the media process says to control: plain values, nothing else (see `commands`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
class Rebound:
    """The leg has a second pair of ports (see `commands.Rebind`)."""

    leg: str
    port: int
    """The even one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """The leg was heard on its second pair and has no other any more."""

    leg: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfDigit:
    """A telephone-event from the peer, once per digit, at its end (or after it falls silent)."""

    leg: str
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayFinished:
    """A playing came to its end."""

    leg: str
    player: str
    digit: str = ""
    """The key that ended it; "" when its last sound was over."""
    played_ms: int = 0
    """How long it lasted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundSkipped:
    """An item of a playlist cannot be played; the playing goes on with the next. Told once for each in a playing."""

    leg: str
    player: str
    file: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpStopped:
    """A receiving leg that was heard is heard no more, since `STOPPED_S`. Sent once in each silence; nothing follows
    when it ends."""

    leg: str
    silent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpTimeout:
    """Neither valid RTP nor RTCP was heard on a receiving leg for this long. Sent once; RtpResumed follows if it comes
    back."""

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
    unauthentic: int = 0
    """Packets of an encrypted leg that were not the peer's, or were played again (SRTP)."""
    discarded: int = 0
    """Packets that came too late for the jitter buffer."""
    concealed_ms: int = 0
    """Sound that was made up for what did not come."""
    mos: float | None = None
    """Of what is heard, of late (ITU-T G.107); None before enough came, like the next two."""
    mos_worst: float | None = None
    mos_mean: float | None = None
    level_dbm0: float | None = None
    """How loud the peer is, of late; None where its sound is not decoded."""
    silent_s: float | None = None
    """For how long nothing but silence was in what was heard; None where that is not known."""
    one_way: str = ""
    """Ways in which nothing passed, at some time: "in", "out", "in out"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Sound that a recording has not got: silence of the same length stands in the file."""

    at_s: float
    """From the beginning of the file."""
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStarted:
    """The file is there and sound goes into it."""

    recording: str
    path: str
    """Of the running file."""
    rate: int
    """Samples per second: that of the widest leg at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingGap:
    """The disk takes nothing, or not fast enough. Told when it begins and when it is over; the call goes on."""

    recording: str
    gap: Gap
    """With the seconds so far."""
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFinished:
    """The file has its last form."""

    recording: str
    path: str
    seconds: float
    octets: int
    """Of the file."""
    gaps: tuple[Gap, ...]
    """The first hundred."""
    lost_s: float
    """Of all gaps together."""
    trouble: str = ""
    """Why it is not of the form that was asked for, as where a disk has no room for a FLAC beside the WAV."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFailed:
    """A command about a recording could not be done, or nothing of it could be kept."""

    recording: str
    command: str
    """Type name of the command."""
    reason: str


class Way(StrEnum):
    IN = "in"
    """From the leg's peer to us."""
    OUT = "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWayAudio:
    """Nothing passes in this way on a leg that talks with another; or it does again."""

    leg: str
    way: Way
    over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LegClosed:
    leg: str
    quality: Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class LegInfo:
    leg: str
    tag: str
    port: int
    dialog: str = ""
    """Of its last SetRemote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingInfo:
    """A recording that runs."""

    recording: str
    path: str
    """Of the file when it is finished."""
    leg: str
    """Left channel; empty where that leg is closed."""
    other: str | None
    """Right channel; None: what `leg` hears."""
    started: float
    """Monotonic seconds, as in the tags of legs."""
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Legs:
    """Answer to ListLegs."""

    legs: tuple[LegInfo, ...]
    recordings: tuple[RecordingInfo, ...] = ()
    """All that run. The last word about one that came to its end while nobody commanded follows Welcome."""


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
    tick_p50_ms: float = 0.0
    tick_p99_ms: float = 0.0
    """Processor time that a tick takes, of those of the last five seconds; there are 20 ms."""
    collections: int = 0
    """Times that the garbage collector ran while legs were open: none, unless something leaks."""


MediaEvent = (
    Welcome
    | Refused
    | Spares
    | LegOpened
    | LegFailed
    | Latched
    | Rebound
    | Switched
    | DtmfDigit
    | PlayFinished
    | SoundSkipped
    | RtpStopped
    | RtpTimeout
    | RtpResumed
    | Quality
    | OneWayAudio
    | RecordingStarted
    | RecordingGap
    | RecordingFinished
    | RecordingFailed
    | LegClosed
    | Legs
    | PlaneStats
)
