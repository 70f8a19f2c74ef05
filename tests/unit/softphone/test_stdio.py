from __future__ import annotations

import io
import os
import threading

import pytest

from softphone.report import Report, as_json
from softphone.stdio import LONGEST_LINE, MOST_WAITING, LineReader, LineWriter, native_output_hidden


def lines_of(text: str) -> list[str | None]:
    taken: list[str | None] = []
    reader = LineReader(io.StringIO(text), taken.append)
    reader.start()
    reader._thread.join(5)
    return taken


def test_lines_then_the_end() -> None:
    assert lines_of("a\nb\n") == ["a\n", "b\n", None]
    assert lines_of("a\nlast") == ["a\n", "last", None]
    assert lines_of("") == [None]


def test_the_rest_of_an_endless_line_is_thrown_away() -> None:
    taken = lines_of("x" * (3 * LONGEST_LINE) + "\nnext\n")
    assert taken == ["x" * LONGEST_LINE, "next\n", None]


def test_a_line_as_long_as_allowed_does_not_swallow_the_next() -> None:
    assert lines_of("x" * (LONGEST_LINE - 1) + "\nnext\n") == ["x" * (LONGEST_LINE - 1) + "\n", "next\n", None]
    assert lines_of("x" * LONGEST_LINE + "\nnext\n") == ["x" * LONGEST_LINE, "next\n", None]


def test_a_stream_that_breaks_is_at_its_end() -> None:
    class Broken(io.StringIO):
        def readline(self, size: int | None = -1, /) -> str:
            raise OSError("the terminal is gone")

    taken: list[str | None] = []
    reader = LineReader(Broken(), taken.append)
    reader.start()
    reader._thread.join(5)
    assert taken == [None]


def test_reports_are_written_in_order_before_the_end() -> None:
    out = io.StringIO()
    writer = LineWriter(out, as_json, gone=lambda: None)
    writer.start()
    for number in range(3):
        writer.emit(Report("x", {"n": number}))
    writer.finish(5)
    assert out.getvalue() == '{"event":"x","n":0}\n{"event":"x","n":1}\n{"event":"x","n":2}\n'


class Stuck(io.StringIO):
    """A pipe that nobody reads until `free` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def write(self, text: str) -> int:
        self.free.wait(5)
        return super().write(text)


def test_a_reader_that_sleeps_loses_levels_but_no_news() -> None:
    out = Stuck()
    writer = LineWriter(out, as_json, gone=lambda: None)
    writer.start()
    for number in range(2 * MOST_WAITING):
        writer.emit(Report("level", {"n": number}))
    writer.emit(Report("incoming"))
    out.free.set()
    writer.finish(5)
    lines = out.getvalue().splitlines()
    assert lines[-1] == '{"event":"incoming"}'
    assert MOST_WAITING <= len(lines) <= MOST_WAITING + 2


def test_leaving_does_not_wait_for_a_reader_that_sleeps() -> None:
    out = Stuck()
    writer = LineWriter(out, as_json, gone=lambda: None)
    writer.start()
    writer.emit(Report("bye"))
    writer.finish(0.05)
    assert out.getvalue() == ""
    out.free.set()
    writer._thread.join(5)


def test_a_reader_that_is_gone_is_told_once() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    told: list[str] = []
    writer = LineWriter(Gone(), as_json, gone=lambda: told.append("gone"))
    writer.start()
    writer.emit(Report("a"))
    writer.emit(Report("b"))
    writer._thread.join(5)
    assert told == ["gone"]
    writer.finish(1)


def test_native_output_is_hidden_and_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(1, b"before ")
    with native_output_hidden(True):
        os.write(1, b"hidden ")
    with native_output_hidden(False):
        os.write(1, b"shown ")
    os.write(1, b"after")
    assert capfd.readouterr().out == "before shown after"
