"""What is looked up in DNS: where a request goes (`LocateWanted` of the SIP stack), and which addresses the names of
trunks have now, so that calls that come from them are known to be theirs.

Pure: `take` gives the look-ups to begin, `located` takes what came of each. A trunk's name is looked up when the trunk
is put and then again a little before the answer runs out, so that a call to it finds an answer and need not wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.app.peers import TrunkPeers
from engine.calls.directory import Directory, Trunk
from engine.calls.sip_targets import ListenerFlow, uri_of
from engine.calls.timers import Timers
from engine.calls.trunk import is_address
from engine.ids import TrunkName
from engine.sip.endpoint import Endpoint
from engine.sip.events import LocateKey, LocateWanted
from engine.sip.flow import Address, Transport
from engine.sip.locating import Abilities, Located
from engine.sip.uri import SipUri

_AHEAD: Final = 0.1
"""Share of an answer's life that is left when it is asked for again."""
_PROBES: Final = ("192.0.2.1", "2001:db8::1")
"""Addresses of nobody (RFC 5737, RFC 3849): whether there is a listener of the family."""

LookupKey = LocateKey | TrunkName


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Something to locate."""

    key: LookupKey
    uri: SipUri
    abilities: Abilities
    refresh: bool
    """Ask ahead of time for what runs out soon."""


class Lookups:
    """See the module."""

    def __init__(
        self, endpoint: Endpoint, directory: Directory, peers: TrunkPeers, *, listener_flow: ListenerFlow
    ) -> None:
        self._endpoint = endpoint
        self._directory = directory
        self._peers = peers
        self._listener_flow = listener_flow
        self._wanted: list[Lookup] = []
        self._hosts: dict[LocateKey, str] = {}
        """What the certificates of servers must be for (RFC 5922 4: the name that was asked for, not the one that DNS
        made of it). Every look-up is answered, so that none stays."""
        self._timers: Timers[TrunkName] = Timers()
        self._abilities: Abilities | None = None
        for trunk in directory.trunks.values():
            self.trunk_put(trunk, 0.0)

    def want(self, event: LocateWanted) -> None:
        """The stack wants to know where a request goes."""
        self._hosts[event.key] = event.uri.host
        self._wanted.append(Lookup(key=event.key, uri=event.uri, abilities=self._able(), refresh=False))

    def trunk_put(self, trunk: Trunk, now: float) -> None:
        """A trunk is there, or was changed."""
        self.trunk_dropped(trunk.name)
        if not is_address(trunk.host):
            self._timers.set(trunk.name, now)

    def trunk_dropped(self, trunk: TrunkName) -> None:
        self._timers.cancel(trunk)
        self._peers.resolved(trunk, ())

    def take(self) -> list[Lookup]:
        """The look-ups to begin."""
        wanted, self._wanted = self._wanted, []
        return wanted

    def located(self, key: LookupKey, found: Located, now: float) -> None:
        """What came of a look-up."""
        if not isinstance(key, str):
            host = self._hosts.pop(key, "")
            name = "" if is_address(host) else host
            flows = [
                self._listener_flow(hop.transport, hop.address, name if hop.transport is Transport.TLS else "")
                for hop in found.hops
            ]
            self._endpoint.located(key, [flow for flow in flows if flow is not None], now)
        elif key in self._directory.trunks:
            self._timers.set(key, now + found.fresh_s * (1 - _AHEAD))
            if found.hops:
                # Where nobody answers, what was known a minute ago is better than nothing.
                self._peers.resolved(key, tuple(dict.fromkeys(hop.address.host for hop in found.hops)))

    def next_deadline(self) -> float | None:
        return self._timers.next_deadline()

    def handle_deadline(self, now: float) -> None:
        while (name := self._timers.pop_due(now)) is not None:
            uri = uri_of(self._directory.trunks[name], None)
            self._wanted.append(Lookup(key=name, uri=uri, abilities=self._able(), refresh=True))

    def _able(self) -> Abilities:
        """What our listeners can do; they stay as they are."""
        if self._abilities is None:
            reach = {
                (transport, host): self._listener_flow(transport, Address(host, 5060), "") is not None
                for transport in Transport
                for host in _PROBES
            }
            self._abilities = Abilities(
                transports=tuple(each for each in Transport if any(reach[each, host] for host in _PROBES)),
                ipv4=any(reach[each, _PROBES[0]] for each in Transport),
                ipv6=any(reach[each, _PROBES[1]] for each in Transport),
            )
        return self._abilities
