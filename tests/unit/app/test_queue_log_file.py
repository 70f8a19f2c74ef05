from __future__ import annotations

import logging
from pathlib import Path

import pytest

from engine.app import queue_log_file
from engine.app.queue_log_file import QueueLogFile
from engine.calls.directory import Directory
from tests.support.records import queue_call


def events(lines: list[str]) -> list[str]:
    return [line.split("|")[4] for line in lines]


def test_what_app_queue_would_say_is_in_the_file_and_in_memory(tmp_path: Path) -> None:
    log = QueueLogFile(tmp_path / "queue_log", Directory())
    log.observe(queue_call("c1"))
    log.write()
    written = (tmp_path / "queue_log").read_text().splitlines()
    assert events(written) == ["ENTERQUEUE", "CONNECT", "COMPLETECALLER"]
    assert log.last(10) == written
    log.observe(queue_call("c2", first=20))
    log.write()
    assert len((tmp_path / "queue_log").read_text().splitlines()) == 6
    assert events(log.last(2)) == ["CONNECT", "COMPLETECALLER"]


def test_what_is_worth_no_line_touches_no_file(tmp_path: Path) -> None:
    log = QueueLogFile(tmp_path / "queue_log", Directory())
    log.observe(queue_call("c1")[:2])
    log.write()
    assert not (tmp_path / "queue_log").exists()


def test_memory_keeps_a_bounded_number_of_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_log_file, "_KEEP", 4)
    log = QueueLogFile(tmp_path / "queue_log", Directory())
    for number in range(3):
        log.observe(queue_call(f"c{number}", first=20 * number + 1))
    assert events(log.last(100)) == ["COMPLETECALLER", "ENTERQUEUE", "CONNECT", "COMPLETECALLER"]


def test_a_disk_that_is_full_is_told_once_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    log = QueueLogFile(full, Directory())
    log.observe(queue_call("c1"))
    log.write()
    log.observe(queue_call("c2", first=20))
    log.write()
    assert len(log.last(10)) == 6, "the API has what the disk has not"
    (told,) = caplog.records
    assert (told.levelno, told.getMessage()) == (logging.ERROR, "queue_log_not_written")
    assert told.pairs == {"file": str(full), "reason": "No space left on device"}  # type: ignore[attr-defined]

    full.unlink()
    log.observe(queue_call("c3", first=40))
    log.write()
    assert events(full.read_text().splitlines()) == ["ENTERQUEUE", "CONNECT", "COMPLETECALLER"]
    full.unlink()
    full.symlink_to("/dev/full")
    log.observe(queue_call("c4", first=60))
    log.write()
    assert len(caplog.records) == 2, "it is news again after it had worked"


def test_the_file_is_left_alone_until_the_writers_thread_comes_to_it(tmp_path: Path) -> None:
    log = QueueLogFile(tmp_path / "queue_log", Directory())
    log.observe(queue_call("c1"))
    log.observe(queue_call("c2", first=20))
    assert not (tmp_path / "queue_log").exists()
    log.write()
    assert (tmp_path / "queue_log").read_text().splitlines() == log.last(10)
    log.write()
    assert len((tmp_path / "queue_log").read_text().splitlines()) == 6


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "queue_log"
    log = QueueLogFile(file, Directory())
    log.observe(queue_call("c1"))
    log.write()
    file.rename(tmp_path / "queue_log.1")
    log.observe(queue_call("c2", first=20))
    log.write()
    assert [line.split("|")[1] for line in file.read_text().splitlines()] == ["c2"] * 3
    assert [line.split("|")[1] for line in (tmp_path / "queue_log.1").read_text().splitlines()] == ["c1"] * 3
