"""SIPp's own scenarios (`sipp -sn NAME`) that want more than one SIPp, sound, or a trunk that is asked for its health.

`uac`, `uas` and `regexp` are run beside ours over UDP, TCP and TLS (test_sipp_scenarios.py). Of the rest two say
nothing about a server like ours: `branchs` waits for a REGISTER and, under the same Call-ID, for an INVITE, which are
two calls to whoever registers at it (RFC 3261 8.1.1.4); `ooc_dummy` waits for a method DUMMY and so answers nobody.
`branchc` wants a registrar that asks for no password: it is turned away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.dialplans import extension
from tests.support.leftovers import sockets_on
from tests.support.live_centre import STRANGER_HOST, LiveCentre, running_centre
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import wait_until
from tests.support.sipp import Sipps, Transport, built_in
from tests.support.sipp_rfc import explain

pytestmark = pytest.mark.integration

CONTROLLER, SIDE_A, SIDE_B, HEALTHY = (f"127.0.9.{number}" for number in range(1, 5))
PCAPS = Path("/usr/share/sip-tester")


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    require("sipp")
    directory = tmp_path_factory.mktemp("sipp_built_in")
    plan = extension("from-trunk", "600", 'queue = "demo"') + extension("from-trunk", "601", "echo = true")
    plan += extension("from-trunk", "701", 'trunk = "a"') + extension("from-trunk", "702", 'trunk = "b"')
    (directory / "plan.toml").write_text(f"[context.from-trunk]\ntrunk_to_trunk = true\n{plan}", encoding="utf-8")
    with running_centre(session_ports, directory, dialplan={"file": str(directory / "plan.toml")}) as centre:
        yield centre
        centre.prove_a_call()
        centre.at_rest()


def scenario(directory: Path, name: str, changes: Mapping[str, str] | None = None) -> str:
    """The file of one of SIPp's own, with these texts in it replaced."""
    path = directory / f"{name}.xml"
    path.write_text(built_in(name, changes), encoding="utf-8")
    return str(path)


def test_sound_and_a_digit_of_sipp_reach_an_agent(centre: LiveCentre, sipps: Sipps, tmp_path: Path) -> None:
    with centre.agent("listens", "demo", host=STRANGER_HOST) as agent:
        changes = {'"pcap/': f'"{PCAPS}/', '"8000"': '"1500"', '"1000"': '"1200"'}
        file = scenario(tmp_path, "uac_pcap", changes)
        run = sipps.start(file, target=centre.sip, service="600")
        wait_until(lambda: agent.voice.digits == ["1"], timeout=8, what=f"a digit; came {agent.voice.digits}")
        result = run.wait()
        assert (result.status, result.successful) == (0, 1), explain([result])
        assert agent.voice.packets > 20, "the sound before it"
        agent.register(expires=0)


@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_a_controller_joins_two_sides_by_their_offer_and_answer(
    centre: LiveCentre, sipps: Sipps, ports: PortPool, tmp_path: Path, transport: Transport
) -> None:
    """RFC 3725 flow I: the call to A is without an offer; the answer, in its ACK, is what B said to A's offer."""
    sides = []
    for name, host, short in (("3pcc-A", SIDE_A, "a"), ("3pcc-B", SIDE_B, "b")):
        port, over = ports.one(), "udp" if transport == "u1" else "tcp"
        centre.trunk(short, host, port=port, transport=over, match_port=True)
        file = scenario(tmp_path, name, {'"2000"': '"100"'})
        sides.append(sipps.start(file, local=(host, port), transport=transport))
    centre.trunk("controller", CONTROLLER)
    twin = ports.one()
    words = ("-3pcc", f"{CONTROLLER}:{twin}")
    for name, number in (("3pcc-C-B", "702"), ("3pcc-C-A", "701")):
        file = scenario(tmp_path, name, {'"1000"': '"300"'})
        local = (CONTROLLER, ports.one())
        run = sipps.start(file, local=local, target=centre.sip, service=number, transport=transport, options=words)
        if name == "3pcc-C-B":
            wait_until(lambda: bool(sockets_on([twin])), timeout=5, what="the side of B to listen for the other")
        sides.append(run)
    results = [run.wait() for run in sides]
    assert [(each.status, each.successful) for each in results] == [(0, 1)] * 4, explain(results)
    (acknowledged,) = (each for each in results[-1].messages if each.first_line.startswith("ACK"))
    assert "m=audio" in acknowledged.text


def test_a_trunk_is_healthy_that_answers_beside_its_calls(
    centre: LiveCentre, sipps: Sipps, ports: PortPool, tmp_path: Path
) -> None:
    """`ooc_default` answers what belongs to no call: here our OPTIONS."""
    port = ports.one()
    options = ("-oocsn", "ooc_default")
    centre.trunk("healthy", HEALTHY, port=port, ping_s=1)
    file = scenario(tmp_path, "uac")
    run = sipps.start(file, local=(HEALTHY, port), target=centre.sip, service="601", pause_ms=2500, options=options)
    wait_until(lambda: bool(centre.engine.api.get("/api/v1/trunks/healthy")["up"]), timeout=8, what="a healthy trunk")
    result = run.wait()
    assert (result.status, result.successful) == (0, 1), explain([result])
    centre.engine.api.delete("/api/v1/trunks/healthy")


def test_a_registration_without_a_password_is_challenged(centre: LiveCentre, sipps: Sipps, tmp_path: Path) -> None:
    run = sipps.start(scenario(tmp_path, "branchc"), local=(STRANGER_HOST, centre.port()), target=centre.sip)
    result = run.wait()
    assert (result.successful, result.failed) == (0, 1), explain([result])
    heard = [each.first_line for each in result.messages if not each.sent]
    assert heard == ["SIP/2.0 401 Unauthorized"], explain([result])
