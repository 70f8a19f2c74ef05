from __future__ import annotations

import pytest

from engine.net.listen import Listen, plain_host, printed, read_address, same_family
from engine.sip.flow import Address, Transport


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("192.0.2.1", Address("192.0.2.1", 0)),
        ("192.0.2.1:5061", Address("192.0.2.1", 5061)),
        ("2001:DB8:0::1", Address("2001:db8::1", 0)),
        ("[2001:db8::1]", Address("2001:db8::1", 0)),
        ("[2001:db8::1]:65535", Address("2001:db8::1", 65535)),
        ("::ffff:192.0.2.1", Address("192.0.2.1", 0)),
        ("[::ffff:192.0.2.1]:1", Address("192.0.2.1", 1)),
    ],
)
def test_an_address_is_read_with_or_without_its_port(text: str, read: Address) -> None:
    assert read_address(text) == read


@pytest.mark.parametrize(
    "text",
    ["", "pbx", "pbx:5060", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:x", "192.0.2.1:²", "[2001:db8::1]5060", "[::1",
     "fe80::1", "[fe80::1]:5060", "::1%lo"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_address(text)


def test_link_local_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="one interface only"):
        plain_host("fe80::1")


def test_ipv6_is_printed_in_brackets() -> None:
    assert printed(Address("2001:db8::1", 5060)) == "[2001:db8::1]:5060"
    assert printed(Address("192.0.2.1", 5060)) == "192.0.2.1:5060"
    assert str(Listen(transport=Transport.TLS, address="::", port=5061)) == "TLS [::]:5061"


def test_families() -> None:
    assert same_family("192.0.2.1", "0.0.0.0")
    assert same_family("::", "2001:db8::1")
    assert not same_family("::", "192.0.2.1")
