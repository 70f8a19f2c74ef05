"""What is hardly meant of trunks and phones: no listener leads there, or the keys of SRTP go where others read them,
for SDES (RFC 4568) is only as secret as the signalling that carries it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from engine.app.missing_listener import missing_listener
from engine.calls.directory import Agent, Directory, Trunk
from engine.net.listen import Listen
from engine.sip.flow import Transport

_WHY: Final = "srtp is required, but the keys go over {} in clear, where whoever sees them can listen; use TLS"


def keys_in_clear(trunk: Trunk) -> str:
    """What is to be told of a trunk that must be encrypted; empty where all is well."""
    if trunk.srtp != "required" or trunk.transport == "tls":
        return ""
    return f"trunk {trunk.name}: {_WHY.format(trunk.transport.upper())}"


def phone_warnings(agent: Agent, transports: Iterable[Transport]) -> tuple[str, ...]:
    """The same of an agent whose phones are registered over these."""
    if agent.srtp != "required":
        return ()
    clear = sorted({each.value for each in transports if each is not Transport.TLS})
    return tuple(f"agent {agent.name}: {_WHY.format(transport)}" for transport in clear)


def trunk_warnings(trunk: Trunk, listeners: Sequence[Listen]) -> tuple[str, ...]:
    """All that is wrong with a trunk as the engine is configured."""
    return tuple(told for told in (missing_listener(trunk, listeners), keys_in_clear(trunk)) if told)


def all_trunk_warnings(directory: Directory, listeners: Sequence[Listen]) -> list[str]:
    """The same of all trunks."""
    return [told for trunk in directory.trunks.values() for told in trunk_warnings(trunk, listeners)]
