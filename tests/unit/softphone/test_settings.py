from __future__ import annotations

import pytest

from softphone.sip.settings import Server, SipSettings, Transport


def settings(
    *,
    domain: str = "pbx",
    server: Server | None = Server(host="pbx", port=5080),  # noqa: B008 - a frozen value
    transport: Transport = Transport.UDP,
    register: bool = True,
) -> SipSettings:
    return SipSettings(
        user="ann",
        domain=domain,
        server=server,
        register=register,
        password="x",
        transport=transport,
        bind="",
        local_port=0,
        rtp_port=4000,
        expires=60,
        rate=16000,
        log_level=0,
    )


def test_identity_and_registrar() -> None:
    assert settings().identity == "sip:ann@pbx"
    assert settings().registrar == "sip:pbx:5080"
    assert settings(transport=Transport.TCP).registrar == "sip:pbx:5080;transport=tcp"
    assert settings(transport=Transport.TLS).registrar == "sip:pbx:5080;transport=tls"
    assert settings(register=False).registrar == ""


def test_a_route_is_needed_only_when_the_domain_is_not_the_server() -> None:
    assert settings().route == ""
    assert settings(domain="pbx:5080").route == ""
    assert settings(domain="example.org").route == "<sip:pbx:5080;lr>"
    assert settings(domain="example.org", transport=Transport.TCP).route == "<sip:pbx:5080;transport=tcp;lr>"
    assert settings(server=None, domain="example.org").route == ""


@pytest.mark.parametrize(
    ("dialled", "domain", "transport", "address"),
    [
        ("100", "pbx", Transport.UDP, "sip:100@pbx:5080"),
        ("*11", "pbx", Transport.TCP, "sip:*11@pbx:5080;transport=tcp"),
        ("100", "example.org", Transport.UDP, "sip:100@example.org"),
        ("bob@other.org", "pbx", Transport.UDP, "sip:bob@other.org"),
        ("sip:bob@other.org", "pbx", Transport.TCP, "sip:bob@other.org"),
        ("SIP:bob@other.org", "pbx", Transport.UDP, "SIP:bob@other.org"),
    ],
)
def test_what_is_dialled_becomes_an_address(dialled: str, domain: str, transport: Transport, address: str) -> None:
    assert settings(domain=domain, transport=transport).address_of(dialled) == address


def test_without_a_server_a_number_is_called_at_the_own_domain() -> None:
    assert settings(server=None, domain="localhost", register=False).address_of("100") == "sip:100@localhost"


def test_the_password_is_not_printed() -> None:
    assert "password" not in repr(settings())
