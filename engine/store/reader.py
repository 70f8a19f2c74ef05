"""Reads history for the API in pages, on a thread of its own: never on the event loop, never more than `MAX_PAGE` rows.

Pages follow keys, not offsets: a page costs the same wherever it is, and rows that arrive meanwhile shift nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Engine, func, select, tuple_

from engine.errors import InvalidRequest, NotFound
from engine.store.codec import feed_json
from engine.store.database import reading
from engine.store.errors import translated
from engine.store.tables import cdrs, events

MAX_PAGE: Final = 500

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows as JSON objects, each a string ready to be sent, and where the next page begins."""

    items: tuple[str, ...]
    next: str | None
    """Give this as `after` to go on; None when there is no more now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrFilter:
    """Which CDRs: all that is given must fit."""

    queue: str | None = None
    agent: str | None = None
    direction: str | None = None
    outcome: str | None = None
    since: float | None = None
    """Ended at or after this, UTC seconds since the epoch."""
    until: float | None = None
    """Ended before this."""


def next_seq(engine: Engine) -> int:
    """The number that the next record gets: one more than the last one stored."""
    with translated(), reading(engine) as connection:
        last: int | None = connection.execute(select(func.max(events.c.seq))).scalar()
    return (last or 0) + 1


def event_page(engine: Engine, *, after: int, limit: int, type_: str | None = None, call: str | None = None) -> Page:
    """Records with a sequence number over `after`, in order."""
    limit = _limit(limit)
    query = select(events).where(events.c.seq > after).order_by(events.c.seq).limit(limit)
    if type_ is not None:
        query = query.where(events.c.type == type_)
    if call is not None:
        query = query.where(events.c.call == call)
    with translated(), reading(engine) as connection:
        rows = connection.execute(query).mappings().all()
    more = str(rows[-1]["seq"]) if len(rows) == limit else None
    return Page(items=tuple(feed_json(dict(row)) for row in rows), next=more)


def cdr_page(engine: Engine, *, after: str | None, limit: int, wanted: CdrFilter) -> Page:
    """CDRs, those that ended last first. Raises InvalidRequest for an `after` that no page gave."""
    limit = _limit(limit)
    query = select(cdrs).order_by(cdrs.c.ended.desc(), cdrs.c.call.desc()).limit(limit)
    if after is not None:
        query = query.where(tuple_(cdrs.c.ended, cdrs.c.call) < tuple_(*_cdr_key(after)))
    for name in ("queue", "agent", "direction", "outcome"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(cdrs.columns[name] == value)
    if wanted.since is not None:
        query = query.where(cdrs.c.ended >= wanted.since)
    if wanted.until is not None:
        query = query.where(cdrs.c.ended < wanted.until)
    with translated(), reading(engine) as connection:
        rows = connection.execute(query).mappings().all()
    more = f"{rows[-1]['ended']!r}:{rows[-1]['call']}" if len(rows) == limit else None
    return Page(items=tuple(_cdr_json(dict(row)) for row in rows), next=more)


def costs_since(engine: Engine, since: float) -> dict[tuple[str, str], float]:
    """What calls that ended since then have cost, by who called and who was connected."""
    query = (
        select(cdrs.c.origin, cdrs.c.peer, func.sum(cdrs.c.cost))
        .where(cdrs.c.ended >= since, cdrs.c.cost > 0)
        .group_by(cdrs.c.origin, cdrs.c.peer)
    )
    with translated(), reading(engine) as connection:
        rows: Sequence[Any] = connection.execute(query).all()
    return {(row[0], row[1]): float(row[2]) for row in rows}


def cdr(engine: Engine, call: str) -> str:
    """The CDR of one call as a JSON object. Raises NotFound, also for a call that is not over."""
    with translated(), reading(engine) as connection:
        row = connection.execute(select(cdrs).where(cdrs.c.call == call)).mappings().first()
    if row is None:
        raise NotFound(f"no CDR of call {call!r}")
    return _cdr_json(dict(row))


def _limit(limit: int) -> int:
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidRequest(f"limit {limit} is out of range; allowed is 1 to {MAX_PAGE}")
    return limit


def _cdr_key(after: str) -> tuple[float, str]:
    ended, colon, call = after.partition(":")
    try:
        return float(ended), call if colon else ""
    except ValueError as error:
        raise InvalidRequest(f"after {after!r} is not from the 'next' of a page") from error


def _cdr_json(row: dict[str, Any]) -> str:
    for name in ("caller_quality", "peer_quality"):
        row[name] = None if row[name] is None else json.loads(row[name])
    return json.dumps(row, separators=(",", ":"))


class HistoryReader:
    """The functions above for the event loop: each waits on the reader thread. Owns the thread, not the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-reader")

    async def events(self, *, after: int, limit: int, type_: str | None = None, call: str | None = None) -> Page:
        return await self._run(lambda: event_page(self._engine, after=after, limit=limit, type_=type_, call=call))

    async def cdrs(self, *, after: str | None, limit: int, wanted: CdrFilter) -> Page:
        return await self._run(lambda: cdr_page(self._engine, after=after, limit=limit, wanted=wanted))

    async def cdr(self, call: str) -> str:
        return await self._run(lambda: cdr(self._engine, call))

    async def _run(self, read: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, read)

    def close(self) -> None:
        """End the thread once it is done with what it does now; what still waits is cancelled."""
        self._executor.shutdown(wait=True, cancel_futures=True)
