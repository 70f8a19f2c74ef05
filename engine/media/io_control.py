"""The Unix socket on which control speaks to this process. Losing it touches no leg.

One connection is in command; a new one that says a good Hello takes over, and the old one is closed. A peer that sends
anything unreadable, or stops reading, loses its connection and nothing else.
"""

from __future__ import annotations

import errno
import hmac
import logging
import os
import socket
import stat
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from engine.errors import Unavailable
from engine.log_format import pairs
from engine.media.checks import fault
from engine.media.commands import PROTOCOL_VERSION, Command, Hello
from engine.media.events import LegClosed, MediaEvent, PlaneStats, Quality, RecordingFinished, Refused
from engine.media.framing import Framer, WireError, encode
from engine.media.io_poll import READ, WRITE, Poller

log = logging.getLogger(__name__)

MAX_GUESTS: Final = 8
"""Connections that have not said Hello yet."""
HELLO_S: Final = 5.0
SOFT_BOUND: Final = 1 << 20
"""Octets waiting to be read by control, beyond which Quality and PlaneStats are left out."""
PATIENCE_S: Final = 0.1
"""News of closed legs and figures wait so long for others, or for what is urgent: control looks at them later still."""
_NEVER: Final = float("inf")
MAX_KEPT: Final = 1000
"""Last words about recordings, which outlive calls: told to the next control where there is none."""
_PATIENT: Final = (LegClosed, Quality, PlaneStats)
HARD_BOUND: Final = 16 << 20
"""Octets beyond which control has stopped reading, and is cut off."""


class Peer:
    """One connection."""

    __slots__ = ("framer", "out", "since", "sock", "writing")

    def __init__(self, sock: socket.socket, since: float) -> None:
        self.sock = sock
        self.since = since
        self.framer = Framer()
        self.out = bytearray()
        self.writing = False


