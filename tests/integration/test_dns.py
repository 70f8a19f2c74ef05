"""The resolver against a real name server on the loopback: NAPTR, SRV, aliases, answers that need TCP."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until

pytestmark = pytest.mark.integration

MANY = 60
ZONE: dict[str, list[list[object]]] = {
    "provider.example": [
        ["NAPTR", 20, 10, "s", "SIP+D2U", "_sip._udp.provider.example"],
        ["NAPTR", 10, 10, "s", "SIP+D2T", "_sip._tcp.provider.example"],
    ],
    "_sip._udp.provider.example": [["SRV", 10, 1, 5060, "b.example"]],
    "_sip._tcp.provider.example": [["SRV", 20, 1, 5080, "b.example"], ["SRV", 10, 1, 5070, "a.example"]],
    "a.example": [["CNAME", "c.example"]],
    "b.example": [["A", "127.0.0.7"], ["AAAA", "::1"]],
    "c.example": [["A", "127.0.0.6"]],
    "many.example": [["A", f"127.0.1.{number}"] for number in range(MANY)],
}


def test_names_are_located_and_the_second_time_nobody_is_asked(procs: Processes, ports: PortPool) -> None:
    port = ports.one()
    words = [sys.executable, "-m", "tests.support.dns_server", str(port), json.dumps(ZONE)]
    server = procs.start("dns", words)
    wait_until(lambda: "ready" in server.text(), timeout=20, what="the name server")
    uris = ["sip:1@provider.example", "sip:1@provider.example", "sip:1@none.example:5060", "sip:1@many.example:5060"]
    asking = [sys.executable, "-m", "tests.support.dns_client", str(port), *uris]
    done = subprocess.run(asking, capture_output=True, text=True, timeout=60, check=True)
    first, again, none, many = map(json.loads, done.stdout.splitlines())
    hops = [
        *("TCP 127.0.0.6:5070", "TCP ::1:5080", "TCP 127.0.0.7:5080"),
        *("UDP ::1:5060", "UDP 127.0.0.7:5060"),
    ]
    assert (first[0], first[2]) == (hops, False)
    assert again == [hops, first[1], True]
    assert none[0] == []
    assert len(many[0]) == 16
    assert done.stderr == ""
