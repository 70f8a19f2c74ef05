"""`hearthline dialplan`: what would happen to a number."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.app.cli_common import ConfigOption
from engine.app.config import load_config

app = typer.Typer(help="Check the dialplan.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Check the dialplan."""


@app.command("explain")
def explain_(
    context: Annotated[str, typer.Argument(help="Context that the call enters.")],
    number: Annotated[str, typer.Argument(help="Number that is dialled.")],
    config: ConfigOption = None,
) -> None:
    """Tell how a number is resolved, and why."""
    from engine.app.dialplan_file import configured_dialplan  # noqa: PLC0415 - brings calls and dialplan
    from engine.dialplan.explain import explain  # noqa: PLC0415

    print(explain(configured_dialplan(load_config(config)), context, number))
