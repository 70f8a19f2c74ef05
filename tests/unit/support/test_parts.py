from __future__ import annotations

import pytest

from tests.support.parts import PARTS, Part, explain_missing, require

SIPP_MISSING = Part(name="sipp", lack=lambda: "no program sipp")
PJSUA2_MISSING = Part(name="pjsua2", lack=lambda: "no module pjsua2", remedy="make venv")


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PARTS, "sipp", SIPP_MISSING)
    monkeypatch.setitem(PARTS, "pjsua2", PJSUA2_MISSING)
    monkeypatch.setitem(PARTS, "promtool", Part(name="promtool", lack=lambda: None))


def test_a_missing_part_skips_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"missing sipp \(no program sipp\): run `make system-deps`$"):
        require("sipp", "promtool")


def test_in_ci_a_missing_part_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="missing sipp"):
        require("sipp")


def test_a_part_that_is_there_lets_the_test_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    require("promtool")


def test_one_line_names_all_missing_parts_and_each_remedy_once() -> None:
    line = explain_missing(("sipp", "sipp", "pjsua2", "promtool"))
    assert line is not None
    assert line.count("make system-deps") == 1
    assert line.endswith("run `make system-deps` and `make venv`")
    assert "promtool" not in line
