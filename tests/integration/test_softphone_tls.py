"""The softphone over TLS: registered at an engine, called out of its queue; and whom it does not believe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.softphone_process import Phone, start_phone
from tests.support.tones import read_wav, tone_dbfs

pytestmark = pytest.mark.integration


@dataclass
class Secure:
    centre: LiveCentre
    authority: Authority
    port: int
    directory: Path


@pytest.fixture(scope="module")
def secure(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    require("pjsua2")
    directory = tmp_path_factory.mktemp("softphone_tls")
    authority = Authority(directory / "ca")
    own = authority.issue("engine", dns=["engine.example"], addresses=["127.0.0.1"])
    Authority(directory / "other", "Other CA")
    port = session_ports.one()
    pair = {"certificate": str(own.certificate), "key": str(own.key)}
    settings: dict[str, dict[str, object]] = {
        "sip": {"listen": ["udp", {"transport": "tls", "port": port}]},
        "sip.tls": {"certificates": [pair]},
    }
    with running_centre(session_ports, directory / "engine", **settings) as centre:
        centre.add_agent("secure", "demo")
        yield Secure(centre, authority, port, directory)
        centre.prove_a_call()
        centre.at_rest()


@pytest.fixture
def phone(secure: Secure, procs: Processes, ports: PortPool) -> Callable[..., Phone]:
    def start(ca: Path, *arguments: str, host: str = "127.0.0.1") -> Phone:
        return start_phone(
            *(procs, ports, "secure", "--server", f"sips:{host}:{secure.port}", "--user", "secure"),
            *("--tls-ca", str(ca), *arguments),
            env={"HEARTHLINE_SIP_PASSWORD": secure.centre.secret_of("secure")},
        )

    return start


def test_an_agent_at_the_softphone_over_tls(secure: Secure, phone: Callable[..., Phone], tmp_path: Path) -> None:
    heard = tmp_path / "heard.wav"
    agent = phone(secure.authority.file, "--audio", "tone", "--record-received", str(heard), "--auto-answer")
    agent.wait_for("registered")
    assert agent.wait_for("ready")["transport"] == "tls"
    caller = secure.centre.caller()
    talk = caller.call("600")
    agent.wait_for("answered")
    before = caller.voice.packets
    wait_until(lambda: caller.voice.packets > before + 20, timeout=8, what="the agent's voice")
    assert talk.change("sendonly").status == 200
    assert talk.change("sendrecv").status == 200
    assert talk.hang_up().status == 200
    agent.wait_for("ended")

    agent.tell("dial", uri="601")
    agent.wait_for("answered", count=2)
    wait_until(
        lambda: any(each["rx_dbfs"] > -40 for each in agent.events("level")), timeout=8, what="its own tone, echoed"
    )
    agent.tell("hangup")
    agent.wait_for("ended", count=2)
    assert agent.quit() == 0
    assert tone_dbfs(read_wav(heard), 440) > -50
    assert secure.centre.engine.agent("secure")["reachable"] is False, "it took leave"


@pytest.mark.parametrize(("ca", "host"), [("other/other-ca.pem", "127.0.0.1"), ("ca/test-ca.pem", "localhost")])
def test_the_softphone_speaks_to_nobody_whom_it_does_not_believe(
    secure: Secure, phone: Callable[..., Phone], ca: str, host: str
) -> None:
    agent = phone(secure.directory / ca, "--audio", "null", host=host)
    failed = agent.wait_for("registration_failed")
    assert str(failed["reason"]).startswith("the server's certificate is not believed: "), failed
    assert agent.quit() == 0
    assert agent.events("registered") == []
