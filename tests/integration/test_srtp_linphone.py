"""linphonec whose sound is encrypted (SRTP with keys in SDP, over TLS), by tone: called and calling, in each suite that
it has, required and where both can; held, and listened to while it talks with a phone that encrypts nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.linphone import Linphone
from tests.support.live_centre import LiveCentre
from tests.support.parts import require
from tests.support.plain_phone import PlainPhone
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
    secret_agent,
    secret_centre,
    wait_reachable,
)
from tests.support.tones import held_dbfs

pytestmark = pytest.mark.integration

SAID_DBFS = -10.0
MUST = ("media_encryption=srtp", "media_encryption_mandatory=1")

Start = Callable[..., Linphone]


@pytest.fixture(scope="module")
def centre(
    session_ports: PortPool, authority: Authority, tls_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveCentre]:
    require("linphone", "capture")
    directory = tmp_path_factory.mktemp("srtp_linphone")
    with secret_centre(session_ports, authority, tls_port, directory) as centre:
        yield centre


@pytest.fixture
def server(tls_port: int) -> str:
    # By name: linphone's TLS knows no certificates of addresses.
    return f"localhost:{tls_port};transport=tls"


@pytest.fixture
def start(
    centre: LiveCentre, authority: Authority, server: str, procs: Processes, ports: PortPool, tmp_path: Path
) -> Start:
    """A telephone of the agent `lin`, with what is set for it here and there."""

    def started(srtp: str, *sip: str) -> Linphone:
        secret_agent(centre, "lin", srtp)
        phone = Linphone(procs, ports, tmp_path / "lin", "lin", tone=SECRET_HZ, ca=authority.file, sip=sip)
        phone.register(server, centre.secret_of("lin"))
        wait_reachable(centre, "lin")
        return phone

    return started


@pytest.fixture
def caller(centre: LiveCentre) -> PlainPhone:
    caller = centre.caller()
    caller.voice.hum(PLAIN_HZ, PLAIN_DBFS)
    return caller


def hears_itself(centre: LiveCentre, phone: Linphone, server: str) -> None:
    """The echo test, called by the phone."""
    phone.tell(f"call sip:601@{server}")
    phone.wait_for("Media streams established with <sip:601")
    phone.hear_itself(SECRET_HZ)
    phone.tell("terminate")
    centre.no_legs()


@pytest.mark.timing
@pytest.mark.parametrize(
    ("srtp", "suite"),
    [
        ("required", "AES_CM_128_HMAC_SHA1_80"),
        ("required", "AES_CM_128_HMAC_SHA1_32"),
        ("optional", "AES_CM_128_HMAC_SHA1_80"),  # it refuses RTP/AVP, and is called again
    ],
)
def test_a_plain_caller_and_linphone_that_encrypts_hear_each_other(
    centre: LiveCentre, start: Start, caller: PlainPhone, server: str, srtp: str, suite: str
) -> None:
    phone = start(srtp, *MUST, f"srtp_crypto_suites={suite}")
    with Capture(*phone.rtp_ports) as wire:
        talk = caller.call("600")
        phone.wait_for("Receiving new incoming call")
        phone.tell("answer")
        centre.engine.wait_for_state("lin", "in_call")
        phone.speak()
        hears(caller, dbfs=SAID_DBFS)
        relayed(centre)
        assert wire.secret(SECRET_HZ, PLAIN_HZ) == TAGS[suite]

        phone.tell("pause")
        hears_none(caller)
        phone.tell("resume")
        hears(caller, dbfs=SAID_DBFS)
        boss = centre.agent("boss")
        centre.engine.command("listen", only_call(centre), "--agent", "boss")
        boss.talk()
        hears(boss, dbfs=SAID_DBFS)
        hears(boss, PLAIN_HZ, dbfs=PLAIN_DBFS)
        hears(caller, dbfs=SAID_DBFS)
        assert wire.secret(SECRET_HZ, PLAIN_HZ) == TAGS[suite]
    talk.hang_up()
    phone.wait_for("Call 1 with", "ended")
    assert held_dbfs(phone.heard(), PLAIN_HZ) == pytest.approx(PLAIN_DBFS, abs=2)
    assert centre.cdr(talk)["peer_quality"]["codec"] == "PCMU"

    with Capture(*phone.rtp_ports) as wire:
        hears_itself(centre, phone, server)
        there, back = wire.both()
        assert {len(packet) - 172 for packet in there + back} == {TAGS[suite]}
    assert phone.quit() == 0


@pytest.mark.timing
@pytest.mark.parametrize(
    ("srtp", "sip", "tag"), [("optional", "media_encryption=srtp", 10), ("optional", "", 0), ("off", "", 0)]
)
def test_linphone_where_it_need_not_encrypt(
    centre: LiveCentre, start: Start, caller: PlainPhone, server: str, srtp: str, sip: str, tag: int
) -> None:
    phone = start(srtp, sip)
    with Capture(*phone.rtp_ports) as wire:
        talk = caller.call("600")
        phone.wait_for("Receiving new incoming call")
        phone.tell("answer")
        centre.engine.wait_for_state("lin", "in_call")
        phone.speak()
        hears(caller, dbfs=SAID_DBFS)
        assert wire.secret(SECRET_HZ, PLAIN_HZ) is None, "it passes over keys that are offered beside RTP/AVP"
    talk.hang_up()
    phone.wait_for("Call 1 with", "ended")
    assert held_dbfs(phone.heard(), PLAIN_HZ) == pytest.approx(PLAIN_DBFS, abs=2)
    with Capture(*phone.rtp_ports) as wire:
        hears_itself(centre, phone, server)
        assert {len(packet) - 172 for packet in wire.both()[1]} == {tag}
    assert phone.quit() == 0
