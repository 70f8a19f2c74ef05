"""`hearthline run`: the life of the control process, from the first signal handler to the last byte on the disk.

Everything that can be wrong with the machine (a port in use, a store of another version, a second engine) is found
while the parts are opened, before the reactor runs, and is one clear error. After that only signals end it: SIGTERM
drains (new calls are refused, live ones go on for at most `drain_s`), SIGINT or a second signal ends every call now.
SIGHUP, which comes when the terminal is closed, drains like SIGTERM, for nobody asked that callers be hung up on; shell
and kernel may both send it, so that a second one does not count. Whoever has it ignored (nohup) is left alone.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Coroutine
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from engine.app.config import Config
from engine.app.console import CallConsole
from engine.app.demo import Demo
from engine.app.demo_greeting import greeting
from engine.app.logs import note, set_up_logs
from engine.app.open_files import allow_open_files
from engine.app.state import StateDir
from engine.app.version import VERSION
from engine.app.wiring import Engine, build_engine
from engine.calls.log import EngineStopped
from engine.net.reactor import Reactor

_GC_THRESHOLDS: Final = (10_000, 10, 20)
"""Seldom: calls leave hardly any cycles behind. Python's own first one, 700, was reached with every call."""

_GOODBYE_S: Final = 2.0
"""How long our BYEs, and the REGISTERs that take our registrations back, may take to be answered when we end at
once."""


def run_engine(config: Config, *, config_file: Path | None, demo: bool) -> int:
    """Run until stopped; the exit status. Raises EngineError for what prevents the start."""
    from twisted.internet import reactor  # noqa: PLC0415 - installed by engine.__main__

    state = StateDir(config.state_dir)
    state.prepare()
    shown = Demo(config, config_file) if demo else None
    with ExitStack() as held:
        held.callback(os.close, state.lock())
        allow_open_files()
        if demo:
            log = held.enter_context((state.log_dir / "engine.log").open("a", encoding="utf-8"))
            set_up_logs(config.log, log)
        else:
            set_up_logs(config.log)
        engine = build_engine(config, state, reactor)
        held.callback(engine.close)
        service = Service(engine, reactor, demo=shown)
        _leave_the_built_alone()
        service.run()
    return service.exit_status


def _leave_the_built_alone() -> None:
    """Keep the garbage collector from what stays until the end; looking through it would stop every call for long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


class Service:
    """One running engine."""

    def __init__(self, engine: Engine, reactor: Reactor, *, demo: Demo | None) -> None:
        self.exit_status = 0
        self._engine = engine
        self._reactor = reactor
        self._demo = demo
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining: asyncio.Task[None] | None = None
        self._stopping = False
        self._console = CallConsole()
        if demo is not None:
            engine.keeper.add_reader(self._console.observe)

    def run(self) -> None:
        """Run the reactor until a signal ends it."""
        self._reactor.callLater(0, lambda: self._task(self._start()))
        self._reactor.run(installSignalHandlers=False)

    # --- the life of the process ---

    async def _start(self) -> None:
        engine, config = self._engine, self._engine.config
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # A shell without job control has SIGINT ignored too, but only for what it starts in the background.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._signalled, number)
        engine.storage.writer.start()
        engine.media.start(engine.driver)
        engine.heartbeat.start()
        engine.certificates.start()
        self._task(engine.api.serve())
        host, port = engine.api.address
        note("listening", sip=", ".join(map(str, config.sip.listeners)), api=f"http://{host}:{port}", version=VERSION)
        if self._demo is not None:
            print(greeting(config, self._demo.config_file), flush=True)
            self._task(self._demo.run(engine.driver.until(engine.core.media.ready), say=self._console.say))

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run work beside the reactor; what it raises ends the engine, for nothing may fail unseen."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logging.getLogger("hearthline").error("task_failed", exc_info=error)
            self.exit_status = 1
            self._signalled(signal.SIGINT)

    def _signalled(self, number: int) -> None:
        if self._stopping:
            return
        centre, calls = self._engine.centre, self._engine.core.calls
        if number == signal.SIGHUP and centre.draining:
            return
        if number != signal.SIGINT and not centre.draining and calls.live().calls:
            note("draining", calls=calls.live().calls, at_most_s=self._engine.config.service.drain_s)
            centre.draining = True
            calls.drain()
            self._draining = self._task(self._drain())
            return
        self._stopping = True
        self._task(self._stop())

    async def _drain(self) -> None:
        engine = self._engine
        ended = engine.driver.until(lambda: not engine.core.calls.live().calls)
        await _at_most(engine.config.service.drain_s, ended)
        self._signalled(signal.SIGINT)

    async def _stop(self) -> None:
        try:
            await self._wind_down()
        finally:
            # Whatever went wrong, the process ends; `_task_done` tells what it was.
            self._reactor.stop()

    async def _wind_down(self) -> None:
        engine, core, driver = self._engine, self._engine.core, self._engine.driver
        note("stopping", calls=core.calls.live().calls)
        if self._demo is not None:
            await self._demo.stop()
        driver.command(lambda now: core.command(core.legs.registrations.sign_off, now))
        driver.command(lambda now: core.command(core.calls.shut_down, now))
        registrations = core.legs.registrations
        await _at_most(_GOODBYE_S, driver.until(lambda: not any(core.calls.live()) and registrations.signed_off()))
        engine.heartbeat.stop()
        engine.certificates.stop()
        driver.command(lambda now: core.journal.append(EngineStopped(clean=True), now=now))
        driver.stop()
        engine.gatherer.flush()
        engine.api.stop()
        await engine.media.stop()
        await engine.transports.stop()
        await self._others_end()

    async def _others_end(self) -> None:
        """Wait for the API's last answers and the demo; a drain that was cut short has nothing left to wait for."""
        if self._draining is not None:
            self._draining.cancel()
        others = [task for task in self._tasks if task is not asyncio.current_task()]
        await asyncio.gather(*others, return_exceptions=True)


async def _at_most(seconds: float, happening: asyncio.Future[None]) -> None:
    """Wait for it, but no longer."""
    with suppress(TimeoutError):
        await asyncio.wait_for(happening, seconds)
