"""The line to the media process: starts it, connects, carries commands and events, and starts it again when it dies.

The media process outlives a crash of control, so the link first looks whether one listens already. One of another
version refuses us; it is left to the people who still talk through it (without control it ends after the last of them),
and ours is started on a socket beside it. Where another service runs the media process, that service must replace it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol, cast

from twisted.internet import protocol
from twisted.python.failure import Failure

from engine.media.client import MediaConnection, State
from engine.media.commands import PROTOCOL_VERSION, CloseLeg, Command, Shutdown
from engine.media.events import MediaEvent, Refused
from engine.media.framing import WireError
from engine.net.reactor import Reactor, StreamTransport, Timer, stream_transport

_RETRY_S: Final = 0.05
_RETRY_SLOW_S: Final = 1.0
_SLOW_AFTER: Final = 100
"""Attempts at the quick pace: five seconds, in which a process starts even on a busy machine."""
_STOP_S: Final = 5.0
GATHER_S: Final = 0.01
"""Commands leave at once, but never twice within this: when many calls come and go, what their commands cost the media
process is to wake up for them. Nobody hears a hundredth of a second."""
_SILENCE_S: Final = 5.0
"""The media process tells of itself once a second. One that says nothing for so long hangs, and its calls with it."""


class MediaSink(Protocol):
    """Who is told (the driver)."""

    def media_events(self, events: Sequence[MediaEvent]) -> None: ...

    def media_lost(self, detail: str) -> None: ...


class UnixReactor(Reactor, Protocol):
    """A reactor that can open Unix sockets."""

    def connectUNIX(self, address: str, factory: protocol.ClientFactory, timeout: float = 30) -> object: ...


class MediaLink:
    """See the module. `start` begins, `send` carries, `stop` ends the media process as well."""

    def __init__(
        self,
        reactor: Reactor,
        *,
        path: Path,
        secret: str,
        spawn: Callable[[Path], subprocess.Popen[bytes]] | None,
        note: Callable[[str], None],
    ) -> None:
        """`spawn` starts a media process that listens on the path it is given; None where another service does."""
        self._reactor = cast(UnixReactor, reactor)
        self._sink: MediaSink
        self._path = path
        self._path_of_own = path.with_suffix(f".v{PROTOCOL_VERSION}.sock")
        self._secret = secret
        self._spawn = spawn
        self.note = note
        """Tells the operator's log."""
        self._child: subprocess.Popen[bytes] | None = None
        self._line: _Line | None = None
        self._retry: Timer | None = None
        self._watch: Timer | None = None
        self._attempts = 0
        self._complaint = ""
        self._stopped: asyncio.Future[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the connected media process."""
        if self._line is None or self._line.connection.welcome is None:
            return None
        return self._line.connection.welcome.pid

    def start(self, sink: MediaSink) -> None:
        """Connect, starting a media process if none listens; keep at it until it works, and tell `sink` what comes."""
        self._sink = sink
        self._connect()

    def send(self, commands: Sequence[Command]) -> None:
        """Write commands; dropped when there is no media process, whose loss has been told. Those that only close legs
        wait for others, or for `flush`: nobody listens to such legs any more, and a wake-up of the media process costs
        more than to close them."""
        if self._line is not None:
            self._line.send(commands)

    def flush(self) -> None:
        """Write what waits for company; to be called several times a second while calls end."""
        if self._line is not None:
            self._line.flush()

    async def stop(self) -> None:
        """End the media process and wait until it is gone; one that another service runs is only left."""
        self._stopped = asyncio.get_running_loop().create_future()
        for timer in (self._retry, self._watch):
            if timer is not None and timer.active():
                timer.cancel()
        if self._line is not None:
            if self._spawn is None:
                self._line.hang_up()
            else:
                self._line.send([Shutdown()])
                self._line.flush()
            try:
                await asyncio.wait_for(asyncio.shield(self._stopped), _STOP_S)
            except TimeoutError:
                self.note("the media process did not end when asked")
                self._line.close()
        elif self._child is not None:
            self._child.terminate()
        if self._child is not None:
            await asyncio.get_running_loop().run_in_executor(None, _reap, self._child)

    # --- the life of one connection ---

    def _connect(self) -> None:
        self._retry = None
        self._attempts += 1
        self._reactor.connectUNIX(str(self._path), _LineFactory(self, self._reactor), timeout=5)

    def not_connected(self) -> None:
        """Nobody listens (yet)."""
        if self._stopped is not None:
            return
        if self._spawn is not None and (self._child is None or self._child.poll() is not None):
            self._start_process(self._spawn)
        elif self._attempts == _SLOW_AFTER:
            self.note(f"still no media process at {self._path}; see its log")
        self._try_again()

    def _start_process(self, spawn: Callable[[Path], subprocess.Popen[bytes]]) -> None:
        if self._child is not None:
            self.note(f"the media process ended with status {self._child.returncode}; starting it again")
            self._child = None
        try:
            self._child = spawn(self._path)
        except OSError as error:
            self.complain(f"the media process cannot be started: {error}")

    def _try_again(self) -> None:
        pace = _RETRY_S if self._attempts < _SLOW_AFTER else _RETRY_SLOW_S
        self._retry = self._reactor.callLater(pace, self._connect)

    def new_connection(self) -> MediaConnection:
        """The protocol of the next connection, Hello and all."""
        return MediaConnection(self._secret)

    def connected(self, line: _Line) -> None:
        """A socket is open; the Hello is under way."""
        if self._stopped is not None:
            line.close()
            return
        self._line = line
        self._watch = self._reactor.callLater(_SILENCE_S, self._look_after, line)

    def _look_after(self, line: _Line) -> None:
        """End a media process that is there and does nothing; `lost` follows."""
        if line is not self._line:
            return
        if line.heard:
            line.heard = False
            self._watch = self._reactor.callLater(_SILENCE_S, self._look_after, line)
            return
        self.note(f"the media process said nothing for {_SILENCE_S:g} s; ending it")
        if self._spawn is not None and self.pid is not None:
            # By its number: it may have been started by a control process before us.
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        line.close()

    def received(self, line: _Line, events: Sequence[MediaEvent]) -> None:
        """Events came."""
        for event in events:
            if isinstance(event, Refused):
                self._refused(event)
                return
        if line.connection.state is State.READY:
            self._attempts = 0
            self._complaint = ""
        self._sink.media_events(events)

    def _refused(self, event: Refused) -> None:
        found = f"a media process of version {event.version} refused us ({event.reason})"
        if self._spawn is None or self._path == self._path_of_own:
            self.complain(found)
        else:
            self.note(f"{found}; starting our own")
            self._path = self._path_of_own

    def complain(self, text: str) -> None:
        """Note why there is no media process, once for as long as that is so."""
        if text != self._complaint:
            self._complaint = text
            self.note(text)

    def lost(self, line: _Line, detail: str) -> None:
        """The connection is gone, and in all likelihood the process."""
        if self._line is line:
            self._line = None
        if self._stopped is not None:
            if not self._stopped.done():
                self._stopped.set_result(None)
            return
        if line.connection.welcome is not None:
            self._sink.media_lost(detail)
        self._try_again()


class _LineFactory(protocol.ClientFactory):
    noisy = False

    def __init__(self, link: MediaLink, reactor: Reactor) -> None:
        self._link = link
        self._reactor = reactor

    def buildProtocol(self, addr: Any) -> _Line:
        return _Line(self._link, self._link.new_connection(), self._reactor)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self._link.not_connected()


class _Line(protocol.Protocol):
    def __init__(self, link: MediaLink, connection: MediaConnection, reactor: Reactor) -> None:
        self._link = link
        self._reactor = reactor
        self.connection = connection
        self.heard = False
        """Something came since it was last looked after."""
        self._stream: StreamTransport | None = None
        self._behind = False
        self._written_at = float("-inf")
        self._timer: Timer | None = None

    def connectionMade(self) -> None:
        self._stream = stream_transport(self.transport)
        self._link.connected(self)
        self.flush()

    def send(self, commands: Sequence[Command]) -> None:
        patient = True
        for command in commands:
            patient = patient and isinstance(command, CloseLeg)
            self.connection.send(command)
        if patient or self._timer is not None:
            return
        rest = self._written_at + GATHER_S - self._reactor.seconds()
        if rest <= 0:
            self.flush()
        else:
            self._timer = self._reactor.callLater(rest, self.flush)

    def flush(self) -> None:
        """Write what waits, now."""
        self._disarm()
        if self._stream is not None and (data := self.connection.data_to_send()):
            self._written_at = self._reactor.seconds()
            self._write(self._stream, data)

    def _disarm(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _write(self, stream: StreamTransport, data: bytes) -> None:
        """Straight to the socket as long as it takes everything: by Twisted's buffer each command would cost a turn of
        the loop. Once it did not, the buffer keeps the order, from then on for this connection."""
        if not self._behind:
            try:
                data = data[stream.getHandle().send(data) :]
            except BlockingIOError:
                pass
            except OSError:
                return  # the reader finds out, and tells
            if not data:
                return
            self._behind = True
        stream.write(data)

    def hang_up(self) -> None:
        if self._stream is not None:
            self._stream.loseConnection()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        self.heard = True
        held = self.connection.state is State.GREETING
        try:
            events = self.connection.feed(data)
        except WireError as error:
            self._link.complain(f"what listens on the media socket is no media process: {error}")
            self.close()
            return
        self._link.received(self, events)
        if held:
            self.flush()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._disarm()
        detail = "connection closed" if reason is None else reason.getErrorMessage()
        self._link.lost(self, detail)


def _reap(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
