"""The registrar: where each agent's phone can be reached now (RFC 3261 10.3), and by which flow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from engine.sip.errors import RemoteSipError
from engine.sip.events import BindingAdded, BindingEnd, BindingRemoved
from engine.sip.flow import Flow
from engine.sip.headers import NameAddr
from engine.sip.homes import Homes
from engine.sip.message import Request, Response
from engine.sip.names import refuse
from engine.sip.refusal import Refusal
from engine.sip.stack import Stack, Target
from engine.sip.timers import Timer
from engine.sip.uri import NO_HEADERS, SipUri

_CONTACTS_BOUND: Final = 10
"""Contacts of one REGISTER."""
_TEXT_BOUND: Final = 200
_LOST_BOUND: Final = 1000
"""Phones whose connection was lost and whose calls may still find them again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One phone of a user."""

    user: str
    contact: SipUri
    """As the phone gave it; behind NAT its host means nothing to us."""
    flow: Flow
    """The way that the last REGISTER came; calls go out on it."""
    expires_at: float
    user_agent: str
    instance: str | None
    """+sip.instance of the phone, the same after a restart or a change of network (RFC 5626 4.1); None where not
    told."""
    registered_at: float
    """When the binding came to be; a refresh does not change it."""


@dataclass(slots=True)
class _Entry:
    """A binding with what the registrar needs beside it."""

    binding: Binding
    call_id: str
    number: int
    """CSeq number of the last REGISTER under this Call-ID."""
    reg_id: str | None
    timer: Timer | None


_Phone = tuple[str, str, str]
"""User and what stays the same when the phone comes back: instance and registration number, or else its contact."""


def _phone(entry: _Entry) -> _Phone:
    binding = entry.binding
    if binding.instance is None:
        return binding.user, str(binding.contact), ""
    return binding.user, binding.instance, entry.reg_id or ""


class _Change:
    """What one Contact of a REGISTER asks for, read and checked before anything is changed."""

    __slots__ = ("contact", "entry", "expires", "instance", "reg_id")

    def __init__(self, contact: NameAddr, expires: int, entry: _Entry | None) -> None:
        # Header fields in a URI are for whoever clicks on it, not for a Request-URI (RFC 3261 19.1.1).
        self.contact = replace(contact.uri, headers=NO_HEADERS) if contact.uri.headers else contact.uri
        self.expires = expires
        self.entry = entry
        self.instance = contact.params.get("+sip.instance")
        self.reg_id = contact.params.get("reg-id")


class Registrar:
    """Bindings by user. A user has several phones, a phone one binding."""

    __slots__ = ("_count", "_homes", "_lost", "_stack", "_users")

    def __init__(self, stack: Stack, homes: Homes | None = None) -> None:
        self._stack = stack
        self._homes = Homes() if homes is None else homes
        """Told of every binding, for the guard."""
        self._users: dict[str, list[_Entry]] = {}
        self._count = 0
        self._lost: dict[_Phone, Flow] = {}
        """The connections that phones were lost with, the latest last."""

    def __len__(self) -> int:
        return self._count

    def bindings(self, user: str) -> tuple[Binding, ...]:
        """The user's bindings, the one registered or refreshed last first."""
        return tuple(entry.binding for entry in reversed(self._users.get(user, ())))

    def register(self, user: str, request: Request, flow: Flow, now: float) -> None:
        """Serve the REGISTER of a user whom digest has proved. Raises RemoteSipError to refuse it, with nothing
        changed."""
        if request.to.uri.user != user:
            raise refuse(403, f"{user} may not register another address")
        if "Require" in request.headers and (tags := request.require):
            raise Refusal(420, "extensions are required", (("Unsupported", ", ".join(tags)),))
        number, call_id = request.cseq.number, request.call_id
        star = request.contact_star
        removed = self._removed_by_star(user, request, call_id, number) if star else []
        changes = [] if star else self._read_changes(user, request, call_id, number)
        transaction = self._stack.admit(request, flow, None)
        for entry in removed:
            self._remove(entry, BindingEnd.UNREGISTERED)
        agent = (request.headers.get("User-Agent") or "")[:_TEXT_BOUND]
        for change in changes:
            self._apply(user, change, request, flow, agent, now)
        fields = [("Contact", _describe(binding, now)) for binding in self.bindings(user)]
        fields += self._stack.server
        tag = self._stack.ids.token()
        transaction.respond(Response.build(request, 200, None, tag, fields), now)

    def remove_bindings(self, user: str) -> None:
        """Forget every phone of the user (the account was removed, its secret changed)."""
        for entry in list(self._users.get(user, ())):
            self._remove(entry, BindingEnd.UNREGISTERED)

    def flow_lost(self, flow: Flow) -> None:
        """A connection is gone, and whoever registered by it cannot be reached (RFC 5626 4.2.1)."""
        for entry in [each for entries in self._users.values() for each in entries if each.binding.flow == flow]:
            self._remove(entry, BindingEnd.CONNECTION_LOST)
            self._lost[_phone(entry)] = flow
            if len(self._lost) > _LOST_BOUND:
                del self._lost[next(iter(self._lost))]

    # --- reading ---

    def _removed_by_star(self, user: str, request: Request, call_id: str, number: int) -> list[_Entry]:
        if request.expires != 0:
            raise refuse(400, "Contact * without Expires: 0")
        entries = list(self._users.get(user, ()))
        for entry in entries:
            _check_order(entry, call_id, number)
        return entries

    def _read_changes(self, user: str, request: Request, call_id: str, number: int) -> list[_Change]:
        contacts = request.contacts
        if len(contacts) > _CONTACTS_BOUND:
            raise refuse(400, f"{len(contacts)} contacts")
        config = self._stack.config
        try:
            common = request.expires
        except RemoteSipError:
            common = None
        changes = []
        for contact in contacts:
            if not contact.uri.is_sip:
                raise refuse(400, "Contact must be a SIP URI")
            asked = contact.expires
            expires = asked if asked is not None else common if common is not None else config.default_expires_s
            if 0 < expires < config.min_expires_s:
                raise Refusal(423, f"{expires} s is too brief", (("Min-Expires", str(config.min_expires_s)),))
            entry = self._find(user, contact)
            if entry is not None:
                _check_order(entry, call_id, number)
            elif expires and self._count >= config.limits.bindings:
                raise refuse(503, "too many phones")
            changes.append(_Change(contact, min(expires, config.max_expires_s), entry))
        return changes

    def _find(self, user: str, contact: NameAddr) -> _Entry | None:
        """The binding that a Contact means: the same phone, known by its instance and registration number (RFC 5626 6),
        or an equivalent URI (RFC 3261 10.3)."""
        instance, reg_id = contact.params.get("+sip.instance"), contact.params.get("reg-id")
        for entry in self._users.get(user, ()):
            binding = entry.binding
            if instance is not None and reg_id is not None and binding.instance == instance and entry.reg_id == reg_id:
                return entry
            if binding.contact.equivalent(contact.uri):
                return entry
        return None

    # --- changing ---

    def _apply(self, user: str, change: _Change, request: Request, flow: Flow, agent: str, now: float) -> None:
        entry = change.entry
        if entry is not None and entry not in self._users.get(user, ()):
            entry = None
        if change.expires == 0:
            if entry is not None:
                self._remove(entry, BindingEnd.UNREGISTERED)
            return
        if entry is not None and entry.binding.flow == flow and entry.binding.contact.equivalent(change.contact):
            self._refresh(entry, change, request, now)
            return
        binding = Binding(
            user=user,
            contact=change.contact,
            flow=flow,
            expires_at=now + change.expires,
            user_agent=agent,
            instance=change.instance,
            registered_at=now,
        )
        self._add(_Entry(binding, request.call_id, request.cseq.number, change.reg_id, None), replaced=entry)
        self._stack.outbox.events.append(
            BindingAdded(
                user=user,
                contact=str(change.contact)[:_TEXT_BOUND],
                flow=flow,
                expires_s=change.expires,
                user_agent=agent,
                source=f"{flow.remote.host}:{flow.remote.port}",
            )
        )

    def _refresh(self, entry: _Entry, change: _Change, request: Request, now: float) -> None:
        entry.binding = replace(
            entry.binding, contact=change.contact, instance=change.instance, expires_at=now + change.expires
        )
        entry.call_id, entry.number, entry.reg_id = request.call_id, request.cseq.number, change.reg_id
        entries = self._users[entry.binding.user]
        entries.remove(entry)
        entries.append(entry)
        self._arm(entry)

    def _add(self, entry: _Entry, *, replaced: _Entry | None) -> None:
        user = entry.binding.user
        entries = self._users.setdefault(user, [])
        entries.append(entry)
        self._count += 1
        self._homes.add(entry.binding.flow.remote.host, user)
        self._arm(entry)
        before = self._lost.pop(_phone(entry), None)
        if replaced is not None:
            self._remove(replaced, BindingEnd.REPLACED)
            before = replaced.binding.flow
        if before is not None:
            # Calls in progress follow the phone to where it is now.
            for session in list(self._stack.sessions.values()):
                session.flow_moved(before, entry.binding.flow)
        elif len(entries) > self._stack.config.limits.bindings_per_user:
            self._remove(entries[0], BindingEnd.REPLACED)

    def _arm(self, entry: _Entry) -> None:
        self._stack.heap.cancel(entry.timer)
        entry.timer = self._stack.heap.start(entry.binding.expires_at, _Expiry(self, entry), "expires")

    def expire(self, entry: _Entry) -> None:
        """The binding's time is over."""
        entry.timer = None
        self._remove(entry, BindingEnd.EXPIRED)

    def _remove(self, entry: _Entry, why: BindingEnd) -> None:
        binding = entry.binding
        entries = self._users[binding.user]
        entries.remove(entry)
        self._count -= 1
        self._homes.remove(binding.flow.remote.host, binding.user)
        self._stack.heap.cancel(entry.timer)
        if not entries:
            del self._users[binding.user]
        contact = str(binding.contact)[:_TEXT_BOUND]
        self._stack.outbox.events.append(BindingRemoved(user=binding.user, contact=contact, why=why, left=len(entries)))


class _Expiry:
    """Tells the registrar which binding's timer rang."""

    __slots__ = ("_entry", "_registrar")

    def __init__(self, registrar: Registrar, entry: _Entry) -> None:
        self._registrar = registrar
        self._entry = entry

    def timer_rang(self, what: str, now: float) -> None:
        self._registrar.expire(self._entry)


def target_of(binding: Binding) -> Target:
    """Where a call to the phone goes: its own Contact as Request-URI, by the flow that it registered on."""
    return Target(uri=binding.contact, flow=binding.flow)


def _check_order(entry: _Entry, call_id: str, number: int) -> None:
    """RFC 3261 10.3 steps 6 and 7: under one Call-ID the CSeq must rise, or the whole update fails."""
    if entry.call_id == call_id and number <= entry.number:
        raise refuse(500, f"REGISTER {number} comes after {entry.number}")


def _describe(binding: Binding, now: float) -> str:
    params = {} if binding.instance is None else {"+sip.instance": binding.instance}
    left = max(0, round(binding.expires_at - now))
    return f"{NameAddr('', binding.contact, params)};expires={left}"
