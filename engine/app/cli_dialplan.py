"""`hearthline dialplan`: what would happen to a number."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.app.cli_common import ConfigOption, warn
from engine.app.config import load_config

app = typer.Typer(help="Check the dialplan.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Check the dialplan."""


@app.command("check")
def check(config: ConfigOption = None) -> None:
    """Read the dialplan, and tell every fault of it, and every sound that it names and that is not there."""
    from engine.app.dialplan_file import configured_dialplan  # noqa: PLC0415 - brings calls and dialplan
    from engine.app.sounds import sound_rules  # noqa: PLC0415
    from engine.dialplan.playing import sound_warnings  # noqa: PLC0415

    loaded = load_config(config)
    dialplan, rules = configured_dialplan(loaded), sound_rules(loaded)
    warn(sound_warnings(dialplan, rules.library, rules.language))
    print(f"{dialplan.file}: good. {len(dialplan.contexts)} contexts, {len(dialplan.extensions())} extensions.")


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
