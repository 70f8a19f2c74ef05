"""The life of the process, on an asyncio loop of the test's own and with parts that only note what they are told."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import twisted.internet

from engine.app.config import Config
from engine.app.service import Service, run_engine
from engine.app.state import StateDir
from engine.calls.journal import Record
from engine.calls.log import EngineStopped
from tests.support.records import queue_call


class LoopReactor:
    """Twisted's reactor as far as the service sees it."""

    def __init__(self) -> None:
        self._first: list[Callable[[], object]] = []
        self._stopped: asyncio.Event
        self.handles_signals = True

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> Any:
        self._first.append(callable)

    def run(self, installSignalHandlers: bool = True) -> None:
        self.handles_signals = installSignalHandlers
        asyncio.run(self._run())

    async def _run(self) -> None:
        self._stopped = asyncio.Event()
        for first in self._first:
            first()
        await asyncio.wait_for(self._stopped.wait(), 5.0)
        # As Twisted, it lets go of the loop a turn later.
        await asyncio.sleep(0)

    def stop(self) -> None:
        self._stopped.set()


@dataclass
class Parts:
    """Everything that is started and stopped, in the order in which it was."""

    told: list[str] = field(default_factory=list)
    live_calls: int = 0
    signed_off: bool = True
    fails: frozenset[str] = frozenset()
    readers: list[Callable[[Sequence[Record]], None]] = field(default_factory=list)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, what: str) -> None:
        self.told.append(what)
        if what in self.fails:
            raise ZeroDivisionError(what)

    def does(self, what: str) -> Callable[..., None]:
        return lambda *_, **__: self.note(what)

    def awaits(self, what: str) -> Callable[[], Awaitable[None]]:
        async def wait() -> None:
            self.note(what)

        return wait

    async def serve(self) -> None:
        self.note("api serves")
        await self.closing.wait()
        self.told.append("api's last answer")

    def stop_api(self) -> None:
        self.note("api stops")
        self.closing.set()

    def live(self) -> Any:
        class Live(SimpleNamespace):
            def __iter__(self) -> Any:
                return iter((self.calls,))

        return Live(calls=self.live_calls)

    def shut_down(self, now: float) -> None:
        self.note("calls end")
        self.live_calls = 0

    def until(self, condition: Callable[[], bool]) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if condition():
            future.set_result(None)
        return future

    def engine(self) -> Any:
        calls = SimpleNamespace(live=self.live, drain=self.does("drain"), shut_down=self.shut_down)
        journal = SimpleNamespace(append=lambda body, now: self.note(repr(body)))
        return SimpleNamespace(
            config=Config(),
            storage=SimpleNamespace(writer=SimpleNamespace(start=self.does("writer starts"))),
            core=SimpleNamespace(
                calls=calls,
                legs=SimpleNamespace(
                    registrations=SimpleNamespace(sign_off=self.does("signs off"), signed_off=lambda: self.signed_off)
                ),
                journal=journal,
                media=SimpleNamespace(ready=lambda: True),
                command=lambda carry_out, now: carry_out(now),
            ),
            driver=SimpleNamespace(
                command=lambda carry_out: carry_out(0.0), until=self.until, stop=self.does("driver stops")
            ),
            media=SimpleNamespace(start=self.does("media starts"), stop=self.awaits("media stops")),
            transports=SimpleNamespace(stop=self.awaits("transports stop")),
            heartbeat=SimpleNamespace(start=self.does("heartbeat starts"), stop=self.does("heartbeat stops")),
            certificates=SimpleNamespace(start=self.does("certificates watched"), stop=self.does("watch ends")),
            api=SimpleNamespace(serve=self.serve, stop=self.stop_api, address=("127.0.0.1", 8080)),
            centre=SimpleNamespace(draining=False),
            gatherer=SimpleNamespace(flush=self.does("records are handed on")),
            keeper=SimpleNamespace(add_reader=self.readers.append, keep=self.does("records kept")),
        )


class ShownDemo:
    """`Demo` whose phones are words."""

    config_file = None

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, ready: Awaitable[None], *, say: Callable[[str], None]) -> None:
        await ready
        say("demo runs")

    async def stop(self) -> None:
        self._parts.note("demo stops")


def lived(parts: Parts, *, demo: bool = False, signals: Sequence[signal.Signals] = (signal.SIGINT,)) -> Service:
    """Run a service, send it signals once it has started, and return it when it is over."""
    reactor: Any = LoopReactor()
    shown: Any = ShownDemo(parts) if demo else None
    service = Service(parts.engine(), reactor, demo=shown)

    def send() -> None:
        for number in signals:
            os.kill(os.getpid(), number)

    reactor.callLater(0, lambda: asyncio.get_running_loop().call_later(0.05, send))
    service.run()
    assert reactor.handles_signals is False, "signals are ours alone"
    return service


STARTED = ["writer starts", "media starts", "heartbeat starts", "certificates watched", "api serves"]
STOPPED = [
    "signs off",
    "calls end",
    "heartbeat stops",
    "watch ends",
    repr(EngineStopped(clean=True)),
    "driver stops",
    "records are handed on",
    "api stops",
    "media stops",
    "transports stop",
    "api's last answer",
]


