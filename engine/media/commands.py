"""What control says to the media process and what it hears back: plain values, nothing else.

Control owns calls and decides who hears whom; the media process owns ports and sockets. The two speak over a Unix
stream socket (`framing`). Everything asynchronous is answered by an event that names the leg.

The hearing matrix: a leg is a source and a sink. `Connect(source, sink, gain_db)` is one edge; a bridge is two edges.
A leg that is given `Play` hears the player as well as its edges. This module imports no numpy, so that `engine.calls`
may use it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

PROTOCOL_VERSION: Final = 4
"""Raised when a command or event changes shape; a control process drains a media process of another version."""


class Codec(StrEnum):
    """What a leg's sound is coded in; the value is the name in SDP's rtpmap (RFC 3551), with the clock where that tells
    two apart."""

    PCMU = "PCMU"
    PCMA = "PCMA"
    G722 = "G722"
    """Sampled at 16 kHz; its RTP clock runs at 8000 all the same (RFC 3551 4.5.2)."""
    L16 = "L16"
    """L16/8000: 16-bit samples in network byte order (RFC 3551 4.5.11)."""
    L16_16K = "L16/16000"
    OPAQUE = "opaque"
    """Anything else: never decoded, passed through to a leg that has the very same (`SetRemote.opaque`)."""


G711: Final = (Codec.PCMU, Codec.PCMA)
"""What every telephone has."""


class SrtpSuite(StrEnum):
    """How the packets of an encrypted leg are protected; the value is the name in SDP (RFC 4568 6.2, RFC 7714 14.2)."""

    AEAD_AES_256_GCM = "AEAD_AES_256_GCM"
    AEAD_AES_128_GCM = "AEAD_AES_128_GCM"
    AES_CM_128_HMAC_SHA1_80 = "AES_CM_128_HMAC_SHA1_80"
    AES_CM_128_HMAC_SHA1_32 = "AES_CM_128_HMAC_SHA1_32"


class Direction(StrEnum):
    """SDP direction from our side (RFC 3264): SENDRECV sends and receives, SENDONLY only sends."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


class RecordingFormat(StrEnum):
    """What a recording is kept as; the value is the ending of its file."""

    WAV = "wav"
    FLAC = "flac"
    OPUS = "opus"


class Tone(StrEnum):
    """Named tones. The first five sound as the country has them (`media/tone_plans.py`), the others everywhere alike
    (`media/tones.py`)."""

    DIAL = "dial"
    RINGBACK = "ringback"
    BUSY = "busy"
    CONGESTION = "congestion"
    SPECIAL_INFORMATION = "special-information"
    CONFIRM = "confirm"
    DENY = "deny"
    MILLIWATT = "milliwatt"


