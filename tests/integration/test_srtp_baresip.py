"""baresip whose sound is encrypted (SRTP with keys in SDP, over TLS), by tone: called and calling, required, where both
can, and not at all; held, described anew and recorded while it talks with a phone that encrypts nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.baresip import Baresip
from tests.support.certificates import Authority
from tests.support.live_centre import LiveCentre
from tests.support.parts import require
from tests.support.plain_phone import PlainPhone
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
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
from tests.support.tones import held_dbfs, read_wav

pytestmark = pytest.mark.integration

SAID_DBFS = -10.0

Start = Callable[[str, str], Baresip]


@pytest.fixture(scope="module")
def centre(
    session_ports: PortPool, authority: Authority, tls_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveCentre]:
    require("baresip", "capture")
    directory, tapes = tmp_path_factory.mktemp("srtp_baresip"), tmp_path_factory.mktemp("tapes")
    sip = {"digest_algorithms": ["MD5"]}
    with secret_centre(session_ports, authority, tls_port, directory, tapes=tapes, **sip) as centre:
        yield centre


@pytest.fixture
def start(
    centre: LiveCentre, authority: Authority, tls_port: int, procs: Processes, ports: PortPool, tmp_path: Path
) -> Start:
    """A telephone of the agent `bare`, with what is set for it here and there."""

    def started(srtp: str, account: str) -> Baresip:
        secret_agent(centre, "bare", srtp)
        phone = Baresip(
            *(procs, ports, tmp_path / "bare", "bare", f"127.0.0.1:{tls_port}"),
            password=centre.secret_of("bare"),
            transport="tls",
            account=f";answermode=auto{account}",
            ca=authority.file,
            tone=SECRET_HZ,
        )
        wait_reachable(centre, "bare")
        return phone

    return started


@pytest.fixture
def caller(centre: LiveCentre) -> PlainPhone:
    caller = centre.caller()
    caller.voice.hum(PLAIN_HZ, PLAIN_DBFS)
    return caller


@pytest.mark.timing
@pytest.mark.parametrize(
    ("srtp", "account"),
    [
        ("required", ";mediaenc=srtp-mand"),
        ("optional", ";mediaenc=srtp"),
        ("optional", ";mediaenc=srtp-mand"),  # it refuses RTP/AVP, and is called again
    ],
)
def test_a_plain_caller_and_baresip_that_encrypts_hear_each_other(
    centre: LiveCentre, start: Start, caller: PlainPhone, srtp: str, account: str
) -> None:
    phone = start(srtp, account)
    with Capture(*phone.rtp_ports) as wire:
        talk = caller.call("600")
        phone.wait_for("CALL_ESTABLISHED")
        assert phone.events("CALL_MENC")[-1]["param"].endswith(",AEAD_AES_256_GCM")
        hears(caller, dbfs=SAID_DBFS)
        relayed(centre)
        assert wire.secret(SECRET_HZ, PLAIN_HZ) == TAGS["AEAD_AES_256_GCM"]

        phone.tell("hold")
        hears_none(caller)
        phone.tell("resume")
        hears(caller, dbfs=SAID_DBFS)
        phone.tell("reinvite")
        hears(caller, dbfs=SAID_DBFS)
        assert wire.secret(SECRET_HZ, PLAIN_HZ) == TAGS["AEAD_AES_256_GCM"]

        centre.engine.command("recording", "start", only_call(centre))
        hears(caller, dbfs=SAID_DBFS)
        assert wire.secret(SECRET_HZ, PLAIN_HZ) == TAGS["AEAD_AES_256_GCM"]
    talk.hang_up()
    phone.wait_for("CALL_CLOSED")
    assert held_dbfs(phone.heard(), PLAIN_HZ) == pytest.approx(PLAIN_DBFS, abs=2)
    cdr = centre.cdr(talk)
    assert (cdr["caller_quality"]["unauthentic"], cdr["peer_quality"]["unauthentic"]) == (0, 0)
    tape = Path(cdr["recording"])
    wait_until(tape.exists, timeout=10, what="the recording")
    assert held_dbfs(read_wav(tape, channel=0), PLAIN_HZ) == pytest.approx(PLAIN_DBFS, abs=2)
    assert held_dbfs(read_wav(tape, channel=1), SECRET_HZ) == pytest.approx(SAID_DBFS, abs=2)
    assert phone.quit() == 0


@pytest.mark.timing
@pytest.mark.parametrize(
    ("srtp", "account", "suite"),
    [
        ("required", ";mediaenc=srtp-mand", "AES_CM_128_HMAC_SHA1_80"),
        ("optional", ";mediaenc=srtp", "AES_CM_128_HMAC_SHA1_80"),
        ("optional", "", None),
        ("off", ";mediaenc=srtp", None),
    ],
)
def test_baresip_calls_and_hears_itself(
    centre: LiveCentre, start: Start, srtp: str, account: str, suite: str | None
) -> None:
    phone = start(srtp, account)
    with Capture(*phone.rtp_ports) as wire:
        phone.dial("601")
        phone.wait_for("CALL_ESTABLISHED")
        wait_until(lambda: len(wire.packets) > 40, timeout=10, what="sound")
        assert wire.secret(SECRET_HZ, SECRET_HZ) == (suite and TAGS[suite])
    phone.tell("hangup")
    phone.wait_for("CALL_CLOSED")
    assert held_dbfs(phone.heard(), SECRET_HZ) > SAID_DBFS - 3
    assert phone.quit() == 0


@pytest.mark.timing
@pytest.mark.parametrize(("srtp", "account"), [("optional", ""), ("off", ";mediaenc=srtp")])
def test_who_may_do_without_keys_is_called_in_plain_sound(
    centre: LiveCentre, start: Start, caller: PlainPhone, srtp: str, account: str
) -> None:
    phone = start(srtp, account)
    with Capture(*phone.rtp_ports) as wire:
        talk = caller.call("600")
        phone.wait_for("CALL_ESTABLISHED")
        hears(caller, dbfs=SAID_DBFS)
        assert wire.secret(SECRET_HZ, PLAIN_HZ) is None
    talk.hang_up()
    phone.wait_for("CALL_CLOSED")
    assert held_dbfs(phone.heard(), PLAIN_HZ) == pytest.approx(PLAIN_DBFS, abs=2)
    assert phone.quit() == 0


@pytest.mark.parametrize(("srtp", "account", "code"), [("required", "", 399), ("off", ";mediaenc=srtp-mand", 302)])
def test_who_cannot_agree_is_refused_with_why(
    centre: LiveCentre, start: Start, srtp: str, account: str, code: int
) -> None:
    def refused() -> list[dict[str, Any]]:
        return [cdr for cdr in centre.engine.wait_for_cdrs(0) if cdr["reason"] == "not_acceptable"]

    phone = start(srtp, account)
    before = len(refused())
    phone.dial("601")
    assert phone.wait_for("CALL_CLOSED")["param"].startswith("488")
    wait_until(lambda: len(refused()) > before, timeout=20, what="the CDR of the call that was refused")
    call = refused()[0]
    assert f'Warning: {code} hearthline "' in centre.engine.command("trace", call["call"], "--full").stdout
    assert phone.quit() == 0