class ControlServer:
    """Listens, lets one peer command, and carries events to it."""

    def __init__(
        self,
        path: Path,
        secret: str,
        *,
        poller: Poller,
        others: dict[int, Callable[[float], None]],
        obey: Callable[[Command, float], None],
        welcome: Callable[[], Sequence[MediaEvent]],
    ) -> None:
        """Raises Unavailable when the socket cannot be made, or another media process answers on it."""
        self._path = path
        self._secret = secret.encode()
        self._poller = poller
        self._others = others
        self._obey = obey
        self._welcome = welcome
        self._guests: dict[int, Peer] = {}
        self._master: Peer | None = None
        self._kept: deque[MediaEvent] = deque(maxlen=MAX_KEPT)
        """Of what nobody heard, what the next one is to hear."""
        self._flush_at = _NEVER
        """When what waits for the one in command must leave at the latest."""
        self._listener = _listen(path)
        self._inode = os.stat(path).st_ino
        self._watch(self._listener, self._accept)

    @property
    def connected(self) -> bool:
        """Somebody is in command."""
        return self._master is not None

    def _watch(self, sock: socket.socket, ready: Callable[[float], None]) -> None:
        self._others[sock.fileno()] = ready
        self._poller.register(sock.fileno(), READ)

    def _accept(self, now: float) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if len(self._guests) >= MAX_GUESTS:
            sock.close()
            return
        sock.setblocking(False)
        peer = Peer(sock, now)
        self._guests[sock.fileno()] = peer
        self._watch(sock, lambda at: self._ready(peer, at))

    def expire(self, now: float) -> None:
        """Show guests out who have not said Hello."""
        for peer in [guest for guest in self._guests.values() if now - guest.since > HELLO_S]:
            self._drop(peer)

    # --- in ---

    def _ready(self, peer: Peer, now: float) -> None:
        if peer.out:
            self._flush(peer)
        try:
            data = peer.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(peer)
            return
        try:
            for message in peer.framer.feed(data):
                if peer.sock.fileno() < 0:
                    return  # replaced or dropped by what came before
                self._message(peer, message, now)
        except WireError as error:
            log.warning("control_closed", extra=pairs(reason=str(error)))
            self._drop(peer)
        except Exception:
            # A defect that one command brings to light must not end the calls of all the others.
            log.exception("control_closed", extra=pairs(reason="a command failed"))
            self._drop(peer)

    def _message(self, peer: Peer, message: object, now: float) -> None:
        if peer is not self._master:
            self._hello(peer, message)
        elif isinstance(message, Command) and not isinstance(message, Hello):
            wrong = fault(message)
            if wrong is not None:
                raise WireError(f"{type(message).__name__}: {wrong}")
            self._obey(message, now)
        else:
            raise WireError(f"{type(message).__name__} is not a command")

    def _hello(self, peer: Peer, message: object) -> None:
        reason = self._objection(message)
        if reason is not None:
            log.warning("control_refused", extra=pairs(reason=reason))
            peer.out += encode(Refused(reason=reason, version=PROTOCOL_VERSION))
            self._flush(peer)
            self._drop(peer)
            return
        old, self._master = self._master, peer
        del self._guests[peer.sock.fileno()]
        if old is not None:
            log.info("control_replaced")
            self._drop(old)
        for event in (*self._welcome(), *self._kept):
            self.emit(event)
        self._kept.clear()

    def _objection(self, message: object) -> str | None:
        if not isinstance(message, Hello) or fault(message) is not None:
            return "the first frame must be a Hello"
        if message.version != PROTOCOL_VERSION:
            return f"version {message.version} is not {PROTOCOL_VERSION}"
        if not hmac.compare_digest(message.secret.encode(), self._secret):
            return "wrong secret"
        return None

    # --- out ---

    def emit(self, event: MediaEvent) -> None:
        """Queue an event for control; without control most are gone."""
        peer = self._master
        if peer is None and isinstance(event, RecordingFinished):
            self._kept.append(event)
        if peer is None or (len(peer.out) > SOFT_BOUND and isinstance(event, Quality | PlaneStats)):
            return
        if not isinstance(event, _PATIENT):
            self._flush_at = 0.0
        elif not peer.out:
            self._flush_at = time.monotonic() + PATIENCE_S
        peer.out += encode(event)

    def flush(self, now: float = _NEVER) -> None:
        """Send what is queued and due by now, as far as the socket takes it."""
        if now >= self._flush_at and self._master is not None and self._master.out and not self._master.writing:
            self._flush(self._master)

    def _flush(self, peer: Peer) -> None:
        try:
            while peer.out:
                del peer.out[: peer.sock.send(peer.out)]
        except BlockingIOError:
            if len(peer.out) > HARD_BOUND:
                log.warning("control_closed", extra=pairs(reason="it reads nothing"))
                self._drop(peer)
                return
        except OSError:
            self._drop(peer)
            return
        if bool(peer.out) != peer.writing:
            peer.writing = bool(peer.out)
            self._poller.modify(peer.sock.fileno(), READ | WRITE if peer.writing else READ)

    def _drop(self, peer: Peer) -> None:
        descriptor = peer.sock.fileno()
        if descriptor < 0:
            return
        self._poller.unregister(descriptor)
        del self._others[descriptor]
        self._guests.pop(descriptor, None)
        peer.sock.close()
        if peer is self._master:
            self._master = None
            log.info("control_lost")

    def close(self) -> None:
        """Say the last events, close every connection, take the socket's name away."""
        self.flush()
        for peer in [*self._guests.values(), *([self._master] if self._master else [])]:
            self._drop(peer)
        descriptor = self._listener.fileno()
        self._poller.unregister(descriptor)
        del self._others[descriptor]
        self._listener.close()
        try:
            if os.stat(self._path).st_ino == self._inode:
                self._path.unlink()
        except FileNotFoundError:
            pass


def _listen(path: Path) -> socket.socket:
    """A listening socket that only our own user can connect to; a dead one's name is taken over."""
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            _must_be_dead(path)
            path.unlink()
    except FileNotFoundError:
        pass
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
        sock.listen(16)
    except OSError as error:
        sock.close()
        raise Unavailable(f"cannot listen on {path}: {error.strerror or error}") from error
    finally:
        os.umask(before)
    sock.setblocking(False)
    return sock


def _must_be_dead(path: Path) -> None:
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.setblocking(False)
    try:
        result = probe.connect_ex(str(path))
    finally:
        probe.close()
    if result != errno.ECONNREFUSED:
        raise Unavailable(f"another media process answers on {path}")
