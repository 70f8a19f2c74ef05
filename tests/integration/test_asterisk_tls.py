"""Asterisk's chan_pjsip and the engine over TLS, and over IPv6: calls in both directions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.asterisk import Asterisk, Asterisks
from tests.support.certificates import Authority
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.plain_phone import PlainPhone
from tests.support.ports import PortPool
from tests.support.procs import wait_until

pytestmark = pytest.mark.integration

PJSIP = """
[tls]
type = transport
protocol = tls
bind = 127.0.0.1:{tls}
cert_file = {etc}/pbx.pem
priv_key_file = {etc}/pbx.key
ca_list_file = {etc}/ca.pem
verify_server = yes
method = tlsv1_2

[six]
type = transport
protocol = udp
bind = [::1]:{six}

[secure]
type = aor
contact = sip:127.0.0.1:{engine_tls}\\;transport=tls

[secure]
type = identify
endpoint = secure
match = 127.0.0.1

[secure]
type = endpoint
transport = tls
aors = secure
context = from-hearthline
disallow = all
allow = ulaw

[six-peer]
type = aor
contact = sip:[::1]:{engine_six}

[six-peer]
type = identify
endpoint = six-peer
match = ::1

[six-peer]
type = endpoint
transport = six
aors = six-peer
context = from-hearthline
rtp_ipv6 = yes
disallow = all
allow = ulaw
"""


@dataclass
class Both:
    centre: LiveCentre
    asterisk: Asterisk
    authority: Authority


@pytest.fixture
def both(session_ports: PortPool, ports: PortPool, asterisks: Asterisks, tmp_path: Path) -> Iterator[Both]:
    authority = Authority(tmp_path / "ca")
    own = authority.issue("engine", dns=["engine.example"], addresses=["127.0.0.1"])
    pbx = authority.issue("pbx", dns=["pbx.example"])
    engine_tls, engine_six, tls, six = (ports.one() for _ in range(4))
    listen = ["udp", {"transport": "tls", "port": engine_tls}, f"udp:[::1]:{engine_six}"]
    settings: dict[str, dict[str, object]] = {
        "sip": {"listen": listen},
        "sip.tls": {
            "certificates": [{"certificate": str(own.certificate), "key": str(own.key)}],
            "trust": str(authority.file),
            "client_certificates": "required",
            "client_ca": str(authority.file),
        },
        "media": {"host": "::"},
    }
    with running_centre(session_ports, tmp_path / "engine", **settings) as centre:
        files = {"pbx.pem": pbx.certificate, "pbx.key": pbx.key, "ca.pem": authority.file}
        extra = {name: path.read_text() for name, path in files.items()}
        asterisk = asterisks.start(engine_port=centre.engine.sip_port, extra=extra)
        etc = f"/{asterisk.etc.relative_to(asterisk.root)}"
        places = {"tls": tls, "six": six, "engine_tls": engine_tls, "engine_six": engine_six, "etc": etc}
        (asterisk.etc / "pjsip_extra.conf").write_text(PJSIP.format(**places))
        asterisk.ami.command("module reload res_pjsip.so")
        wait_until(
            lambda: "six-peer" in asterisk.ami.command("pjsip show endpoints"), timeout=10, what="the new endpoints"
        )
        centre.trunk("asterisk", "127.0.0.1", port=tls, transport="tls", tls_name="pbx.example", ping_s=1)
        centre.trunk("six", "::1", port=six, ping_s=1)
        yield Both(centre, asterisk, authority)
        asterisk.stop()


def echoed(both: Both, channel: str) -> None:
    """Asterisk calls the engine's echo test and hears its own tone."""
    call = both.asterisk.originate(channel)
    call.wait_answered()
    wait_until(
        lambda: both.centre.engine.api.get("/api/v1/media")["packets_sent"] > 50, timeout=10, what="a second of echo"
    )
    assert call.hang_up().fields["Cause"] == "16"


def test_calls_go_both_ways_over_tls_with_certificates_on_both_sides(both: Both, ports: PortPool) -> None:
    centre = both.centre
    wait_until(lambda: centre.engine.api.get("/api/v1/trunks/asterisk")["up"], timeout=15, what="the trunk to be up")
    echoed(both, "PJSIP/601@secure")
    centre.add_agent("alice")
    with PlainPhone("alice", centre.sip, ports, password=centre.secret_of("alice"), host="127.0.0.5") as alice:
        assert alice.register().status == 200
        talk = alice.call("9702")
        talk.wait(200)
        wait_until(lambda: alice.voice.packets > 20, timeout=5, what="Asterisk's tone")
        assert talk.hang_up().status == 200
    log = both.asterisk.log()
    assert "SSL_ERROR" not in log


def test_calls_go_over_ipv6_with_their_sound(both: Both) -> None:
    centre = both.centre
    wait_until(lambda: centre.engine.api.get("/api/v1/trunks/six")["up"], timeout=15, what="the trunk to be up")
    echoed(both, "PJSIP/601@six-peer")
    cdr = centre.engine.wait_for_cdrs(1)[0]
    assert (cdr["origin"], cdr["reason"]) == ("trunk:six", "caller_hangup")
