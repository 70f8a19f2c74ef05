"""`hearthline media`: to be a media process, and to take one out of service."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.app.administration import api_client
from engine.app.cli_common import ConfigOption
from engine.app.config import load_config

app = typer.Typer(help="Run a media process by itself, or take one out of service.", invoke_without_command=True)


@app.callback()
def media(
    context: typer.Context,
    config: ConfigOption = None,
    plane: Annotated[int, typer.Option("--plane", min=0, help="Its number, below [media] processes.")] = 0,
) -> None:
    """Run a media process by itself, for a service manager (media.spawn = false)."""
    if context.invoked_subcommand is not None:
        return
    from engine.app.media_process import run_media  # noqa: PLC0415 - brings numpy

    raise typer.Exit(run_media(load_config(config), plane))


@app.command("drain")
def drain(
    plane: Annotated[int, typer.Argument(min=0, help="Number of the media process, as `hearthline status` shows it.")],
    move: Annotated[
        bool, typer.Option("--move", help="Ask the phones of its calls to send to another process, where they let us.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Give a media process no new legs, for an upgrade: it ends when it has none, and a fresh one comes in its
    place."""
    left = api_client(load_config(config)).post(f"/api/v1/media/{plane}/drain", {"move": move})["legs"]
    print(f"media process {plane} takes no new legs and ends when the {left} that it has are gone.")
