"""Looks after the certificates of TLS: takes new files as they come, and says in time when one ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from engine.clock import Clock
from engine.errors import ConfigError
from engine.net.reactor import Reactor, Timer
from engine.net.tls import TlsContexts

_PERIOD_S: Final = 10.0
"""Between two looks at the files; each costs one stat a file."""
_DAY_S: Final = 86_400.0
_WARN_DAYS: Final = (30, 14, 7, 3, 1, 0)
"""Less than so many days are left: told once each."""


class CertificateWatch:
    """Runs beside the engine; without TLS it has nothing to do."""

    def __init__(
        self,
        contexts: TlsContexts | None,
        reactor: Reactor,
        clock: Clock,
        *,
        note: Callable[[str], None],
        measure: Callable[[str, float], None],
    ) -> None:
        """`note` tells the operator's log, `measure` is given each certificate's file and end, in seconds since the
        epoch."""
        self._contexts = contexts
        self._reactor = reactor
        self._clock = clock
        self._note = note
        self._measure = measure
        self._timer: Timer | None = None
        self._warned: dict[Path, int] = {}

    def start(self) -> None:
        """Look from now on."""
        if self._contexts is not None:
            self._tell_ends(self._contexts)
            self._timer = self._reactor.callLater(_PERIOD_S, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def reload(self) -> dict[str, float]:
        """Take the files as they are now; the end of each certificate in use, in seconds since the epoch. Raises
        ConfigError where one cannot be used, and those before stay in use."""
        if self._contexts is None:
            return {}
        self._contexts.reload()
        self._tell_ends(self._contexts)
        return {str(file): end for file, end in self._contexts.ends().items()}

    def _look(self) -> None:
        self._timer = self._reactor.callLater(_PERIOD_S, self._look)
        contexts = self._contexts
        assert contexts is not None
        if contexts.changed():
            try:
                self.reload()
            except ConfigError as error:
                self._note(f"new certificates are not used, those before stay: {error}")
            else:
                self._note("certificates: the new files are in use")
        else:
            self._tell_ends(contexts)

    def _tell_ends(self, contexts: TlsContexts) -> None:
        now = self._clock.wall()
        for file, end in contexts.ends().items():
            self._measure(str(file), end)
            left = (end - now) / _DAY_S
            passed = [days for days in _WARN_DAYS if left < days]
            if not passed:
                self._warned.pop(file, None)
            elif self._warned.get(file) != passed[-1]:
                self._warned[file] = passed[-1]
                when = datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%d %H:%M UTC")
                self._note(f"{file}: the certificate {'ended' if left < 0 else 'ends'} at {when}")
