"""`hearthline trace`: the SIP messages that the running engine keeps of the last calls."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.app.administration import api_client
from engine.app.cli_common import ConfigOption, JsonOption, show
from engine.app.config import load_config
from engine.errors import InvalidRequest


def trace(
    call: Annotated[
        str, typer.Argument(help="The call: our name of it, the beginning of that, or a SIP Call-ID.")
    ] = "",
    agent: Annotated[str, typer.Option(help="Show the registrations of this agent.")] = "",
    strangers: Annotated[bool, typer.Option("--strangers", help="Show the latest requests of strangers.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the calls whose messages are kept.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Show the whole messages.")] = False,
    pcap: Annotated[Path | None, typer.Option(help="Write them to this file, for Wireshark.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the SIP messages of a call, of an agent's registrations or of strangers; passwords' digests are masked."""
    if sum((bool(call), bool(agent), strangers, list_)) != 1:
        raise InvalidRequest("give one of: a call, --agent NAME, --strangers, --list")
    client = api_client(load_config(config))
    if list_:
        found: dict[str, Any] = client.get("/api/v1/traces")
        if not as_json:
            for row in found["items"]:
                row["began"] = "" if row["at"] is None else f"{datetime.fromtimestamp(row['at']).astimezone():%H:%M:%S}"
                row["ended"] = row["ended"] or "lives"
        columns = ["call", "began", "origin", "caller", "called", "ended", "call_ids"]
        show(found["items"], columns, as_json=as_json)
        return
    path = "/api/v1/strangers" if strangers else f"/api/v1/agents/{agent}" if agent else f"/api/v1/calls/{call}"
    if pcap is not None:
        _write(pcap, client.content(f"{path}/trace.pcap"))
        print(f"written to {pcap}")
    elif as_json:
        print(json.dumps(client.get(f"{path}/trace"), indent=2))
    else:
        print(client.text(f"{path}/trace.txt", full=str(full).lower()), end="")


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InvalidRequest(f"{path}: cannot be written: {error.strerror}") from error
