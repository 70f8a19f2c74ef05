"""SIP over TLS and IPv6 with real programs: phones, trunks, certificates that change while calls are up."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from engine.sip.flow import Address
from engine.sip.stun import binding_request, mapped_address
from tests.support.certificates import Authority, Issued
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.plain_phone import PlainPhone
from tests.support.ports import PortPool
from tests.support.procs import wait_until

pytestmark = pytest.mark.integration


@dataclass
class Secure:
    """An engine that speaks TLS on 127.0.0.1, and everything on ::1."""

    centre: LiveCentre
    authority: Authority
    own: Issued
    port: int
    port6: int

    @property
    def sip(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.file))

    def shown(self, name: str = "engine.example", *options: str) -> str:
        """What openssl says of a connection."""
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-servername", name, *options]
        done = subprocess.run(command, input="", capture_output=True, text=True, timeout=20, check=False)
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def secure(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    directory = tmp_path_factory.mktemp("tls")
    authority = Authority(directory / "ca")
    own = authority.issue("engine", dns=["engine.example"], addresses=["127.0.0.1", "::1"])
    other = authority.issue("other", dns=["other.example"], uris=["sip:domain.example"])
    sip, port, port6 = session_ports.one(), session_ports.one(), session_ports.one()
    pairs = [{"certificate": str(each.certificate), "key": str(each.key)} for each in (own, other)]
    settings: dict[str, dict[str, object]] = {
        "sip": {
            "listen": [
                {"transport": "udp"},
                {"transport": "tcp"},
                {"transport": "tls", "port": port, "dscp": 24},
                f"udp:[::1]:{port6}",
                f"tcp:[::1]:{port6}",
            ]
        },
        "sip.tls": {"certificates": pairs, "trust": str(authority.file)},
        # STUN is answered on flows that are known only; a stranger's gets nothing.
        "guard": {"trusted": ["::1/128"]},
    }
    assert sip
    with running_centre(session_ports, directory / "engine", **settings) as centre:
        yield Secure(centre, authority, own, port, port6)


@pytest.fixture
def alice(secure: Secure, ports: PortPool) -> Iterator[PlainPhone]:
    """An agent whose phone is registered over TLS."""
    secure.centre.add_agent("alice", "demo")
    phone = PlainPhone(
        "alice", secure.sip, ports, password=secure.centre.secret_of("alice"), transport="tls", tls=secure.trusting()
    )
    with phone:
        assert phone.register().status == 200
        yield phone
    wait_until(lambda: not secure.centre.engine.agent("alice")["reachable"], timeout=5, what="the phone to be gone")


def test_a_phone_over_tls_takes_a_call_and_makes_one(secure: Secure, alice: PlainPhone) -> None:
    caller = secure.centre.caller()
    talk, other = secure.centre.connect(caller, alice)
    (invite,) = [message for message in alice.heard if message.method == "INVITE" and not message.status]
    assert invite["contact"] == f"<sip:127.0.0.1:{secure.port};transport=tls>"
    assert invite["via"].startswith(f"SIP/2.0/TLS 127.0.0.1:{secure.port};rport;alias;branch=")
    assert talk.hang_up().status == 200
    other.wait_bye()
    out = alice.call("601")
    out.wait(200)
    assert out.hang_up().status == 200


def test_old_versions_and_weak_ciphers_find_nobody(secure: Secure) -> None:
    assert "alert protocol version" in secure.shown("engine.example", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    weak = secure.shown("engine.example", "-tls1_2", "-cipher", "AES128-SHA:AES256-SHA")
    assert "alert handshake failure" in weak
    assert "TLSv1.3" in secure.shown()


def test_the_certificate_is_the_one_of_the_name_that_is_asked_for(secure: Secure) -> None:
    for name, serial in (("engine.example", "engine"), ("other.example", "other"), ("domain.example", "other")):
        text = secure.shown(name)
        pem = text[text.index("-----BEGIN") : text.index("-----END")]
        assert pem.strip() in (secure.own.certificate.parent / f"{serial}.pem").read_text()


def test_new_certificates_are_taken_while_a_call_is_up(secure: Secure, alice: PlainPhone) -> None:
    caller = secure.centre.caller()
    talk, other = secure.centre.connect(caller, alice)
    before = secure.own.key.read_bytes()
    secure.own.key.write_text("half a key")
    refused = secure.centre.engine.command("reload", check=False)
    assert refused.returncode == 1
    assert str(secure.own.key) in refused.stderr
    secure.own.key.write_bytes(before)
    secure.authority.issue("engine", dns=["engine.example", "new.example"], addresses=["127.0.0.1"])
    assert f"{secure.own.certificate}: good until" in secure.centre.engine.command("reload").stdout
    with socket.create_connection(secure.sip) as raw:
        context = secure.trusting()
        with context.wrap_socket(raw, server_hostname="new.example") as fresh:
            assert ("DNS", "new.example") in fresh.getpeercert()["subjectAltName"]  # type: ignore[index]
    secure.centre.hear_each_other(caller, alice)
    assert talk.hang_up().status == 200, "over the connection that began under the old certificate"
    other.wait_bye()
    assert not alice.disconnected


def test_the_end_of_each_certificate_is_a_metric(secure: Secure) -> None:
    page = secure.centre.engine.api.text("/metrics")
    assert page.count("hearthline_certificate_end_timestamp_seconds{") == 2


def test_an_ipv6_peer_is_named_in_brackets_and_stun_is_answered_there(secure: Secure) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
        peer.settimeout(3)
        peer.bind(("::1", 0))
        here = peer.getsockname()[1]
        request = (
            "OPTIONS sip:[::1] SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP [::1]:{here};branch=z9hG4bK6;rport\r\n"
            "From: <sip:a@[::1]>;tag=1\r\nTo: <sip:[::1]>\r\nCall-ID: six\r\nCSeq: 1 OPTIONS\r\n"
            "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        peer.sendto(request.encode(), ("::1", secure.port6))
        assert peer.recv(4096).startswith(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP [::1]:")
        peer.sendto(binding_request(bytes(12)), ("::1", secure.port6))
        assert mapped_address(peer.recv(4096)) == (bytes(12), Address("::1", here))


def test_a_trunk_over_tls_is_reached_only_where_its_certificate_is_its_own(secure: Secure, ports: PortPool) -> None:
    pbx = secure.authority.issue("pbx", dns=["pbx.example"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pbx.certificate, pbx.key)
    place = ("127.0.0.8", ports.one())
    options = {"port": place[1], "transport": "tls", "ping_s": 1}
    with socket.create_server(place) as listener:
        listener.settimeout(10)
        secure.centre.trunk("secure", place[0], tls_name="stranger.example", **options)
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            _first_request(listener, context)
        secure.centre.trunk("secure", place[0], tls_name="pbx.example", **options)
        assert _first_request(listener, context).startswith(b"OPTIONS sip:127.0.0.8:")
    secure.centre.engine.api.delete("/api/v1/trunks/secure")
    log = secure.centre.engine.process.tail()
    assert "its certificate is of pbx.example, not of stranger.example" in log


def _first_request(listener: socket.socket, context: ssl.SSLContext) -> bytes:
    """What the engine says first on the next connection that it makes."""
    raw, _ = listener.accept()
    raw.settimeout(10)
    with raw, context.wrap_socket(raw, server_side=True) as connection:
        data = connection.recv(4096)
        assert data, "it went without a word"
        return data
