"""RFC 5922 7.1 and 7.2."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.net.tls_identity import NOBODY, Identities, identities
from tests.support.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def of(
    authority: Authority,
    *,
    dns: Sequence[str] = (),
    uris: Sequence[str] = (),
    addresses: Sequence[str] = (),
    common_name: str = "cn.example.com",
) -> Identities:
    return identities(authority.certificate(dns=dns, uris=uris, addresses=addresses, common_name=common_name)[0])


def test_dns_names_and_sip_uris_speak_for_their_domains_alike(authority: Authority) -> None:
    found = of(authority, dns=["Host.Example.com"], uris=["sip:example.com", "sips:Example.org"])
    assert found.prove("host.example.COM")
    assert found.prove("example.com")
    assert found.prove("example.org.")
    assert not found.prove("sip.example.com"), "no other name of the domain"


def test_a_uri_of_a_user_or_of_another_scheme_speaks_for_no_domain(authority: Authority) -> None:
    found = of(authority, uris=["sip:alice@example.com", "https://example.org", "sip:"])
    assert found.names == frozenset()


def test_the_common_name_counts_only_where_there_is_no_other_name(authority: Authority) -> None:
    assert of(authority).prove("cn.example.com")
    assert not of(authority, dns=["example.com"]).prove("cn.example.com")
    assert not of(authority, uris=["sip:example.com"]).prove("cn.example.com")
    assert not of(authority, addresses=["192.0.2.1"]).prove("cn.example.com")


def test_a_wildcard_matches_nothing(authority: Authority) -> None:
    found = of(authority, dns=["*.example.com"], common_name="*.example.com")
    assert not found.prove("host.example.com")
    assert not found.prove("*.example.com")
    assert not of(authority, common_name="*.example.com").prove("*.example.com")


def test_an_address_is_proved_by_an_address_only(authority: Authority) -> None:
    found = of(authority, dns=["192.0.2.2"], addresses=["192.0.2.1", "2001:db8::1"])
    assert found.prove("192.0.2.1")
    assert found.prove("2001:DB8:0::1")
    assert not found.prove("192.0.2.2")


def test_nobody_proves_nothing(authority: Authority) -> None:
    assert not NOBODY.prove("example.com")
    assert str(NOBODY) == "nobody"
    assert (
        str(of(authority, dns=["b.example", "a.example"], addresses=["192.0.2.1"])) == "a.example, b.example, 192.0.2.1"
    )
