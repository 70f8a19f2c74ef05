"""app_queue's `queue_log`, folded from the event log, so that an operator's reports keep working.

A line is `epoch|callid|queue|agent|EVENT|data...` (Asterisk `main/logger.c`, `apps/app_queue.c`). The agent's name
stands where app_queue writes the member's name, our call id where it writes the channel's unique id, our offer id where
it writes the unique id of the member's channel. What app_queue has no word for:

- an offer that was refused, lost or failed is RINGNOANSWER, as app_queue does it; one that another agent took (ringall)
  writes nothing, as there;
- a queue that is removed under its callers writes WITHDRAW, and so does the end of a waiting call by the engine (no
  media, an operator's word, shutdown, a crash); a full queue writes nothing: app_queue logs no entry then;
- a logged-out agent is paused in all queues.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from engine.calls.directory import AgentStatus, Directory
from engine.calls.journal import Record
from engine.calls.log import (
    AgentStatusChanged,
    CallEnded,
    CallerConnected,
    CallerLeft,
    CallerQueued,
    CallTransferred,
    DirectoryChanged,
    EngineStarted,
    OfferEnded,
    OfferOutcome,
    QueueExit,
    TransferKind,
)
from engine.ids import AgentName, CallId, QueueName

NONE: Final = "NONE"
_NO_CALL: Final = CallId(NONE)

_EXITS: Final[dict[QueueExit, str | None]] = {
    QueueExit.ABANDONED: "ABANDON",
    QueueExit.TIMEOUT: "EXITWITHTIMEOUT",
    QueueExit.FULL: None,
    QueueExit.QUEUE_REMOVED: "WITHDRAW",
    QueueExit.FAILED: "WITHDRAW",
}

_RINGS: Final[dict[OfferOutcome, str | None]] = {
    OfferOutcome.ANSWERED: None,
    OfferOutcome.ANSWERED_ELSEWHERE: None,
    OfferOutcome.CALLER_LEFT: "RINGCANCELED",
    OfferOutcome.QUEUE_TIMEOUT: "RINGCANCELED",
    OfferOutcome.RING_TIMEOUT: "RINGNOANSWER",
    OfferOutcome.BUSY: "RINGNOANSWER",
    OfferOutcome.REJECTED: "RINGNOANSWER",
    OfferOutcome.UNREACHABLE: "RINGNOANSWER",
    OfferOutcome.FAILED: "RINGNOANSWER",
    OfferOutcome.AGENT_UNAVAILABLE: "RINGNOANSWER",
}

_SEPARATOR: Final = "|"


class QueueLog:
    """Give it every record in order; it says which lines each one is worth."""

    def __init__(self, directory: Directory) -> None:
        """`directory` as it is before the first record, for memberships and who is paused; read once."""
        self._queues: dict[AgentName, dict[QueueName, None]] = {}
        for queue, agent in directory.members:
            self._queues.setdefault(agent, {})[queue] = None
        self._paused = {a.name for a in directory.agents.values() if a.status is not AgentStatus.AVAILABLE}
        self._connected: dict[CallId, tuple[CallerConnected, float]] = {}
        """With the monotonic time: the call may have talked before it came to the queue."""
        self._on: dict[type[Any], Callable[[Record, CallId, Any], Sequence[str]]] = {
            CallerQueued: _queued,
            CallerConnected: self._connect,
            CallTransferred: self._transferred,
            CallEnded: self._completed,
            CallerLeft: _left,
            OfferEnded: _rang,
            AgentStatusChanged: self._paused_or_not,
            DirectoryChanged: self._membership,
            EngineStarted: self._started,
        }

    def lines(self, records: Sequence[Record]) -> list[str]:
        """The queue_log lines of these records, without line ends; most are worth none."""
        found: list[str] = []
        for record in records:
            tell = self._on.get(type(record.body))
            if tell is not None:
                found += tell(record, record.call or _NO_CALL, record.body)
        return found

    def _started(self, record: Record, _call: CallId, _body: EngineStarted) -> Sequence[str]:
        self._connected.clear()  # what was up when the engine died has no end that anybody saw
        return (_line(record, NONE, NONE, NONE, "QUEUESTART", ""),)

    def _connect(self, record: Record, call: CallId, connected: CallerConnected) -> Sequence[str]:
        self._connected[call] = connected, record.mono
        data = (int(connected.waited_s), connected.offer, int(connected.rang_s))
        return (_line(record, call, connected.queue, connected.agent, "CONNECT", *data),)

    def _completed(self, record: Record, call: CallId, ended: CallEnded) -> Sequence[str]:
        found = self._connected.pop(call, None)
        if found is None:
            return ()
        connected, since = found
        # As in app_queue, whatever was not the member's doing counts as the caller's.
        event = "COMPLETEAGENT" if ended.ended_by == "agent" else "COMPLETECALLER"
        data = (int(connected.waited_s), int(record.mono - since), connected.position)
        return (_line(record, call, connected.queue, connected.agent, event, *data),)

    def _transferred(self, record: Record, call: CallId, transferred: CallTransferred) -> Sequence[str]:
        found = self._connected.get(call)
        if found is None or transferred.by != f"agent:{found[0].agent}":
            return ()
        connected, since = self._connected.pop(call)
        times = (int(connected.waited_s), int(record.mono - since), connected.position)
        where: tuple[object, ...] = ("BRIDGE", transferred.other_call)
        event = "ATTENDEDTRANSFER"
        if transferred.kind is TransferKind.BLIND:
            where, event = (transferred.to, transferred.context), "BLINDTRANSFER"
        return (_line(record, call, connected.queue, connected.agent, event, *where, *times),)

    def _paused_or_not(self, record: Record, _call: CallId, changed: AgentStatusChanged) -> Sequence[str]:
        queues = self._queues.get(changed.agent, {})
        pause = changed.status is not AgentStatus.AVAILABLE
        (self._paused.add if pause else self._paused.discard)(changed.agent)
        if not queues:
            return []
        event = "PAUSE" if pause else "UNPAUSE"
        rona = pause and changed.by == "engine" and changed.reason.startswith("rona:")
        reason = "Auto-Pause" if rona else changed.reason
        return [
            _line(record, NONE, NONE, changed.agent, f"{event}ALL", reason),
            *(_line(record, NONE, queue, changed.agent, event, reason) for queue in queues),
        ]

    def _membership(self, record: Record, _call: CallId, changed: DirectoryChanged) -> Sequence[str]:
        match changed.action, changed.kind:
            case "put", "member":
                queue, agent = _member(changed.name)
                if queue in self._queues.get(agent, {}):
                    return []
                self._queues.setdefault(agent, {})[queue] = None
                paused = "PAUSED" if agent in self._paused else ""
                return [_line(record, NONE, queue, agent, "ADDMEMBER", paused)]
            case "drop", "member":
                queue, agent = _member(changed.name)
                return self._removed(record, [(queue, agent)])
            case "drop", "agent":
                agent = AgentName(changed.name)
                self._paused.discard(agent)
                return self._removed(record, [(queue, agent) for queue in self._queues.get(agent, {})])
            case "drop", "queue":
                queue = QueueName(changed.name)
                return self._removed(record, [(queue, agent) for agent, own in self._queues.items() if queue in own])
            case _:
                return []

    def _removed(self, record: Record, members: list[tuple[QueueName, AgentName]]) -> list[str]:
        lines = []
        for queue, agent in members:
            own = self._queues.get(agent, {})
            if queue in own:
                del own[queue]
                lines.append(_line(record, NONE, queue, agent, "REMOVEMEMBER", ""))
        return lines


def _queued(record: Record, call: CallId, queued: CallerQueued) -> Sequence[str]:
    return (_line(record, call, queued.queue, NONE, "ENTERQUEUE", "", queued.caller, queued.position),)


def _rang(record: Record, call: CallId, ended: OfferEnded) -> Sequence[str]:
    event = _RINGS[ended.outcome]
    return () if event is None else (_line(record, call, ended.queue, ended.agent, event, int(ended.rang_s * 1000)),)


def _left(record: Record, call: CallId, left: CallerLeft) -> Sequence[str]:
    event = _EXITS[left.why]
    if event is None:
        return ()
    data: tuple[object, ...] = (left.position, left.entry_position, int(left.waited_s))
    if event == "WITHDRAW":
        data = (*data, left.why.replace("_", " "))
    return (_line(record, call, left.queue, NONE, event, *data),)


def _member(name: str) -> tuple[QueueName, AgentName]:
    """A membership is named "queue/agent" in DirectoryChanged."""
    queue, _, agent = name.rpartition("/")
    return QueueName(queue), AgentName(agent)


def _line(record: Record, call: str, queue: str, agent: str, event: str, *data: object) -> str:
    fields = [str(int(record.wall)), call, queue, agent, event, *map(str, data)]
    line = _SEPARATOR.join(fields)
    if line.count(_SEPARATOR) < len(fields) and line.isprintable():
        return line
    return _SEPARATOR.join([_clean(field) for field in fields])


def _clean(field: str) -> str:
    """Neither the separator nor anything that some reader takes for the end of a line (Unicode has nine) or a terminal
    for a command: what callers call themselves comes from strangers."""
    return "".join(letter if letter.isprintable() else " " for letter in field.replace(_SEPARATOR, "_"))
