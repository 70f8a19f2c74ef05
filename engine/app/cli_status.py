"""`hearthline status` and `hearthline queue-log`: what the running engine does."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from engine.app.administration import api_client
from engine.app.cli_common import ConfigOption, JsonOption, show
from engine.app.config import load_config


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show queues, agents, calls, trunks and media of the running engine."""
    found: dict[str, Any] = api_client(load_config(config)).get("/api/v1/status")
    if as_json:
        print(json.dumps(found, indent=2))
        return
    engine = found["engine"]
    state = "ready" if not engine["reasons"] else "; ".join(engine["reasons"])
    print(f"Hearthline {engine['version']}: {state}. {engine['last_seq']} records.\n")
    for queue in found["queues"]:
        queue["waiting"] = len(queue["callers"])
        queue["members"] = [member["agent"] for member in queue["members"]]
    for part, columns in (
        ("queues", ["name", "strategy", "waiting", "talking", "idle", "members"]),
        ("agents", ["name", "status", "status_reason", "state", "state_for_s", "queues", "source"]),
        ("calls", ["call", "phase", "caller", "called", "destination", "agent", "caller_codec", "peer_codec", "age_s"]),
        (
            "trunks",
            ["name", "host", "port", "up", "detail", "circuit", "registered", "calls_in", "calls_out", "context"],
        ),
    ):
        show(found[part], columns, as_json=False, title=part.capitalize())
        print()
    media = found["media"]
    columns = ["plane", "state", "pid", "legs", "relayed_edges", "mixed_legs", "tick_p99_ms", "lateness_p999_ms"]
    show(media["planes"], [*columns, "packets_received", "cpu_share", "cpu_s"], as_json=False, title="Media")


def queue_log(
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=10_000, help="How many of the last lines.")] = 50,
    config: ConfigOption = None,
) -> None:
    """Print the last lines of the queue_log, as Asterisk's app_queue writes it."""
    print(api_client(load_config(config)).text("/api/v1/queue-log", limit=lines), end="")
