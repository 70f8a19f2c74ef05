"""Takes records off the event loop and brings them to the disk in batches, in order, exactly once.

One daemon thread writes. It commits at once what it is handed, and what came meanwhile in the next transaction; that
few are needed is the care of who appends. `close` brings everything to the disk. When the disk is full, locked or
broken, records wait in memory and the same batch is tried again with growing pauses. Nothing is ever dropped: `full`
says that `MAX_PENDING` records wait, and whoever admits calls then refuses new ones (503, Reason.STORE_FULL). Live
calls go on appending, which adds about a dozen records each.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Final, NamedTuple

from engine.calls.cdr import Cdr
from engine.calls.journal import Record
from engine.store.errors import brief, is_passing
from engine.store.sink import Sink

BATCH_ROWS: Final = 500
"""Records of one transaction. Encoding and binding hold the GIL for about 10 us a record. Measured beside a loop that
wakes every millisecond, its worst wake-up under a backlog was 15 ms with 100 to 500, 20 with 1,000, 27 with 2,000."""

MAX_PENDING: Final = 100_000

RETRY_FIRST_S: Final = 0.2
RETRY_MAX_S: Final = 2.0

TOLD_S: Final = 0.5
"""A record tells for so long that calls live."""

STUCK_S: Final = 5.0
"""A record that waits longer than this makes the writer degraded even without an error (a disk that hangs)."""

_log = logging.getLogger(__name__)
"""Lines carry their `pairs` as `engine.app.logs` prints them."""


class WriterHealth(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterState:
    """How the writer does; cheap enough to ask for at every scrape."""

    health: WriterHealth
    pending: int
    """Records that wait for the disk."""
    oldest_s: float
    """Age of the oldest of them; 0 when none waits."""
    last_error: str
    """What the disk said last, empty when all is well."""
    rejected: int
    """Records that the database refused for what they hold. Always 0 unless there is a defect; each is logged."""


class Ticket:
    """A receipt for one `append`."""

    __slots__ = ("_number", "_writer")

    def __init__(self, writer: EventWriter, number: int) -> None:
        self._writer = writer
        self._number = number

    @property
    def committed(self) -> bool:
        """Whether all of it is on the disk."""
        return self._writer.committed_through >= self._number

    def wait(self, timeout: float) -> bool:
        """Wait, in a thread that may, until it is on the disk. False when `timeout` seconds were not enough."""
        return self._writer.wait_committed(self._number, timeout)


class _Entry(NamedTuple):
    number: int
    records: Sequence[Record]
    cdrs: Sequence[Cdr]
    at: float
    alive_at: float | None = None


class EventWriter:
    """Owns the writer thread. `append`, `state` and `full` may be called from any thread and never wait for a disk."""

    def __init__(
        self,
        sink: Sink,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        retry_s: float = RETRY_FIRST_S,
        batch_rows: int = BATCH_ROWS,
        max_pending: int = MAX_PENDING,
    ) -> None:
        self._sink = sink
        self._monotonic = monotonic
        self._retry_s = retry_s
        self._batch_rows = batch_rows
        self._max_pending = max_pending
        self._changed = threading.Condition()
        self._entries: deque[_Entry] = deque()
        self._pending = 0
        self._numbered = 0
        self._closing = False
        self._give_up_at: float | None = None
        self._last_error = ""
        self._rejected = 0
        self._tell_room: Callable[[], object] = lambda: None
        self._beside: Callable[[], object] = lambda: None
        self._told_until = -inf
        self.committed_through = 0
        """Number of the last append that is on the disk with all before it; for `Ticket`."""
        self._thread = threading.Thread(target=self._run, name="event-writer", daemon=True)

    def start(self) -> None:
        """Start the thread; what was appended before waits for this."""
        self._thread.start()

    def append(self, records: Sequence[Record], cdrs: Sequence[Cdr] = ()) -> Ticket:
        """Hand over records, and the CDRs that they complete; both reach the disk in one transaction, after
        everything appended before. The sequences must not be changed afterwards."""
        with self._changed:
            self._numbered += 1
            now = self._monotonic()
            if not self._entries:
                self._changed.notify_all()
            self._entries.append(_Entry(self._numbered, records, cdrs, now))
            self._pending += len(records)
            self._told_until = now + TOLD_S
            return Ticket(self, self._numbered)

    def alive(self, wall: float) -> None:
        """Note that calls live at this time (seconds since the epoch), so that one which is cut off later is known to
        have lasted until then. Records that wait, or came a moment ago, say the same; then this does nothing."""
        with self._changed:
            now = self._monotonic()
            if not self._entries and now >= self._told_until:
                self._numbered += 1
                self._entries.append(_Entry(self._numbered, (), (), now, wall))
                self._changed.notify_all()

    def when_room(self, tell: Callable[[], object]) -> None:
        """Let this be called, on the writer's thread, when `full` has ended. To be said before `start`."""
        self._tell_room = tell

    def beside(self, work: Callable[[], object]) -> None:
        """Let this be done, on the writer's thread, in the same wake-up as every batch, after its commit, and once when
        the thread ends. To be said before `start`."""
        self._beside = work

    @property
    def full(self) -> bool:
        """Whether new calls must be refused. What is appended nevertheless is kept."""
        return self._pending >= self._max_pending

    def state(self) -> WriterState:
        with self._changed:
            oldest_s = self._monotonic() - self._entries[0].at if self._entries else 0.0
            degraded = bool(self._last_error) or oldest_s > STUCK_S
            return WriterState(
                health=WriterHealth.DEGRADED if degraded else WriterHealth.OK,
                pending=self._pending,
                oldest_s=oldest_s,
                last_error=self._last_error,
                rejected=self._rejected,
            )

    def wait_committed(self, number: int, timeout: float) -> bool:
        """Wait until append `number` is on the disk; see `Ticket.wait`."""
        with self._changed:
            return self._changed.wait_for(lambda: self.committed_through >= number, timeout)

    def close(self, timeout: float) -> int:
        """Bring everything to the disk and end the thread. Returns how many records could not be stored within
        `timeout` seconds; 0 on every clean stop."""
        with self._changed:
            self._closing = True
            self._give_up_at = self._monotonic() + timeout
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout + RETRY_FIRST_S)
        return self._pending

    # --- the writer thread ---

    def _run(self) -> None:
        pause = self._retry_s
        while batch := self._next_batch():
            try:
                self._store(batch)
            except Exception as error:
                if self._failed(error, pause):
                    break
                pause = min(pause * 2, RETRY_MAX_S)
            else:
                pause = self._retry_s
                self._stored(batch)
                self._work_beside()
        self._work_beside()
        self._sink.close()

    def _work_beside(self) -> None:
        try:
            self._beside()
        except Exception:
            _log.exception("beside_the_store_failed")

    def _next_batch(self) -> list[_Entry]:
        """Wait for work; empty when closing and nothing is left."""
        with self._changed:
            while not self._entries and not self._closing:
                self._changed.wait()
            batch: list[_Entry] = []
            rows = 0
            for entry in self._entries:
                rows += len(entry.records)
                if batch and rows > self._batch_rows:
                    break
                batch.append(entry)
            return batch

    def _store(self, batch: Sequence[_Entry]) -> None:
        """Write the batch. When the database refuses what it holds, entry by entry, so that one that can never be
        stored does not keep the others from the disk. Raises what may pass."""
        try:
            self._write(batch)
        except Exception as error:
            if is_passing(error):
                raise
            for entry in batch:
                self._store_alone(entry)

    def _store_alone(self, entry: _Entry) -> None:
        try:
            self._write([entry])
        except Exception as error:
            if is_passing(error):
                raise
            self._rejected += len(entry.records)
            seqs = ",".join(str(record.seq) for record in entry.records)
            _log.error("store_rejected", extra={"pairs": {"seqs": seqs, "reason": brief(error)}})

    def _write(self, batch: Sequence[_Entry]) -> None:
        records = [record for entry in batch for record in entry.records]
        alive_at = max((entry.alive_at for entry in batch if entry.alive_at is not None), default=None)
        self._sink.write(records, [cdr for entry in batch for cdr in entry.cdrs], alive_at)

    def _stored(self, batch: Sequence[_Entry]) -> None:
        with self._changed:
            was_full = self.full
            for entry in batch:
                self._entries.popleft()
                self._pending -= len(entry.records)
            self.committed_through = batch[-1].number
            recovered, self._last_error = self._last_error, ""
            self._changed.notify_all()
        if was_full and not self.full:
            self._tell_room()
        if recovered:
            _log.warning("store_recovered", extra={"pairs": {"pending": self._pending, "after": recovered}})

    def _failed(self, error: Exception, pause: float) -> bool:
        """Note the failure and rest. True when closing and out of time."""
        with self._changed:
            first = not self._last_error
            self._last_error = brief(error)
            self._changed.notify_all()
        if first:
            pairs = {"pending": self._pending, "reason": self._last_error}
            _log.error("store_degraded", extra={"pairs": pairs})
        with self._changed:
            if self._give_up_at is None:
                self._changed.wait_for(lambda: self._closing, pause)
                return False
            left = self._give_up_at - self._monotonic()
            if left > 0:
                self._changed.wait_for(lambda: False, min(self._retry_s, left))
            return left <= 0
