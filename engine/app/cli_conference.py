"""`hearthline conference`: who is in which, mute, put out."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from engine.app.administration import api_client
from engine.app.cli_common import ConfigOption, JsonOption, show
from engine.app.config import load_config

app = typer.Typer(help="Show conferences; mute members and put them out.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The conference's name.")]
CallArgument = Annotated[str, typer.Argument(help="The member's call, as `conference list` shows it.")]


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the members of all conferences."""
    found: list[dict[str, Any]] = api_client(load_config(config)).get("/api/v1/conferences")["items"]
    rows = [{"conference": each["name"], **member} for each in found for member in each["members"]]
    columns = ["conference", "call", "who", "caller", "muted", "holding", "joined_for_s"]
    show(rows, columns, as_json=as_json)


@app.command("mute")
def mute(name: NameArgument, call: CallArgument, config: ConfigOption = None) -> None:
    """Let the others not hear a member."""
    api_client(load_config(config)).patch(f"/api/v1/conferences/{name}/members/{call}", {"muted": True})
    print(f"{call} is muted")


@app.command("unmute")
def unmute(name: NameArgument, call: CallArgument, config: ConfigOption = None) -> None:
    """Let the others hear a member again."""
    api_client(load_config(config)).patch(f"/api/v1/conferences/{name}/members/{call}", {"muted": False})
    print(f"{call} is heard again")


@app.command("kick")
def kick(name: NameArgument, call: CallArgument, config: ConfigOption = None) -> None:
    """Put a member out: its call ends."""
    api_client(load_config(config)).delete(f"/api/v1/conferences/{name}/members/{call}")
    print(f"{call} is out")
