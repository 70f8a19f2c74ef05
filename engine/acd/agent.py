"""The agent: the machine that says what an agent's phone is doing, and the record that is kept of each agent.

Theory of operation
===================

An agent has a **status** and a **state** (mod_callcenter's words). The status is what a person chose: available, break,
logged out. The state is what the engine derives, and only the table below changes it:

- *unreachable*: no binding, so no call can reach the phone, and no call is up.
- *idle*: the phone is registered and does nothing.
- *offered*: the phone is being called for a caller; it has not said that it rings.
- *ringing*: it has.
- *in call*: connected to a queue's caller, or engaged in a call that no queue gave (own call, direct call).
- *wrap-up*: the time after a queue's call in which no new one comes.

An agent is **routable** when the state is idle *and* the status is available *and* the phone is reachable. Being
resting in one queue (after refusing its offer) is a fact of the membership, not of the agent: see `queue.py`.

Two rules are not cells of the table:

1. *Idle without a binding is unreachable.* A binding that is lost in a call or in wrap-up is only noted; whenever the
   table leads to idle and there is no binding, the state is unreachable instead.
2. *Wrap-up is a time, own calls do not stop it.* The queue's call ends: the time to its end starts to run. If another
   call is still up then (or begins, such as calling the customer back), the state is in call; when the last call is
   over the input is WRAP_UP_DUE if time is left and CALLS_OVER if not.

Inputs say what happened, outputs what must be done besides changing state: `withdraw` ends the offer that rings,
`wrap_up_ends` stops the wrap-up time. Inputs that the world may give at any moment (binding, status, own calls) have an
entry in every state. The others come from the ACD itself; a pair without entry is a defect and raises
`InvalidTransition`. `python -m engine.acd.agent` prints the table, which `docs/agent-state-table.md` repeats.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from engine.acd.errors import InvalidTransition
from engine.acd.table import markdown
from engine.calls.directory import Agent, AgentStatus
from engine.calls.ports import WithdrawReason
from engine.ids import CallId, OfferId, QueueName


class AgentState(StrEnum):
    """What the engine derives; what a person chose is `directory.AgentStatus`."""

    UNREACHABLE = "unreachable"
    IDLE = "idle"
    OFFERED = "offered"
    RINGING = "ringing"
    IN_CALL = "in_call"
    WRAP_UP = "wrap_up"


class AgentInput(StrEnum):
    """What can happen to an agent."""

    REACHABLE = "reachable"
    """A binding is there."""
    UNREACHABLE = "unreachable"
    """The last binding is gone."""
    AVAILABLE = "available"
    """The person said so (even if nothing was changed by it)."""
    UNAVAILABLE = "unavailable"
    """Break, log-out, or removed from the directory."""
    ENGAGED = "engaged"
    """A call began that no queue gave."""
    OFFER = "offer"
    RINGING = "ringing"
    ANSWER = "answer"
    OFFER_OVER = "offer_over"
    """The offer ended without an answer, for a reason that lies outside of the agent's own state."""
    CALLS_OVER = "calls_over"
    """The last call is over and no wrap-up time is left."""
    WRAP_UP_DUE = "wrap_up_due"
    """The last call is over and wrap-up time runs."""
    WRAP_UP_OVER = "wrap_up_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTransition:
    """One cell of the table."""

    next: AgentState
    withdraw: WithdrawReason | None = None
    """The agent's offer ends with this reason; None leaves it as it is."""
    wrap_up_ends: bool = False


_S = AgentState
_I = AgentInput
_UNREACHABLE: Final = AgentTransition(next=_S.UNREACHABLE)
_IDLE: Final = AgentTransition(next=_S.IDLE)
_OFFERED: Final = AgentTransition(next=_S.OFFERED)
_RINGING: Final = AgentTransition(next=_S.RINGING)
_IN_CALL: Final = AgentTransition(next=_S.IN_CALL)
_WRAP_UP: Final = AgentTransition(next=_S.WRAP_UP)
_LOST: Final = AgentTransition(next=_S.UNREACHABLE, withdraw=WithdrawReason.AGENT_UNREACHABLE)
_PAUSED: Final = AgentTransition(next=_S.IDLE, withdraw=WithdrawReason.AGENT_UNAVAILABLE)
_BUSY: Final = AgentTransition(next=_S.IN_CALL, withdraw=WithdrawReason.AGENT_UNAVAILABLE)
_READY: Final = AgentTransition(next=_S.IDLE, wrap_up_ends=True)
_STILL_IN_CALL: Final = AgentTransition(next=_S.IN_CALL, wrap_up_ends=True)

