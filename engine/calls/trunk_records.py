"""Records of the event log about trunks and what calls on them cost; part of `log`, by the same rules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.ids import AgentName, TrunkName


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkStateChanged:
    trunk: TrunkName
    up: bool
    detail: str


class CircuitState(StrEnum):
    """Whether a trunk gets calls, by how the last ones went."""

    CLOSED = "closed"
    """It does."""
    OPEN = "open"
    """None: it failed too often."""
    HALF_OPEN = "half_open"
    """One at a time, to see whether it works again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkCircuitChanged:
    trunk: TrunkName
    state: CircuitState
    detail: str
    """How it came to be, and for how long an open one rests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkRegistrationChanged:
    """Our registration at a trunk came or went."""

    trunk: TrunkName
    registered: bool
    detail: str


class TrunkFailure(StrEnum):
    """Why a trunk did not carry a call."""

    STATUS = "status"
    """It answered that it cannot."""
    SILENT = "silent"
    """No sign in time, or its connection failed."""
    SLOW = "slow"
    """A first sign, but no ringing in time."""
    DOWN = "down"
    CIRCUIT_OPEN = "circuit_open"
    FULL = "full"
    """As many calls as it may have."""
    TOO_FAST = "too_fast"
    """As many calls in this second as it may get."""
    NUMBER = "number"
    """Its rules left no number that can be dialled."""
    TOLL = "toll"
    """The number or the cost is not allowed on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkTried:
    """A trunk that was to carry a call did not; the next of its group may have been tried after it."""

    trunk: TrunkName
    why: TrunkFailure
    status: int | None = None
    """What it answered; None where it said nothing or was not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRated:
    """What the call costs from now on, by the price list."""

    trunk: TrunkName
    agent: AgentName | None
    per_call: float
    per_minute: float


class TollRefusal(StrEnum):
    """Why a call that costs money was refused, or ended."""

    DESTINATION = "destination"
    """The caller may not call this number."""
    ABROAD = "abroad"
    """No foreign country without leave."""
    CONCURRENCY = "concurrency"
    BUDGET = "budget"
    """The day's money is spent, or would be by this call."""
    NO_PRICE = "no_price"
    """A limit is set, and nobody knows what this number costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TollRefused:
    """A call was refused by the guard against toll fraud."""

    origin: str
    """Who called: "agent:NAME" or "trunk:NAME"."""
    trunk: TrunkName
    number: str
    why: TollRefusal
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TollCutOff:
    """A call that was up was ended, because the day's money is spent."""

    origin: str
    trunk: TrunkName
    detail: str
