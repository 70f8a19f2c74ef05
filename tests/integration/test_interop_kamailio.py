"""Kamailio in front of the engine: telephones register through it with Path, calls reach them by that path, and calls
from them arrive with a route recorded; the sound goes between telephone and engine. Over TCP and TLS they register as
RFC 5626 describes: Path and route name the flow that each came by, and calls go by that and no other."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from typing import Literal

import pytest

from tests.support.certificates import Authority
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


@pytest.fixture(scope="module")
def edge(
    centre: LiveCentre, authority: Authority, session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kamailio]:
    directory = tmp_path_factory.mktemp("edge")
    own = authority.issue("edge", addresses=[EDGE])
    with Processes(directory / "procs") as processes:
        kamailio = Kamailio(processes, session_ports.share(), directory / "k", centre.sip, host=EDGE, own=own)
        yield kamailio
        kamailio.stop()


@pytest.mark.parametrize(("transport", "outbound"), [("udp", False), ("tcp", False), ("tcp", True), ("tls", True)])
def test_a_telephone_behind_the_edge(
    centre: LiveCentre, edge: Kamailio, authority: Authority, transport: Literal["udp", "tcp", "tls"], outbound: bool
) -> None:
    name = f"edge-{transport}-{outbound:d}"
    centre.add_agent(name, "demo")
    trusting = ssl.create_default_context(cafile=str(authority.file)) if transport == "tls" else None
    phone = centre.phone(
        name,
        server=(edge.host, edge.tls_port if transport == "tls" else edge.port),
        password=centre.secret_of(name),
        host=HOME,
        transport=transport,
        tls=trusting,
        instance="urn:uuid:00000000-0000-1000-8000-000a95a0e128" if outbound else "",
    )
    if outbound:
        phone.supported = "path, outbound"
    registered = phone.register()
    assert registered.status == 200, registered.start
    assert "lr" in registered["path"], "RFC 3327 5.3: the path is told"
    assert (registered["require"] == "outbound") is outbound
    assert (re.search(r"sip:[^@;>]+@[^>]*;ob[;>]", registered["path"]) is not None) is outbound, registered["path"]
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


def test_a_telephone_whose_flow_is_gone_is_not_called_again(centre: LiveCentre, edge: Kamailio) -> None:
    centre.add_agent("gone", "demo")
    phone = centre.phone(
        "gone",
        server=(edge.host, edge.port),
        password=centre.secret_of("gone"),
        host=HOME,
        transport="tcp",
        instance="urn:uuid:00000000-0000-1000-8000-000a95a0e129",
    )
    phone.supported = "path, outbound"
    assert phone.register().status == 200
    phone.vanish()
    assert centre.engine.agent("gone")["reachable"] is True, "the edge alone can know"
    talk = centre.caller().call("600")
    talk.wait(200)
    wait_until(lambda: not centre.engine.agent("gone")["reachable"], timeout=8, what="the binding to be forgotten")
    assert talk.hang_up().status == 200


@pytest.mark.parametrize("dies", [1, 2])
def test_a_telephone_of_two_flows_is_reached_by_the_one_that_is_left(
    centre: LiveCentre, edge: Kamailio, dies: int
) -> None:
    """RFC 5626 4.2, 5.3.1, 7: the edge alone knows that a flow is dead, and says 430; the other one is tried then,
    whichever registered last."""
    name = f"two-{dies}"
    centre.add_agent(name, "demo")
    flows = {
        number: centre.phone(
            name,
            server=(edge.host, edge.port),
            password=centre.secret_of(name),
            host=HOME,
            transport="tcp",
            instance=f"urn:uuid:00000000-0000-1000-8000-000a95a0e13{dies}",
            reg_id=number,
        )
        for number in (1, 2)
    }
    paths = set()
    for phone in flows.values():
        phone.supported = "path, outbound"
        registered = phone.register()
        assert (registered.status, registered["require"]) == (200, "outbound"), registered.start
        paths.update(path for _, path in registered.all("path"))
    left = flows[3 - dies]
    assert len(registered.all("contact")) == 2, "both stand"
    assert len(paths) == 2, "each by a flow of its own"
    flows[dies].vanish()

    caller = centre.caller()
    talk, there = centre.connect(caller, left)
    assert len(left.talks) == 1
    assert talk.hang_up().status == 200
    there.wait_bye()
    gone = left.register(expires=0)
    assert gone.status == 200
    assert len(gone.all("contact")) == (1 if dies == 1 else 0), "the first was not tried, the second is forgotten"
    left.vanish()
