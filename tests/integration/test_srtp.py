"""Encrypted sound (SRTP with keys in SDP) between the engine and programs that others made: pjsua2 as an agent's phone,
Asterisk's chan_pjsip as a trunk, both over TLS."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from engine.media.commands import CloseLeg, Connect, Direction, SrtpKeys, SrtpSuite
from engine.media.events import Latched, LegClosed, Quality
from engine.media.rtcp import Bye, parse
from engine.media.srtp import Opener, Sealer
from tests.support.asterisk import Asterisk, Asterisks
from tests.support.certificates import Authority
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.media_listening import latch
from tests.support.media_plane import HEADER, Control, FarEnd, open_leg
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.rtp_capture import Capture
from tests.support.secret_talk import PLAIN_DBFS, PLAIN_HZ, TAGS, hears, relayed
from tests.support.softphone_process import start_phone
from tests.support.tones import DIGITAL_MILLIWATT_DBFS, read_wav, tone_dbfs

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
media_encryption = sdes
media_encryption_optimistic = no
disallow = all
allow = ulaw
"""


@dataclass
class Both:
    centre: LiveCentre
    asterisk: Asterisk
    authority: Authority
    tls: int


@pytest.fixture
def both(session_ports: PortPool, ports: PortPool, asterisks: Asterisks, tmp_path: Path) -> Iterator[Both]:
    require("pjsua2", "capture")
    authority = Authority(tmp_path / "ca")
    own = authority.issue("engine", dns=["engine.example"], addresses=["127.0.0.1"])
    pbx = authority.issue("pbx", dns=["pbx.example"])
    engine_tls, tls = ports.one(), ports.one()
    settings: dict[str, dict[str, object]] = {
        "sip": {"listen": ["udp", {"transport": "tls", "port": engine_tls}]},
        "sip.tls": {
            "certificates": [{"certificate": str(own.certificate), "key": str(own.key)}],
            "trust": str(authority.file),
        },
    }
    with running_centre(session_ports, tmp_path / "engine", **settings) as centre:
        files = {"pbx.pem": pbx.certificate, "pbx.key": pbx.key, "ca.pem": authority.file}
        extra = {name: path.read_text() for name, path in files.items()}
        asterisk = asterisks.start(engine_port=centre.engine.sip_port, extra=extra, modules=("res_srtp",))
        etc = f"/{asterisk.etc.relative_to(asterisk.root)}"
        (asterisk.etc / "pjsip_extra.conf").write_text(PJSIP.format(tls=tls, engine_tls=engine_tls, etc=etc))
        asterisk.ami.command("module reload res_pjsip.so")
        wait_until(lambda: "secure" in asterisk.ami.command("pjsip show endpoints"), timeout=10, what="the endpoint")
        secure = {"port": tls, "transport": "tls", "tls_name": "pbx.example", "ping_s": 1, "srtp": "required"}
        centre.trunk("asterisk", "127.0.0.1", **secure)
        centre.add_agent("anna", "demo")
        centre.engine.api.patch("/api/v1/agents/anna", {"srtp": "required"})
        yield Both(centre, asterisk, authority, engine_tls)
        asterisk.stop()


