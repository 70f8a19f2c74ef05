"""Encrypted legs on their way between media processes, with a phone that others made (pjsua2)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.softphone_process import Phone, start_phone

pytestmark = pytest.mark.integration


def hears_itself(phone: Phone) -> None:
    """What it says goes both ways: its own tone comes back."""
    count = len(phone.events("level"))
    wait_until(
        lambda: sum(each["rx_dbfs"] > -25 for each in phone.events("level")[count:]) >= 3, timeout=10, what="the echo"
    )


def home(centre: LiveCentre) -> tuple[int, int]:
    """The media process in which the one leg lives, and its pid; -1 where none or both have one."""
    planes = centre.engine.api.get("/api/v1/media")["planes"]
    legs = [plane["legs"] for plane in planes]
    return (legs.index(1), planes[legs.index(1)]["pid"]) if sum(legs) == 1 else (-1, 0)


def test_an_encrypted_call_goes_on_in_another_process_when_its_own_drains_and_when_it_dies(
    session_ports: PortPool, ports: PortPool, procs: Processes, tmp_path: Path
) -> None:
    require("pjsua2")
    authority = Authority(tmp_path / "ca")
    own, tls = authority.issue("engine", dns=["engine.example"], addresses=["127.0.0.1"]), ports.one()
    settings: dict[str, dict[str, object]] = {
        "sip": {"listen": ["udp", {"transport": "tls", "port": tls}]},
        "sip.tls": {"certificates": [{"certificate": str(own.certificate), "key": str(own.key)}]},
        "media": {"processes": 2, "on_loss": "reestablish"},
    }
    with running_centre(session_ports, tmp_path / "engine", **settings) as centre:
        centre.add_agent("anna", "demo")
        centre.engine.api.patch("/api/v1/agents/anna", {"srtp": "required"})
        phone = start_phone(
            *(procs, ports, "anna", "--server", f"sips:127.0.0.1:{tls}", "--user", "anna"),
            *("--tls-ca", str(authority.file), "--srtp", "mandatory", "--audio", "tone"),
            env={"HEARTHLINE_SIP_PASSWORD": centre.secret_of("anna")},
        )
        phone.wait_for("registered")
        phone.tell("dial", uri="601")
        phone.wait_for("answered")
        hears_itself(phone)
        first = home(centre)[0]
        centre.engine.command("media", "drain", str(first), "--move")
        centre.until(lambda: home(centre)[0] == 1 - first, "the call in the other process")
        hears_itself(phone)
        centre.until(lambda: home(centre)[0] >= 0 and len(ready(centre)) == 2, "a fresh process")
        os.kill(home(centre)[1], signal.SIGKILL)
        centre.until(lambda: home(centre)[0] == first, "the call back where it began")
        hears_itself(phone)
        phone.tell("hangup")
        phone.wait_for("ended")
        cdr = centre.engine.wait_for_cdrs(1)[0]
        assert cdr["reason"] == "caller_hangup"
        shown = centre.engine.command("trace", cdr["call"], "--full").stdout
        assert shown.count("RTP/SAVP") == 7, "the call's offer, once more after the challenge, two of ours, and answers"
        assert phone.quit() == 0
        centre.no_legs()


def ready(centre: LiveCentre) -> list[object]:
    return [plane for plane in centre.engine.api.get("/api/v1/media")["planes"] if plane["state"] == "ready"]
