from __future__ import annotations

import pytest

from engine.sip.flow import Address, Flow, Transport
from engine.sip.identity import Identity, Local

REMOTE = Address("192.0.2.1", 5060)


def local(transport: Transport, host: str = "192.0.2.9") -> Local:
    here = Address(host, 5080)
    return Identity(lambda _: here).of(Flow(transport, here, REMOTE))


@pytest.mark.parametrize(
    ("transport", "via", "contact", "secure"),
    [
        (Transport.UDP, "SIP/2.0/UDP 192.0.2.9:5080;rport;branch=", "<sip:192.0.2.9:5080>", "<sip:192.0.2.9:5080>"),
        (
            Transport.TCP,
            "SIP/2.0/TCP 192.0.2.9:5080;rport;branch=",
            "<sip:192.0.2.9:5080;transport=tcp>",
            "<sip:192.0.2.9:5080;transport=tcp>",
        ),
        (
            Transport.TLS,
            "SIP/2.0/TLS 192.0.2.9:5080;rport;alias;branch=",
            "<sip:192.0.2.9:5080;transport=tls>",
            "<sips:192.0.2.9:5080>",
        ),
    ],
)
def test_each_transport_is_named_as_peers_expect(transport: Transport, via: str, contact: str, secure: str) -> None:
    found = local(transport)
    assert found.via == via + "z9hG4bK"
    assert found.contact_for("sip:100@192.0.2.9") == contact
    assert found.contact_for("sips:100@192.0.2.9") == secure


def test_ipv6_stands_in_brackets() -> None:
    found = local(Transport.TLS, "2001:db8::1")
    assert found.via.startswith("SIP/2.0/TLS [2001:db8::1]:5080;")
    assert found.contact == "<sip:[2001:db8::1]:5080;transport=tls>"
    assert found.secure_contact == "<sips:[2001:db8::1]:5080>"
    assert found.sent_by == "2001:db8::1:5080"
