"""baresip as an agent's telephone and as a caller: registered by digest, called out of a queue, heard both ways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.baresip import Baresip
from tests.support.certificates import Authority
from tests.support.live_centre import STRANGER_HOST, LiveCentre, running_centre
from tests.support.parts import require
from tests.support.plain_phone import PlainPhone
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def shared(
    session_ports: PortPool, authority: Authority, tls_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveCentre]:
    require("baresip")
    own = authority.issue("engine", addresses=["127.0.0.1"])
    # baresip 1.0 gives up when it sees SHA-256, also where MD5 is offered beside it.
    directory = tmp_path_factory.mktemp("baresip")
    settings: dict[str, dict[str, object]] = {
        "sip": {
            "digest_algorithms": ["MD5"],
            "listen": ["udp", "tcp", {"transport": "tls", "port": tls_port}],
        },
        "sip.tls": {"certificates": [{"certificate": str(own.certificate), "key": str(own.key)}]},
    }
    with running_centre(session_ports, directory, **settings) as centre:
        yield centre


@pytest.fixture
def centre(shared: LiveCentre) -> Iterator[LiveCentre]:
    yield shared
    shared.prove_a_call()
    shared.at_rest()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_baresip_is_an_agents_telephone(
    centre: LiveCentre,
    authority: Authority,
    tls_port: int,
    procs: Processes,
    ports: PortPool,
    tmp_path: Path,
    transport: str,
) -> None:
    name = f"bare-{transport}"
    centre.add_agent(name, "demo")
    agent = Baresip(
        *(procs, ports, tmp_path / "agent", name, f"127.0.0.1:{tls_port if transport == 'tls' else centre.sip[1]}"),
        password=centre.secret_of(name),
        transport=transport,
        account=";answermode=auto",
        ca=authority.file,
    )
    wait_until(lambda: bool(centre.engine.agent(name)["reachable"]), timeout=10, what="baresip to be registered")

    caller = centre.caller()
    talk = caller.call("600")
    agent.wait_for("CALL_ESTABLISHED")
    hears_himself(caller)
    assert talk.change("sendonly").status == 200
    assert talk.change("sendrecv").status == 200
    hears_himself(caller)
    agent.tell("hangup")
    talk.wait_bye()
    agent.quit()
    assert centre.engine.agent(name)["reachable"] is False, "it took leave"


def test_an_agent_calls_another_with_baresip(
    centre: LiveCentre, procs: Processes, ports: PortPool, tmp_path: Path
) -> None:
    centre.add_agent("dialler")
    called = centre.agent("demo-agent", host=STRANGER_HOST, register=False)
    assert called.register(algorithm="MD5").status == 200
    server = f"127.0.0.1:{centre.sip[1]}"
    phone = Baresip(procs, ports, tmp_path / "agent", "dialler", server, password=centre.secret_of("dialler"))
    wait_until(lambda: bool(centre.engine.agent("dialler")["reachable"]), timeout=10, what="baresip to be registered")
    phone.dial("100")
    phone.wait_for("CALL_ESTABLISHED")
    hears_himself(called)
    assert called.talk().hang_up().status == 200
    phone.wait_for("CALL_CLOSED")
    phone.quit()
    assert called.register(expires=0, algorithm="MD5").status == 200


def hears_himself(phone: PlainPhone) -> None:
    """Through baresip, which says what it hears."""
    mark = phone.voice.mark
    before = len(phone.voice.heard[mark])
    wait_until(lambda: len(phone.voice.heard[mark]) > before + 20, timeout=8, what=f"{phone.user}'s own voice")
