"""`hearthline guard`: who is banned by the running engine."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from engine.app.administration import api_client
from engine.app.cli_common import ConfigOption, JsonOption, show
from engine.app.config import load_config

app = typer.Typer(help="Show who is banned, and lift bans.", no_args_is_help=True)


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the bans that stand, and how much was not let in by reason."""
    found: dict[str, Any] = api_client(load_config(config)).get("/api/v1/guard")
    show(found["bans"], ["address", "user", "reason", "times", "left_s"], as_json=as_json)
    if not as_json:
        dropped = ", ".join(f"{reason} {count}" for reason, count in sorted(found["dropped"].items()))
        print(f"\nNot let in: {dropped or 'nothing'}." if found["enabled"] else "\nThe guard is switched off.")


@app.command("unban")
def unban(
    address: Annotated[str, typer.Argument(help="The address, or the network as `guard list` shows it.")],
    user: Annotated[str, typer.Option(help="The user name, for a ban of one only.")] = "",
    config: ConfigOption = None,
) -> None:
    """Lift a ban and forget what led to it."""
    api_client(load_config(config)).post("/api/v1/guard/unban", {"address": address, "user": user})
    print(f"{address}{f' for user {user}' if user else ''} is heard again")
