"""Keeps the phone registered for as long as that is wanted, whatever the network does.

After a failure it tries again soon at first, then more slowly, and never all phones at the same moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from softphone.errors import BackendError, CommandError
from softphone.model import acts
from softphone.model.acts import Act
from softphone.model.state import PhoneState, RegistrationStatus, RegistrationView
from softphone.report import Emit, Report, Value
from softphone.sip import events
from softphone.sip.backend import Backend

FIRST_S: Final = 1.0
LONGEST_S: Final = 60.0
"""A network that returns is noticed within a minute."""
SPREAD: Final = 0.25
"""Each wait is shortened by up to this share at random, so that a restarted server is not hit by all phones at once."""
REFRESH_AFTER: Final = 2 / 3
"""Share of the granted time after which the registration is refreshed: a lost refresh leaves room for another."""
STACK_REFRESH_S: Final = 5
"""Before the end the SIP stack would refresh by itself (or, of short times, only 5 s after the beginning)."""
REFUSALS: Final = frozenset({401, 403, 404, 407, 423, 488, 606})
"""The server is there and says no: asking every second would only look like an attack."""


class Backoff:
    """Waits of 1, 2, 4 ... 60 s; a refusal waits the longest at once. Success starts it over."""

    def __init__(self, random: Callable[[], float]) -> None:
        """`random` gives numbers in [0, 1)."""
        self._random = random
        self._next = FIRST_S

    def after_failure(self, code: int) -> float:
        """Return the seconds to wait before the next attempt."""
        wait = LONGEST_S if code in REFUSALS else self._next
        self._next = min(LONGEST_S, self._next * 2)
        return wait * (1 - SPREAD * self._random())

    def succeeded(self) -> None:
        """Start over."""
        self._next = FIRST_S


def refresh_after(expires: int) -> float:
    """Return the seconds until a registration granted for `expires` is refreshed, always before the stack would."""
    return max(1.0, min(expires * REFRESH_AFTER, expires - STACK_REFRESH_S - 1.0))


class RegistrationKeeper:
    """Decides when REGISTER is sent.

    While a request is under way no other is sent: its answer decides what follows.
    """

    def __init__(
        self,
        *,
        backend: Backend,
        possible: bool,
        state: Callable[[], PhoneState],
        apply: Callable[[Act], None],
        emit: Emit,
        random: Callable[[], float],
    ) -> None:
        """`possible` is False for a phone without a server to register with."""
        self._backend = backend
        self._possible = possible
        self._state = state
        self._apply = apply
        self._emit = emit
        self._backoff = Backoff(random)
        self._wanted = False
        self._under_way = False
        self._next_at: float | None = None
        """When to register again: a retry, or a refresh."""

    @property
    def gone(self) -> bool:
        """Whether the server holds nothing of this phone that could still be withdrawn."""
        return self._status in (RegistrationStatus.OFF, RegistrationStatus.FAILED)

    @property
    def _status(self) -> RegistrationStatus:
        return self._state().registration.status

    def register(self, now: float) -> None:
        """Want to be registered from now on; raises CommandError if there is no server."""
        if not self._possible:
            raise CommandError("register: the phone was started with --no-register")
        self._wanted = True
        self._next_at = None
        if self._under_way:
            return
        if self._status is not RegistrationStatus.REGISTERED:
            self._apply(acts.RegistrationAsked())
        self._under_way = True
        try:
            self._backend.register()
        except BackendError as error:
            self._give_up(503, str(error), now)

    def unregister(self) -> None:
        """Want no calls any more."""
        self._wanted = False
        self._next_at = None
        if self._status is RegistrationStatus.REGISTERED and not self._under_way:
            self._apply(acts.UnregistrationAsked())
            self._under_way = True
            self._backend.unregister()

    def registered(self, event: events.Registered, before: RegistrationView, now: float) -> None:
        """Take the server's consent; a refresh that changes nothing is not worth a line."""
        self._under_way = False
        self._backoff.succeeded()
        if not self._wanted:
            self.unregister()
            return
        self._next_at = now + refresh_after(event.expires)
        if before != self._state().registration:
            self._emit(Report("registered", {"expires": event.expires}))

    def unregistered(self, now: float) -> None:
        """Take the server's farewell, and register anew if that was wanted meanwhile."""
        self._under_way = False
        self._emit(Report("unregistered"))
        if self._wanted:
            self.register(now)

    def failed(self, event: events.RegistrationFailed, now: float) -> None:
        """Take a refusal or silence."""
        self._give_up(event.code, event.reason, now)

    def connection_lost(self, event: events.ConnectionLost, now: float) -> None:
        """Take the loss of a connection; a request that is under way fails by itself, with its own event."""
        if self._status is RegistrationStatus.REGISTERED and not self._under_way:
            self._give_up(503, event.reason, now)

    def tick(self, now: float) -> None:
        """Register again when it is time."""
        if self._next_at is not None and now >= self._next_at:
            self.register(now)

    def _give_up(self, code: int, reason: str, now: float) -> None:
        self._under_way = False
        self._apply(acts.RegistrationGivenUp(code=code, reason=reason))
        fields: dict[str, Value] = {"code": code, "reason": reason}
        if self._wanted:
            wait = self._backoff.after_failure(code)
            self._next_at = now + wait
            fields["retry_s"] = round(wait, 1)
        self._emit(Report("registration_failed", fields))
