"""Who may call without proving it, and with which secrets the others prove it: the SIP stack's questions, answered from
the directory."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from engine.calls.directory import Directory, Trunk
from engine.calls.trunk import is_address
from engine.ids import AgentName, TrunkName
from engine.sip.accounts import Login
from engine.sip.flow import Flow

_CACHE_BOUND: Final = 8192


class TrunkPeers:
    """`engine.sip.endpoint.PeerDirectory`: which trunk an address belongs to. Asked for every request."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._networks: list[tuple[IPv4Network | IPv6Network, Trunk]] = []
        self._cache: dict[tuple[str, int], str | None] = {}
        self._resolved: dict[TrunkName, tuple[str, ...]] = {}
        self.directory_changed()

    def directory_changed(self) -> None:
        """Read the trunks again. A host that is a name stands for the addresses that it has now (`resolved`).

        The narrowest network, then the one that names a port, goes before others."""
        self._cache.clear()
        self._networks = [
            (ip_network(address, strict=False), trunk)
            for trunk in self._directory.trunks.values()
            for address in (trunk.host, *trunk.addresses, *self._resolved.get(trunk.name, ()))
            if is_address(address)
        ]
        self._networks.sort(key=lambda entry: (-entry[0].prefixlen, not entry[1].match_port))

    def resolved(self, trunk: TrunkName, addresses: tuple[str, ...]) -> None:
        """The addresses that the name of a trunk has now."""
        if addresses != self._resolved.get(trunk, ()):
            self._resolved[trunk] = addresses
            self.directory_changed()

    def trunk_at(self, flow: Flow) -> str | None:
        """Name of the trunk that sends from this flow's remote address, or None for a stranger."""
        remote = flow.remote
        try:
            return self._cache[remote]
        except KeyError:
            pass
        found = self._search(remote.host, remote.port)
        if len(self._cache) >= _CACHE_BOUND:
            self._cache.clear()
        self._cache[remote] = found
        return found

    def trusts(self, trunk: str) -> bool:
        """Whether identities that this trunk asserts are believed, and ours told to it: not without being told so."""
        found = self._directory.trunks.get(TrunkName(trunk))
        return found is not None and found.trusted

    def tls_name(self, trunk: str) -> str:
        """The name that this trunk's certificate must be for: the one set for it, else its host if that is a name."""
        found = self._directory.trunks.get(TrunkName(trunk))
        return "" if found is None else found.tls_name or ("" if is_address(found.host) else found.host)

    def _search(self, host: str, port: int) -> str | None:
        address = ip_address(host)
        for network, trunk in self._networks:
            if address in network and (not trunk.match_port or port == trunk.port):
                return trunk.name
        return None


class TrunkAccounts:
    """`engine.sip.accounts.AccountStore`: our logins at providers. An account is named as its trunk."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._leaving: dict[TrunkName, Login] = {}
        """Logins of trunks that were removed while we were registered there: to take that back we must prove who we
        are once more."""

    def login(self, account: str) -> Login | None:
        """The login at a trunk; None for one without an account, and for one whose secret nobody has set."""
        name = TrunkName(account)
        trunk = self._directory.trunks.get(name)
        return self._leaving.get(name) if trunk is None else _login(trunk)

    def dropped(self, trunk: Trunk) -> None:
        """The trunk was removed."""
        login = _login(trunk) if trunk.registers else None
        if login is not None:
            self._leaving[trunk.name] = login

    def left(self, trunk: TrunkName) -> None:
        """Nothing is to be said to it any more."""
        self._leaving.pop(trunk, None)


def _login(trunk: Trunk) -> Login | None:
    if not (trunk.user and trunk.secret):
        return None
    return Login(user=trunk.auth_user or trunk.user, password=trunk.secret)


class AgentCredentials:
    """`engine.sip.auth.CredentialStore`: the agents' HA1 by algorithm. There is one realm."""

    def __init__(self, directory: Directory, realm: str) -> None:
        self._directory = directory
        self._realm = realm

    def ha1(self, user: str, realm: str, algorithm: str) -> str | None:
        """The agent's HA1, lower-case hex; None for a stranger, another realm, or an agent without a secret."""
        agent = self._directory.agents.get(AgentName(user))
        if agent is None or realm != self._realm:
            return None
        return {"MD5": agent.ha1_md5, "SHA-256": agent.ha1_sha256}.get(algorithm.upper()) or None
