from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.app.queue_log_file import QueueLogFile
from engine.app.records import RecordKeeper
from engine.calls.cdr import Cdr
from engine.calls.directory import Directory
from engine.calls.journal import Record
from engine.calls.log import EngineStarted
from engine.metrics.metrics import MetricSet
from engine.metrics.observers import MetricsObserver
from engine.store.recovery import RESTART_CAUSE
from engine.store.writer import EventWriter
from tests.support.records import call_ended, cdrs_of, queue_call, record


class Writer:
    """Notes what it is given, and when among the others."""

    def __init__(self, told: list[str]) -> None:
        self.batches: list[tuple[list[Record], list[Cdr]]] = []
        self._told = told
        self.full = False

    def append(self, records: Sequence[Record], cdrs: Sequence[Cdr] = ()) -> None:
        self._told.append("writer")
        self.batches.append((list(records), list(cdrs)))


class Disk:
    """Takes everything."""

    def write(self, records: Sequence[Record], finished: Sequence[Cdr], alive_at: float | None = None) -> None: ...

    def close(self) -> None: ...


def no(_anything: object) -> None:
    raise AssertionError("nobody is to be told")


def test_every_reader_is_told_then_the_writer_gets_the_records_with_the_cdrs_that_they_complete() -> None:
    told: list[str] = []
    writer: Any = Writer(told)
    metrics = MetricSet(version="1")
    readers = [MetricsObserver(metrics).observe, lambda records: told.append(f"one {len(records)}")]
    keeper = RecordKeeper(writer, readers, refuse=no, on_defect=lambda defect: told.append("defect"))
    keeper.add_reader(lambda records: told.append(f"two {len(records)}"))
    records = queue_call("c1")
    keeper.keep(records[:5])
    keeper.keep(records[5:])
    assert told == ["one 5", "two 5", "writer", "one 7", "two 7", "writer"]
    assert [batch for batch, _ in writer.batches] == [records[:5], records[5:]]
    assert [rows for _, rows in writer.batches] == [[], cdrs_of(records)]
    assert b'hearthline_calls_total{direction="inbound",outcome="success"} 1.0' in metrics.render()


def test_a_reader_that_fails_keeps_nothing_from_the_others() -> None:
    told: list[str] = []
    writer: Any = Writer(told)

    def fail(records: Sequence[Record]) -> None:
        raise BrokenPipeError("the terminal is gone")

    readers = [fail, lambda records: told.append("reader")]
    keeper = RecordKeeper(writer, readers, refuse=no, on_defect=lambda defect: told.append(str(defect)))
    keeper.keep(queue_call("c1"))
    assert told == ["the terminal is gone", "reader", "writer"]


def test_new_calls_are_refused_as_soon_as_the_log_has_no_room_and_no_longer_once_it_has() -> None:
    disk = Disk()
    writer = EventWriter(disk, max_pending=20)
    refused: list[bool] = []
    keeper = RecordKeeper(writer, [], refuse=refused.append, on_defect=no)
    writer.when_room(keeper.room)
    keeper.keep(queue_call("c1"))
    assert refused == []
    keeper.keep(queue_call("c2", first=20))
    assert refused == [True]
    writer.start()
    assert writer.close(10.0) == 0
    assert refused == [True, False]


def test_the_ends_of_calls_that_a_crash_cut_off_reach_every_reader(tmp_path: Path) -> None:
    talk = queue_call("c1")[:9]
    writer: Any = Writer([])
    metrics = MetricSet(version="1")
    observer = MetricsObserver(metrics)
    queue_log = QueueLogFile(tmp_path / "queue_log", Directory())
    for reader in (observer, queue_log):
        reader.recall(talk)
    keeper = RecordKeeper(writer, [observer.observe, queue_log.observe], refuse=no, on_defect=no)
    end = [record(50, call_ended(RESTART_CAUSE), call="c1"), record(51, EngineStarted(version="2"))]
    cdrs = cdrs_of([*talk, *end])
    keeper.keep(end, cdrs)
    assert writer.batches == [(end, cdrs)]
    shown = metrics.render()
    assert b'hearthline_calls_total{direction="inbound",outcome="indeterminate"} 1.0' in shown
    assert b"hearthline_calls_active 0.0" in shown
    assert b"hearthline_queue_wait_seconds_count{" not in shown, "the last process has counted the wait"
    queue_log.write()
    lines = (tmp_path / "queue_log").read_text().splitlines()
    assert [line.split("|")[4] for line in lines] == ["COMPLETECALLER", "QUEUESTART"]