@dataclass(frozen=True, slots=True, kw_only=True)
class SrtpKeys:
    """What protects a leg's packets (RFC 3711). Keys are master key and salt in Base64, shown by no `repr`."""

    suite: SrtpSuite
    ours: str = field(repr=False)
    """Of what we send."""
    theirs: str = field(repr=False)
    """Of what we hear."""
    mki_octets: int = 0
    """Length of the name of their key that stands in each of their packets (MKI); 0 where there is none."""
    resumed: bool = False
    """Their key was in use before this leg was opened, in another media process: how often the numbers of their packets
    have gone around (RFC 3711 3.3.1) is to be found out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingKey:
    """What recordings are encrypted with (`vault`): 32 octets in Base64, shown by no `repr`."""

    key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beep:
    """The tone that tells the parties of a recording."""

    at_start: bool
    every_s: float
    """From one to the next; 0 for none but the first."""
    dbm0: float
    """Level: 0 is as loud as a tone may be, -20 is heard beside speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One item of a playlist: a file, a tone or silence. Exactly one of the three is set."""

    file: str = ""
    """Absolute path: WAV, FLAC, Ogg or whatever else libsndfile reads."""
    tone: Tone | None = None
    """One round of its cadence."""
    country: str = "us"
    """Whose tone it is: a key of `tone_plans.COUNTRIES`."""
    silence_ms: int = 0
    """At most 600,000; whole frames of 20 ms are played."""


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
    """Payload number to send with, and to expect but for `heard_as`: 0 PCMU, 8 PCMA, 9 G722, or as mapped."""
    dtmf_payload_type: int | None
    """Number of telephone-event/8000, or None when the peer has not got it."""
    direction: Direction
    """What we do on this leg after the exchange."""
    rtcp_port: int | None = None
    """From a=rtcp (RFC 3605); None means port + 1."""
    srtp: SrtpKeys | None = None
    """None: not encrypted. With keys, nothing else is sent or heard; a key that is repeated goes on where it was."""
    opaque: str = ""
    """What an OPAQUE codec is: normalised encoding name, clock, channels and fmtp; "" with every other codec. Two
    OPAQUE legs may be passed through to each other when these are equal."""
    clock_rate: int = 8000
    """Of RTP timestamps, Hz: 16000 with L16_16K, the codec's own with OPAQUE, else 8000."""
    ptime_ms: int = 20
    """How much sound a packet of ours carries (the peer's a=ptime): 10 to 60 in steps of 10."""
    heard_as: int | None = None
    """Payload number that the peer sends with, where our own description named another than the peer's; None means
    `payload_type`."""
    dtmf_heard_as: int | None = None
    """The same of telephone-event."""
    dtmf_clock_rate: int | None = None
    """Clock of telephone-event's durations, Hz; None means `clock_rate`."""
    inband: bool = False
    """Keys are tones in the sound of a peer that has no telephone-event: listen for them, and send ours so."""
    dialog: str = ""
    """The signalling's own name of the dialog, opaque to media and returned by Legs: for a control process that was
    restarted and hears of its end."""
    cn_payload_type: int | None = None
    """Number of comfort noise (RFC 3389), or None when that was not agreed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebind:
    """Open a second pair of ports for a leg, which its peer is then told of: answered by Rebound, or LegFailed. Both
    pairs are heard; the leg sends by the first until the second hears a valid packet, and then has only that one
    (Switched). Asked again, the second pair is another."""

    leg: str
    port: int | None = None
    """A spare pair; None for whichever is free."""


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
class JoinConference:
    """Let a leg hear all others in this conference and be heard by them; it leaves the one that it was in. Joining
    again changes the rest. The first member makes a conference, the last one's leaving ends it. Edges come on top."""

    leg: str
    conference: str
    speaks: bool = True
    """False: muted."""
    hears: bool = True
    gain_db: float = 0.0
    """At which the others hear it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveConference:
    """Take a leg out of its conference; no error when it is in none."""

    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Play sounds to a leg one after the other, replacing what it plays now. Answered, when it comes to its end by
    itself or by a key, by PlayFinished; a loop ends only by a key, StopPlay or CloseLeg. A sound that cannot be played
    is left out (SoundSkipped); LegFailed when none of them can."""

    leg: str
    player: str
    """The caller's name for this playing; PlayFinished carries it."""
    playlist: tuple[Sound, ...]
    """At least one, at most 500."""
    loop: bool = False
    """The whole list begins anew when it is over."""
    gain_db: float = 0.0
    stop_digits: str = ""
    """Keys of the leg's peer, of `0123456789*#ABCD`, each of which ends it at once; they are told by DtmfDigit as
    always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPlay:
    """Stop what the leg plays; no PlayFinished follows."""

    leg: str
    digit: str = ""
    """With a key that came beside the sound (SIP INFO): only if that is one of the playing's `stop_digits`, and
    PlayFinished follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDtmf:
    """Send digits as telephone-events (RFC 4733), or as tones on a leg that is `inband`, 60 ms apart, after those
    already under way."""

    leg: str
    digits: str
    duration_ms: int = 100
    """Of each: 40 to 60,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRecording:
    """Record into a stereo file at `stem` and an ending, until StopRecording or until its legs are closed. Answered by
    RecordingStarted or RecordingFailed."""

    recording: str
    """The caller's name for it."""
    leg: str
    """Left channel: what this leg says."""
    other: str | None
    """Right channel: what this leg says. None: what `leg` hears."""
    stem: str
    """Absolute path without ending. Directories are made; while it runs the file is `stem.running.wav`, and it is a
    valid one at any time (`stem.running.hlr` where it is encrypted)."""
    format: RecordingFormat
    key: RecordingKey | None = None
    """None: not encrypted."""
    beep: Beep | None = None

    @property
    def path(self) -> str:
        """Of the finished file."""
        return f"{self.stem}.{self.format}" + ("" if self.key is None else ".hlr")


@dataclass(frozen=True, slots=True, kw_only=True)
class AimRecording:
    """Record other legs from now on: the call has been transferred. The file goes on."""

    recording: str
    leg: str
    other: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRecording:
    """Record silence until ResumeRecording."""

    recording: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRecording:
    """Record sound again."""

    recording: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRecording:
    """End the recording. Answered by RecordingFinished when the file has its last form."""

    recording: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TidyRecordings:
    """Finish what a media process that crashed has left running under this directory."""

    directory: str
    format: RecordingFormat
    key: RecordingKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLeg:
    """Close the leg's sockets and forget it. Answered by LegClosed; no packet is sent or heard afterwards."""

    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLeg:
    """Tell of silence on this leg (RtpTimeout) after so long without RTP, whatever RTCP says: nobody else looks after
    it."""

    leg: str
    silent_s: float


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
    | Rebind
    | Connect
    | Disconnect
    | JoinConference
    | LeaveConference
    | Play
    | StopPlay
    | SendDtmf
    | StartRecording
    | AimRecording
    | PauseRecording
    | ResumeRecording
    | StopRecording
    | TidyRecordings
    | CloseLeg
    | WatchLeg
    | ListLegs
    | Drain
    | Shutdown
)
