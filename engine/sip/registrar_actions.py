"""The endpoint's actions on registrations: who can be reached, and what outlives the process."""

from __future__ import annotations

from collections.abc import Iterable

from engine.sip.binding import Binding
from engine.sip.registrar import Registrar
from engine.sip.stack import Target


class RegistrarActions:
    """A part of `Endpoint`."""

    _registrar: Registrar

    def bindings(self, user: str) -> tuple[Binding, ...]:
        """The user's phones in the order in which they are to be called; empty where unreachable."""
        return self._registrar.bindings(user)

    def target_of(self, binding: Binding) -> Target:
        """Whom to invite to call the phone; its flow is None where a proxy before it is to be located first."""
        return self._registrar.target_of(binding)

    def remove_bindings(self, user: str, now: float) -> None:
        """Forget the user's phones; BindingRemoved follows for each."""
        self._registrar.remove_bindings(user)

    def binding_failed(self, target: Target) -> None:
        """A proxy said that it has no connection to this phone any more (430): BindingRemoved follows."""
        self._registrar.flow_failed(target)

    def changed_bindings(self) -> dict[str, tuple[Binding, ...]]:
        """All bindings of every user for whom something changed since this was asked last, the one heard of last at the
        end: what is to be kept over a restart."""
        return self._registrar.take_changed()

    def restore_bindings(self, bindings: Iterable[Binding], now: float) -> None:
        """Take up what an earlier process had; BindingAdded follows for what can still be reached."""
        self._registrar.restore(bindings, now)
