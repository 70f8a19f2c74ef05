"""Calls that a control process before this one has left behind.

After a crash the media processes go on, so that people who talk keep talking. The new control process does not know
their dialogs and can end them only on its own side; it lets them be, shows them, and closes both legs

- when nothing is heard of one of them for some seconds,
- when a phone hangs up: a BYE within a dialog that its leg was told of (`SetRemote.dialog`),
- when an operator says so, and after a time after which nobody talks any more.

Who is alone in his call is not talking: he waited, and would hear music for ever, for nobody knows of him. The tag of a
leg says whose it was, for the ledger that will take such calls back. An agent whose phone is in one is busy until then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.app.leg_tag import OWN_ROLE, LegTag
from engine.ids import AgentName, CallId
from engine.media.commands import CloseLeg, WatchLeg
from engine.media.events import LegClosed, LegInfo, Legs, MediaEvent, RtpTimeout

Orders = Sequence[tuple[int, CloseLeg | WatchLeg]]
"""What is to be done, and by which media process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanRules:
    silence_s: float = 10.0
    """Without a packet of one side, after which the call is over."""
    max_s: float = 14_400.0
    """The longest that one may last after it was found."""


@dataclass(slots=True, eq=False)
class OrphanCall:
    """One of them."""

    call: str
    found_at: float
    started: float
    """By the tag, monotonic seconds; `found_at` where it says nothing."""
    legs: dict[tuple[int, str], LegInfo] = field(default_factory=dict)
    """By process and name."""
    closing: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        """Whose legs are left, as the call had it: caller, agent, called."""
        return tuple(_tag(info).role for info in _people(self))

    @property
    def agents(self) -> set[AgentName]:
        """Whose phones are in it still."""
        return {agent for info in self.legs.values() if (agent := _tag(info).agent) is not None}


_STANDARD: Final = OrphanRules()


class Orphans:
    """Knows them from the media processes' lists at connect."""

    def __init__(self, planes: int = 1, rules: OrphanRules = _STANDARD) -> None:
        """There are so many media processes, numbered from 0."""
        self._rules = rules
        self._calls: dict[str, OrphanCall] = {}
        self._call_of: dict[tuple[int, str], OrphanCall] = {}
        self._dialogs: dict[str, OrphanCall] = {}
        self._unheard = set(range(planes))
        """Processes that have not said yet what they have: the other side of a call may live there."""
        self._lost: set[int] = set()
        """Processes whose connection we had and lost."""
        self._engaged: list[tuple[AgentName, CallId, bool]] = []

    def __len__(self) -> int:
        return len(self._call_of)

    def calls(self) -> tuple[OrphanCall, ...]:
        """All that are left."""
        return tuple(self._calls.values())

    @property
    def dialogs(self) -> Collection[str]:
        """The dialogs of their legs, as `engine.sip` names them; kept up to date."""
        return self._dialogs

    def take_engaged(self) -> Sequence[tuple[AgentName, CallId, bool]]:
        """Drain the agents whose phones are in such a call from now on, or (False) are not any more."""
        if not self._engaged:
            return ()
        engaged, self._engaged = self._engaged, []
        return engaged

    # --- what happens ---

    def connection_lost(self, plane: int = 0) -> Orders:
        """We lost a media process and ended our calls there. Should the same process be found again, its legs that are
        no orphans are ours, of calls that are over."""
        self._lost.add(plane)
        return []

    def none_at(self, plane: int, now: float) -> Orders:
        """A process that was found has no legs at all."""
        return self._listed(plane, (), now)

    def media_event(self, event: MediaEvent, now: float, plane: int = 0) -> Orders:
        """What is to be done about orphans, if the event is about one."""
        match event:
            case Legs(legs=legs):
                return self._listed(plane, legs, now)
            case RtpTimeout(leg=leg) if (call := self._call_of.get((plane, leg))) is not None:
                if any(name == leg and place != plane for place, name in call.legs):
                    return [(plane, CloseLeg(leg=leg))]  # it was on its way to another process, and is heard there
                return self._close(call)
            case LegClosed(leg=leg) if (plane, leg) in self._call_of:
                self._gone(plane, leg)
                return self._close_lonely()
        return []

    def hung_up(self, dialog: str) -> Orders:
        """The peer of a leg has ended this dialog."""
        call = self._dialogs.get(dialog)
        return [] if call is None else self._close(call)

    def end(self, call: str) -> Orders | None:
        """An operator wants it ended; None where there is no such call."""
        found = self._calls.get(call)
        return None if found is None else self._close(found)

    # --- time ---

    def next_deadline(self) -> float | None:
        return min(
            (call.found_at + self._rules.max_s for call in self._calls.values() if not call.closing), default=None
        )

    def handle_deadline(self, now: float) -> Orders:
        over = [call for call in self._calls.values() if not call.closing and call.found_at + self._rules.max_s <= now]
        return [order for call in over for order in self._close(call)]

    # --- inside ---

    def _listed(self, plane: int, legs: Sequence[LegInfo], now: float) -> Orders:
        self._unheard.discard(plane)
        orders: list[tuple[int, CloseLeg | WatchLeg]] = []
        if plane in self._lost:
            names = dict.fromkeys(info.leg for info in legs)
            orders = [(plane, CloseLeg(leg=leg)) for leg in names if (plane, leg) not in self._call_of]
            for place, leg in [*self._call_of]:
                if place == plane and leg not in names:
                    self._gone(place, leg)
        else:
            for info in legs:
                self._found(plane, info, now)
                orders.append((plane, WatchLeg(leg=info.leg, silent_s=self._rules.silence_s)))
        return [*orders, *self._close_lonely()]

    def _found(self, plane: int, info: LegInfo, now: float) -> None:
        tag = _tag(info)
        call = self._calls.get(tag.call)
        if call is None:
            started = tag.started if 0 < tag.started <= now else now
            call = self._calls[tag.call] = OrphanCall(tag.call, now, started)
        if tag.agent is not None and tag.agent not in call.agents:
            self._engaged.append((tag.agent, CallId(call.call), True))
        call.legs[plane, info.leg] = info
        self._call_of[plane, info.leg] = call
        if info.dialog:
            self._dialogs[info.dialog] = call

    def _gone(self, plane: int, leg: str) -> None:
        call = self._call_of.pop((plane, leg))
        info = call.legs.pop((plane, leg))
        agent = _tag(info).agent
        if agent is not None and agent not in call.agents:
            self._engaged.append((agent, CallId(call.call), False))
        if not any(other.dialog == info.dialog for other in call.legs.values()):
            self._dialogs.pop(info.dialog, None)
        if not call.legs:
            del self._calls[call.call]

    def _close_lonely(self) -> Orders:
        """Close every call with one person left, or none."""
        if self._unheard:
            return []
        lonely = [call for call in self._calls.values() if len({info.leg for info in _people(call)}) <= 1]
        return [order for call in lonely for order in self._close(call)]

    def _close(self, call: OrphanCall) -> Orders:
        if call.closing:
            return []
        call.closing = True
        return [(plane, CloseLeg(leg=leg)) for plane, leg in call.legs]


def _people(call: OrphanCall) -> list[LegInfo]:
    return [info for info in call.legs.values() if _tag(info).role != OWN_ROLE]


def _tag(info: LegInfo) -> LegTag:
    return LegTag.read(info.tag, info.leg)
