"""SIPp's scenarios and ours, named by what demands them, at one engine that lives through all of them.

Each file of tests/integration/sipp/rfc/ is run over every transport that it is about. SIPp checks what it is sent: an
answer, a request or a silence other than the file says fails the call. How to write one says tests/support/sipp_rfc.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from tests.support.dialplans import extension, write_wav
from tests.support.live_centre import running_centre
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes
from tests.support.sipp_rfc import (
    FIRST_ALSO,
    FIRST_PHONE,
    FIRST_TRUNK,
    RUNS_MAX,
    SCENARIOS,
    TRUSTED_HOST,
    Laboratory,
    Scenario,
    Transport,
    every_run,
    every_scenario,
    explain,
)

pytestmark = pytest.mark.integration

RUNS = [pytest.param(*run, id=f"{run[0].name}-{run[1]}") for run in every_run()]


def plan(directory: Path) -> str:
    """The file of a dialplan: what the scenarios dial."""
    write_wav(directory / "short.wav", frames=2400)
    inside = {
        "600": 'queue = "demo"',
        "601": "echo = true",
        "602": 'announcement = "short.wav"',
        "603": 'reject = {status = 486, reason = "Busy Here"}',
    }
    text = "[context.from-trunk]\ntrunk_to_trunk = true\n[context.agents]\n"
    text += "".join(extension(name, *each) for name in ("from-trunk", "agents") for each in inside.items())
    for number in range(RUNS_MAX):
        for first, what in ((FIRST_TRUNK, "trunk"), (FIRST_ALSO, "trunk"), (FIRST_PHONE, "agent")):
            text += extension("from-trunk", str(first + number), f'{what} = "{first + number}"\nring_timeout_s = 5')
    (directory / "plan.toml").write_text(text, encoding="utf-8")
    return str(directory / "plan.toml")


@pytest.fixture(scope="module")
def laboratory(
    request: pytest.FixtureRequest, session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Laboratory]:
    require("sipp")
    directory = tmp_path_factory.mktemp("sipp")
    wanted = [
        (item.callspec.params["scenario"], item.callspec.params["transport"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_scenario" and item.module is request.module
    ]
    ports = session_ports.share()
    tls_port = ports.one()
    listen = ["udp", "tcp", f"tls:127.0.0.1:{tls_port}"]
    with running_centre(
        session_ports,
        directory,
        dialplan={"file": plan(directory)},
        sip={"listen": listen, "reliable": "when_supported", "service_route": "<sip:edge.example;lr>"},
    ) as centre:
        centre.trunk("trusted", TRUSTED_HOST, trusted=True)
        with Processes(directory / "sipp") as processes:
            laboratory = Laboratory(centre, processes, ports, directory, tls_port=tls_port)
            try:
                laboratory.submit(wanted)
                yield laboratory
            finally:
                laboratory.close()
        centre.prove_a_call()
        centre.at_rest(timeout=40)


@pytest.mark.parametrize(("scenario", "transport"), RUNS)
def test_scenario(laboratory: Laboratory, scenario: Scenario, transport: Transport) -> None:
    results = laboratory.results(scenario, transport)
    assert [(each.status, each.successful, each.failed) for each in results] == [(0, 1, 0)] * len(results), explain(
        results
    )


def test_the_set_is_whole() -> None:
    scenarios = every_scenario()
    assert len(scenarios) >= 60
    assert all(scenario.over and set(scenario.over) <= set(get_args(Transport)) for scenario in scenarios)
    callers = {path.stem for path in SCENARIOS.glob("caller_*.xml")}
    assert callers == {scenario.caller for scenario in scenarios}
