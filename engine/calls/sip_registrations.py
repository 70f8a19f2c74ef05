"""Our registrations at the trunks that want one: put, changed and taken back as the directory says, and their news.

`engine.sip.registration` does the work (refresh, back-off, challenges); here are its settings and its news.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from engine.calls.directory import Change, Directory, Drop, Put, Trunk
from engine.calls.events import TrunkRegistration
from engine.calls.sip_targets import SipTargets, uri_of
from engine.ids import TrunkName
from engine.sip.endpoint import Endpoint
from engine.sip.errors import LocalSipError
from engine.sip.events import RegistrationDown, RegistrationUp
from engine.sip.registration import Registration

SIGNED_OFF: Final = "signed off"
OUTBOUND: Final = ", outbound"
"""The registrar watches over the way to us, as we do (RFC 5626)."""


@dataclass(slots=True, kw_only=True)
class RegistrationState:
    """How our registration at one trunk stands."""

    registered: bool = False
    detail: str = "not tried yet"
    service_routes: tuple[str, ...] = ()
    """Route values for requests to the trunk (RFC 3608)."""


class SipRegistrations:
    """See the module."""

    def __init__(
        self,
        endpoint: Endpoint,
        directory: Directory,
        targets: SipTargets,
        tell: Callable[[TrunkRegistration], None],
        *,
        instance: Callable[[TrunkName], str] = lambda _: "",
    ) -> None:
        """`instance` gives the URN by which a registrar knows us again after a restart (RFC 5626 4.1); without one
        outbound is never asked for."""
        self._endpoint = endpoint
        self._targets = targets
        self._tell = tell
        self._instance = instance
        self._states: dict[TrunkName, RegistrationState] = {}
        self._leaving: set[TrunkName] = set()
        self._wanted = [trunk for trunk in directory.trunks.values() if trunk.registers]
        """Trunks that are to be registered at as soon as time begins."""
        self.handlers: dict[type[Any], Callable[[Any, float], None]] = {
            RegistrationUp: self.up,
            RegistrationDown: self.down,
        }
        """What the stack tells of registrations."""
        targets.service_routes = self.routes

    def next_deadline(self) -> float | None:
        return 0.0 if self._wanted else None

    def handle_deadline(self, now: float) -> None:
        """Register at the trunks that were there from the start."""
        wanted, self._wanted = self._wanted, []
        for trunk in wanted:
            self.put(trunk, now)

    def directory_changed(self, change: Change, now: float) -> None:
        """A trunk was put or dropped."""
        match change:
            case Put(entity=Trunk() as trunk):
                self.put(trunk, now)
            case Drop(entity=Trunk(name=name)):
                self.drop(name, now)
            case _:
                pass

    def put(self, trunk: Trunk, now: float) -> None:
        """A trunk is there, or was changed."""
        if not trunk.registers:
            self.drop(trunk.name, now)
            return
        target = self._targets.trunk(trunk, None)
        wanted = Registration(
            registrar=uri_of(trunk, None),
            user=trunk.user,
            domain=trunk.from_domain,
            flow=None if target is None else target.flow,
            account=None if target is None else target.account,
            expires_s=trunk.register_expires_s,
            instance=self._instance(trunk.name) if trunk.outbound else "",
        )
        self._states.setdefault(trunk.name, RegistrationState())
        try:
            if target is None:
                raise LocalSipError("no way to send")
            self._endpoint.register_at(trunk.name, wanted, now=now)
        except LocalSipError as error:
            # What was registered before is of settings that are no more.
            self._take_back(trunk.name, now)
            self._changed(trunk.name, registered=False, detail=str(error))

    def drop(self, trunk: TrunkName, now: float) -> None:
        """The trunk is gone, or wants no registration any more."""
        if self._states.pop(trunk, None) is None:
            return
        if self._take_back(trunk, now):
            self._leaving.add(trunk)
        else:
            self._tell(TrunkRegistration(trunk=trunk, registered=False, detail=SIGNED_OFF, left=True))

    def _take_back(self, trunk: TrunkName, now: float) -> bool:
        """Whether the registrar will be told, and we what came of it."""
        with suppress(LocalSipError):
            return self._endpoint.unregister_at(trunk, now=now)
        return False

    def sign_off(self, now: float) -> None:
        """Take every registration back: the engine stops, and calls must not be sent to where nobody is."""
        for trunk in tuple(self._states):
            self.drop(trunk, now)

    def signed_off(self) -> bool:
        """Whether all registrars have heard that we left, or been given up."""
        return not self._leaving

    def up(self, event: RegistrationUp, now: float) -> None:
        """A registrar knows us."""
        name = TrunkName(event.name)
        state = self._states.get(name)
        if state is not None:
            state.service_routes = event.service_routes
            self._changed(name, registered=True, detail=f"for {event.expires_s} s{OUTBOUND if event.answers else ''}")

    def down(self, event: RegistrationDown, now: float) -> None:
        """A registrar does not know us."""
        name = TrunkName(event.name)
        if event.status is None:
            self._leaving.discard(name)
            # Of one that other settings took the place of there is nothing to tell.
            if name not in self._states:
                self._tell(TrunkRegistration(trunk=name, registered=False, detail=SIGNED_OFF, left=True))
            return
        detail = f"{event.status} {event.reason}".strip()
        if name in self._states:
            self._changed(name, registered=False, detail=detail)

    def state(self, trunk: TrunkName) -> RegistrationState | None:
        """How it stands; None for a trunk that wants no registration."""
        return self._states.get(trunk)

    def routes(self, trunk: TrunkName) -> tuple[str, ...]:
        """Route values for calls to the trunk; mostly none."""
        state = self._states.get(trunk)
        return () if state is None else state.service_routes

    def _changed(self, trunk: TrunkName, *, registered: bool, detail: str) -> None:
        state = self._states[trunk]
        if not registered:
            state.service_routes = ()
        state.registered, state.detail = registered, detail
        self._tell(TrunkRegistration(trunk=trunk, registered=registered, detail=detail))
