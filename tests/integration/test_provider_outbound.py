"""A line to a provider that knows RFC 5626, Kamailio: what we keep alive is answered by it, over TCP by CRLF and over
UDP by STUN (4.4), and calls come by the flow that we registered by."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Literal

import pytest

from tests.support.dialplans import extension
from tests.support.kamailio_registrar import KamailioRegistrar
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.tap import Tap

pytestmark = pytest.mark.integration

PROVIDER = f"127.80.{os.getpid() % 250}.2"
LINE = f"127.80.{os.getpid() % 250}.3"
CALLER = "127.0.0.4"
PASSWORD = "hush hush"
PING, PONG = b"\r\n\r\n", b"\r\n"
ACCOUNTS: dict[Literal["udp", "tcp"], str] = {"udp": "4711", "tcp": "4712"}


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    require("kamailio")
    directory = tmp_path_factory.mktemp("provider_outbound")
    plan = "[context.from-provider]\n"
    plan += "".join(extension("from-provider", number, "echo = true") for number in ACCOUNTS.values())
    (directory / "plan.toml").write_text(plan, encoding="utf-8")
    with running_centre(session_ports, directory, dialplan={"file": str(directory / "plan.toml")}) as centre:
        yield centre
        centre.at_rest()


@pytest.fixture(scope="module")
def provider(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KamailioRegistrar]:
    require("kamailio")
    directory = tmp_path_factory.mktemp("provider")
    with Processes(directory / "procs") as processes:
        registrar = KamailioRegistrar(
            processes, session_ports.share(), directory / "k", host=PROVIDER, password=PASSWORD
        )
        yield registrar
        registrar.stop()


def test_the_flow_to_a_provider_is_kept_and_calls_come_by_it(centre: LiveCentre, provider: KamailioRegistrar) -> None:
    with ExitStack() as lines:
        taps = {transport: lines.enter_context(Tap(LINE, provider.address, transport)) for transport in ACCOUNTS}
        for transport, tap in taps.items():
            centre.trunk(
                *(f"line-{transport}", tap.address[0]),
                port=tap.address[1],
                match_port=True,
                transport=transport,
                user=ACCOUNTS[transport],
                secret=PASSWORD,
                registers=True,
                context="from-provider",
            )
        udp, tcp = taps["udp"], taps["tcp"]

        def kept() -> bool:
            stream = tcp.passed(PING, up=True) and tcp.passed(PONG, up=False)
            return bool(stream and udp.stun_answers(up=True))

        wait_until(kept, timeout=15, what=f"answers to STUN and CRLF; passed {taps}")
        assert set(udp.stun_answers(up=True)) == set(udp.outer)
        assert all(registered(centre, transport) for transport in ACCOUNTS)

        for transport, tap in taps.items():
            called_by_way_of(provider, centre, ACCOUNTS[transport])
            assert len(tap.outer) == 1, "no connection was made for it"
            assert any(each.data.startswith(b"INVITE sip:") for each in tap.pieces if not each.up)
            centre.engine.api.delete(f"/api/v1/trunks/line-{transport}")
            wait_until(partial(left, tap), timeout=5, what="leave to be taken")


def test_after_a_crash_the_new_registration_takes_the_place_of_the_old(
    centre: LiveCentre, provider: KamailioRegistrar
) -> None:
    def is_registered() -> bool:
        shown = centre.engine.api.get("/api/v1/trunks/line")
        return str(shown["registration_detail"]).endswith(" s, outbound")

    settings = {"user": "4711", "secret": PASSWORD, "registers": True, "context": "from-provider"}
    centre.trunk("line", provider.host, port=provider.port, **settings)
    centre.until(is_registered, "the registration")
    assert provider.contacts("4711") == 1
    centre.engine.process.send_signal(signal.SIGKILL)
    centre.engine.process.wait(timeout=5)
    centre.engine.start(timeout=60)
    centre.until(is_registered, "the registration after the crash")
    assert provider.contacts("4711") == 1
    centre.engine.api.delete("/api/v1/trunks/line")
    centre.until(lambda: provider.contacts("4711") == 0, "the provider to forget us")


def called_by_way_of(provider: KamailioRegistrar, centre: LiveCentre, number: str) -> None:
    """Somebody calls there and hears himself."""
    with centre.phone("5551000", server=provider.address, host=CALLER) as caller:
        talk = caller.call(number)
        talk.wait(200)
        heard = caller.voice.heard[caller.voice.mark]
        wait_until(lambda: len(heard) > 5, timeout=5, what="an echo")
        assert talk.hang_up().status == 200


def registered(centre: LiveCentre, transport: str) -> bool:
    return centre.engine.api.get(f"/api/v1/trunks/line-{transport}")["registered"] is True


def left(line: Tap) -> bool:
    return any(b"Expires: 0" in each.data for each in line.pieces if each.up)
