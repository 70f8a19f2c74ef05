"""Which legs are encrypted, and with which keys (RFC 4568): the directory's word, fresh keys, media's form of them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Final

from engine.calls.directory import Agent, Directory, Trunk
from engine.calls.ports import AgentPhone, Destination
from engine.ids import AgentName, TrunkName
from engine.media.commands import SrtpKeys, SrtpSuite
from engine.sip.events import AgentPeer, Peer, TrunkPeer
from engine.sip.sdes import Crypto, CryptoSuite, Secured, Srtp

Octets = Callable[[int], bytes]
"""So many random octets, that nobody can foretell."""

_USE: Final = {str(use): use for use in Srtp}
_SUITES: Final = {suite: SrtpSuite(suite.value) for suite in CryptoSuite}


def srtp_from(directory: Directory, peer: Peer) -> Srtp:
    """What is set for who calls us."""
    match peer:
        case AgentPeer(user=user):
            return _use(directory.agents.get(AgentName(user)))
        case TrunkPeer(name=name):
            return _use(directory.trunks.get(TrunkName(name)))


def srtp_to(directory: Directory, destination: Destination) -> Srtp:
    """What is set for whom we call."""
    if isinstance(destination, AgentPhone):
        return _use(directory.agents.get(destination.agent))
    return _use(directory.trunks.get(destination.trunk))


def fresh_keys(octets: Octets) -> tuple[Crypto, ...]:
    """A key for each suite, the strongest first."""
    return tuple([Crypto(tag, suite, octets(suite.key_octets)) for tag, suite in enumerate(CryptoSuite, 1)])


def media_keys(secured: Secured | None) -> SrtpKeys | None:
    """For the media process."""
    if secured is None:
        return None
    return SrtpKeys(
        suite=_SUITES[secured.suite],
        ours=b64encode(secured.ours).decode(),
        theirs=b64encode(secured.theirs).decode(),
        mki_octets=secured.mki_octets,
    )


def _use(who: Agent | Trunk | None) -> Srtp:
    return Srtp.OFF if who is None else _USE[who.srtp]
