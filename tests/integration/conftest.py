"""Fixtures that start real programs."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.asterisk import Asterisks
from tests.support.certificates import Authority
from tests.support.engine import Engine
from tests.support.live_centre import LiveCentre
from tests.support.media_plane import Control, FarEnd, Plane, start_plane
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes
from tests.support.pulse import Pulse
from tests.support.repeat import Repeats
from tests.support.sipp import Sipps
from tests.support.stalls import StallWitness


def pytest_configure(config: pytest.Config) -> None:
    """A test is repeated when the machine stalled, and for nothing else (docs/decisions/0006, 0036)."""
    config.pluginmanager.register(Repeats(), "hearthline-repeats")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who issues the certificates of a file's programs."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def tls_port(session_ports: PortPool) -> int:
    """Where the engine of a file listens for TLS."""
    return session_ports.one()


@pytest.fixture
def asterisks(procs: Processes, ports: PortPool) -> Iterator[Asterisks]:
    """Starts Asterisk 22, as often as asked; each is stopped after the test."""
    require("asterisk")
    with Asterisks(procs, ports) as asterisks:
        yield asterisks


@pytest.fixture
def machine() -> Iterator[StallWitness]:
    """Says how long the machine stood still during the test."""
    with StallWitness() as witness:
        yield witness


@pytest.fixture
def sipps(procs: Processes, ports: PortPool, tmp_path: Path) -> Sipps:
    """Starts SIPp scenarios."""
    require("sipp")
    return Sipps(procs, ports, tmp_path)


@pytest.fixture
def pulse(procs: Processes) -> Iterator[Pulse]:
    """A sound server with the null sinks `ear` and `mouth`."""
    require("pulseaudio")
    with Pulse(procs, ("ear", "mouth")) as pulse:
        yield pulse


@pytest.fixture
def engines(procs: Processes, ports: PortPool, tmp_path: Path) -> Callable[..., Engine]:
    """Makes engines, each with a state of its own; keyword arguments are sections of the configuration."""

    def make(name: str = "engine", **settings: Mapping[str, object]) -> Engine:
        return Engine(procs, ports, tmp_path / name, settings=settings)

    return make


@pytest.fixture
def centres(engines: Callable[..., Engine], ports: PortPool) -> Iterator[Callable[..., LiveCentre]]:
    """Starts engines with queue `demo` and trunk `pbx`; the phones by hand around them vanish after the test."""
    made: list[LiveCentre] = []

    def start(name: str = "engine", **settings: Mapping[str, object]) -> LiveCentre:
        centre = LiveCentre(engines(name, **settings), ports)
        made.append(centre)
        centre.engine.start()
        centre.queue()
        centre.trunk()
        return centre

    yield start
    for centre in made:
        centre.close()


@pytest.fixture
def hang_ups_count() -> Iterator[None]:
    """Also where the tests themselves run under nohup: what is ignored, children ignore too."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def plane(procs: Processes, ports: PortPool, tmp_path: Path) -> Iterator[Plane]:
    block = ports.block(20, even=True)
    plane = start_plane(procs, tmp_path, port_min=block[0], port_max=block[-2], dead_s=1.0)
    yield plane
    plane.close()


@pytest.fixture
def control(plane: Plane) -> Iterator[Control]:
    connection = plane.control()
    yield connection
    connection.close()


@pytest.fixture
def ends(ports: PortPool) -> Iterator[list[FarEnd]]:
    """Four far ends; the fourth lives at another address."""
    made = [FarEnd(ports.block(2, even=True).start) for _ in range(3)]
    made.append(FarEnd(ports.block(2, even=True).start, "127.0.0.9"))
    yield made
    for end in made:
        end.close()
