"""`hearthline run`: the control process, from opening its parts to closing them.

Everything that can be wrong with the machine (a port in use, a store of another version, a second engine) is found
while the parts are opened, before the reactor runs, and is one clear error. After that only signals end it: SIGTERM
drains (new calls are refused, live ones go on for at most `drain_s`), SIGINT or a second signal ends every call now.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from engine.app.config import Config
from engine.app.console import CallConsole
from engine.app.demo import Demo
from engine.app.demo_greeting import greeting
from engine.app.entropy import SystemIds
from engine.app.heartbeat import Heartbeat
from engine.app.logs import RecordLogger, note, set_up_logs
from engine.app.media_process import spawn_media
from engine.app.records import RecordKeeper
from engine.app.state import StateDir
from engine.app.storage import open_storage
from engine.app.version import VERSION
from engine.app.wiring import build_core, load_dialplan
from engine.calls.log import EngineStopped
from engine.dialplan.check import name_warnings
from engine.dialplan.router import DialplanRouter
from engine.metrics.gauges import EngineGauges
from engine.metrics.metrics import MetricSet
from engine.metrics.observers import MetricsObserver
from engine.net.addresses import LocalAddresses
from engine.net.clock import SystemClock
from engine.net.driver import Driver
from engine.net.media_link import MediaLink
from engine.net.reactor import Reactor
from engine.net.transports import Transports

_GOODBYE_S: Final = 2.0
"""How long our BYEs may take to be answered when we end at once."""


def run_engine(config: Config, *, config_file: Path | None, demo: bool) -> int:
    """Run until stopped; the exit status. Raises EngineError for what prevents the start."""
    from twisted.internet import reactor  # noqa: PLC0415 - installed by engine.__main__

    state = StateDir(config.state_dir)
    state.prepare()
    shown = Demo(config, config_file) if demo else None
    with ExitStack() as held:
        held.callback(os.close, state.lock())
        if demo:
            log = held.enter_context((state.log_dir / "engine.log").open("a", encoding="utf-8"))
            set_up_logs(config.log, log)
        else:
            set_up_logs(config.log)
        service = Service(config, state, reactor, demo=shown)
        held.callback(service.close)
        service.run()
    return service.exit_status


class Service:
    """One running engine."""

    def __init__(self, config: Config, state: StateDir, reactor: Reactor, *, demo: Demo | None) -> None:
        """Open everything. Raises EngineError for what prevents the start."""
        self._config = config
        self._reactor = reactor
        self._demo = demo
        self._clock = SystemClock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.exit_status = 0
        self._stopping = False
        self._draining = False
        dialplan = load_dialplan(config)
        self._transports = Transports(reactor)
        self._storage = storage = open_storage(config, self._clock)
        for warning in name_warnings(dialplan, storage.directory):
            note("dialplan_warning", level=logging.WARNING, warning=warning)
        addresses = LocalAddresses(advertise=config.sip.advertise)
        self._core = build_core(
            config,
            directory=storage.directory,
            journal=storage.journal,
            router=DialplanRouter(dialplan),
            ids=SystemIds(),
            nonce_secret=state.secret("nonce").encode(),
            sip_address=addresses.sip_address,
            media_address=addresses.host_for,
            listener_flow=self._transports.flow_to,
            now=self._clock.monotonic(),
        )
        self._metrics = MetricSet(version=VERSION)
        observer = MetricsObserver(self._metrics)
        observer.seed(storage.directory)
        self._keeper = RecordKeeper(storage.writer, observer, [RecordLogger().observe])
        self._media = MediaLink(
            reactor,
            path=state.media_socket,
            secret=state.secret("media"),
            spawn=partial(spawn_media, config) if config.media.spawn else None,
            note=lambda text: note("media", level=logging.WARNING, detail=text),
        )
        self._driver = Driver(
            self._core,
            reactor=reactor,
            clock=self._clock,
            transmitter=self._transports,
            to_media=self._media.send,
            on_records=self._keeper.keep,
        )
        self._heartbeat = Heartbeat(reactor, self._clock, self._core, storage.writer, EngineGauges(self._metrics))
        self._transports.listen(config.sip.host, config.sip.port, self._driver)
        if demo is not None:
            self._keeper.add_reader(CallConsole().observe)

    def run(self) -> None:
        """Run the reactor until a signal ends it."""
        self._reactor.callLater(0, lambda: self._task(self._start()))
        self._reactor.run(installSignalHandlers=False)

    def close(self) -> None:
        """Bring everything to the disk."""
        self._storage.close()

    # --- the life of the process ---

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        self._storage.writer.start()
        self._media.start(self._driver)
        self._heartbeat.start()
        config = self._config
        note("listening", sip=f"{config.sip.host}:{config.sip.port}", version=VERSION)
        if self._demo is not None:
            print(greeting(config), flush=True)
            self._task(self._demo.run())

    def _task(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work beside the reactor; what it raises ends the engine, for nothing may fail unseen."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logging.getLogger("hearthline").error("task_failed", exc_info=error)
            self.exit_status = 1
            self._signalled(signal.SIGINT)

    def _signalled(self, number: int) -> None:
        if self._stopping:
            return
        if number == signal.SIGTERM and not self._draining and self._core.calls.live().calls:
            self._draining = True
            note("draining", calls=self._core.calls.live().calls, at_most_s=self._config.service.drain_s)
            self._core.calls.drain()
            self._task(self._drain())
            return
        self._stopping = True
        self._task(self._stop())

    async def _drain(self) -> None:
        await _at_most(self._config.service.drain_s, self._driver.until(lambda: not self._core.calls.live().calls))
        self._signalled(signal.SIGINT)

    async def _stop(self) -> None:
        note("stopping", calls=self._core.calls.live().calls)
        if self._demo is not None:
            await self._demo.stop()
        self._driver.command(lambda now: self._core.command(self._core.calls.shut_down, now))
        await _at_most(_GOODBYE_S, self._driver.until(lambda: not any(self._core.calls.live())))
        self._heartbeat.stop()
        self._driver.command(lambda now: self._core.journal.append(EngineStopped(clean=True), now=now))
        self._driver.stop()
        await self._media.stop()
        await self._transports.stop()
        self._reactor.stop()


async def _at_most(seconds: float, happening: asyncio.Future[None]) -> None:
    """Wait for it, but no longer."""
    with suppress(TimeoutError):
        await asyncio.wait_for(happening, seconds)
