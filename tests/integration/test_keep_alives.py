"""Keep-alives as telephones send them (RFC 5626 4.4, 5.4), over a line on which every octet is noted. baresip asks by
STUN as often as our Flow-Timer says; an answer that is missing or wrong ends its flow. linphone sends CRLFCRLF, by TCP,
where it is answered, and by UDP, where it is passed over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.support.baresip import Baresip
from tests.support.linphone import Linphone
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.tap import Tap

pytestmark = pytest.mark.integration

PING, PONG = b"\r\n\r\n", b"\r\n"


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    require("baresip")
    require("linphone")
    settings: dict[str, object] = {"digest_algorithms": ["MD5"], "flow_timer_udp_s": 2, "flow_timer_stream_s": 2}
    with running_centre(session_ports, tmp_path_factory.mktemp("keep_alives"), sip=settings) as centre:
        yield centre
        centre.prove_a_call()
        centre.at_rest()


def test_baresip_keeps_its_flow_alive(centre: LiveCentre, procs: Processes, ports: PortPool, tmp_path: Path) -> None:
    name = "kept"
    centre.add_agent(name, "demo")
    with Tap("127.0.0.3", centre.sip, "udp") as tap:
        place = f"{tap.address[0]}:{tap.address[1]}"
        agent = Baresip(
            *(procs, ports, tmp_path / "agent", name, place),
            password=centre.secret_of(name),
            account=f';answermode=auto;sipnat=outbound;outbound="sip:{place}"',
        )
        wait_until(lambda: bool(centre.engine.agent(name)["reachable"]), timeout=10, what="baresip to be registered")
        wait_until(lambda: len(tap.stun_answers(up=True)) >= 2, timeout=10, what="two keep-alives and their answers")
        assert set(tap.stun_answers(up=True)) == {tap.outer[0]}, "it is told where it was seen"

        talk = centre.caller().call("600")
        agent.wait_for("CALL_ESTABLISHED")
        assert talk.hang_up().status == 200
        agent.wait_for("CALL_CLOSED")
        asked = b"".join(each.data for each in tap.pieces if each.up).count(b"REGISTER sip:")
        assert asked == 2, "the challenged one and the proven one: no flow failed"
        agent.quit()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_linphone_keeps_its_way_open(
    centre: LiveCentre, procs: Processes, ports: PortPool, tmp_path: Path, transport: Literal["udp", "tcp"]
) -> None:
    name = f"open-{transport}"
    centre.add_agent(name, "demo")
    with Tap("127.0.0.3", centre.sip, transport) as tap:
        agent = Linphone(procs, ports, tmp_path / "linphone", name, tone=440)
        agent.register(f"{tap.address[0]}:{tap.address[1]};transport={transport}", centre.secret_of(name))
        wait_until(lambda: tap.passed(PING, up=True) >= 2, timeout=10, what=f"two pings; passed {tap.pieces[-6:]}")
        talk = centre.caller().call("600")
        agent.wait_for("Receiving new incoming call")
        assert talk.hang_up().status == 200
        assert (tap.passed(PONG, up=False) >= 2) is (transport == "tcp")
        agent.quit()
