from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.app.records import RecordKeeper
from engine.calls.cdr import Cdr
from engine.calls.log import Record
from engine.metrics.metrics import MetricSet
from engine.metrics.observers import MetricsObserver
from tests.support.records import cdrs_of, queue_call


class Writer:
    """Notes what it is given, and when among the others."""

    def __init__(self, told: list[str]) -> None:
        self.batches: list[tuple[list[Record], list[Cdr]]] = []
        self._told = told

    def append(self, records: Sequence[Record], cdrs: Sequence[Cdr] = ()) -> None:
        self._told.append("writer")
        self.batches.append((list(records), list(cdrs)))


def test_records_reach_the_disk_first_with_the_cdrs_that_they_complete_then_every_reader() -> None:
    told: list[str] = []
    writer: Any = Writer(told)
    metrics = MetricSet(version="1")
    readers = [lambda records: told.append(f"one {len(records)}")]
    keeper = RecordKeeper(writer, MetricsObserver(metrics), readers, on_defect=lambda defect: told.append("defect"))
    keeper.add_reader(lambda records: told.append(f"two {len(records)}"))
    records = queue_call("c1")
    keeper.keep(records[:5])
    keeper.keep(records[5:])
    assert told == ["writer", "one 5", "two 5", "writer", "one 7", "two 7"]
    assert [batch for batch, _ in writer.batches] == [records[:5], records[5:]]
    assert [rows for _, rows in writer.batches] == [[], cdrs_of(records)]
    assert b'hearthline_calls_total{direction="inbound",outcome="success"} 1.0' in metrics.render()


def test_a_reader_that_fails_keeps_nothing_from_the_others() -> None:
    told: list[str] = []
    writer: Any = Writer(told)

    def fail(records: Sequence[Record]) -> None:
        raise BrokenPipeError("the terminal is gone")

    readers = [fail, lambda records: told.append("reader")]
    keeper = RecordKeeper(
        writer, MetricsObserver(MetricSet(version="1")), readers, on_defect=lambda defect: told.append(str(defect))
    )
    keeper.keep(queue_call("c1"))
    assert told == ["writer", "the terminal is gone", "reader"]
