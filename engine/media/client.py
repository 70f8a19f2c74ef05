"""Control's side of the media socket: bytes and events for whoever owns a reactor. Nothing here waits.

    connection = MediaConnection(secret)          # one for each attempt
    sock = attach(path)                           # None: nobody listens yet, try again soon
    sock.send(connection.data_to_send())          # the Hello, then whatever `send` has queued
    for event in connection.feed(data): ...       # first Welcome or Refused

When the stream ends, the connection object is done with; make another one. A media process that is lost has taken its
legs with it only if the new Welcome carries another pid.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from enum import Enum, auto
from pathlib import Path
from typing import IO, Final

from engine.errors import Unavailable
from engine.media.commands import PROTOCOL_VERSION, Command, Hello
from engine.media.events import MediaEvent, Refused, Welcome
from engine.media.framing import Framer, WireError, encode
from engine.media.options import PlaneOptions

MODULE: Final = ("-m", "engine", "media")
"""What the interpreter runs to be a media process."""


class State(Enum):
    """Where a connection stands."""

    GREETING = auto()
    """Hello is on its way."""
    READY = auto()
    """Welcomed: commands are carried out."""
    REFUSED = auto()
    """The media process is of another version or has another secret."""


class MediaConnection:
    """One connection to a media process, without the socket."""

    def __init__(self, secret: str) -> None:
        self.state = State.GREETING
        self.welcome: Welcome | None = None
        """What the media process said of itself, once READY."""
        self._framer = Framer()
        self._out = bytearray(encode(Hello(version=PROTOCOL_VERSION, secret=secret)))
        self._held = bytearray()

    def send(self, command: Command) -> None:
        """Queue a command; before the Welcome it is held back, after a refusal it is dropped."""
        if self.state is State.READY:
            self._out += encode(command)
        elif self.state is State.GREETING:
            self._held += encode(command)

    def data_to_send(self) -> bytes:
        """Drain the octets that are to be written now."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def feed(self, data: bytes) -> list[MediaEvent]:
        """The events in what was read. Raises WireError when the other side is not a media process; close then."""
        events: list[MediaEvent] = []
        for message in self._framer.feed(data):
            if isinstance(message, Command):
                raise WireError(f"{type(message).__name__} came from the media process")
            if self.state is State.GREETING:
                self._greeted(message)
            events.append(message)
        return events

    def _greeted(self, message: MediaEvent) -> None:
        if isinstance(message, Welcome):
            self.state = State.READY
            self.welcome = message
            self._out += self._held
        elif isinstance(message, Refused):
            self.state = State.REFUSED
        else:
            raise WireError(f"{type(message).__name__} came before Welcome")
        self._held.clear()


def attach(path: Path) -> socket.socket | None:
    """A connected non-blocking socket to the media process at `path`, or None while none accepts. Raises Unavailable
    when waiting cannot help (no permission, path too long)."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.connect(str(path))
    except OSError as error:
        sock.close()
        if error.errno in (errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN):
            return None
        raise Unavailable(f"cannot connect to {path}: {error.strerror or error}") from error
    return sock


def spawn(
    options: PlaneOptions, *, log: IO[bytes] | int | None = None, module: tuple[str, ...] = MODULE
) -> subprocess.Popen[bytes]:
    """Start a media process in a session of its own, so that neither Ctrl-C nor the end of control reaches it.

    `log` takes its standard error (None: ours). It inherits nothing but that. Returns at once; `attach` says when it
    listens. The caller reaps it (`poll`) as long as it lives.
    """
    return subprocess.Popen(
        [sys.executable, *module, *options.arguments()],
        stdin=subprocess.DEVNULL,
        stdout=log if log is not None else None,
        stderr=log,
        start_new_session=True,
        close_fds=True,
        env={**os.environ, **SINGLE_THREADED},
    )


SINGLE_THREADED: Final = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Numpy's linear algebra would start a thread for each core; the tick and the loading of sounds are
quicker without. To be set before numpy is loaded."""
