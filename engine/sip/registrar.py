"""The registrar: where each agent's phone can be reached now (RFC 3261 10.3), and by which flow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from engine.sip.binding import Binding, target_of
from engine.sip.binding_changes import Change, Changes, read_changes
from engine.sip.events import BindingAdded, BindingEnd, BindingRemoved
from engine.sip.flow import Flow, Transport
from engine.sip.homes import Homes
from engine.sip.limits import MAX_KEPT_TEXT, MAX_LOST_PHONES
from engine.sip.message import Request, Response
from engine.sip.names import refuse
from engine.sip.recorder import Kind
from engine.sip.stack import Stack, Target
from engine.sip.timers import Timer
from engine.sip.uri import SIP_SCHEMES

__all__ = ["Binding", "Registrar"]

_NO_CONNECTION: Final = -1
"""A number that no connection has."""


class _Entry:
    """A binding in the table."""

    __slots__ = ("_registrar", "binding", "timer")

    def __init__(self, registrar: Registrar, binding: Binding) -> None:
        self._registrar = registrar
        self.binding = binding
        self.timer: Timer | None = None

    def timer_rang(self, what: str, now: float) -> None:
        self.timer = None
        self._registrar.expire(self)


class Registrar:
    """Bindings by user. A user has several phones, a phone a binding for each of its flows."""

    __slots__ = ("_changed", "_count", "_homes", "_lost", "_stack", "_users")

    def __init__(self, stack: Stack, homes: Homes | None = None) -> None:
        self._stack = stack
        self._homes = Homes() if homes is None else homes
        """Told of every binding, for the guard."""
        self._users: dict[str, list[_Entry]] = {}
        """The one heard of last is the last."""
        self._count = 0
        self._lost: dict[tuple[str, str, str], Flow] = {}
        """The connections that phones were lost with, the latest last."""
        self._changed: set[str] = set()
        """Users whose bindings are others than when they were taken last."""

    def __len__(self) -> int:
        return self._count

    def bindings(self, user: str) -> tuple[Binding, ...]:
        """The user's bindings in the order in which they are to be called: by q, then the one registered or refreshed
        last first (docs/decisions/0005)."""
        entries = self._users.get(user, ())
        newest_first = [entry.binding for entry in reversed(entries)]
        return tuple(newest_first if len(newest_first) < 2 else sorted(newest_first, key=_preference))

    def target_of(self, binding: Binding) -> Target:
        """Whom to invite to call the phone."""
        return target_of(binding, flow_stands=not binding.path or self._stack.outbox.reaches(binding.flow))

    def register(self, user: str, request: Request, flow: Flow, now: float) -> None:
        """Serve the REGISTER of a user whom digest has proved; what From says does not matter. Raises RemoteSipError to
        refuse it, with nothing changed: also for another's address, or one that is not of SIP (RFC 3261 10.3)."""
        if request.request_uri.partition(":")[0].lower() not in SIP_SCHEMES:
            raise refuse(416, "a registrar is asked at a SIP URI")
        request.uri  # noqa: B018  # it is read now
        address = request.to.uri
        if not address.is_sip:
            raise refuse(404, f"no {address.scheme[:20]} address is served here")
        if address.user != user:
            raise refuse(403, f"{user} may not register another address")
        config = self._stack.config
        known = [entry.binding for entry in self._users.get(user, ())]
        full = self._count >= config.limits.bindings
        changes = read_changes(request, flow, known, config, full=full)
        transaction = self._stack.admit(request, flow, None)
        if (recorder := self._stack.outbox.recorder) is not None:
            recorder.keep(request.call_id, Kind.REGISTRATION, user)
        if changes.star:
            self.remove_bindings(user)
        for change in changes.each:
            self._apply(user, change, changes, request, flow, now)
        fields = [("Contact", binding.describe(now)) for binding in self.bindings(user)]
        fields += self._extras(changes, flow)
        fields += self._stack.server
        tag = self._stack.ids.token()
        transaction.respond(Response.build(request, 200, None, tag, fields), now)

    def remove_bindings(self, user: str) -> None:
        """Forget every phone of the user (it says so, the account was removed, its secret changed)."""
        for entry in list(self._users.get(user, ())):
            self._remove(entry, BindingEnd.UNREGISTERED)

    def flow_lost(self, flow: Flow) -> None:
        """A connection is gone, and whoever registered by it cannot be reached (RFC 5626 4.2.1). That of a proxy can
        be made anew: what tells of the phone's own flow is the proxy's 430 (RFC 5626 5.3.1)."""
        lost = [each for entries in self._users.values() for each in entries if each.binding.flow == flow]
        for entry in [each for each in lost if not each.binding.path]:
            self._remove(entry, BindingEnd.CONNECTION_LOST)
            self._lost[entry.binding.phone] = flow
            if len(self._lost) > MAX_LOST_PHONES:
                del self._lost[next(iter(self._lost))]

    def flow_failed(self, target: Target) -> None:
        """A proxy between us and the phone has no connection to it any more (430, RFC 5626 5.3.1, 11.6): the binding
        is of no use."""
        for entry in [each for entries in self._users.values() for each in entries]:
            binding = entry.binding
            if (binding.contact, binding.path) == (target.uri, target.routes) and target.flow in (None, binding.flow):
                self._remove(entry, BindingEnd.CONNECTION_LOST)

    # --- over a restart ---

    def take_changed(self) -> dict[str, tuple[Binding, ...]]:
        """All bindings, the one heard of last at the end, of every user for whom something changed since the last time;
        none for one who has none left."""
        changed, self._changed = self._changed, set()
        return {user: tuple(entry.binding for entry in self._users.get(user, ())) for user in changed}

    def restore(self, bindings: Iterable[Binding], now: float) -> None:
        """Take up bindings that an earlier process had, the one heard of last of each user at the end. Passed over is
        what has expired, what cannot be reached any more, and what finds no room."""
        limits = self._stack.config.limits
        for binding in bindings:
            held = len(self._users.get(binding.user, ()))
            room = self._count < limits.bindings and held < limits.bindings_per_user
            if binding.expires_at > now and binding.outlives_us and room:
                # The time of day, which it was kept by, may have been set meanwhile.
                latest = now + self._stack.config.max_expires_s
                taken = replace(
                    binding, expires_at=min(binding.expires_at, latest), flow=_of_earlier_process(binding.flow)
                )
                self._add(_Entry(self, taken), replaced=None)
                self._tell_added(taken, now)

    # --- changing ---

    def _apply(self, user: str, change: Change, changes: Changes, request: Request, flow: Flow, now: float) -> None:
        # An earlier Contact of the same request may have removed what this one means.
        entry = None if change.known is None else self._entry_of(change.known)
        if change.expires == 0:
            if entry is not None:
                self._remove(entry, BindingEnd.UNREGISTERED)
            return
        binding = Binding(
            user=user,
            contact=change.contact,
            flow=flow,
            expires_at=now + change.expires,
            user_agent=changes.user_agent,
            instance=change.instance,
            registered_at=now,
            reg_id=change.reg_id,
            q=change.q,
            path=changes.path,
            call_id=request.call_id,
            sequence=request.cseq.number,
        )
        if entry is not None and entry.binding.flow == flow and entry.binding.contact.equivalent(change.contact):
            self._refresh(entry, binding)
            return
        self._add(_Entry(self, binding), replaced=entry)
        self._tell_added(binding, now)

    def _entry_of(self, binding: Binding) -> _Entry | None:
        entries = self._users.get(binding.user, ())
        return next((entry for entry in entries if entry.binding is binding), None)

    def _tell_added(self, binding: Binding, now: float) -> None:
        remote = binding.flow.remote
        self._stack.outbox.events.append(
            BindingAdded(
                user=binding.user,
                contact=str(binding.contact)[:MAX_KEPT_TEXT],
                flow=binding.flow,
                expires_s=round(binding.expires_at - now),
                user_agent=binding.user_agent,
                source=f"{remote.host}:{remote.port}",
            )
        )

    def _refresh(self, entry: _Entry, binding: Binding) -> None:
        entry.binding = replace(binding, registered_at=entry.binding.registered_at, user_agent=entry.binding.user_agent)
        entries = self._users[binding.user]
        entries.remove(entry)
        entries.append(entry)
        self._changed.add(binding.user)
        self._arm(entry)

    def _add(self, entry: _Entry, *, replaced: _Entry | None) -> None:
        binding = entry.binding
        entries = self._users.setdefault(binding.user, [])
        entries.append(entry)
        self._count += 1
        self._changed.add(binding.user)
        self._homes.add(binding.flow.remote.host, binding.user)
        self._arm(entry)
        before = self._lost.pop(binding.phone, None)
        if replaced is not None:
            self._remove(replaced, BindingEnd.REPLACED)
            before = replaced.binding.flow
        if before is not None:
            # Calls in progress follow the phone to where it is now.
            for session in list(self._stack.sessions.values()):
                session.flow_moved(before, binding.flow)
        elif len(entries) > self._stack.config.limits.bindings_per_user:
            self._remove(entries[0], BindingEnd.REPLACED)

    def _arm(self, entry: _Entry) -> None:
        self._stack.heap.cancel(entry.timer)
        entry.timer = self._stack.heap.start(entry.binding.expires_at, entry, "expires")

    def expire(self, entry: _Entry) -> None:
        """The binding's time is over."""
        self._remove(entry, BindingEnd.EXPIRED)

    def _remove(self, entry: _Entry, why: BindingEnd) -> None:
        binding = entry.binding
        entries = self._users[binding.user]
        entries.remove(entry)
        self._count -= 1
        self._changed.add(binding.user)
        self._homes.remove(binding.flow.remote.host, binding.user)
        self._stack.heap.cancel(entry.timer)
        if not entries:
            del self._users[binding.user]
        contact = str(binding.contact)[:MAX_KEPT_TEXT]
        self._stack.outbox.events.append(BindingRemoved(user=binding.user, contact=contact, why=why, left=len(entries)))

    # --- answering ---

    def _extras(self, changes: Changes, flow: Flow) -> list[tuple[str, str]]:
        """What extensions say in the 200."""
        config = self._stack.config
        fields = [("Path", route) for route in changes.path] if changes.tells_path else []
        if config.service_route:
            fields.append(("Service-Route", config.service_route))
        if changes.outbound:
            timer = config.flow_timer_udp_s if flow.transport is Transport.UDP else config.flow_timer_stream_s
            fields += [("Require", "outbound"), ("Flow-Timer", str(timer))]
        return fields


def _of_earlier_process(flow: Flow) -> Flow:
    """A connection of an earlier process does not stand any more, and none may be made to the port that it came
    from."""
    return flow if flow.transport is Transport.UDP else flow._replace(connection=_NO_CONNECTION)


def _preference(binding: Binding) -> int:
    return -binding.q
