"""The command line beside a running engine: what it changes takes effect at once, and it looks the same as without."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.command_line import CommandLine
from tests.support.engine import Engine
from tests.support.procs import wait_until

pytestmark = pytest.mark.integration

SCRIPT = """
queue add sales --strategy ringall --ring-timeout 20
queue add help --music /srv/music.wav --max-callers 3
queue add sales
queue set sales --wrap-up 4.5 --no-rona-break
queue set none --wrap-up 4
queue set sales --wrap-up -1
queue list
queue list --json
agent add anna --display Anna --queue sales --queue help:2
agent add bert --queue sales --queue none
agent add anna
agent add Bert
agent add bert --json
agent set bert --queue help --context office
agent set anna --no-queue help
agent set none
agent list
agent status anna break lunch
agent status bert available
agent status none break
agent list
agent secret anna
agent secret none --json
trunk add pbx --host 192.0.2.1 --address 192.0.2.2 --address 198.51.100.0/24 --match-port --ping 0
trunk add pbx --host 192.0.2.1
trunk set pbx --port 5070 --any-port
trunk set none --port 1
trunk list
trunk remove none
trunk remove pbx
agent remove bert
agent remove bert
queue remove help
queue remove help
agent list
queue list
token create crm
token revoke crm
token revoke crm
db check
"""


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Path], CommandLine]:
    return lambda config: CommandLine(config, monkeypatch, capsys)


def played(hearthline: CommandLine) -> list[str]:
    """How every command of the script ended and what it said, but for what is new every time."""
    said = []
    for line in filter(None, SCRIPT.splitlines()):
        done = hearthline.run(*line.split())
        text = re.sub(r'(secret"?:? "?|hl_)[\w-]{20,}', r"\1...", done.out + done.err)
        text = re.sub(r"sqlite:\S+", "sqlite:...", text)
        if "--json" in line and done.status == 0 and text.startswith("["):
            # The engine tells more than the store knows.
            text = str([{key: row[key] for key in ("name", "strategy", "members")} for row in json.loads(text)])
        said.append(f"$ {line}\n{done.status} {text}")
    return said


def test_commands_do_the_same_with_and_without_a_running_engine(
    engines: Callable[..., Engine], command_line: Callable[[Path], CommandLine]
) -> None:
    running, resting = engines("running"), engines("resting")
    running.start()
    through_the_engine = played(command_line(running.config))
    assert through_the_engine == played(command_line(resting.config))
    assert sum(" unavailable: " in said for said in through_the_engine) == 0

    first = running.records("DirectoryChanged")[0]["body"]
    assert (first["kind"], first["name"], first["by"]) == ("queue", "sales", "cli")
    assert [record["body"]["reason"] for record in running.records("AgentStatusChanged")] == ["lunch"]

    # The next start reads what was written through the engine, and what was written without one.
    assert running.stop() == 0
    before = command_line(running.config)("agent", "list")
    command_line(running.config)("agent", "status", "anna", "break", "training")
    running.start()
    assert command_line(running.config)("agent", "list") == before.replace("lunch   ", "training")
    assert running.agent("anna")["status_reason"] == "training"


def test_status_and_queue_log_show_the_running_engine(
    engines: Callable[..., Engine], command_line: Callable[[Path], CommandLine]
) -> None:
    engine = engines()
    engine.start()
    hearthline = command_line(engine.config)
    hearthline("queue", "add", "sales")
    hearthline("agent", "add", "anna", "--queue", "sales")
    hearthline("trunk", "add", "pbx", "--host", "192.0.2.1", "--ping", "0")
    hearthline("agent", "status", "anna", "break", "lunch")
    shown = hearthline("status")
    assert re.search(r"^Hearthline \S+: ready\. \d+ records\.$", shown, re.MULTILINE)
    rows = [re.split(r"\s{2,}", line.rstrip()) for line in shown.splitlines()]
    assert ["sales", "longest-idle", "0", "0", "0", "anna"] in rows
    (anna,) = [row for row in rows if row[0] == "anna"]
    assert anna[:4] == ["anna", "break", "lunch", "unreachable"]
    (pbx,) = [row for row in rows if row[0] == "pbx"]
    assert pbx[:6] == ["pbx", "192.0.2.1", "5060", "yes", "not asked (ping_s 0)", "closed"]
    assert pbx[-1] == "from-trunk"
    assert "Calls: none" in shown
    media = rows[-1]
    assert media[:2] == ["0", "ready"]
    assert not [part.path for part in psutil.Process(engine.process.pid).memory_maps() if "numpy" in part.path]
    assert "engine.media.plane" in psutil.Process(int(media[2])).cmdline()
    assert hearthline.json("status")["queues"][0]["members"][0]["agent"] == "anna"

    # Records are written four times a second.
    wait_until(lambda: "|PAUSE|" in hearthline("queue-log"), timeout=5, what="the break in the queue_log")
    lines = hearthline("queue-log").splitlines()
    assert [line.split("|")[4] for line in lines] == ["QUEUESTART", "ADDMEMBER", "PAUSEALL", "PAUSE"]
    assert hearthline("queue-log", "-n", "1").splitlines() == lines[-1:]
    assert (engine.state / "log" / "queue_log").read_text().splitlines() == lines