TABLE: Final[dict[tuple[AgentState, AgentInput], AgentTransition]] = {
    (_S.UNREACHABLE, _I.REACHABLE): _IDLE,
    (_S.UNREACHABLE, _I.UNREACHABLE): _UNREACHABLE,
    (_S.UNREACHABLE, _I.AVAILABLE): _UNREACHABLE,
    (_S.UNREACHABLE, _I.UNAVAILABLE): _UNREACHABLE,
    (_S.UNREACHABLE, _I.ENGAGED): _IN_CALL,  # a phone may call without being registered
    (_S.IDLE, _I.REACHABLE): _IDLE,
    (_S.IDLE, _I.UNREACHABLE): _UNREACHABLE,
    (_S.IDLE, _I.AVAILABLE): _IDLE,
    (_S.IDLE, _I.UNAVAILABLE): _IDLE,
    (_S.IDLE, _I.ENGAGED): _IN_CALL,
    (_S.IDLE, _I.OFFER): _OFFERED,
    (_S.OFFERED, _I.REACHABLE): _OFFERED,
    (_S.OFFERED, _I.UNREACHABLE): _LOST,
    (_S.OFFERED, _I.AVAILABLE): _OFFERED,
    (_S.OFFERED, _I.UNAVAILABLE): _PAUSED,
    (_S.OFFERED, _I.ENGAGED): _BUSY,
    (_S.OFFERED, _I.RINGING): _RINGING,
    (_S.OFFERED, _I.ANSWER): _IN_CALL,  # 200 without a 180 before it
    (_S.OFFERED, _I.OFFER_OVER): _IDLE,
    (_S.RINGING, _I.REACHABLE): _RINGING,
    (_S.RINGING, _I.UNREACHABLE): _LOST,
    (_S.RINGING, _I.AVAILABLE): _RINGING,
    (_S.RINGING, _I.UNAVAILABLE): _PAUSED,
    (_S.RINGING, _I.ENGAGED): _BUSY,
    (_S.RINGING, _I.RINGING): _RINGING,  # every 180 is told
    (_S.RINGING, _I.ANSWER): _IN_CALL,
    (_S.RINGING, _I.OFFER_OVER): _IDLE,
    (_S.IN_CALL, _I.REACHABLE): _IN_CALL,
    (_S.IN_CALL, _I.UNREACHABLE): _IN_CALL,  # the audio goes on; noted for when the call is over
    (_S.IN_CALL, _I.AVAILABLE): _STILL_IN_CALL,
    (_S.IN_CALL, _I.UNAVAILABLE): _STILL_IN_CALL,  # a break chosen in a call takes effect after it
    (_S.IN_CALL, _I.ENGAGED): _IN_CALL,
    (_S.IN_CALL, _I.CALLS_OVER): _IDLE,
    (_S.IN_CALL, _I.WRAP_UP_DUE): _WRAP_UP,
    (_S.WRAP_UP, _I.REACHABLE): _WRAP_UP,
    (_S.WRAP_UP, _I.UNREACHABLE): _WRAP_UP,
    (_S.WRAP_UP, _I.AVAILABLE): _READY,
    (_S.WRAP_UP, _I.UNAVAILABLE): _READY,
    (_S.WRAP_UP, _I.ENGAGED): _IN_CALL,
    (_S.WRAP_UP, _I.WRAP_UP_OVER): _IDLE,
}


def transition(state: AgentState, given: AgentInput) -> AgentTransition:
    """The cell for this pair. Raises InvalidTransition where the table has none."""
    found = TABLE.get((state, given))
    if found is None:
        raise InvalidTransition(f"an agent in state {state} cannot take the input {given}")
    return found


RONA: Final = "rona: "
"""How the reason of a break begins that the engine set: the call was rung and not answered ("ring, no answer")."""


@dataclass(slots=True, eq=False, kw_only=True)
class LiveAgent:
    """All that the ACD knows of one agent. Changed by `floor.py` and `desk.py` only."""

    config: Agent
    status: AgentStatus
    status_reason: str
    status_since: float
    """Seconds since the epoch, UTC; 0 when it was never changed."""
    state: AgentState = AgentState.UNREACHABLE
    state_since: float
    """Monotonic seconds."""
    idle_since: float
    """Since when the agent has been waiting for a call (monotonic): end of the last call and its wrap-up, or since
    becoming routable. An offer that came to nothing does not change it."""
    reachable: bool = False
    contact: str = ""
    source: str = ""
    user_agent: str = ""
    queues: dict[QueueName, None] = field(default_factory=dict)
    """The queues that the agent is a member of, in the order of joining."""
    offer: OfferId | None = None
    """The offer that rings this agent; at most one at any time."""
    talk: CallId | None = None
    """The queue's call that the agent is in."""
    own_calls: dict[CallId, None] = field(default_factory=dict)
    """Calls that no queue gave."""
    wrap_up_until: float | None = None
    """Monotonic; None when nothing is to be wrapped up."""
    removed: bool = False
    """Dropped from the directory while in a call: forgotten when the call is over."""

    @property
    def routable(self) -> bool:
        """Whether a queue may offer a caller to this agent now."""
        return self.state is AgentState.IDLE and self.status is AgentStatus.AVAILABLE

    @property
    def taken_out(self) -> bool:
        """Whether the engine set the break, for a call that was not answered. Read from the reason, which is all that
        is kept over a restart."""
        return self.status is AgentStatus.BREAK and self.status_reason.startswith(RONA)

    @property
    def call(self) -> CallId | None:
        """The call that the agent is in, the queue's before own ones."""
        return self.talk if self.talk is not None else next(iter(self.own_calls), None)


def table_markdown() -> str:
    """The table as a page for people."""

    def cell(found: AgentTransition) -> str:
        notes = [f"withdraw ({found.withdraw})"] if found.withdraw is not None else []
        notes += ["end wrap-up"] if found.wrap_up_ends else []
        return ", ".join(notes) + " → " + found.next if notes else found.next

    return markdown(
        title="The states of an agent",
        module="engine.acd.agent",
        states=list(AgentState),
        inputs=list(AgentInput),
        cells={pair: cell(found) for pair, found in TABLE.items()},
    )


if __name__ == "__main__":
    print(table_markdown(), end="")
