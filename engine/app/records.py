"""Where records go when they leave the core: to the metrics, the log, the feed, the terminal, the disk.

The order is that of the log; each reader is told of the same batch, and none of them may change what another sees. One
that fails keeps nothing from the others, least of all from the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.calls.cdr import Cdr, CdrFold
from engine.calls.journal import Record
from engine.store.writer import EventWriter

Reader = Callable[[Sequence[Record]], None]


class RecordKeeper:
    """Folds CDRs out of the records, tells every reader, then hands both to the writer: its thread wakes up at that,
    and before would only contend with the readers for the interpreter."""

    def __init__(
        self,
        writer: EventWriter,
        readers: Sequence[Reader],
        *,
        refuse: Callable[[bool], None],
        on_defect: Callable[[Exception], None],
    ) -> None:
        """`refuse` is told whether the log has no room for the records of new calls."""
        self._writer = writer
        self._readers = list(readers)
        self._refuse = refuse
        self._on_defect = on_defect
        self._fold = CdrFold()

    def add_reader(self, reader: Reader) -> None:
        """Tell this one too from now on."""
        self._readers.append(reader)

    def keep(self, records: Sequence[Record], completed: Sequence[Cdr] = ()) -> None:
        """Take a batch from the core, with the CDRs that it completes of calls which began before this process."""
        rows = list(completed)
        for record in records:
            rows += self._fold.apply(record)
        for reader in self._readers:
            try:
                reader(records)
            except Exception as defect:
                self._on_defect(defect)
        self._writer.append(records, rows)
        if self._writer.full:
            self._refuse(True)

    def room(self) -> None:
        """The writer has got something to the disk: say whether there is room again. On the loop, like `keep`."""
        self._refuse(self._writer.full)