@pytest.fixture
def _hang_ups_count() -> Iterator[None]:
    """Also where the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("_hang_ups_count")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_without_calls_any_signal_ends_it_in_good_order(number: signal.Signals) -> None:
    parts = Parts()
    service = lived(parts, signals=[number])
    assert [what for what in parts.told if what in STARTED + STOPPED] == STARTED + STOPPED
    assert service.exit_status == 0
    assert "drain" not in parts.told, "there is nothing to wait for"


def test_who_stops_it_is_told_how_many_calls_that_ends(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "hearthline"):
        lived(Parts(live_calls=2))
    (told,) = [entry for entry in caplog.records if entry.getMessage() == "stopping"]
    assert told.pairs == {"calls": 2}  # type: ignore[attr-defined]


def test_the_engine_is_built_run_and_closed_and_its_directory_let_go(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, state = Parts(), StateDir(config.state_dir)

    class Shown:
        exit_status = 3

        def __init__(self, engine: Any, reactor: Any, *, demo: Any) -> None:
            parts.note("built" if demo is None else "with the demo")

        def run(self) -> None:
            parts.note(f"runs, and the directory is {'taken' if state.in_use() else 'free'}")

    monkeypatch.setattr(twisted.internet, "reactor", None, raising=False)
    monkeypatch.setitem(sys.modules, "twisted.internet.reactor", None)
    for name in ("allow_open_files", "set_up_logs", "_leave_the_built_alone"):
        monkeypatch.setattr(f"engine.app.service.{name}", parts.does(name))
    monkeypatch.setattr(
        "engine.app.service.build_engine", lambda *_: SimpleNamespace(close=parts.does("engine closes"))
    )
    monkeypatch.setattr("engine.app.service.Service", Shown)
    assert run_engine(config, config_file=None, demo=False) == 3
    assert parts.told == [
        *("allow_open_files", "set_up_logs", "built", "_leave_the_built_alone"),
        *("runs, and the directory is taken", "engine closes"),
    ]
    assert not state.in_use()


def test_an_interrupt_that_the_shell_had_ignored_ends_it_all_the_same() -> None:
    """As behind `&` in a script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert lived(Parts(), signals=[signal.SIGINT]).exit_status == 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_hang_up_that_is_ignored_stays_ignored() -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        lived(Parts(), signals=[signal.SIGHUP, signal.SIGINT])
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_further_signals_while_it_stops_change_nothing() -> None:
    parts = Parts()
    assert lived(parts, signals=[signal.SIGINT, signal.SIGINT, signal.SIGTERM]).exit_status == 0
    assert parts.told.count("media stops") == 1


@pytest.mark.parametrize("part", ["writer starts", "api serves"])
def test_a_part_that_fails_ends_the_engine_with_status_1(part: str, caplog: pytest.LogCaptureFixture) -> None:
    parts = Parts(fails=frozenset({part}))
    assert lived(parts, signals=[]).exit_status == 1
    (told,) = [entry for entry in caplog.records if entry.getMessage() == "task_failed"]
    assert told.exc_info is not None, "with its traceback"
    assert "transports stop" in parts.told, "and in good order"


@pytest.mark.parametrize("part", ["calls end", "media stops", "transports stop"])
def test_a_part_that_cannot_be_stopped_keeps_nobody_waiting(part: str, caplog: pytest.LogCaptureFixture) -> None:
    parts = Parts(fails=frozenset({part}))
    assert lived(parts).exit_status == 1
    assert [entry.getMessage() for entry in caplog.records if entry.getMessage() == "task_failed"] == ["task_failed"]


def test_calls_that_do_not_end_are_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.app.service._GOODBYE_S", 0.01)
    parts = Parts(live_calls=2)
    parts.shut_down = parts.does("calls end")  # type: ignore[method-assign]
    lived(parts)
    assert "transports stop" in parts.told


def test_registrars_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.app.service._GOODBYE_S", 0.01)
    parts, awaited = Parts(), []
    until = parts.until
    parts.signed_off = False
    parts.until = lambda condition: awaited.append(condition()) or until(condition)  # type: ignore[method-assign,func-returns-value]
    lived(parts)
    assert awaited == [False]
    assert "transports stop" in parts.told


def test_the_demo_greets_runs_and_is_stopped_before_its_calls_are(capsys: pytest.CaptureFixture[str]) -> None:
    parts = Parts()
    lived(parts, demo=True)
    shown = capsys.readouterr().out
    assert "http://127.0.0.1:8080/metrics" in shown
    assert shown.endswith("demo runs\n")
    assert parts.told.index("demo stops") < parts.told.index("calls end")
    (reader,) = parts.readers
    reader(queue_call("c1")[:1])
    assert "+4930123 calls 4000" in capsys.readouterr().out


def test_without_the_demo_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    parts = Parts()
    lived(parts)
    assert parts.readers == []
    assert capsys.readouterr().out == ""
