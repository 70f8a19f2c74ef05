from __future__ import annotations

import pytest

from tests.support.parts import PARTS, Part, PartName, explain_missing, require

SIPP_MISSING = Part(name="sipp", lack=lambda: "no program sipp")
PJSUA2_MISSING = Part(name="pjsua2", lack=lambda: "no module pjsua2", remedy="make venv")


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PARTS, "sipp", SIPP_MISSING)
    monkeypatch.setitem(PARTS, "pjsua2", PJSUA2_MISSING)
    monkeypatch.setitem(PARTS, "promtool", Part(name="promtool", lack=lambda: None))


def verdict(*names: PartName) -> tuple[str, str]:
    """What `require` decided, and its line. Caught here, because a skip that escaped would skip the test of it."""
    try:
        require(*names)
    except pytest.skip.Exception as skipped:
        return "skipped", str(skipped)
    except pytest.fail.Exception as failed:
        return "failed", str(failed)
    return "goes on", ""


def test_a_missing_part_skips_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    line = "missing sipp (no program sipp): run `make system-deps`"
    assert verdict("sipp", "promtool") == ("skipped", line)


def test_in_ci_a_missing_part_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert verdict("sipp")[0] == "failed"


def test_a_part_that_is_there_lets_the_test_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert verdict("promtool") == ("goes on", "")


def test_one_line_names_all_missing_parts_and_each_remedy_once() -> None:
    line = explain_missing(("sipp", "sipp", "pjsua2", "promtool"))
    assert line is not None
    assert line.count("make system-deps") == 1
    assert line.endswith("run `make system-deps` and `make venv`")
    assert "promtool" not in line
