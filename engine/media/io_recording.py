"""The files of recordings: one thread writes them while they run, another waits for the process that gives those that
are finished their last form (`io_convert`). The loop only hands over and is rung when there is something to tell."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from engine.log_format import pairs
from engine.media.commands import RecordingFormat, RecordingKey, StartRecording, TidyRecordings
from engine.media.events import MediaEvent, RecordingFailed
from engine.media.gaps import MAX_GAPS, Gaps
from engine.media.gaps import comment as gap_comment
from engine.media.io_converter import Converter, Job, Tidy
from engine.media.io_tape import BEHIND_S, Label, Tape, TapeWriter
from engine.media.vault import SALT_SIZE, Sealer, master
from engine.media.wav_header import OCTETS

log = logging.getLogger(__name__)

CLOSE_S: Final = 3.0
"""How long the end of the process waits for a disk."""
CONVERT_S: Final = 1.5
"""And then for files that are being converted; what is left is done by the converter alone, or at the next start."""


class Recordings:
    """`wire.Tapes`. The threads start with the first recording."""

    def __init__(
        self, emit: Callable[[MediaEvent], None], *, behind_s: float = BEHIND_S, convert_s: float = CONVERT_S
    ) -> None:
        """`emit` is called on the loop only."""
        self._emit = emit
        self._behind_s = behind_s
        self._convert_s = convert_s
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._news: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._converter = Converter(self._tell)
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._ring.setblocking(False)
        self._running: set[TapeWriter] = set()

    def fileno(self) -> int:
        """Readable when `ready` has something to tell."""
        return self._bell.fileno()

    @property
    def waiting(self) -> int:
        """Pieces of work for the writing thread."""
        return self._orders.qsize()

    def open(self, start: StartRecording, rate: int, failed: Callable[[], None]) -> Tape:
        """See `wire.Tapes`."""
        sealer = self.sealer(start.key)
        label = Label(recording=start.recording, stem=start.stem, rate=rate, format=start.format, key=start.key)
        writer = TapeWriter(label, sealer, self._tell)
        self.order(lambda: self._open(writer, failed))
        return Tape(writer, order=self.order, finished=self._finish, tell=self._emit, behind_s=self._behind_s)

    def sealer(self, key: RecordingKey | None) -> Sealer | None:
        """What encrypts one more file. Raises VaultError."""
        return None if key is None else Sealer(master(key), os.urandom(SALT_SIZE), "wav")

    def tidy(self, command: TidyRecordings) -> None:
        """See `wire.Tapes`."""
        if command.key is not None:
            master(command.key)
        if not os.path.isdir(command.directory):
            return  # nothing was recorded yet
        self._converter.put(Tidy(directory=command.directory, format=command.format, key=command.key))

    def order(self, work: Callable[[], None]) -> None:
        """Have the writing thread do something, in turn."""
        if self._writer is None:
            self._writer = threading.Thread(target=self._work, name="recordings", daemon=True)
            self._writer.start()
        self._orders.put(work)

    # --- on the writing thread ---

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            try:
                order()
            except Exception:
                # A defect in one file must not end the others.
                log.exception("recording_failed")

    def _open(self, writer: TapeWriter, failed: Callable[[], None]) -> None:
        label = writer.label
        try:
            writer.open()
        except OSError as error:
            reason = f"{label.running}: {error.strerror or error}"
            self._tell(RecordingFailed(recording=label.recording, command="StartRecording", reason=reason))
            self._post(failed)
            return
        self._running.add(writer)

    def _finish(self, writer: TapeWriter, size: int, slow: Gaps) -> None:
        if writer not in self._running:
            return  # it could not be opened, which was told
        self._running.discard(writer)
        gaps = sorted([*slow.all(), *writer.gaps.all()], key=lambda gap: gap.at_s)[:MAX_GAPS]
        comment = gap_comment(gaps)
        label = writer.label
        trouble = writer.finish(size, comment if label.format is RecordingFormat.WAV else "")
        self._converter.put(
            Job(
                recording=label.recording,
                source=label.running,
                stem=label.stem,
                format=label.format,
                key=label.key,
                comment=comment,
                trouble=trouble,
                seconds=round(size / (label.rate * OCTETS), 3),
                gaps=tuple(gaps),
                lost_s=round((slow.lost + writer.gaps.lost) / (label.rate * OCTETS), 3),
            )
        )

    # --- to the loop ---

    def _tell(self, event: MediaEvent) -> None:
        self._post(lambda: self._emit(event))

    def _post(self, news: Callable[[], None]) -> None:
        self._news.put(news)
        with contextlib.suppress(OSError):  # it rings already, or nobody is there any more
            self._ring.send(b"\0")

    def ready(self, now: float) -> None:
        """Tell what the threads have to tell; called on the loop."""
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(4096)
        while not self._news.empty():
            self._news.get()()

    def close(self) -> None:
        """Finish what was ordered, as long as the disk takes it, and tell."""
        if self._writer is not None:
            self._orders.put(None)
            self._writer.join(CLOSE_S)
            if self._writer.is_alive():
                log.error("recordings_unfinished", extra=pairs(waiting=self.waiting))
        self._converter.close(self._convert_s)
        self.ready(time.monotonic())
        self._bell.close()
        self._ring.close()
