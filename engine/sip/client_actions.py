"""The actions of the endpoint as somebody's client: registrations of ours, and where requests go."""

from __future__ import annotations

from collections.abc import Sequence

from engine.sip.events import LocateKey
from engine.sip.flow import Flow
from engine.sip.registration import Registration
from engine.sip.registrations import Registrations
from engine.sip.stack import Stack


class ClientActions:
    """A part of `Endpoint`."""

    _stack: Stack
    _registrations: Registrations

    def register_at(self, name: str, registration: Registration, *, now: float) -> None:
        """Register at somebody's registrar and stay registered; RegistrationUp and RegistrationDown tell. What was
        registered under the name before is taken back. Calls by it come in as those of the trunk of this name. Raises
        LocalSipError for what cannot be written."""
        self._registrations.put(name, registration, now)

    def unregister_at(self, name: str, *, now: float) -> bool:
        """Take a registration back; RegistrationDown follows. False where there is none of the name."""
        return self._registrations.drop(name, now)

    def registered(self) -> tuple[str, ...]:
        """Names that are registered or tried: what is to be taken back when the engine stops."""
        return self._registrations.names()

    def located(self, key: LocateKey, flows: Sequence[Flow], now: float) -> None:
        """The answer to LocateWanted: the flows in the order of trying; empty where there is none, and the request
        fails."""
        self._stack.retries.located(key, flows, now)
