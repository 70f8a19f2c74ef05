"""Who may ask what of us: trunks by their address, agents by digest, strangers for nothing but to be challenged."""

from __future__ import annotations

from typing import Protocol

from engine.sip.auth import CredentialStore, DigestServer, Outcome
from engine.sip.carried import NOTHING, Carried, carried_names, read_carried
from engine.sip.errors import RemoteSipError
from engine.sip.events import AgentPeer, Peer, TrunkPeer
from engine.sip.flow import Flow
from engine.sip.guard import Guard
from engine.sip.message import Request
from engine.sip.names import canonical, refuse
from engine.sip.refusal import Refusal, Silence
from engine.sip.registrations import Registrations
from engine.sip.source_key import source_key
from engine.sip.stack import EndpointConfig
from engine.sip.visible import dialled


class PeerDirectory(Protocol):
    """Knows the trunks."""

    def trunk_at(self, flow: Flow) -> str | None:
        """Name of the trunk whose address the flow's remote is, or None."""
        ...

    def trusts(self, trunk: str) -> bool:
        """Whether this trunk's word on who calls is believed, and ours told to it (RFC 3325 2.3)."""
        ...

    def tls_name(self, trunk: str) -> str:
        """The name that this trunk's certificate must be for; empty where none is set."""
        ...


class Admission:
    """Decides from whom a request outside of dialogs is. Refusals need no state: a stranger gets one 401 for each
    request that he sends and no repetition (RFC 3261 26.3.2.4).

    A wrong password and an unknown user are answered alike, 403 and nothing in it, after the same work: 403 tells a
    phone to stop (RFC 3261 21.4.4), where a fresh challenge would invite the next guess."""

    __slots__ = ("_carried", "_credentials", "_digest", "_guard", "_passed", "_peers", "_realm", "_registrations")

    def __init__(
        self,
        config: EndpointConfig,
        credentials: CredentialStore,
        peers: PeerDirectory,
        registrations: Registrations,
        digest: DigestServer | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._realm = config.realm
        self._registrations = registrations
        self._digest = digest or DigestServer(
            config.realm, config.nonce_secret, config.nonce_ttl_s, config.digest_algorithms
        )
        self._credentials = credentials
        self._peers = peers
        self._passed = tuple(map(canonical, config.pass_headers))
        self._carried = carried_names(self._passed)
        self._guard = guard

    def caller(self, request: Request, flow: Flow, now: float) -> Peer:
        """From whom an INVITE is. Raises Refusal(401) with a challenge, RemoteSipError(403) for wrong credentials."""
        # Several accounts at one provider come from the same addresses: the Contact tells whose call it is.
        if self._registrations and (provider := self._registrations.caller(request)) is not None:
            return provider
        trunk = self._peers.trunk_at(flow)
        if trunk is not None:
            return TrunkPeer(name=trunk)
        return AgentPeer(user=self.agent(request, flow, now))

    def called(self, request: Request, peer: Peer) -> str:
        """The number that an INVITE is for. Raises RemoteSipError(404) for one with line breaks or controls."""
        if self._registrations and isinstance(peer, TrunkPeer):
            number = self._registrations.called(request)
            if number is not None:
                return number
        return dialled(request.uri, self._realm)

    def carried(self, request: Request, peer: Peer) -> Carried:
        """What the INVITE of this peer brings along for the next leg; of most calls, nothing."""
        if self._carried.isdisjoint(request.headers.first):
            return NOTHING
        agent = peer.user if isinstance(peer, AgentPeer) else None
        trusted = isinstance(peer, TrunkPeer) and self._peers.trusts(peer.name)
        return read_carried(request, agent=agent, trusted=trusted, passed=self._passed)

    def tls_name(self, peer: Peer) -> str:
        """The name that the peer's certificate must be for where we open the connection; empty where none is known."""
        return self._peers.tls_name(peer.name) if isinstance(peer, TrunkPeer) else ""

    def party(self, request: Request, flow: Flow, home: Flow, now: float) -> str | None:
        """Who sends a request within a dialog that lives at `home`, but from elsewhere: an agent proves it by digest, a
        trunk must be the same trunk (None then). Raises as `caller`."""
        trunk = self._peers.trunk_at(home)
        if trunk is None:
            return self.agent(request, flow, now)
        if self._peers.trunk_at(flow) != trunk:
            raise refuse(403, "not a party of the call")
        return None

    def agent(self, request: Request, flow: Flow, now: float) -> str:
        """The user who sent the request, proved by digest. Raises as `caller`, and Silence for a user name that is
        banned there."""
        source = source_key(flow.remote.host)
        verdict = self._digest.verify(
            request.headers.get_all("Authorization"),
            request.method,
            request.request_uri,
            request.body,
            self._credentials.ha1,
            now,
            source,
        )
        guard, user = self._guard, verdict.user
        if guard is not None and guard.ignores(flow, user or _claimed(request), now):
            raise Silence("the user is banned at this source")
        if verdict.outcome is Outcome.OK:
            if guard is None or guard.may_log_in(flow, user, now):
                if guard is not None:
                    guard.logged_in(flow, user, now)
                return user
            raise refuse(403, "credentials are wrong")
        if verdict.outcome is Outcome.DENIED:
            if guard is not None:
                guard.login_failed(flow, user, now)
            raise refuse(403, "credentials are wrong")
        challenges = self._digest.challenges(now, verdict.outcome is Outcome.STALE, source)
        raise Refusal(401, "credentials are wanted", tuple(("WWW-Authenticate", each) for each in challenges))


def _claimed(request: Request) -> str:
    """The user that a request without credentials claims to be from."""
    try:
        return request.from_.uri.user or ""
    except RemoteSipError:
        return ""