def test_a_phone_and_a_trunk_that_both_encrypt_hear_each_other(
    both: Both, procs: Processes, ports: PortPool, tmp_path: Path
) -> None:
    centre, heard = both.centre, tmp_path / "heard.wav"
    agent = start_phone(
        *(procs, ports, "anna", "--server", f"sips:127.0.0.1:{both.tls}", "--user", "anna"),
        *("--tls-ca", str(both.authority.file), "--srtp", "mandatory", "--bind", "127.0.0.5"),
        *("--audio", "tone", "--record-received", str(heard), "--auto-answer"),
        env={"HEARTHLINE_SIP_PASSWORD": centre.secret_of("anna")},
    )
    agent.wait_for("registered")
    assert centre.engine.api.get("/api/v1/agents/anna")["warnings"] == []
    assert centre.engine.api.get("/api/v1/trunks/asterisk")["warnings"] == []
    call = both.asterisk.originate("PJSIP/600@secure")
    call.wait_answered()
    agent.wait_for("answered")
    wait_until(lambda: any(each["rx_dbfs"] > -20 for each in agent.events("level")), timeout=10, what="Asterisk's tone")
    wait_until(lambda: centre.engine.api.get("/api/v1/media")["packets_sent"] > 150, timeout=10, what="a talk")
    media = centre.engine.api.get("/api/v1/media")
    assert (media["legs"], media["relayed_edges"]) == (2, 2), "passed on, never decoded"
    assert call.hang_up().fields["Cause"] == "16"
    agent.wait_for("ended")
    assert tone_dbfs(call.heard(), 440) > -30
    cdr = centre.engine.wait_for_cdrs(1)[0]
    assert (cdr["agent"], cdr["reason"]) == ("anna", "caller_hangup")

    agent.tell("dial", uri="9702")
    agent.wait_for("answered", count=2)
    count = len(agent.events("level"))
    wait_until(
        lambda: any(each["rx_dbfs"] > -20 for each in agent.events("level")[count:]), timeout=10, what="the same"
    )
    agent.tell("hangup")
    agent.wait_for("ended", count=2)
    assert agent.quit() == 0
    assert tone_dbfs(read_wav(heard), 1004) > -30
    shown = centre.engine.command("trace", cdr["call"], "--full").stdout
    assert shown.count("RTP/SAVP") == 4, "two offers, two answers"
    assert "inline:****" in shown
    assert not [word for word in shown.split() if word.startswith("inline:") and set(word[7:]) != {"*"}]


def in_suite(both: Both, tag_32: bool) -> None:
    """Asterisk offers AES_CM_128_HMAC_SHA1_32 from now on, or AES_CM_128_HMAC_SHA1_80."""
    path = both.asterisk.etc / "pjsip_extra.conf"
    bare = path.read_text().replace("srtp_tag_32 = yes\n", "")
    path.write_text(bare + ("srtp_tag_32 = yes\n" if tag_32 else ""))
    both.asterisk.ami.command("module reload res_pjsip.so")
    wanted = "srtp_tag_32                        : " + ("true" if tag_32 else "false")
    wait_until(
        lambda: (
            wanted.split()
            in [line.split() for line in both.asterisk.ami.command("pjsip show endpoint secure").splitlines()]
        ),
        timeout=10,
        what=wanted,
    )


@pytest.mark.timing
def test_asterisk_in_each_of_its_suites_and_a_plain_phone_hear_each_other(both: Both) -> None:
    centre, pitch = both.centre, 1004
    bert = centre.agent("bert", "demo", host="127.0.0.5")
    bert.voice.hum(PLAIN_HZ, PLAIN_DBFS)
    for suite in ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"):
        in_suite(both, suite.endswith("_32"))
        with Capture(*both.asterisk.ports.rtp) as wire:
            call = both.asterisk.originate("PJSIP/600@secure")
            call.wait_answered()
            hears(bert, pitch, dbfs=DIGITAL_MILLIWATT_DBFS)
            relayed(centre)
            assert wire.secret(pitch, PLAIN_HZ) == TAGS[suite]
            call.hang_up()
            assert tone_dbfs(call.heard(), PLAIN_HZ) > PLAIN_DBFS - 3
            centre.no_legs()

            talk = bert.call("9702")
            talk.wait(200)
            hears(bert, pitch, dbfs=DIGITAL_MILLIWATT_DBFS)
            assert wire.secret(pitch, PLAIN_HZ) == TAGS["AES_CM_128_HMAC_SHA1_80"], "the strongest of ours that it has"
            talk.hang_up()
            centre.no_legs()


SUITE = SrtpSuite.AES_CM_128_HMAC_SHA1_80
OURS, THEIRS, OTHER = (b64encode(bytes([number]) * 30).decode() for number in (1, 2, 3))


class Voice:
    """An encrypted peer of a leg: says marked packets, opens what comes."""

    def __init__(self, end: FarEnd) -> None:
        self.end = end
        self.seq = 0
        self.says = Sealer(SUITE, THEIRS)
        self.hears = Opener(SUITE, OURS, 0)

    def plain(self, mark: int) -> bytes:
        self.seq += 1
        return HEADER.pack(0x80, 0, self.seq, 160 * self.seq, 0x1234) + bytes([mark]) * 160

    def say(self, mark: int, by: Sealer | None = None) -> None:
        self.send((by or self.says).rtp(memoryview(self.plain(mark))))

    def send(self, data: bytes) -> None:
        self.end.rtp.sendto(data, ("127.0.0.1", self.end.leg_port))

    def heard(self) -> list[int]:
        """The marks of what has come; everything must be authentic."""
        found = []
        for packet in self.end.hear():
            head = HEADER.pack(0x80, packet.payload_type | packet.marker << 7, packet.seq, packet.stamp, packet.ssrc)
            data = bytearray(head + packet.payload)
            size = self.hears.rtp(data, len(data))
            assert size == 172
            found.append(data[12])
        return found


