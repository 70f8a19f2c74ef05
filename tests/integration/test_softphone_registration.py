"""A real softphone keeps itself registered with digest, over UDP and TCP, through loss and restarts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.softphone_process import Phone, start_phone
from tests.support.softphone_registrar import Registrar, running_registrar

pytestmark = pytest.mark.integration
require("pjsua2")

USER, PASSWORD = "agent-ann", "correct horse; battery"


def start(
    procs: Processes, ports: PortPool, registrar: Registrar, tmp_path: Path, *more: str, password: str = PASSWORD
) -> Phone:
    secret = tmp_path / "secret"
    secret.write_text(password + "\n")
    return start_phone(
        *(procs, ports, "phone", "--server", f"sip:127.0.0.1:{registrar.port}", "--user", USER),
        *("--password-file", str(secret), "--audio", "null", *more),
    )


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_registers_with_digest_and_takes_leave(
    procs: Processes, ports: PortPool, tmp_path: Path, transport: str
) -> None:
    with running_registrar(port=ports.one(), user=USER, password=PASSWORD) as registrar:
        phone = start(procs, ports, registrar, tmp_path, "--transport", transport)
        assert phone.wait_for("registered") == {"event": "registered", "expires": 60}
        phone.tell("unregister")
        phone.wait_for("unregistered")
        phone.tell("register")
        phone.wait_for("registered", count=2)
        assert phone.quit() == 0
        assert registrar.registered == [60, 0, 60, 0]
        assert phone.events()[-2:] == [{"event": "unregistered"}, {"event": "bye"}]


def test_the_password_can_come_by_the_environment(procs: Processes, ports: PortPool) -> None:
    with running_registrar(port=ports.one(), user=USER, password=PASSWORD) as registrar:
        phone = start_phone(
            *(procs, ports, "phone", "--server", f"127.0.0.1:{registrar.port}", "--user", USER, "--audio", "null"),
            env={"HEARTHLINE_SIP_PASSWORD": PASSWORD},
        )
        phone.wait_for("registered")
        assert phone.quit() == 0


def test_a_wrong_password_is_told_and_not_hammered(procs: Processes, ports: PortPool, tmp_path: Path) -> None:
    with running_registrar(port=ports.one(), user=USER, password=PASSWORD) as registrar:
        phone = start(procs, ports, registrar, tmp_path, password="wrong")
        failed = phone.wait_for("registration_failed")
        assert (failed["code"], failed["reason"]) == (403, "Forbidden")
        assert failed["retry_s"] >= 45
        assert registrar.refused == 1
        assert phone.quit() == 0


def test_the_registration_is_refreshed_in_time_also_with_a_new_nonce(
    procs: Processes, ports: PortPool, tmp_path: Path
) -> None:
    with running_registrar(port=ports.one(), user=USER, password=PASSWORD, expires=7) as registrar:
        phone = start(procs, ports, registrar, tmp_path)
        phone.wait_for("registered")
        registrar.nonce = "second"
        wait_until(lambda: len(registrar.registered) >= 2, timeout=7, what="a refresh before the 7 s are over")
        assert phone.quit() == 0


def test_a_tcp_connection_that_is_cut_is_replaced(procs: Processes, ports: PortPool, tmp_path: Path) -> None:
    with running_registrar(port=ports.one(), user=USER, password=PASSWORD) as registrar:
        phone = start(procs, ports, registrar, tmp_path, "--transport", "tcp")
        phone.wait_for("registered")
        registrar.drop_connections()
        phone.wait_for("registration_failed")
        phone.wait_for("registered", count=2, timeout=5)
        assert len(registrar.registered) == 2
        assert phone.quit() == 0


def test_a_server_that_starts_after_the_phone_is_found(procs: Processes, ports: PortPool, tmp_path: Path) -> None:
    port = ports.one()
    absent = Registrar(user=USER, password=PASSWORD, port=port)
    phone = start(procs, ports, absent, tmp_path, "--transport", "tcp")
    assert phone.wait_for("registration_failed")["code"] in (502, 503)
    with running_registrar(port=port, user=USER, password=PASSWORD):
        phone.wait_for("registered", timeout=5)
        assert phone.quit() == 0


def test_a_dead_server_does_not_keep_the_phone_from_ending(procs: Processes, ports: PortPool, tmp_path: Path) -> None:
    with running_registrar(port=ports.one(), user=USER, password=PASSWORD) as registrar:
        phone = start(procs, ports, registrar, tmp_path)
        phone.wait_for("registered")
        registrar.silent = True
        assert phone.quit(timeout=6) == 0
        assert phone.events()[-1] == {"event": "bye"}


def test_a_stranger_does_not_reach_a_registered_phone(procs: Processes, ports: PortPool, tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("needs a second loopback address: on Linux 127.0.0.2 is there")
    with running_registrar(port=ports.one(), user=USER, password=PASSWORD) as registrar:
        phone = start(procs, ports, registrar, tmp_path, "--auto-answer")
        phone.wait_for("registered")
        ends = []
        for bind in ("127.0.0.2", "127.0.0.1"):
            caller = start_phone(procs, ports, f"from-{bind}", "--no-register", "--audio", "null", "--bind", bind)
            caller.wait_for("ready")
            caller.tell("dial", uri=f"sip:{USER}@{phone.address}")
            ends.append(caller)
        assert ends[0].wait_for("ended")["code"] == 403
        ends[1].wait_for("answered")
        assert phone.wait_for("refused")["code"] == 403
        assert [caller.quit() for caller in [*ends, phone]] == [0, 0, 0]
