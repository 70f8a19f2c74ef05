"""The facade of the SIP stack: bytes, deadlines and actions go in; events, bytes and one deadline come out."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from itertools import count

from engine.ids import IdSource
from engine.sip.accounts import AccountStore
from engine.sip.admission import Admission, PeerDirectory
from engine.sip.auth import CredentialStore, DigestServer
from engine.sip.call_actions import CallActions
from engine.sip.client_actions import ClientActions
from engine.sip.drops import MALFORMED, UNANSWERABLE
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.events import SipEvent
from engine.sip.feature_actions import FeatureActions
from engine.sip.features import FEATURES
from engine.sip.flow import Flow, Transmission
from engine.sip.guard import Guard, Standing
from engine.sip.homes import Homes
from engine.sip.keep_alive import FlowFailed
from engine.sip.limits import AMPLIFICATION, MAX_DEFECTS
from engine.sip.message import Message, Request, Response
from engine.sip.names import refuse
from engine.sip.parser import BrokenStream, KeepAlive, ParseError, parse_datagram
from engine.sip.reception import Reception
from engine.sip.registrar import Binding, Registrar
from engine.sip.registrar_actions import RegistrarActions
from engine.sip.registration import Registration
from engine.sip.registrations import Registrations
from engine.sip.stack import EndpointConfig, Limits, Stack, Target
from engine.sip.streams import Streams
from engine.sip.stun import is_stun
from engine.sip.timers import Timers
from engine.sip.watching import LiveCounts, Watching

__all__ = [
    "Binding",
    "Endpoint",
    "EndpointConfig",
    "Limits",
    "LiveCounts",
    "PeerDirectory",
    "Registration",
    "Target",
    "Timers",
]


class Endpoint(CallActions, FeatureActions, RegistrarActions, ClientActions, Watching):
    """A user agent and registrar for trunks and agents' phones. Pure: no socket, clock or randomness is inside.

    Inputs never raise for what a peer sent. Actions raise LocalSipError where the session does not allow them. After
    any of them drain `next_event`, `datagrams_to_send` and `connections_to_close`, and arm one timer for
    `next_deadline`."""

    def __init__(
        self,
        config: EndpointConfig,
        *,
        ids: IdSource,
        credentials: CredentialStore,
        peers: PeerDirectory,
        accounts: AccountStore | None = None,
    ) -> None:
        """`accounts` holds our logins at others; None where there are none."""
        self._stack = Stack(config, ids, accounts)
        homes = Homes()
        self._registrar = Registrar(self._stack, homes)
        self._streams = Streams(self._stack, self.connection_lost, self._hears_keep_alive)
        self._registrations = Registrations(self._stack, self._streams.keep_alives)
        digest = DigestServer(config.realm, config.nonce_secret, config.nonce_ttl_s, config.digest_algorithms)
        self.guard = Guard(config.guard, peers, digest, homes) if config.guard.enabled else None
        """Who is heard at all; None where everybody is."""
        admission = Admission(config, credentials, peers, self._registrations, digest, self.guard)
        self._stack.admission, self._stack.features = admission, FEATURES
        self._reception = Reception(self._stack, admission, self._registrar)
        if self.guard is not None:
            self._stack.outbox.called = self.guard.called
        self._ping_numbers = count(1)
        self.defects: deque[Exception] = deque(maxlen=MAX_DEFECTS)
        """Errors of ours that a message brought to light; it was dropped. The driver logs and clears them."""

    # --- inputs ---

    def receive_datagram(self, data: bytes, flow: Flow, now: float) -> Standing:
        """A datagram came. DROPPED, which is false, where the guard did not let it in and nothing is to be drained;
        UNKNOWN where the time that it takes, draining included, is to be told to `guard.spent`."""
        guard = self.guard
        standing = Standing.TRUNK if guard is None else guard.datagram(data, flow, now)
        if not standing:
            return Standing.PROVEN if guard is not None and guard.imposed else standing
        stack = self._stack
        if standing < Standing.KNOWN:
            out, came = AMPLIFICATION
            stack.allowance = None if standing is Standing.BUSY else len(data) * out // came
        try:
            message = parse_datagram(data)
        except ParseError as error:
            if is_stun(data):
                self._streams.keep_alives.stun_received(data, flow, now)
            else:
                if error.message is not None:
                    error.message.octets = data
                self._malformed(error, flow, standing, now)
        else:
            if not isinstance(message, KeepAlive):
                self._receive(message, flow, standing, now)
        stack.allowance = None
        return standing

    def receive_stream(self, data: bytes, flow: Flow, now: float) -> None:
        """Bytes came on a connection. One whose messages cannot be told apart any more is to be closed, and one of a
        source that is banned."""
        for item in self._streams.feed(flow, data, now):
            standing = self._let_in_as(item.message if isinstance(item, ParseError) else item, flow, now)
            if isinstance(item, ParseError):
                self._malformed(item, flow, standing, now)
                if isinstance(item, BrokenStream):
                    self._streams.give_up(flow, now)
            elif standing:
                if isinstance(item, Request):
                    self._streams.note_alias(item, flow)
                self._receive(item, flow, standing, now)
        if self.guard is not None and self.guard.shuts_out(flow, now):
            self._streams.give_up(flow, now)

    def connection_opened(self, flow: Flow, now: float) -> None:
        """A stream connection stands, whoever made it."""
        self._streams.opened(flow, now)

    def connection_lost(self, flow: Flow, now: float) -> None:
        """A stream connection is gone: what waits on it fails, its bindings end, a caller on it is taken to have
        left."""
        if not self._streams.closed(flow):
            return
        outbox = self._stack.outbox
        self._registrations.flow_lost(flow, now)
        if flow not in outbox.used and flow._replace(connection=0) not in outbox.used:
            return
        outbox.used -= {flow, flow._replace(connection=0)}
        self._registrar.flow_lost(flow)
        self._stack.transactions.flow_failed(flow, now)
        for session in list(self._stack.sessions.values()):
            session.flow_lost(flow, now)

    def alias_of(self, flow: Flow) -> Flow | None:
        """A connection whose peer offered it for requests to where the flow leads (RFC 5923). Whether he may is for
        the caller to decide: with TLS by his certificate, else by his being a trunk."""
        return self._streams.alias_of(flow)

    def serves(self, flow: Flow) -> bool:
        """Whether the connection carried more than refusals: who is on it has proved who he is, or was called there."""
        return flow in self._stack.outbox.used

    def send_failed(self, flow: Flow, now: float) -> None:
        """The network said that nobody hears on the flow."""
        self._stack.transactions.flow_failed(flow, now)
        if flow.transport.reliable:
            for session in list(self._stack.sessions.values()):
                session.flow_lost(flow, now)

    def handle_deadline(self, now: float) -> None:
        """Time has come to at least `next_deadline`."""
        self._stack.heap.ring(now)

    # --- outputs ---

    def next_event(self) -> SipEvent | None:
        """The next event in order, or None."""
        events = self._stack.outbox.events
        return events.popleft() if events else None

    def datagrams_to_send(self) -> list[Transmission]:
        """What is to leave, in order, on streams too; it counts as sent. An INVITE that nothing was answered to yet is
        answered with 100 now."""
        if self._stack.transactions.untried:
            self._stack.transactions.send_trying()
        outbox = self._stack.outbox
        transmissions, outbox.transmissions = outbox.transmissions, []
        return transmissions

    def connections_to_close(self) -> list[Flow]:
        """Connections that are to be closed, after what is to leave on them."""
        closing, self._streams.closing = self._streams.closing, []
        return closing

    def next_deadline(self) -> float | None:
        """When `handle_deadline` is to be called at the latest; None where nothing waits."""
        return self._stack.heap.next_deadline()

    # --- flows of ours ---

    def keep_alive(self, flow: Flow, now: float, *, every_s: float | None = None, failed: FlowFailed) -> None:
        """Keep a flow to a registrar that promised to answer (RFC 5626 4.4): by STUN over UDP, else by CRLF, as often
        as its `Flow-Timer` says. `failed` is called when it does not, after the requests that wait there have failed.
        Connections that we opened are pinged without this; there only a peer that once answered is held to it."""
        self._streams.keep_alives.keep(flow, now, every_s=every_s, failed=failed)

    def let_go(self, flow: Flow) -> None:
        """Keep it alive no more."""
        self._streams.keep_alives.release(flow)

    # --- inner ---

    def _hears_keep_alive(self, flow: Flow, now: float) -> bool:
        return self.guard is None or bool(self.guard.stream("", flow, now))

    def _let_in_as(self, message: Message | None, flow: Flow, now: float) -> Standing:
        """As what a message on a connection is let in."""
        if self.guard is None:
            return Standing.TRUNK
        return self.guard.stream(message.method if isinstance(message, Request) else "SIP", flow, now)

    def _receive(self, message: Request | Response, flow: Flow, standing: Standing, now: float) -> None:
        try:
            if (
                standing < Standing.KNOWN
                and isinstance(message, Request)
                and self._refused(message, flow, standing, now)
            ):
                return
            if (recorder := self._stack.outbox.recorder) is not None:
                recorder.known = standing >= Standing.KNOWN and self.guard is not None
            self._reception.receive(message, flow, now)
        except Exception as defect:  # The boundary: one message must not stop the others, whatever it found in us.
            self.defects.append(defect)

    def _refused(self, request: Request, flow: Flow, standing: Standing, now: float) -> bool:
        """Whether nobody of that standing is served with such a request; it is answered, if an answer is owed."""
        if standing is not Standing.BUSY:
            if self.guard is None or not self.guard.is_scanner(request, flow, flow.connection != 0, now):
                return False
            self._stack.outbox.note_unread(request, flow, known=False)
            return True
        self._stack.outbox.note_unread(request, flow, known=False)
        self._reception.refuse(request, flow, refuse(503, "too many requests"))
        return True

    def _malformed(self, error: ParseError, flow: Flow, standing: Standing, now: float) -> None:
        request = error.message
        if standing and request is not None:
            self._stack.outbox.note_unread(request, flow, known=standing >= Standing.KNOWN)
        if not standing or not isinstance(request, Request):
            self._stack.transactions.drops[MALFORMED] += 1
            return
        with suppress(RemoteSipError):  # also its Via may be what is wrong
            request.note_source(flow.remote.host, flow.remote.port)
        try:
            if standing >= Standing.KNOWN or not self._refused(request, flow, standing, now):
                self._reception.refuse(request, flow, error)
        except (LocalSipError, RemoteSipError):
            self._stack.transactions.drops[UNANSWERABLE] += 1
