"""The media process: `hearthline media`. This is where its parts are put together; read top to bottom."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import resource
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from engine.errors import EngineError, Unavailable
from engine.log_format import LogFormat, formatter, pairs
from engine.media.commands import PROTOCOL_VERSION, CloseLeg, Command, Shutdown
from engine.media.events import MediaEvent, PlaneStats, Welcome
from engine.media.io import Loop
from engine.media.io_arena import share_one_heap
from engine.media.io_control import ControlServer
from engine.media.io_files import Files
from engine.media.io_legs import LegSockets
from engine.media.io_pairs import Pairs
from engine.media.io_poll import READ, best_poller
from engine.media.io_priority import come_first
from engine.media.io_recording import Recordings
from engine.media.io_scoop import Scoop, can_scoop
from engine.media.io_uring import uring
from engine.media.io_volley import best_volley
from engine.media.leg import Leg
from engine.media.matrix import Route
from engine.media.options import PlaneOptions
from engine.media.ports import Ports
from engine.media.reception import samples_at
from engine.media.relay import Forwarder
from engine.media.rounds import Rounds
from engine.media.rtcp import Report
from engine.media.stock import Stock
from engine.media.sweep import Sweep
from engine.media.switchboard import Switchboard

log = logging.getLogger(__name__)

SOUNDS = "sounds"
"""The directory beside the control socket, and so beside those of the machine's other media processes, that keeps
sounds as they are played."""
_NEVER = float("inf")


class Plane:
    """One media process."""

    def __init__(self, options: PlaneOptions, secret: str) -> None:
        """Raises Unavailable when the control socket cannot be had."""
        chance = random.SystemRandom()
        epoch = time.time() - time.monotonic()
        self._options = options
        self._ports = Ports(options.port_min, options.port_max)
        self._poller = best_poller()
        self._files = Files(options.socket.parent / SOUNDS)
        self._recordings = Recordings(self._emit)
        self._board = Switchboard(
            draw=chance.getrandbits,
            cname=secrets.token_hex(12).encode(),
            epoch=epoch,
            emit=self._emit,
            files=self._files,
            tapes=self._recordings,
        )
        self._forwarder = Forwarder(self._board.table, pressed=self._board.digits.pressed)
        ring = uring()
        self._sockets = LegSockets(
            poller=self._poller,
            pairs=Pairs(self._ports, bind=options.bind, dscp=options.dscp),
            forwarder=self._forwarder,
            emit=self._emit,
            heard=self._heard,
            volley=best_volley(ring),
        )
        self._sweep = Sweep(
            self._board.table,
            self._forwarder,
            self._sockets,
            scoop=partial(Scoop, ring) if ring is not None and can_scoop() else None,
            clock=time.monotonic,
        )
        self._board.wire = self._sockets
        self._board.stock = Stock(self._ports.count, self._sockets.open, self._emit)
        self._rounds = Rounds(
            self._board,
            wire=self._sockets,
            sweep=self._sweep,
            random=chance.random,
            emit=self._emit,
            epoch=epoch,
            dead_s=options.dead_s,
        )
        self._control = ControlServer(
            options.socket,
            secret,
            poller=self._poller,
            others=self._sockets.others,
            obey=self._obey,
            welcome=self._welcome,
        )
        self._loop = Loop(
            poller=self._poller,
            sockets=self._sockets,
            forwarder=self._forwarder,
            tick=self._tick,
            after=self._after,
            each_second=self._every_second,
            legs=lambda: len(self._board.legs),
            due=lambda: self._board.step.due or bool(self._board.digits.pressing),
            coalesce_s=lambda: options.coalesce_s * self._board.patience,
        )
        self._board.table.epoch = samples_at(self._loop.began_at)
        self._bell, self._ring = socket.socketpair()
        self._used_at = time.monotonic()

    def run(self) -> None:
        """Serve until control says Shutdown, a signal comes, or nobody needs this process any more."""
        for sock in (self._bell, self._ring):
            sock.setblocking(False)
        self._sockets.others[self._bell.fileno()] = self._signalled
        self._sockets.others[self._files.fileno()] = self._files.ready
        self._poller.register(self._bell.fileno(), READ)
        self._poller.register(self._files.fileno(), READ)
        self._sockets.others[self._recordings.fileno()] = self._recordings.ready
        self._poller.register(self._recordings.fileno(), READ)
        signal.set_wakeup_fd(self._ring.fileno())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # ignored under nohup
                signal.signal(number, lambda *_: None)
        try:
            self._loop.run()
        finally:
            signal.set_wakeup_fd(-1)
            self._obey(Shutdown(), time.monotonic())
            self._recordings.close()
            self._control.close()
            self._files.close()
            self._poller.close()
            for sock in (self._bell, self._ring):
                sock.close()

    # --- what the parts call ---

    def _emit(self, event: MediaEvent) -> None:
        self._control.emit(event)

    def _heard(self, leg: Leg, reports: list[Report], now: float) -> None:
        self._rounds.heard(leg, reports, now)

    def _obey(self, command: Command, now: float) -> None:
        self._board.obey(command, now)
        if self._board.ended:
            self._loop.end()

    def _welcome(self) -> Sequence[MediaEvent]:
        options = self._options
        welcome = Welcome(
            version=PROTOCOL_VERSION,
            pid=os.getpid(),
            port_min=options.port_min,
            port_max=options.port_max,
            legs=len(self._board.legs),
        )
        return [welcome, *self._board.stock.all()]

    def _signalled(self, now: float) -> None:
        numbers = self._bell.recv(64)
        log.info("ended_by_signal", extra=pairs(signals=",".join(signal.Signals(number).name for number in numbers)))
        self._loop.end()

    def _tick(self, number: int, now: float) -> Iterator[None]:
        yield from self._sweep.pieces()
        yield from self._board.tick(number, now)
        yield from self._rounds.pieces(number, now)

    def _after(self, now: float) -> None:
        """After every look at the sockets: a few comparisons, mostly."""
        self._sockets.pen.let_out(now)
        if self._control.connected and not self._board.draining:
            self._board.stock.top_up()
        self._control.flush(now if self._board.legs else _NEVER)

    def _every_second(self, now: float) -> None:
        self._control.expire(now)
        self._board.stock.look_again()
        self._rounds.told = self._control.connected
        if self._control.connected:
            self._used_at = now
            self._emit(self._stats())
            if self._board.draining and not self._board.legs:
                log.info("drained")
                self._loop.end()
            return
        if self._board.legs:
            self._used_at = now
            self._close_orphans(now)
        elif now - self._used_at >= self._options.idle_exit_s or self._board.draining:
            log.info("ended_unused")
            self._loop.end()

    def _close_orphans(self, now: float) -> None:
        """Nobody commands, nobody speaks: such legs would keep this process for ever."""
        for leg in list(self._board.legs.values()):
            if now - max(leg.rx.heard_at, leg.opened_at) >= self._options.orphan_s:
                log.info("leg_closed_unheard", extra=pairs(leg=leg.name, silent_s=self._options.orphan_s))
                self._obey(CloseLeg(leg=leg.name), now)

    def _stats(self) -> PlaneStats:
        late = self._loop.lateness
        recent, work = late.take(), self._loop.work.figures()
        used = resource.getrusage(resource.RUSAGE_SELF)
        legs = list(self._board.legs.values())
        return PlaneStats(
            legs=len(legs),
            relayed_edges=sum(leg.route is Route.RELAY for leg in legs),
            mixed_legs=sum(leg.route is Route.MIX for leg in legs),
            ticks=late.ticks,
            late_ticks=late.late,
            lateness_p50_ms=round(recent.p50 * 1000, 3),
            lateness_p999_ms=round(recent.p999 * 1000, 3),
            lateness_max_ms=round(recent.worst * 1000, 3),
            packets_received=self._board.received_closed
            + sum(leg.rx.earlier_received + leg.rx.received for leg in legs),
            packets_sent=self._board.sent_closed + sum(leg.tx.packets for leg in legs),
            ports_taken=len(self._ports.taken),
            cpu_s=round(used.ru_utime + used.ru_stime, 3),
            tick_p50_ms=round(work.p50 * 1000, 3),
            tick_p99_ms=round(work.p99 * 1000, 3),
            collections=self._loop.collections,
        )


def run(options: PlaneOptions) -> int:
    """Be the media process; the exit status. Logs go to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(options.log_format, process="media"))
    logging.basicConfig(level=options.log_level.upper(), handlers=[handler])
    share_one_heap()
    try:
        secret = options.secret_file.read_text().strip()
        if not secret:
            raise Unavailable(f"{options.secret_file} is empty")
        plane = Plane(options, secret)
    except OSError as error:
        log.error("cannot_start", extra=pairs(reason=f"{error.filename}: {error.strerror}"))
        return 1
    except EngineError as error:
        log.error("cannot_start", extra=pairs(reason=str(error)))
        return 1
    ports = f"{options.port_min}-{options.port_max}"
    log.info("listening", extra=pairs(pid=os.getpid(), socket=options.socket, ports=ports))
    _allow_many_sockets()
    come_first(realtime=options.realtime, core=options.core)
    plane.run()
    return 0


