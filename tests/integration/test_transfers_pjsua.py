"""Transfers that pjsip asks for: its REFER, its Replaces, and what it makes of our NOTIFYs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.integration.test_transfers import DIALPLAN
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.parts import require
from tests.support.pjsua_phone import PjsuaPhone
from tests.support.ports import PortPool
from tests.support.procs import Processes

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    require("pjsua2")
    directory = tmp_path_factory.mktemp("transfers_pjsua")
    (directory / "dialplan.toml").write_text(DIALPLAN)
    with running_centre(session_ports, directory, dialplan={"file": str(directory / "dialplan.toml")}) as centre:
        yield centre


@pytest.fixture
def pjsua(centre: LiveCentre, procs: Processes, ports: PortPool) -> Callable[[str], PjsuaPhone]:
    """Makes an agent of the queue with such a phone, registered."""
    return partial(PjsuaPhone, centre, procs, ports)


@pytest.mark.parametrize("number", ["201", "999"])
def test_pjsip_transfers_blindly(centre: LiveCentre, pjsua: Callable[[str], PjsuaPhone], number: str) -> None:
    agent = pjsua(f"blind{number}")
    with centre.agent("bob") as bob, centre.caller() as caller:
        talk = caller.call("600")
        talk.wait(200)
        agent.told("up 0")
        agent.transfer(number)
        agent.told("transfer 200" if number == "201" else "transfer 404")
        if number == "201":
            centre.hear_each_other(caller, bob)
            agent.told("down 0")
        assert talk.hang_up().status == 200
        agent.told("down 0")
        assert agent.quit() == 0
    centre.no_legs()


def test_pjsip_transfers_with_replaces(centre: LiveCentre, pjsua: Callable[[str], PjsuaPhone]) -> None:
    agent = pjsua("attended")
    with centre.agent("bob") as bob, centre.caller() as caller:
        talk = caller.call("600")
        talk.wait(200)
        agent.told("up 0")
        agent.call("201")
        agent.told("up 1")
        agent.join()
        agent.told("transfer 200")
        agent.told("down 0")
        agent.told("down 1")
        centre.hear_each_other(caller, bob)
        assert talk.hang_up().status == 200
        bob.talk().wait_bye()
        assert agent.quit() == 0
    centre.no_legs()
