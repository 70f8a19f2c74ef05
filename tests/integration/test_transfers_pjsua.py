"""Transfers that pjsip asks for: its REFER, its Replaces, and what it makes of our NOTIFYs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from tests.integration.test_transfers import DIALPLAN
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Process, Processes, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    require("pjsua2")
    directory = tmp_path_factory.mktemp("transfers_pjsua")
    (directory / "dialplan.toml").write_text(DIALPLAN)
    with running_centre(session_ports, directory, dialplan={"file": str(directory / "dialplan.toml")}) as centre:
        yield centre


@pytest.fixture
def pjsua(centre: LiveCentre, procs: Processes, ports: PortPool) -> Callable[[str], Process]:
    """Makes an agent of the queue with such a phone, registered."""

    def start(name: str) -> Process:
        centre.add_agent(name, "demo")
        server = f"127.0.0.1:{centre.engine.sip_port}"
        rtp = ports.block(8, even=True).start
        words = [server, name, centre.secret_of(name), str(ports.one()), str(rtp)]
        process = procs.start(name, [sys.executable, "-m", "tests.support.pjsua_agent", *words], stdin=True)
        told(process, "registered")
        return process

    return start


def told(process: Process, line: str) -> None:
    def said() -> bool:
        assert process.running, process.tail()
        return line in process.out.read_text().splitlines()

    wait_until(said, timeout=15, what=f"{line!r} of {process.name}")


@pytest.mark.parametrize("number", ["201", "999"])
def test_pjsip_transfers_blindly(centre: LiveCentre, pjsua: Callable[[str], Process], number: str) -> None:
    agent = pjsua(f"blind{number}")
    with centre.agent("bob") as bob, centre.caller() as caller:
        talk = caller.call("600")
        talk.wait(200)
        told(agent, "up 0")
        agent.send_line(f"xfer sip:{number}@127.0.0.1:{centre.engine.sip_port}")
        told(agent, "transfer 200" if number == "201" else "transfer 404")
        if number == "201":
            centre.hear_each_other(caller, bob)
            told(agent, "down 0")
        assert talk.hang_up().status == 200
        told(agent, "down 0")
        agent.send_line("quit")
        assert agent.wait(timeout=10) == 0
    centre.no_legs()


def test_pjsip_transfers_with_replaces(centre: LiveCentre, pjsua: Callable[[str], Process]) -> None:
    agent = pjsua("attended")
    with centre.agent("bob") as bob, centre.caller() as caller:
        talk = caller.call("600")
        talk.wait(200)
        told(agent, "up 0")
        agent.send_line(f"call sip:201@127.0.0.1:{centre.engine.sip_port}")
        told(agent, "up 1")
        agent.send_line("join")
        told(agent, "transfer 200")
        told(agent, "down 0")
        told(agent, "down 1")
        centre.hear_each_other(caller, bob)
        assert talk.hang_up().status == 200
        bob.talk().wait_bye()
        agent.send_line("quit")
        assert agent.wait(timeout=10) == 0
    centre.no_legs()