def _allow_many_sockets() -> None:
    """Two sockets a leg: the usual soft limit of 1,024 descriptors would end at 500 legs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):  # macOS has a lower limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def options_from(arguments: Sequence[str]) -> PlaneOptions:
    """Read a command line (see `PlaneOptions.arguments`). Raises ConfigError; ends the process on unknown arguments."""
    parser = argparse.ArgumentParser(prog="hearthline media", description="Hearthline's media process")
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket for control")
    parser.add_argument("--secret-file", type=Path, required=True, help="file with the secret that control must know")
    parser.add_argument("--port-min", type=int, default=20002)
    parser.add_argument("--port-max", type=int, default=29998)
    parser.add_argument("--bind", default="0.0.0.0", help="address of the RTP sockets")
    parser.add_argument("--dscp", type=int, default=46, help="mark of what RTP and RTCP sockets send")
    parser.add_argument("--idle-exit", type=float, default=30.0, metavar="S", dest="idle_exit_s")
    parser.add_argument("--orphan", type=float, default=300.0, metavar="S", dest="orphan_s")
    parser.add_argument("--dead", type=float, default=60.0, metavar="S", dest="dead_s")
    parser.add_argument("--coalesce", type=float, default=0.001, metavar="S", dest="coalesce_s")
    parser.add_argument("--core", type=int, default=None, metavar="N", help="the core that the process is bound to")
    parser.add_argument("--realtime", action="store_true", help="real-time priority, memory locked")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--log-format", default=LogFormat.KEY_VALUE, type=LogFormat, choices=list(LogFormat))
    return PlaneOptions(**vars(parser.parse_args(arguments)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of `python -m engine.media.plane`."""
    try:
        return run(options_from(sys.argv[1:] if arguments is None else arguments))
    except EngineError as error:
        print(f"hearthline media: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
