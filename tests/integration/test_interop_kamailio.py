"""Kamailio in front of the engine: telephones register through it with Path, calls reach them by that path, and calls
from them arrive with a route recorded; the sound goes between telephone and engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.support.kamailio import Kamailio
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until

pytestmark = pytest.mark.integration

EDGE = f"127.79.{os.getpid() % 250}.2"
"""Where Kamailio stands."""
HOME = "127.0.0.3"


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    require("kamailio")
    with running_centre(session_ports, tmp_path_factory.mktemp("kamailio")) as centre:
        yield centre
        centre.prove_a_call()
        centre.at_rest()


@pytest.fixture
def edge(centre: LiveCentre, procs: Processes, ports: PortPool, tmp_path: Path) -> Iterator[Kamailio]:
    kamailio = Kamailio(procs, ports, tmp_path / "kamailio", centre.sip, host=EDGE)
    yield kamailio
    kamailio.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_telephone_behind_the_edge(centre: LiveCentre, edge: Kamailio, transport: Literal["udp", "tcp"]) -> None:
    name = f"edge-{transport}"
    centre.add_agent(name, "demo")
    secret = centre.secret_of(name)
    phone = centre.phone(name, server=(edge.host, edge.port), password=secret, host=HOME, transport=transport)
    registered = phone.register()
    assert registered.status == 200, registered.start
    assert "lr" in registered["path"], "RFC 3327 5.3: the path is told"
    assert centre.engine.agent(name)["reachable"] is True

    # a caller out of the queue
    caller = centre.caller()
    talk, there = centre.connect(caller, phone)
    assert there.invite is not None
    assert EDGE in there.invite["via"], "it came by the edge"
    assert talk.change("sendonly").status == 200
    assert talk.change("sendrecv").status == 200
    centre.hear_each_other(caller, phone)
    assert there.hang_up().status == 200
    talk.wait_bye()

    # a call from it, with a route recorded
    calling = phone.call("601")
    answered = calling.wait(200)
    assert EDGE in answered["record-route"]
    wait_until(lambda: len(phone.voice.heard[phone.voice.mark]) > 5, timeout=5, what="an echo")
    assert calling.hang_up().status == 200
    assert phone.register(expires=0).status == 200
    phone.vanish()
