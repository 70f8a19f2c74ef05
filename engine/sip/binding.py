"""A binding: one way to one phone of a user, as its REGISTER made it (RFC 3261 10, RFC 5626 6)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from engine.sip.errors import RemoteSipError
from engine.sip.flow import Flow, Transport
from engine.sip.headers import NameAddr, parse_name_addr
from engine.sip.stack import Target
from engine.sip.uri import SipUri

_PORT: Final = 5060
Q_ONE: Final = 1000
"""q=1, the greatest preference, in thousandths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One phone of a user, by one of its flows."""

    user: str
    contact: SipUri
    """As the phone gave it; behind NAT its host means nothing to us."""
    flow: Flow
    """The way that the last REGISTER came. Calls go out on it; with a Path it is the nearest proxy's, and only a
    way to that."""
    expires_at: float
    user_agent: str
    instance: str | None
    """+sip.instance of the phone, the same after a restart or a change of network (RFC 5626 4.1); None where not
    told."""
    registered_at: float
    """When the binding came to be; a refresh does not change it."""
    reg_id: int | None = None
    """Which of the phone's flows it is (RFC 5626 4.2); None where the phone keeps one."""
    q: int = Q_ONE
    """The user's preference, thousandths of 0 to 1: greater ones ring first."""
    path: tuple[str, ...] = ()
    """Route values of a call to the phone: the proxies that its REGISTER came by (RFC 3327)."""
    call_id: str = ""
    sequence: int = 0
    """Call-ID and CSeq number of the last REGISTER: under one Call-ID the number must rise."""

    @property
    def phone(self) -> tuple[str, str, str]:
        """User and what stays the same when the phone comes back: instance and flow number, or else its contact."""
        if self.instance is None:
            return self.user, str(self.contact), ""
        return self.user, self.instance, "" if self.reg_id is None else str(self.reg_id)

    def meant_by(self, contact: SipUri, instance: str | None, reg_id: int | None) -> bool:
        """Whether a Contact with these means this binding: the same flow of the same phone where both say which it is
        (RFC 5626 6: the contact then does not matter), else an equivalent URI (RFC 3261 10.3)."""
        if None not in (instance, reg_id, self.instance, self.reg_id):
            return instance == self.instance and reg_id == self.reg_id
        return self.contact.equivalent(contact)

    @property
    def outlives_us(self) -> bool:
        """Whether the phone can still be reached when this process has ended and begun again."""
        return self.flow.transport is Transport.UDP or bool(self.path)

    def describe(self, now: float) -> str:
        """As a Contact of the answer to REGISTER (RFC 3261 10.3 step 8)."""
        params: dict[str, str | None] = {}
        if self.instance is not None:
            params["+sip.instance"] = self.instance
        if self.reg_id is not None:
            params["reg-id"] = str(self.reg_id)
        if self.q != Q_ONE:
            params["q"] = f"{self.q / Q_ONE:.3f}".rstrip("0").rstrip(".")
        left = max(0, round(self.expires_at - now))
        return f"{NameAddr('', self.contact, params)};expires={left}"


def target_of(binding: Binding, *, flow_stands: bool) -> Target:
    """Where a call to the phone goes: its own Contact as Request-URI, by the flow that it registered on. Through the
    proxies that it registered by (RFC 3327 5.3) where there are some: the nearest is located (RFC 3261 8.1.2) unless
    the REGISTER came from there and its connection, if it has one, stands."""
    if binding.path and not (flow_stands and _came_from_nearest(binding)):
        return Target(uri=binding.contact, flow=None, routes=binding.path)
    return Target(uri=binding.contact, flow=binding.flow, routes=binding.path, pinned=True)


def _came_from_nearest(binding: Binding) -> bool:
    """Whether the flow leads to where the topmost Path says. A proxy's connection comes from a port of no meaning, and
    one that speaks outbound (`ob`) hears us on its flow wherever its name would lead."""
    flow = binding.flow
    try:
        uri = parse_name_addr(binding.path[0]).uri
    except RemoteSipError:
        return True
    if "ob" in uri.params:
        return True
    named = (uri.params.get("transport") or flow.transport).upper()
    if uri.scheme == "sips":
        named = Transport.TLS
    if named != flow.transport or "maddr" in uri.params or not _is_same(uri.host, flow.remote.host):
        return False
    return flow.transport is not Transport.UDP or (uri.port or _PORT) == flow.remote.port


def _is_same(host: str, address: str) -> bool:
    """IPv6 has more than one way to write an address."""
    try:
        return host == address or (":" in host and ip_address(host) == ip_address(address))
    except ValueError:
        return False
