from __future__ import annotations

from engine.app.peers import AgentCredentials, TrunkAccounts, TrunkPeers
from engine.calls.directory import Agent, Directory, Drop, Put, Trunk
from engine.ids import AgentName, TrunkName
from engine.sip.accounts import Login
from engine.sip.flow import Address, Flow, Transport


def flow(host: str, port: int = 5060) -> Flow:
    return Flow(Transport.UDP, Address("127.0.0.1", 5080), Address(host, port))


def trunk(name: str, host: str, **more: object) -> Trunk:
    return Trunk(name=TrunkName(name), host=host, **more)  # type: ignore[arg-type]


def test_host_and_networks_belong_to_the_trunk_and_nobody_else_does() -> None:
    peers = TrunkPeers(Directory.of([trunk("pbx", "192.0.2.1", addresses=("198.51.100.0/24", "2001:db8::/32"))]))
    assert peers.trunk_at(flow("192.0.2.1")) == "pbx"
    assert peers.trunk_at(flow("192.0.2.1", 49999)) == "pbx"
    assert peers.trunk_at(flow("198.51.100.77")) == "pbx"
    assert peers.trunk_at(flow("2001:db8::5")) == "pbx"
    assert peers.trunk_at(flow("192.0.2.2")) is None
    assert peers.trunk_at(flow("198.51.101.1")) is None


def test_a_trunk_that_has_a_name_sends_from_its_addresses_alone() -> None:
    peers = TrunkPeers(Directory.of([trunk("itsp", "sip.example.com", addresses=("198.51.100.0/24",))]))
    assert peers.trunk_at(flow("198.51.100.77")) == "itsp"
    assert peers.trunk_at(flow("192.0.2.1")) is None


def test_an_account_is_a_trunk_with_user_and_secret() -> None:
    accounts = TrunkAccounts(
        Directory.of(
            [
                trunk("itsp", "192.0.2.1", user="4930", secret="hush"),
                trunk("other", "192.0.2.2", user="4930", auth_user="acc", secret="hush"),
                trunk("open", "192.0.2.3", user="4930"),
            ]
        )
    )
    assert accounts.login("itsp") == Login(user="4930", password="hush")
    assert accounts.login("other") == Login(user="acc", password="hush")
    assert accounts.login("open") is None
    assert accounts.login("none") is None


def test_the_account_of_a_removed_trunk_is_known_until_we_have_left_it() -> None:
    directory = Directory.of([])
    accounts = TrunkAccounts(directory)
    accounts.dropped(trunk("itsp", "192.0.2.1", user="4930", secret="hush", registers=True))
    assert accounts.login("itsp") == Login(user="4930", password="hush")
    accounts.left(TrunkName("itsp"))
    accounts.dropped(trunk("silent", "192.0.2.1", user="4930", secret="hush"))
    assert accounts.login("itsp") is accounts.login("silent") is None


def test_trunks_on_one_address_are_told_apart_by_port() -> None:
    peers = TrunkPeers(
        Directory.of(
            [
                trunk("any", "127.0.0.1", port=5060),
                trunk("one", "127.0.0.1", port=5091, match_port=True),
                trunk("two", "127.0.0.1", port=5092, match_port=True),
            ]
        )
    )
    assert [peers.trunk_at(flow("127.0.0.1", port)) for port in (5091, 5092, 7000)] == ["one", "two", "any"]


def test_the_narrowest_network_wins() -> None:
    peers = TrunkPeers(
        Directory.of([trunk("wide", "203.0.113.1", addresses=("192.0.2.0/24",)), trunk("host", "192.0.2.9")])
    )
    assert peers.trunk_at(flow("192.0.2.9")) == "host"
    assert peers.trunk_at(flow("192.0.2.8")) == "wide"


def test_a_change_is_seen_only_and_at_once_when_told() -> None:
    directory = Directory.of([])
    peers = TrunkPeers(directory)
    assert peers.trunk_at(flow("192.0.2.1")) is None
    directory.apply(Put(entity=trunk("pbx", "192.0.2.1")))
    peers.directory_changed()
    assert peers.trunk_at(flow("192.0.2.1")) == "pbx"
    directory.apply(Drop(entity=trunk("pbx", "192.0.2.1")))
    peers.directory_changed()
    assert peers.trunk_at(flow("192.0.2.1")) is None


def test_credentials_are_those_of_the_agent_in_our_realm() -> None:
    agent = Agent(name=AgentName("alice"), ha1_md5="m", ha1_sha256="s")
    bare = Agent(name=AgentName("bare"))
    credentials = AgentCredentials(Directory.of([agent, bare]), "hearthline")
    assert credentials.ha1("alice", "hearthline", "MD5") == "m"
    assert credentials.ha1("alice", "hearthline", "SHA-256") == "s"
    assert credentials.ha1("alice", "hearthline", "SHA-512-256") is None
    assert credentials.ha1("alice", "other", "MD5") is None
    assert credentials.ha1("bob", "hearthline", "MD5") is None
    assert credentials.ha1("bare", "hearthline", "MD5") is None


def test_a_trunk_is_trusted_where_the_directory_says_so() -> None:
    peers = TrunkPeers(Directory.of([trunk("ours", "192.0.2.1", trusted=True), trunk("telco", "192.0.2.2")]))
    assert (peers.trusts("ours"), peers.trusts("telco"), peers.trusts("nobody")) == (True, False, False)


def test_a_trunks_certificate_is_for_its_tls_name_or_the_name_of_its_host() -> None:
    peers = TrunkPeers(
        Directory.of([trunk("a", "192.0.2.1", tls_name="a.example"), trunk("b", "b.example"), trunk("c", "192.0.2.3")])
    )
    assert [peers.tls_name(name) for name in ("a", "b", "c", "nobody")] == ["a.example", "b.example", "", ""]
