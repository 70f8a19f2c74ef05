"""100,000 packets a second at one leg, and the sound of another call meanwhile (`pytest -s` prints figures)."""

from __future__ import annotations

import os
import select
import statistics
import sys
import time
from pathlib import Path

import psutil
import pytest

from engine.media.commands import Connect
from tests.support.media_listening import latch
from tests.support.media_plane import Control, FarEnd, Plane, open_leg
from tests.support.ports import PortPool
from tests.support.procs import Processes

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no UDP_SEGMENT"),
]

PACKETS = int(os.environ.get("HEARTHLINE_FLOOD_PACKETS", "100"))
"""That are measured: 20 ms each."""


def transits(one: FarEnd, other: FarEnd) -> list[float]:
    """Milliseconds that each of one's packets takes to the other; a packet that takes longer than 100 ms is lost."""
    other.hear()
    found: list[float] = []
    start = time.monotonic()
    for index in range(PACKETS):
        time.sleep(max(0.0, start + 0.02 * index - time.monotonic()))
        one.speak()
        sent = time.monotonic()
        if select.select([other.rtp], [], [], 0.1)[0]:
            found.append((time.monotonic() - sent) * 1000)
            other.hear()
    return found


@pytest.mark.timing
@pytest.mark.parametrize("whose", ["the peer", "a stranger", "rtcp"])
def test_a_flood_on_one_leg_does_not_delay_another_call(
    plane: Plane, control: Control, ends: list[FarEnd], procs: Processes, ports: PortPool, tmp_path: Path, whose: str
) -> None:
    a, b, c, stranger = ends
    for name, end in (("a", a), ("b", b), ("hearer", c)):
        open_leg(control, name, end)
    control.send(Connect(source="a", sink="b"), Connect(source="b", sink="a"), Connect(source="flooded", sink="hearer"))
    latch(control, a, "a")
    latch(control, b, "b")
    host, port = ("127.0.0.1", ports.one()) if whose == "the peer" else (stranger.address, ports.one())
    flooded = open_leg(control, "flooded")
    control.send(
        stranger.remote(
            "flooded", address=host if whose == "the peer" else "127.0.0.30", port=port, flow_address="127.0.0.31"
        ),
        Connect(source="flooded", sink="hearer"),
    )
    quiet = transits(a, b)
    there = flooded + (whose == "rtcp")
    process = psutil.Process(plane.process.pid)
    c.hear()
    flooder = procs.start(
        "flooder", [sys.executable, "-m", "tests.support.flooder", host, str(port), str(there), str(PACKETS * 0.02 + 1)]
    )
    time.sleep(0.5)
    before = process.cpu_times()
    under = transits(a, b)
    after = process.cpu_times()
    cpu = (after.user + after.system - before.user - before.system) / (PACKETS * 0.02)
    passed_on = len(c.hear())
    flooder.wait(timeout=10)
    rate = int(flooder.text().split()[-1])
    for name, found in (("quiet", quiet), (f"{whose}: {rate} packets/s", under)):
        p99 = sorted(found)[int(len(found) * 0.99)] if found else 0.0
        print(f"{name}: {len(found)} of {PACKETS}, p50 {statistics.median(found):.2f} ms, p99 {p99:.2f} ms")
    print(f"media process: {cpu * 100:.0f} % of a core; {passed_on} packets of the flood were passed on")
    assert rate > 20_000
    assert len(under) == PACKETS
    assert statistics.median(under) < 5
    assert sorted(under)[int(PACKETS * 0.95)] < 15
    # A telephone sends fifty a second.
    assert passed_on < 12 * PACKETS if whose == "the peer" else passed_on <= 3
