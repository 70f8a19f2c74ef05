from __future__ import annotations

from dataclasses import replace

import pytest

from engine.app.trunk_warnings import all_trunk_warnings, phone_warnings, trunk_warnings
from engine.calls.directory import Agent, Directory, Trunk
from engine.ids import AgentName, TrunkName
from engine.net.listen import Listen
from engine.sip.flow import Transport

UDP = Listen(transport=Transport.UDP, address="0.0.0.0", port=5060)
TLS = Listen(transport=Transport.TLS, address="0.0.0.0", port=5061)


def trunk(srtp: str, transport: str) -> Trunk:
    return Trunk(name=TrunkName("pbx"), host="192.0.2.1", transport=transport, srtp=srtp)


@pytest.mark.parametrize(
    ("srtp", "transport"), [("off", "udp"), ("optional", "udp"), ("optional", "tls"), ("required", "tls")]
)
def test_nothing_is_told_of_a_trunk_whose_keys_are_safe_or_none(srtp: str, transport: str) -> None:
    assert trunk_warnings(trunk(srtp, transport), (UDP, TLS)) == ()


def test_a_trunk_whose_keys_all_can_read_is_told_beside_what_else_is_wrong() -> None:
    told = "trunk pbx: srtp is required, but the keys go over UDP in clear, where whoever sees them can listen; use TLS"
    assert trunk_warnings(trunk("required", "udp"), (UDP, TLS)) == (told,)
    assert "over TCP" in trunk_warnings(trunk("required", "tcp"), (UDP, replace(TLS, transport=Transport.TCP)))[0]
    both = trunk_warnings(trunk("required", "udp"), (TLS,))
    assert both[1:] == (told,)
    assert "no listener speaks UDP" in both[0]
    assert all_trunk_warnings(Directory.of([trunk("required", "udp")]), (UDP, TLS)) == [told]


def test_phones_whose_keys_all_can_read_are_told_once_for_each_transport() -> None:
    anna = Agent(name=AgentName("anna"), srtp="required")
    assert phone_warnings(anna, []) == phone_warnings(anna, [Transport.TLS]) == ()
    told = phone_warnings(anna, [Transport.UDP, Transport.TLS, Transport.TCP, Transport.UDP])
    assert [each.split("over ")[1].split()[0] for each in told] == ["TCP", "UDP"]
    assert told[0].startswith("agent anna: srtp is required")
    assert phone_warnings(Agent(name=AgentName("anna"), srtp="optional"), [Transport.UDP]) == ()
