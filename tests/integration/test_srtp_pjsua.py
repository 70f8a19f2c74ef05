"""pjsua2 whose sound is encrypted (SRTP with keys in SDP, over TLS), by tone: in each suite that it has, held, with
fresh keys at another port amid the call, and listened to while it talks with a phone that encrypts nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.live_centre import LiveCentre
from tests.support.parts import require
from tests.support.pjsua_phone import PjsuaPhone
from tests.support.ports import PortPool
from tests.support.procs import Processes
from tests.support.rtp_capture import Capture
from tests.support.secret_talk import (
    PLAIN_DBFS,
    PLAIN_HZ,
    SECRET_HZ,
    TAGS,
    hears,
    hears_none,
    only_call,
    relayed,
    secret_centre,
)
from tests.support.tones import held_dbfs, read_wav

pytestmark = pytest.mark.integration

SAID_DBFS = -10.2
"""What pjsua2 makes of a volume of 10,000."""


@pytest.fixture(scope="module")
def centre(
    session_ports: PortPool, authority: Authority, tls_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveCentre]:
    require("pjsua2", "capture")
    directory = tmp_path_factory.mktemp("srtp_pjsua")
    with secret_centre(session_ports, authority, tls_port, directory) as centre:
        yield centre


@pytest.mark.timing
@pytest.mark.parametrize(
    ("suite", "srtp"), [("AES_CM_128_HMAC_SHA1_80", "mandatory"), ("AES_CM_128_HMAC_SHA1_32", "optional")]
)
def test_keys_change_amid_a_call_with_a_plain_caller(
    centre: LiveCentre,
    authority: Authority,
    tls_port: int,
    procs: Processes,
    ports: PortPool,
    tmp_path: Path,
    suite: str,
    srtp: str,
) -> None:
    heard = tmp_path / "heard.wav"
    options = {"ca": authority.file, "srtp": srtp, "suites": suite, "tone": SECRET_HZ, "record": heard}
    phone = PjsuaPhone(centre, procs, ports, "pj", port=tls_port, **options)
    centre.engine.api.patch("/api/v1/agents/pj", {"srtp": "required" if srtp == "mandatory" else "optional"})
    caller = centre.caller()
    caller.voice.hum(PLAIN_HZ, PLAIN_DBFS)
    with Capture(*phone.rtp_ports) as wire:
        talk = caller.call("600")
        phone.told("up 0")
        hears(caller, dbfs=SAID_DBFS)
        relayed(centre)
        assert wire.secret(SECRET_HZ, PLAIN_HZ) == TAGS[suite]
        ports_before = {each.sink for each in wire.packets} & wire.ports

        phone.tell("hold")
        hears_none(caller)
        phone.tell("rekey")
        hears(caller, dbfs=SAID_DBFS)
        assert wire.secret(SECRET_HZ, PLAIN_HZ) == TAGS[suite]
        assert not {each.sink for each in wire.packets} & ports_before, "it moved, and has new keys"

        boss = centre.agent("boss")
        centre.engine.command("listen", only_call(centre), "--agent", "boss")
        boss.talk()
        hears(boss, dbfs=SAID_DBFS)
        hears(boss, PLAIN_HZ, dbfs=PLAIN_DBFS)
        phone.tell("hold")
        hears_none(caller)
        phone.tell("resume")
        hears(caller, dbfs=SAID_DBFS)
        assert wire.secret(SECRET_HZ, PLAIN_HZ) == TAGS[suite]
    talk.hang_up()
    phone.told("down 0")
    assert phone.quit() == 0
    sound = read_wav(heard)
    assert held_dbfs(sound.between(sound.seconds - 1.0, sound.seconds), PLAIN_HZ) == pytest.approx(PLAIN_DBFS, abs=1)
    assert centre.cdr(talk)["peer_quality"]["unauthentic"] == 0
