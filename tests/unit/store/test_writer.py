from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from sqlalchemy.exc import DatabaseError, IntegrityError, InterfaceError, OperationalError

from engine.calls.cdr import Cdr
from engine.calls.journal import Record
from engine.calls.log import EngineStarted
from engine.store.writer import EventWriter, WriterHealth
from tests.support.records import cdrs_of, queue_call, record

WAIT_S = 10.0
"""Longer than anything here takes; only a failing test waits for it."""


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


class Disk:
    """A sink in memory. `trouble` is raised by every write while it is set; `gate` holds a write up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.stored: dict[int, Record] = {}
        self.cdrs: list[Cdr] = []
        self.alive_at: list[float] = []
        self.trouble: Exception | None = None
        self.poison: set[int] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.tried = threading.Semaphore(0)
        self.closed = 0

    def write(self, records: Sequence[Record], finished: Sequence[Cdr], alive_at: float | None = None) -> None:
        self.tried.release()
        assert self.gate.wait(WAIT_S)
        if self.trouble is not None:
            raise self.trouble
        if self.poison & {r.seq for r in records}:
            raise IntegrityError("insert", {}, sqlite3.IntegrityError("NOT NULL"))
        self.batches.append([r.seq for r in records])
        self.stored.update((r.seq, r) for r in records if r.seq not in self.stored)
        self.cdrs += finished
        if alive_at is not None:
            self.alive_at.append(alive_at)

    def close(self) -> None:
        self.closed += 1


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def some(first: int, count: int) -> list[Record]:
    return [record(n, EngineStarted(version="1")) for n in range(first, first + count)]


@contextmanager
def running(disk: Disk, **options: float) -> Iterator[EventWriter]:
    writer = EventWriter(disk, **{"retry_s": 0.001, **options})  # type: ignore[arg-type]
    writer.start()
    try:
        yield writer
    finally:
        disk.trouble = None
        disk.gate.set()
        assert writer.close(WAIT_S) == 0


def test_what_is_appended_reaches_the_disk_in_order_with_its_cdrs() -> None:
    disk = Disk()
    call = queue_call("c1")
    with running(disk) as writer:
        writer.append(call[:5])
        ticket = writer.append(call[5:], cdrs_of(call))
        assert ticket.wait(WAIT_S)
        assert ticket.committed
    assert list(disk.stored.values()) == call
    assert disk.cdrs == cdrs_of(call)
    assert disk.closed == 1


def test_a_ticket_is_committed_only_when_the_disk_has_it() -> None:
    disk = Disk()
    disk.gate.clear()
    with running(disk) as writer:
        first = writer.append(some(1, 1))
        disk.tried.acquire(timeout=WAIT_S)
        second = writer.append(some(2, 1))
        assert not first.committed
        assert not first.wait(0)
        disk.gate.set()
        assert second.wait(WAIT_S)
        assert first.committed


def test_append_never_waits_for_a_disk_that_hangs_and_says_so() -> None:
    disk, clock = Disk(), Clock()
    disk.gate.clear()
    with running(disk, monotonic=clock) as writer:  # type: ignore[arg-type]
        writer.append(some(1, 3))
        clock.now += 1
        assert disk.tried.acquire(timeout=WAIT_S)
        assert writer.state().health is WriterHealth.OK
        clock.now += 5
        writer.append(some(4, 2))
        state = writer.state()
        assert (state.health, state.pending, state.oldest_s) == (WriterHealth.DEGRADED, 5, 6.0)


def test_batches_are_bounded_and_never_split_an_append() -> None:
    disk = Disk()
    writer = EventWriter(disk, batch_rows=10)
    for first in range(1, 25, 4):
        writer.append(some(first, 4))
    writer.append(some(25, 30))
    writer.start()
    assert writer.close(WAIT_S) == 0
    assert [len(batch) for batch in disk.batches] == [8, 8, 8, 30]
    assert sorted(disk.stored) == list(range(1, 55))


def test_what_is_appended_is_written_at_once_and_what_comes_meanwhile_together() -> None:
    disk = Disk()
    disk.gate.clear()
    with running(disk) as writer:
        writer.append(some(1, 1))
        assert disk.tried.acquire(timeout=WAIT_S)
        tickets = [writer.append(some(n, 1)) for n in (2, 3, 4)]
        disk.gate.set()
        assert tickets[-1].wait(WAIT_S)
    assert disk.batches == [[1], [2, 3, 4]]


def test_what_is_to_be_done_beside_is_done_once_a_batch_after_it_is_stored_and_at_the_end() -> None:
    disk = Disk()
    disk.trouble = full_disk()
    seen: list[tuple[list[int], int]] = []
    writer = EventWriter(disk, retry_s=0.001, batch_rows=2)
    writer.beside(lambda: seen.append((sorted(disk.stored), threading.get_ident())))
    for n in (1, 2, 3):
        writer.append(some(n, 1))
    writer.start()
    for _ in range(3):
        assert disk.tried.acquire(timeout=WAIT_S)
    assert seen == []
    disk.trouble = None
    assert writer.close(WAIT_S) == 0
    assert [stored for stored, _ in seen] == [[1, 2], [1, 2, 3], [1, 2, 3]]
    assert threading.get_ident() not in {thread for _, thread in seen}


def test_what_fails_beside_is_told_and_keeps_nothing_from_the_disk(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    writer = EventWriter(disk)

    def fail() -> None:
        raise ValueError("beside")

    writer.beside(fail)
    writer.start()
    assert writer.append(some(1, 1)).wait(WAIT_S)
    assert writer.append(some(2, 1)).wait(WAIT_S)
    assert writer.close(WAIT_S) == 0
    assert {entry.getMessage() for entry in caplog.records} == {"beside_the_store_failed"}


@pytest.mark.parametrize(
    "trouble",
    [
        full_disk(),
        OperationalError("insert", {}, sqlite3.OperationalError("database or disk is full")),
        OperationalError("insert", {}, sqlite3.OperationalError("database is locked")),
        OperationalError("insert", {}, sqlite3.OperationalError("disk I/O error")),
        DatabaseError("insert", {}, sqlite3.DatabaseError("database disk image is malformed")),
        InterfaceError("insert", {}, Exception("the connection is closed"), connection_invalidated=True),
    ],
    ids=["ENOSPC", "full", "locked", "I/O", "damaged", "connection"],
)
def test_trouble_is_shown_and_everything_is_written_in_order_when_it_passes(trouble: Exception) -> None:
    disk = Disk()
    disk.trouble = trouble
    with running(disk) as writer:
        tickets = [writer.append(some(1, 5))]
        for _ in range(3):
            assert disk.tried.acquire(timeout=WAIT_S)
        tickets.append(writer.append(some(6, 5)))
        assert disk.tried.acquire(timeout=WAIT_S)
        state = writer.state()
        assert (state.health, state.pending) == (WriterHealth.DEGRADED, 10)
        assert str(getattr(trouble, "orig", trouble)) in state.last_error
        assert not any(ticket.committed for ticket in tickets)
        disk.trouble = None
        assert tickets[-1].wait(WAIT_S)
        assert all(ticket.committed for ticket in tickets)
        state = writer.state()
        assert (state.health, state.pending, state.last_error, state.oldest_s) == (WriterHealth.OK, 0, "", 0.0)
    assert [seq for batch in disk.batches for seq in batch] == list(range(1, 11))


def test_at_the_bound_new_calls_are_refused_and_live_ones_are_kept() -> None:
    disk = Disk()
    disk.trouble = full_disk()
    with running(disk, max_pending=100) as writer:
        writer.append(some(1, 99))
        assert not writer.full
        writer.append(some(100, 1))
        assert writer.full
        last = writer.append(some(101, 50))
        assert writer.state().pending == 150
        disk.trouble = None
        assert last.wait(WAIT_S)
        assert not writer.full
    assert sorted(disk.stored) == list(range(1, 151))


def test_the_bound_is_100_000_records() -> None:
    writer = EventWriter(Disk())
    writer.append(some(1, 1) * 99_999)
    assert not writer.full
    writer.append(some(2, 1))
    assert writer.full


def test_who_asked_is_told_once_that_there_is_room_again() -> None:
    disk = Disk()
    disk.trouble = full_disk()
    writer = EventWriter(disk, retry_s=0.001, batch_rows=20, max_pending=50)
    told: list[bool] = []
    writer.when_room(lambda: told.append(writer.full))
    writer.start()
    for first in range(1, 101, 10):
        last = writer.append(some(first, 10))
    assert disk.tried.acquire(timeout=WAIT_S)
    assert told == []
    disk.trouble = None
    assert last.wait(WAIT_S)
    assert writer.close(WAIT_S) == 0
    assert told == [False]


def test_a_sign_of_life_is_stored_by_itself_and_not_while_records_say_as_much() -> None:
    disk, clock = Disk(), Clock()
    with running(disk, monotonic=clock) as writer:  # type: ignore[arg-type]
        writer.alive(5.0)
        assert writer.wait_committed(1, WAIT_S)
        disk.gate.clear()
        ticket = writer.append(some(1, 1))
        for second in (6.0, 7.0):
            clock.now += 1.0
            writer.alive(second)
        disk.gate.set()
        assert ticket.wait(WAIT_S)
        writer.alive(8.0)
    assert disk.alive_at == [5.0, 8.0]
    assert writer.state().pending == 0


def test_a_record_that_has_just_been_stored_is_a_sign_of_life_too() -> None:
    disk, clock = Disk(), Clock()
    with running(disk, monotonic=clock) as writer:  # type: ignore[arg-type]
        assert writer.append(some(1, 1)).wait(WAIT_S)
        clock.now += 0.4
        writer.alive(5.0)
        clock.now += 0.2
        writer.alive(6.0)
    assert disk.alive_at == [6.0]


def test_what_can_never_be_stored_does_not_keep_the_rest_from_the_disk(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    disk.poison = {3}
    disk.gate.clear()
    with running(disk) as writer:
        for n in (1, 2, 3, 4):
            ticket = writer.append(some(n, 1))
        disk.gate.set()
        assert ticket.wait(WAIT_S)
        assert writer.state().rejected == 1
        assert writer.state().health is WriterHealth.OK
    assert sorted(disk.stored) == [1, 2, 4]
    assert [entry.pairs["seqs"] for entry in caplog.records] == ["3"]  # type: ignore[attr-defined]


def test_close_on_a_disk_that_stays_full_says_how_much_is_lost() -> None:
    disk = Disk()
    disk.trouble = full_disk()
    writer = EventWriter(disk, retry_s=0.001)
    writer.start()
    writer.append(some(1, 7))
    assert writer.close(0.02) == 7
    assert disk.closed == 1


def test_a_writer_that_was_never_started_can_be_closed() -> None:
    writer = EventWriter(Disk())
    writer.append(some(1, 2))
    assert writer.close(1) == 2


def test_many_threads_may_append() -> None:
    disk = Disk()
    with running(disk) as writer:
        threads = [
            threading.Thread(target=lambda n=n: [writer.append(some(n * 100 + i, 1)) for i in range(100)])
            for n in range(1, 5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
        assert writer.append(some(1000, 1)).wait(WAIT_S)
    assert len(disk.stored) == 401