def test_only_what_is_authentic_latches_and_is_heard(control: Control, ends: list[FarEnd]) -> None:
    secure, plain = ends[:2]
    keys = SrtpKeys(suite=SUITE, ours=OURS, theirs=THEIRS)
    open_leg(control, "secure", secure, srtp=keys)
    open_leg(control, "plain", plain)
    control.send(Connect(source="secure", sink="plain"), Connect(source="plain", sink="secure"))
    latch(control, plain, "plain")
    voice = Voice(secure)
    voice.send(voice.plain(0x11))
    voice.say(0x12, Sealer(SUITE, OTHER))
    control.settle()
    assert not [event for event in control.collect(0.2) if isinstance(event, Latched)]
    voice.say(0x13)
    control.wait(Latched)
    first = bytes(voice.says.rtp(memoryview(voice.plain(0x14))))
    for data in (first, first, voice.plain(0x15)):
        voice.send(data)
    heard = plain.hear_until(lambda packets: any(packet.payload[0] == 0x14 for packet in packets))
    assert [packet.payload[0] for packet in heard if packet.payload[0] < 0x20] == [0x13, 0x14]
    plain.speak(b"\x21" * 160)
    wait_until(lambda: 0x21 in voice.heard(), timeout=5, what="the plain side, sealed")

    control.send(secure.remote("secure", srtp=keys, direction=Direction.RECVONLY))
    control.send(secure.remote("secure", srtp=keys))
    control.settle()
    for mark in (0x16, 0x17):
        voice.say(mark)
    heard = plain.hear_until(lambda packets: len(packets) == 2)
    assert [packet.payload[0] for packet in heard] == [0x16, 0x17], "hold changes no key"
    control.send(secure.remote("secure", srtp=replace(keys, theirs=OTHER)))
    control.settle()
    voice.say(0x18)
    voice.says = Sealer(SUITE, OTHER)
    voice.say(0x19)
    heard = plain.hear_until(lambda packets: len(packets) == 1)
    assert [packet.payload[0] for packet in heard] == [0x19], "a new key is the only one"
    control.send(secure.remote("secure"))
    control.settle()
    voice.send(voice.plain(0x1A))
    assert [packet.payload[0] for packet in plain.hear_until(lambda packets: len(packets) == 1)] == [0x1A]
    control.send(CloseLeg(leg="secure"))
    assert control.wait(LegClosed).quality.strangers == 5


def test_reports_are_encrypted_too(control: Control, ends: list[FarEnd]) -> None:
    end = ends[0]
    port = open_leg(control, "a", end, srtp=SrtpKeys(suite=SUITE, ours=OURS, theirs=THEIRS))
    voice = Voice(end)
    voice.say(0x11)
    control.wait(Latched)
    block = struct.pack("!IIIIII", 0, 0, 0, 0, 0, 0)
    report = struct.pack("!BBHI", 0x81, 201, 7, 0x1234) + block
    end.rtcp.sendto(report, ("127.0.0.1", port + 1))
    end.rtcp.sendto(voice.says.rtcp(report), ("127.0.0.1", port + 1))
    wait_until(lambda: any(isinstance(each, Quality) for each in control.collect(0.2)), timeout=5, what="figures")
    control.send(CloseLeg(leg="a"))
    figures = control.wait(LegClosed).quality
    assert (figures.strangers, figures.unauthentic) == (0, 1)
    end.rtcp.setblocking(True)
    end.rtcp.settimeout(5)
    sealed = [end.rtcp.recv(2048)]
    found = parse(voice.hears.rtcp(sealed[-1])) or []
    while not any(isinstance(each, Bye) for each in found):
        sealed.append(end.rtcp.recv(2048))
        found += parse(voice.hears.rtcp(sealed[-1])) or []
