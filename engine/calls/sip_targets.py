"""Where a call is sent: to the phones of an agent, or to a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.calls.directory import Directory, Trunk
from engine.calls.ports import AgentPhone, Destination, TrunkNumber
from engine.calls.trunk import is_address
from engine.ids import TrunkName
from engine.sip.endpoint import Endpoint
from engine.sip.flow import NOWHERE, Address, Flow, Transport
from engine.sip.retry import MayFollow
from engine.sip.stack import Target
from engine.sip.uri import SipUri

ListenerFlow = Callable[[Transport, Address, str], Flow | None]
"""The flow from our listener to an address, for TLS with the name that the certificate there must have; None where no
listener leads there."""
_REDIRECTS: Final = 3

_SOMEWHERE: Final = Address("192.0.2.1", 5060)
"""An address of nobody (RFC 5737), which the machine's usual way leads to."""


class SipTargets:
    """Reads the registrar and the directory anew for every call."""

    def __init__(
        self,
        endpoint: Endpoint,
        directory: Directory,
        *,
        listener_flow: ListenerFlow,
        is_down: Callable[[TrunkName], bool],
    ) -> None:
        self._endpoint = endpoint
        self._directory = directory
        self._listener_flow = listener_flow
        self._is_down = is_down
        self.service_routes: Callable[[TrunkName], tuple[str, ...]] = lambda trunk: ()
        """Route values that the trunk's registrar wants on requests to it (RFC 3608)."""

    def of(self, destination: Destination) -> tuple[Target, ...]:
        """Where to send the INVITE, in the order of trying; empty where nobody can be reached."""
        match destination:
            case AgentPhone(agent=agent):
                return tuple(self._endpoint.target_of(binding) for binding in self._endpoint.bindings(agent))
            case TrunkNumber(trunk=name, number=number):
                trunk = self._directory.trunks.get(name)
                # A line known to be down is not tried: the caller would wait half a minute for the same outcome.
                target = None if trunk is None or self._is_down(name) else self.trunk(trunk, number)
                return () if target is None else (target,)

    def redirects(self, destination: Destination) -> int:
        """How often a line may send a call elsewhere (3xx); a phone may not, whatever its owner set."""
        if not isinstance(destination, TrunkNumber):
            return 0
        trunk = self._directory.trunks.get(destination.trunk)
        return _REDIRECTS if trunk is not None and trunk.redirects else 0

    def may_follow(self, line: TrunkNumber) -> MayFollow:
        """Where this line may send the call: to numbers that may be called on it, and not to another line of ours,
        which would take the call for its own and let somebody else pay."""

        def may(uri: SipUri, now: float) -> bool:
            host = uri.host.strip("[]").lower()
            lines = {name: each.host.lower() for name, each in self._directory.trunks.items()}
            if host != lines.get(line.trunk) and host in lines.values():
                return False
            return line.may_redirect is None or line.may_redirect(uri.user or "", now)

        return may

    def trunk(self, trunk: Trunk, number: str | None) -> Target | None:
        """A number at a line, or the line itself; None where there is no way to send. A line that has a name is located
        when the request goes out."""
        transport = Transport(trunk.transport.upper())
        flow: Flow | None = None
        if is_address(trunk.host):
            flow = self._listener_flow(transport, Address(trunk.host, trunk.port), trunk.tls_name)
            if flow is None:
                return None
        account = trunk.name if trunk.user and trunk.secret else None
        routes = self.service_routes(trunk.name) if trunk.registers and number is not None else ()
        return Target(uri=uri_of(trunk, number), flow=flow, routes=routes, account=account)

    def likely_flow(self, target: Target) -> Flow:
        """The flow of a target, or one that is like it as far as our own address goes: an offer is written before the
        name of a trunk is looked up."""
        if target.flow is not None:
            return target.flow
        transport = Transport((target.uri.params.get("transport") or "udp").upper())
        return self._listener_flow(transport, _SOMEWHERE, "") or NOWHERE


def uri_of(trunk: Trunk, number: str | None) -> SipUri:
    """How a number at a trunk is addressed, or the trunk itself. Port 0 leaves the port to DNS, and UDP, which is what
    a trunk has that nobody said otherwise of, the transport too (RFC 3263 4.1)."""
    params: dict[str, str | None] = {} if trunk.transport == "udp" else {"transport": trunk.transport}
    return SipUri(user=number, host=trunk.host, port=trunk.port or None, params=params)
