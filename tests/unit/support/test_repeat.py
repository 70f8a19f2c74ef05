from __future__ import annotations

from types import TracebackType

import pytest

from tests.support.repeat import ATTEMPTS, Repeats
from tests.support.stalls import Stall

pytest_plugins = ["pytester"]

FAILS_TWICE = """
import pytest
ran = []
@pytest.mark.timing
def test_sound():
    ran.append(1)
    assert len(ran) > 2, "a gap"
"""


class Machine:
    """Witness of a machine that stalls for as long as said in each attempt; further attempts see no stall."""

    def __init__(self, *lengths_ms: float) -> None:
        self._lengths_ms = list(lengths_ms)
        self.waited_for_calm = 0

    def __call__(self) -> Machine:
        return self

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def stalls(self, *, since: float, until: float) -> list[Stall]:
        assert since < until
        return [Stall(begin_s=since, length_s=self._lengths_ms.pop(0) / 1000, processor=0)] if self._lengths_ms else []

    def wait_for_calm(self, *, for_s: float, at_most_s: float) -> bool:
        self.waited_for_calm += 1
        return True


def run(pytester: pytest.Pytester, machine: Machine, source: str) -> pytest.RunResult:
    pytester.makeini("[pytest]\nmarkers =\n timing: measures real time\n integration: real programs\n")
    pytester.makepyfile(source)
    return pytester.runpytest_inprocess("-p", "no:rerunfailures", plugins=[Repeats(watch=machine)])


def test_a_failure_on_a_machine_that_stalled_is_repeated_and_shown(pytester: pytest.Pytester) -> None:
    machine = Machine(148, 60)
    result = run(pytester, machine, FAILS_TWICE)
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 1, "repeated": 2}
    assert machine.waited_for_calm == 2
    result.stdout.fnmatch_lines(
        [
            "REPEATED *test_sound attempt 1 of 4: the machine stalled for 148 ms; *AssertionError: a gap*",
            "REPEATED *test_sound attempt 2 of 4: the machine stalled for 60 ms; *",
        ]
    )


def test_a_failure_on_a_machine_that_ran_all_the_time_counts(pytester: pytest.Pytester) -> None:
    machine = Machine()
    result = run(pytester, machine, FAILS_TWICE)
    assert result.parseoutcomes() == {"failed": 1}
    assert machine.waited_for_calm == 0
    result.stdout.fnmatch_lines(["attempt 1 of 4: the machine did not stall for 20 ms while this test ran"])


def test_the_second_attempt_is_judged_by_its_own_stalls(pytester: pytest.Pytester) -> None:
    assert run(pytester, Machine(148), FAILS_TWICE).parseoutcomes() == {"failed": 1, "repeated": 1}


def test_a_stall_too_short_to_explain_the_failure_excuses_nothing(pytester: pytest.Pytester) -> None:
    assert run(pytester, Machine(19, 19), FAILS_TWICE).parseoutcomes() == {"failed": 1}
    longer = FAILS_TWICE.replace("mark.timing", "mark.timing(stall_ms=50)")
    assert run(pytester, Machine(49, 49), longer).parseoutcomes() == {"failed": 1}


def test_the_last_attempt_counts_whatever_the_machine_did(pytester: pytest.Pytester) -> None:
    result = run(pytester, Machine(*[500] * 10), FAILS_TWICE.replace("> 2", "> 99"))
    assert result.ret == 1
    assert result.parseoutcomes() == {"failed": 1, "repeated": ATTEMPTS - 1}


def test_an_integration_test_is_excused_by_a_long_stall_only(pytester: pytest.Pytester) -> None:
    source = FAILS_TWICE.replace("mark.timing", "mark.integration")
    assert run(pytester, Machine(249, 249), source).parseoutcomes() == {"failed": 1}
    assert run(pytester, Machine(250, 250), source).parseoutcomes() == {"passed": 1, "repeated": 2}
    bounded = FAILS_TWICE.replace("mark.timing", "mark.integration\n@pytest.mark.timing")
    assert run(pytester, Machine(20, 20), bounded).parseoutcomes() == {"passed": 1, "repeated": 2}


def test_a_wait_that_ends_in_vain_is_excused_as_an_assertion_is(pytester: pytest.Pytester) -> None:
    source = FAILS_TWICE.replace('assert len(ran) > 2, "a gap"', "if len(ran) < 2: raise TimeoutError")
    assert run(pytester, Machine(500), source).parseoutcomes() == {"passed": 1, "repeated": 1}


def test_a_test_without_the_mark_has_one_attempt(pytester: pytest.Pytester) -> None:
    source = FAILS_TWICE.replace("@pytest.mark.timing", "")
    assert run(pytester, Machine(500, 500), source).parseoutcomes() == {"failed": 1}


def test_an_exception_that_is_no_assertion_is_not_excused(pytester: pytest.Pytester) -> None:
    source = FAILS_TWICE.replace('assert len(ran) > 2, "a gap"', 'raise OSError("a crash")')
    assert run(pytester, Machine(500, 500), source).parseoutcomes() == {"failed": 1}


@pytest.mark.parametrize("part", ["before", "after"])
def test_a_fixture_that_fails_is_not_excused(pytester: pytest.Pytester, part: str) -> None:
    source = f"""
import pytest
@pytest.fixture
def broken():
    assert "{part}" != "before"
    yield
    assert "{part}" != "after"
@pytest.mark.timing
def test_sound(broken):
    assert not "a gap"
"""
    assert "repeated" not in run(pytester, Machine(500, 500), source).parseoutcomes()


def test_every_attempt_has_fixtures_of_its_own(pytester: pytest.Pytester) -> None:
    source = """
import pytest
lives = []
@pytest.fixture
def engine():
    lives.append("up")
    yield len(lives)
    lives.append("down")
@pytest.mark.timing
def test_sound(engine):
    assert lives == ["up", "down", "up"]
def test_the_end():
    assert lives == ["up", "down", "up", "down"]
"""
    assert run(pytester, Machine(500), source).parseoutcomes() == {"passed": 2, "repeated": 1}
