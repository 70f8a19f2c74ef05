"""All registrations of ours, by name, and by the Contact that calls for them come to."""

from __future__ import annotations

from engine.sip.events import TrunkPeer
from engine.sip.flow import Flow
from engine.sip.keep_alive import KeepAlives
from engine.sip.message import Request
from engine.sip.registration import Registering, Registration
from engine.sip.stack import Stack
from engine.sip.visible import dialled


class Registrations:
    """Bounded by what the operator set up."""

    __slots__ = ("_by_contact", "_by_name", "_keep_alives", "_stack")

    def __init__(self, stack: Stack, keep_alives: KeepAlives) -> None:
        self._stack = stack
        self._keep_alives = keep_alives
        self._by_name: dict[str, Registering] = {}
        self._by_contact: dict[str, Registering] = {}
        """Also those that are leaving."""

    def __len__(self) -> int:
        """Registrations, those that are leaving among them."""
        return len(self._by_contact)

    def put(self, name: str, wanted: Registration, now: float) -> None:
        """Register under this name; another registration of the name is taken back, the same left alone where it holds
        and tried again at once where it does not: the password may be another now. Raises LocalSipError for what cannot
        be written."""
        before = self._by_name.get(name)
        if before is not None and before.wanted == wanted:
            before.hurry(now)
            return
        self.drop(name, now)
        made = Registering(self._stack, self._keep_alives, name, wanted, self._left)
        made.start(now)
        self._by_name[name] = made
        self._by_contact[made.contact_user] = made

    def drop(self, name: str, now: float) -> bool:
        """Take a registration back; False where there is none."""
        found = self._by_name.pop(name, None)
        if found is not None:
            found.leave(now)
        return found is not None

    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    def flow_lost(self, flow: Flow, now: float) -> None:
        """A connection is gone."""
        for each in list(self._by_name.values()):
            each.flow_lost(flow, now)

    def caller(self, request: Request) -> TrunkPeer | None:
        """Whose call it is, where it comes to a Contact that nobody but a registrar was told: a provider may send calls
        from other addresses than those that it registers us at."""
        found = self._of(request)
        return None if found is None or found.wanted.contact_user else TrunkPeer(name=found.name)

    def called(self, request: Request) -> str | None:
        """The number that a call by a registration is for: the Request-URI is our Contact, and To is what was dialled
        (RFC 3261 16.5, 16.6). A registrar that begins the call itself, as Asterisk does, writes our Contact there too:
        then it is for who is registered. None for other calls."""
        found = self._of(request)
        if found is None:
            return None
        to = request.to.uri
        if to.user is None:
            return None
        return found.wanted.user if to.user == found.contact_user else dialled(to, self._stack.config.realm)

    def _of(self, request: Request) -> Registering | None:
        return self._by_contact.get(request.uri.user or "")

    def _left(self, gone: Registering) -> None:
        if self._by_contact.get(gone.contact_user) is gone:
            del self._by_contact[gone.contact_user]
