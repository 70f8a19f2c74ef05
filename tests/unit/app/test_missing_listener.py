from __future__ import annotations

import pytest

from engine.app.missing_listener import missing_listener
from engine.app.trunk_warnings import all_trunk_warnings
from engine.calls.directory import Directory, Trunk
from engine.ids import TrunkName
from engine.net.listen import Listen
from engine.sip.flow import Transport

UDP = Listen(transport=Transport.UDP, address="0.0.0.0", port=5060)
UDP6 = Listen(transport=Transport.UDP, address="::", port=5060)
TLS = Listen(transport=Transport.TLS, address="192.0.2.9", port=5061)


def trunk(host: str, transport: str) -> Trunk:
    return Trunk(name=TrunkName("pbx"), host=host, transport=transport)


@pytest.mark.parametrize(
    ("host", "transport", "listeners"),
    [
        ("192.0.2.1", "udp", (TLS, UDP)),
        ("2001:db8::1", "udp", (UDP, UDP6)),
        ("192.0.2.1", "tls", (UDP, TLS)),
        ("sip.example.com", "tls", (UDP, TLS)),
        ("sip.example.com", "udp", (TLS,)),
    ],
)
def test_nothing_is_told_where_a_listener_leads_there(host: str, transport: str, listeners: tuple[Listen, ...]) -> None:
    assert missing_listener(trunk(host, transport), listeners) == ""


@pytest.mark.parametrize(
    ("host", "transport", "what"),
    [
        ("2001:db8::1", "udp", "UDP over IPv6"),
        ("192.0.2.1", "tcp", "TCP"),
        ("sip.example.com", "tcp", "TCP"),
        ("2001:db8::1", "tls", "TLS over IPv6"),
    ],
)
def test_a_trunk_that_no_listener_leads_to_is_told_with_what_there_is(host: str, transport: str, what: str) -> None:
    wrong = trunk(host, transport)
    told = missing_listener(wrong, (UDP, TLS))
    assert told == (
        f"trunk pbx: no listener speaks {what}, so nothing can be sent to {host}; there are: UDP 0.0.0.0:5060, "
        "TLS 192.0.2.9:5061. Add one to sip.listen, or change the trunk's transport"
    )
    assert all_trunk_warnings(Directory.of([wrong]), (UDP, TLS)) == [told]
    assert "over IPv4" in missing_listener(trunk("192.0.2.1", "udp"), (UDP6,))
