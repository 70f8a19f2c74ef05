"""Whether the engine, as it is configured, can speak with a trunk at all."""

from __future__ import annotations

from collections.abc import Sequence

from engine.calls.directory import Trunk
from engine.calls.trunk import is_address
from engine.net.listen import Listen, same_family
from engine.sip.flow import Transport


def missing_listener(trunk: Trunk, listeners: Sequence[Listen]) -> str:
    """What is to be told of a trunk to which no listener leads; empty where one does. Calls, OPTIONS and registrations
    leave by the listener of their transport and address family."""
    transport = Transport(trunk.transport.upper())
    named = not is_address(trunk.host)
    if named and transport is Transport.UDP:
        # Where UDP is only what nobody said otherwise of, DNS may say TCP or TLS (RFC 3263 4.1).
        return ""
    fitting = [each for each in listeners if each.transport is transport]
    if any(named or same_family(each.address, trunk.host) for each in fitting):
        return ""
    family = "" if named or not fitting else " over IPv6" if ":" in trunk.host else " over IPv4"
    there = ", ".join(map(str, listeners))
    return (
        f"trunk {trunk.name}: no listener speaks {transport}{family}, so nothing can be sent to {trunk.host}; "
        f"there are: {there}. Add one to sip.listen, or change the trunk's transport"
    )
