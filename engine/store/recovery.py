"""Finishes the calls that were cut off because the engine was killed: begun in the log, and never ended or accounted.

On every start, before anything else is appended:

    journal = Journal(clock, next_seq=next_seq(engine))
    cut = recover(engine, journal, now=now)
    journal.append(EngineStarted(...), now=now)
    writer.append(journal.take(), cut.cdrs)

All of it is one `append`, hence one transaction, so that only what was logged since the last EngineStarted needs to be
looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, func, select

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.cdr import Cdr, CdrFold
from engine.calls.journal import Journal, Record
from engine.calls.log import (
    CallConnected,
    CallEnded,
    CallerConnected,
    CallerLeft,
    CallerQueued,
    EngineStarted,
    QueueExit,
)
from engine.ids import AgentName, CallId, QueueName
from engine.store.codec import decode
from engine.store.database import reading
from engine.store.errors import translated
from engine.store.sink import ALIVE_AT
from engine.store.tables import cdrs, events, meta

RESTART_CAUSE: Final = EndCause(outcome=Outcome.INDETERMINATE, reason=Reason.ENGINE_RESTART)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What was done about the calls that the last run left open."""

    earlier: Sequence[Record]
    """What the log had of those that end only now, for readers that must know a call to understand its end."""
    cdrs: Sequence[Cdr]
    """Of all calls that had none, also of those that had ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff:
    """What the last run left open."""

    calls: dict[CallId, tuple[Record, ...]]
    """Everything that the log has of each call without a CDR, CallStarted first."""
    last: Record | None
    """The last record of all, at the time of the last sign of life: until then at least, the calls lived. In a quiet
    centre a long talk leaves no record, but the writer notes every second that there is one."""


def recover(engine: Engine, journal: Journal, *, now: float) -> Recovered:
    """Append a CallEnded (indeterminate, engine_restart) for every call that has none, before it a CallerLeft (failed)
    for who waited in a queue, and return the CDRs of all calls that have none; in these, a call that was cut off ended
    at the last sign of life of the engine."""
    cut = cut_off(engine)
    if cut.last is None:
        return Recovered(earlier=(), cdrs=())
    fold = CdrFold()
    earlier: list[Record] = []
    rows: list[Cdr] = []
    left = _left(cut.calls, cut.last)
    for call, records in cut.calls.items():
        for record in records:
            rows += fold.apply(record)
        if not any(isinstance(record.body, CallEnded) for record in records):
            earlier += records
            if call in left:
                journal.append(left[call], now=now, call=call)
            end = journal.append(_end_of(records, cut.last), now=now, call=call)
            rows += fold.apply(end._replace(wall=cut.last.wall))
    # A restart completes whatever still waits for the quality of its legs.
    rows += fold.apply(cut.last._replace(call=None, body=EngineStarted(version="")))
    return Recovered(earlier=earlier, cdrs=rows)


def cut_off(engine: Engine) -> CutOff:
    """The calls that the last run of the engine began and left without a CDR, in the order in which they began."""
    run_start = select(func.coalesce(func.max(events.c.seq), 0)).where(events.c.type == EngineStarted.__name__)
    begun = (
        select(events.c.call)
        .outerjoin(cdrs, cdrs.c.call == events.c.call)
        .where(events.c.seq > run_start.scalar_subquery(), events.c.type == "CallStarted", cdrs.c.call.is_(None))
        .order_by(events.c.seq)
    )
    with translated(), reading(engine) as connection:
        calls: Sequence[str] = connection.execute(begun).scalars().all()
        if not calls:
            return CutOff(calls={}, last=None)
        last = connection.execute(select(events).order_by(events.c.seq.desc()).limit(1)).mappings().one()
        alive_at = connection.execute(select(meta.c.value).where(meta.c.key == ALIVE_AT)).scalar()
        found: dict[CallId, tuple[Record, ...]] = {}
        for call in calls:
            rows = connection.execute(select(events).where(events.c.call == call).order_by(events.c.seq)).mappings()
            found[CallId(call)] = tuple(decode(dict(row)) for row in rows)
    return CutOff(calls=found, last=_until(decode(dict(last)), alive_at))


def _until(last: Record, alive_at: str | None) -> Record:
    longer_s = 0.0 if alive_at is None else max(0.0, float(alive_at) - last.wall)
    return last._replace(wall=last.wall + longer_s, mono=last.mono + longer_s)


def _left(calls: Mapping[CallId, Sequence[Record]], last: Record) -> dict[CallId, CallerLeft]:
    """How those left who waited to the last: from the place in the line that they had then. In a line stands who has
    no CDR, so that nobody is missing in front of them."""
    lines: dict[QueueName, int] = {}
    found: dict[CallId, CallerLeft] = {}
    for queued in sorted(filter(None, map(_waiting_since, calls.values()))):
        assert isinstance(queued.body, CallerQueued)
        assert queued.call is not None
        lines[queued.body.queue] = position = lines.get(queued.body.queue, 0) + 1
        found[queued.call] = CallerLeft(
            queue=queued.body.queue,
            why=QueueExit.FAILED,
            waited_s=last.mono - queued.mono,
            position=position,
            entry_position=queued.body.position,
        )
    return found


def _waiting_since(records: Sequence[Record]) -> Record | None:
    """The CallerQueued of somebody who has not left the queue since."""
    found: Record | None = None
    for record in records:
        if isinstance(record.body, CallerQueued):
            found = record
        elif isinstance(record.body, CallerLeft | CallerConnected | CallEnded):
            found = None
    return found


def _end_of(records: Sequence[Record], last: Record) -> CallEnded:
    """The end that the log owes this call: times up to the last sign of life."""
    queued: float | None = None
    talk: float | None = None
    waited_s = 0.0
    queue: QueueName | None = None
    agent: AgentName | None = None
    for record in records:
        match record.body:
            case CallerQueued(queue=name):
                queued, queue = record.mono, name
            case CallerLeft(waited_s=waited):
                queued, waited_s = None, waited
            case CallerConnected(queue=name, agent=who, waited_s=waited):
                queued, waited_s, queue, agent = None, waited, name, who
            case CallConnected(peer=peer):
                talk = record.mono
                agent = AgentName(peer.removeprefix("agent:")) if peer.startswith("agent:") else agent
            case _:
                pass
    return CallEnded(
        cause=RESTART_CAUSE,
        ended_by="engine",
        waited_s=waited_s if queued is None else last.mono - queued,
        talked_s=0.0 if talk is None else last.mono - talk,
        total_s=last.mono - records[0].mono,
        queue=queue,
        agent=agent,
    )
