"""Records of the event log about what is heard on legs: keys, quality, one-way audio."""

from __future__ import annotations

from dataclasses import dataclass

from engine.ids import LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitReceived:
    leg: LegId
    digit: str
    """"?" while the call's recording is paused."""
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWayHeard:
    """Nothing passes in one way on a leg that talks with another; or it does again."""

    leg: LegId
    who: str
    """"agent:NAME" or "trunk:NAME"."""
    way: str
    """"in": nothing is heard of whoever is on the leg; "out": nothing reaches them."""
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundSkipped:
    """A sound that was to be played to a leg cannot be, and was left out."""

    leg: LegId
    who: str
    """As above."""
    file: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegClosed:
    """What was measured on a leg, as the media process reported it last."""

    leg: LegId
    packets_received: int
    packets_sent: int
    lost: int
    jitter_ms: float
    remote_lost: int | None
    round_trip_ms: float | None
    codec: str = ""
    """What its sound was coded in at last: "PCMA", "G722", "opus"."""
    who: str = ""
    """"agent:NAME" or "trunk:NAME"."""
    discarded: int = 0
    """Packets that came too late to be played."""
    concealed_ms: int = 0
    """Sound that was made up for what did not come."""
    unauthentic: int = 0
    """Packets of an encrypted leg that were not the peer's."""
    mos: float | None = None
    """Mean opinion score of what was heard, by ITU-T G.107; None of a call too short."""
    mos_worst: float | None = None
    level_dbm0: float | None = None
    """How loud the peer was at the end; None where its sound was not decoded."""
    one_way: str = ""
    """Ways in which nothing passed for a while: "in", "out" or "in out"."""
