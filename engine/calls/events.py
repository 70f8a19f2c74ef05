"""Neutral call-control events: what a leg tells the calls layer, whatever protocol it speaks.

Two legs of a call understand each other only through these. Nothing of SIP is seen above `calls/sip_leg.py`; what other
layers need of it (bindings, trunk health) leaves it as the types at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.calls.causes import EndCause
from engine.calls.codec_words import SPELLED
from engine.ids import AgentName, LegId, TransferId, TrunkName
from engine.media.commands import Codec, Direction, SrtpKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class FromAgent:
    """The leg was placed by this agent's phone, proved by its secret."""

    agent: AgentName


@dataclass(frozen=True, slots=True, kw_only=True)
class FromTrunk:
    """The leg came from this trunk, known by its address."""

    trunk: TrunkName


Origin = FromAgent | FromTrunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who is on a leg, as shown to the other side."""

    number: str
    display: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What came with a call besides its caller and its media; its next leg takes it along."""

    hidden: bool = False
    """The caller wants not to be known."""
    diverted_from: str = ""
    """Number that forwarded the call last; empty where none did."""
    diversion_reason: str = ""
    """Why, in the protocol's word ("no-answer", "user-busy", "unconditional")."""
    session: str = ""
    """Name of the session from end to end, the same in the systems on its way; empty where the caller gave none."""
    referred_by: str = ""
    """Who had the call transferred, in the protocol's words; empty where nobody did or it is not said."""
    user_to_user: str = ""
    """What the caller's application says to the called one's."""
    hops: int = 70
    """How many more switches the call may pass, so that one that goes round in a circle ends."""
    whole: object = None
    """All of it, for a leg of the same protocol. Nobody else looks inside."""


NOTHING_CARRIED: Final = Carried()
"""Of a plain call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteMedia:
    """Where the peer's media is and what was agreed with it; becomes `media.commands.SetRemote`."""

    address: str
    port: int
    flow_address: str
    """Source address of the signalling, the other place that media may come from (NAT)."""
    codec: Codec
    payload_type: int
    dtmf_payload_type: int | None
    direction: Direction
    """From our side: RECVONLY or INACTIVE means that the peer put us on hold."""
    rtcp_port: int | None = None
    srtp: SrtpKeys | None = None
    """None: not encrypted."""
    opaque: str = ""
    """As in `SetRemote`, like the next."""
    clock_rate: int = 8000
    ptime_ms: int = 20
    heard_as: int | None = None
    dtmf_heard_as: int | None = None
    dtmf_clock_rate: int | None = None
    inband: bool = False
    """The peer's keys are tones in its sound, and ours are to be."""
    cn_payload_type: int | None = None
    dialog: str = ""
    """The protocol's own name of the leg, by which a later process knows it again."""

    @property
    def codec_name(self) -> str:
        """For people: "PCMU", "L16/16000"; of one that we cannot decode "opus", "G729"."""
        name = self.opaque.partition("/")[0]
        return SPELLED.get(name, name) or str(self.codec)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMedia:
    """Our side's RTP port on this leg, as opened by the media process, and what is wanted of the codec. Which may be
    used at all is set for the agent or trunk."""

    port: int
    address: str = ""
    """IP address that the peer is to send to; empty: the one that peers on the leg's way reach our media at."""
    alike: LegId | None = None
    """The leg that this one is to talk with: its codec is best here too, and may then be one that we cannot decode.
    None: one that we can."""
    decoded: bool = False
    """Of a leg that is up: it needs a codec that we can decode, where it has none."""
    elsewhere: bool = False
    """The port is another media process's: keys that were used must not be used there, be the number the same."""


# --- from a leg ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """Somebody calls us. The leg waits for Ring, Answer or Reject."""

    leg: LegId
    origin: Origin
    called: str
    """The number that was dialled."""
    caller: Party
    protocol_id: str
    """The protocol's own name of the call (SIP Call-ID), for logs."""
    carried: Carried = NOTHING_CARRIED
    replaces: LegId | None = None
    """The leg whose place this one wants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ringing:
    """The far phone rings."""

    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The leg is up: the far side answered our Place, or confirmed our Answer. Its media may flow."""

    leg: LegId
    media: RemoteMedia


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """The peer changed its media while the leg is up (hold, resume, another address); already answered by the leg."""

    leg: LegId
    media: RemoteMedia


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The leg is over. Always the last event of a leg, exactly once, whoever ended it, except after Reject."""

    leg: LegId
    cause: EndCause
    early: bool = False
    """The far side had sent tones or words of its own before any answer (early media)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferAsked:
    """Whoever is on the leg asks that the other side of the call be put through to somebody else; answer by
    `TransferPort`."""

    leg: LegId
    transfer: TransferId
    number: str
    """To call, as whoever asks would have dialled it."""
    replaces_asked: bool = False
    """The other side is to be joined with that of another call instead (attended transfer)."""
    replaces: LegId | None = None
    """The asking side's own leg in that other call; None where it is not known here."""
    referred_by: str = ""
    """Who asks, in the protocol's words, for the new call; empty where it is not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPressed:
    """A key that came beside the sound, in the signalling."""

    leg: LegId
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The peer took what `LegPort.move` asked for: it sends to `local` from now on, and is heard and sent to so."""

    leg: LegId
    local: LocalMedia
    """As it was asked for."""
    remote: RemoteMedia


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRefused:
    """What `LegPort.move` asked for did not come to be; the leg is up as it was before, at its old port."""

    leg: LegId
    local: LocalMedia
    """As it was asked for."""
    status: int
    """What the peer said (SIP status); 491 also where it was not asked, for the leg was not up, or a later move took
    this one's place."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strayed:
    """The phone on a leg that is up has registered from another address: its media may come from there too."""

    leg: LegId


LegEvent = Offered | Ringing | Answered | Updated | Ended | TransferAsked | KeyPressed | Moved | MoveRefused | Strayed


# --- about people and lines ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable:
    """The agent's phone is registered (again, or from one more place)."""

    agent: AgentName
    contact: str
    source: str
    """"host:port" that the registration came from."""
    user_agent: str


class UnreachableReason(StrEnum):
    UNREGISTERED = "unregistered"
    EXPIRED = "expired"
    CONNECTION_LOST = "connection_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """The agent's last binding is gone: no call can reach the phone."""

    agent: AgentName
    reason: UnreachableReason


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkUp:
    trunk: TrunkName
    round_trip_s: float | None
    """None for a trunk that is never asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkDown:
    trunk: TrunkName
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRelayed:
    """A text for an agent came. What it says is for the agent alone."""

    sender: str
    to: AgentName
    size: int
    """Characters."""
    delivered: bool = False
    """A phone of the agent has taken it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkRegistration:
    """Our registration at a trunk came or went."""

    trunk: TrunkName
    registered: bool
    detail: str
    left: bool = False
    """It is over for good: nobody wants it any more, and the registrar was told so or could not be."""


PresenceEvent = Reachable | Unreachable | TrunkUp | TrunkDown | TrunkRegistration | TextRelayed
