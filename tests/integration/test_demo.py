"""What a newcomer sees: `make run` without the make."""

from __future__ import annotations

import re
import signal
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.engine import Engine
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Process, Processes

pytestmark = pytest.mark.integration

LIFE = (
    r"^\d\d:\d\d:\d\d  5550100 calls 600 · waits in demo as number 1 · rings demo-agent · "
    r"talks to demo-agent after \d+\.\d s · caller hangup after \d+\.\d s of talk$"
)


@pytest.fixture
def engine(engines: Callable[..., Engine], ports: PortPool) -> Engine:
    require("pjsua2")
    # The demo's caller stands ten ports above the engine.
    return engines(sip={"port": ports.block(11).start})


def run_demo(procs: Processes, engine: Engine) -> Process:
    return procs.start(
        "demo", [sys.executable, "-m", "engine", "run", "--demo", "--config", str(engine.config)], merge=True
    )


def secrets(state: Path) -> dict[str, bytes]:
    files = [*(state / "secrets").iterdir(), state / "demo" / "agent-secret", state / "dev-certificate.pem"]
    return {file.name: file.read_bytes() for file in files}


def test_a_newcomer_sees_calls_within_half_a_minute_and_ends_it_with_ctrl_c(engine: Engine, procs: Processes) -> None:
    first = run_demo(procs, engine)
    first.wait_for_line("^\\$ hearthline queue add demo")
    first.wait_for_line("demo-agent is registered from 127.0.0.1:", timeout=30)
    first.wait_for_line(LIFE, timeout=30)

    api = f"http://127.0.0.1:{engine.api_port}"
    first.wait_for_line(rf"API +{api}/api/v1/status +token: {engine.state}/secrets/api-token")
    url = first.wait_for_line(r"Metrics +(\S+)").group(1)
    with urllib.request.urlopen(url) as answer:
        metrics = answer.read().decode()
    assert re.search(r'^hearthline_calls_total\{direction="inbound",outcome="success"\} [1-9]', metrics, re.MULTILINE)

    register = first.wait_for_line(r"^ +(\S+/hearthline) (agent add me --queue demo .*?)  +shows")
    assert Path(register.group(1)).resolve() == Path(sys.executable).with_name("hearthline").resolve()
    assert register.group(2).endswith(f"--config {engine.config}")
    assert "secret" in engine.command("agent", "add", "me", "--queue", "demo").stdout

    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=15) == 0
    assert "Traceback" not in first.text()

    before = secrets(engine.state)
    second = run_demo(procs, engine)
    second.wait_for_line(LIFE, timeout=30)
    assert "$ hearthline" not in second.text(), "everything is set up already"
    assert secrets(engine.state) == before
    assert [agent["name"] for agent in engine.api.get("/api/v1/agents")["items"]] == ["demo-agent", "me"]

    (phone,) = [p for p in psutil.Process(second.pid).children(recursive=True) if "--no-register" in p.cmdline()]
    phone.kill()
    second.wait_for_line(r"^The demo is over: its caller has ended with status -9; \S+/demo-caller\.log may say why\.$")
    assert engine.api.get("/readyz")["ready"], "the engine goes on"
    second.send_signal(signal.SIGINT)
    assert second.wait(timeout=15) == 0
    assert "Traceback" not in second.text()
