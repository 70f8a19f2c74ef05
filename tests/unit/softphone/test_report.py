from __future__ import annotations

import json

from softphone.report import Report, as_json, as_words


def test_json_is_one_line_of_ascii_that_reads_back() -> None:
    report = Report("incoming", {"call": 1, "from": "sip:ann@pbx", "display": 'Änn "A"\n', "x": None})
    line = as_json(report)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == {"event": "incoming", **report.fields}


def test_words_leave_out_what_is_empty() -> None:
    assert as_words(Report("bye")) == "bye"
    line = as_words(Report("level", {"rx_dbfs": -20.1, "ring_fill_ms": None, "display": "", "lost": 0, "muted": True}))
    assert line == "level: rx_dbfs -20.1, lost 0, muted yes"


def test_words_show_what_is_nested() -> None:
    assert as_words(Report("status", {"call": {"call": 1, "muted": False}})) == "status: call (call 1, muted no)"


def test_a_caller_cannot_write_on_the_terminal() -> None:
    line = as_words(Report("incoming", {"display": "\x1b[2Jevil\nname"}))
    assert line == "incoming: display ?[2Jevil?name"
