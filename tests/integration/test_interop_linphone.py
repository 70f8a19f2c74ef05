"""linphonec as an agent's telephone: registered by digest, called out of a queue, calling; its sound is heard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.linphone import Linphone
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.tones import tone_dbfs

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def centre(
    session_ports: PortPool, authority: Authority, tls_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveCentre]:
    require("linphone")
    own = authority.issue("engine", dns=["localhost"], addresses=["127.0.0.1"])
    settings: dict[str, dict[str, object]] = {
        "sip": {"listen": ["udp", "tcp", {"transport": "tls", "port": tls_port}]},
        "sip.tls": {"certificates": [{"certificate": str(own.certificate), "key": str(own.key)}]},
    }
    with running_centre(session_ports, tmp_path_factory.mktemp("linphone"), **settings) as centre:
        yield centre
        centre.prove_a_call()
        centre.at_rest()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_linphone_is_an_agents_telephone(
    centre: LiveCentre,
    authority: Authority,
    tls_port: int,
    procs: Processes,
    ports: PortPool,
    tmp_path: Path,
    transport: str,
) -> None:
    name = f"lin-{transport}"
    # By name: linphone's TLS knows no certificates of addresses.
    place = f"localhost:{tls_port}" if transport == "tls" else f"127.0.0.1:{centre.sip[1]}"
    server = f"{place};transport={transport}"
    centre.add_agent(name, "demo")
    agent = Linphone(procs, ports, tmp_path / "linphone", name, tone=440, ca=authority.file)
    agent.register(server, centre.secret_of(name))
    wait_until(lambda: bool(centre.engine.agent(name)["reachable"]), timeout=10, what="linphone to be registered")

    caller = centre.caller()
    talk = caller.call("600")
    agent.wait_for("Receiving new incoming call")
    agent.tell("answer")
    centre.engine.wait_for_state(name, "in_call")
    agent.speak()
    before = caller.voice.packets
    wait_until(lambda: caller.voice.packets > before + 20, timeout=5, what="the agent's sound")
    assert talk.hang_up().status == 200
    agent.wait_for("Call 1 with", "ended")

    agent.tell(f"call sip:601@{server}")
    agent.wait_for("Media streams established with <sip:601")
    agent.speak()
    wait_until(lambda: agent.recorded() > 20_000, timeout=8, what="a second of sound")
    agent.tell("terminate")
    centre.no_legs()
    agent.quit()
    assert tone_dbfs(agent.heard(), 440) > -30, "its own tone, echoed"
