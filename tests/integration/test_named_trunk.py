"""A trunk that has a name: two SIPp servers behind the SRV records of a real name server, the first of which fails."""

from __future__ import annotations

import json
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.live_centre import LiveCentre, running_centre
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.sipp import Sipps

pytestmark = pytest.mark.integration

PARTNER = "127.0.0.5"
FIRST, SECOND = "127.0.0.6", "127.0.0.7"
DIALPLAN = """
[context.from-partner]
trunk_to_trunk = true
[[context.from-partner.extension]]
number = "_9."
trunk = "provider"
strip = 1
ring_timeout_s = 10
[[context.from-partner.extension]]
number = "_8."
trunk = "silent"
strip = 1
ring_timeout_s = 10
"""


def answers(port: int) -> bool:
    """Whether somebody answers a question on the port."""
    question = struct.pack(">HHHHHH", 1, 256, 1, 0, 0, 0) + b"\x07example\x00" + struct.pack(">HH", 6, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker, suppress(OSError):
        asker.settimeout(0.5)
        asker.connect(("127.0.0.1", port))
        asker.send(question)
        return bool(asker.recv(512))
    return False


@pytest.fixture
def centre(
    session_ports: PortPool, ports: PortPool, procs: Processes, tmp_path: Path
) -> Iterator[tuple[LiveCentre, int]]:
    dns_port, sip_port, nobody = ports.one(), ports.one(), ports.one()
    zone = {
        "_sip._udp.provider.example": [
            ["SRV", 10, 1, sip_port, "first.example"],
            ["SRV", 20, 1, sip_port, "second.example"],
        ],
        "_sip._udp.silent.example": [
            ["SRV", 10, 1, nobody, "first.example"],
            ["SRV", 20, 1, sip_port, "second.example"],
        ],
        "first.example": [["CNAME", "really-first.example"]],
        "really-first.example": [["A", FIRST]],
        "second.example": [["A", SECOND]],
    }
    procs.start("dns", [sys.executable, "-m", "tests.support.dns_server", str(dns_port), json.dumps(zone)])
    wait_until(lambda: answers(dns_port), timeout=20, what="the name server")
    (tmp_path / "dialplan.toml").write_text(DIALPLAN)
    sip = {"dns_servers": [f"127.0.0.1:{dns_port}"], "failover_s": 1.0}
    plan = {"file": str(tmp_path / "dialplan.toml")}
    with running_centre(session_ports, tmp_path / "centre", dialplan=plan, sip=sip) as made:
        made.trunk("partner", PARTNER, context="from-partner")
        made.trunk("provider", "provider.example", port=0)
        made.trunk("silent", "silent.example", port=0)
        yield made, sip_port


def call(centre: LiveCentre, number: str) -> int:
    """The final status of a call to a provider, ended at once."""
    talk = centre.phone("5551000", host=PARTNER).call(number)
    centre.until(lambda: talk.status >= 200, "an answer")
    status = talk.status
    if status == 200:
        assert talk.hang_up().status == 200
    return status


def test_the_second_server_takes_the_calls_that_the_first_refuses_or_does_not_hear(
    centre: tuple[LiveCentre, int], sipps: Sipps
) -> None:
    running, port = centre
    first = sipps.start("uas_refuses", local=(FIRST, port), fill={"code": "503 Service Unavailable"})
    second = sipps.start("uas_answer", local=(SECOND, port), calls=3)
    assert call(running, "9112") == 200
    # The first is dead by its Retry-After: the second call does not ask it, and SIPp would not wait for another.
    assert call(running, "9112") == 200
    assert first.wait().successful == 1
    assert call(running, "8112") == 200
    assert second.wait().successful == 3
