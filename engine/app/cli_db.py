"""`hearthline db`: the store's schema, health and backup."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.app.cli_common import ConfigOption
from engine.app.config import load_config
from engine.errors import Unavailable

app = typer.Typer(help="Upgrade, check and back up the store.", no_args_is_help=True)


@app.command("upgrade")
def upgrade(config: ConfigOption = None) -> None:
    """Bring the store's tables to the version of this program."""
    from engine.store import schema  # noqa: PLC0415 - brings SQLAlchemy

    loaded = load_config(config)
    schema.upgrade(loaded.store_url)
    print(f"store {loaded.store_url} is up to date")


@app.command("backup")
def backup(
    target: Annotated[Path, typer.Argument(help="File to write; must not exist yet.")], config: ConfigOption = None
) -> None:
    """Copy the store to a file while it is in use."""
    from engine.store import schema  # noqa: PLC0415

    loaded = load_config(config)
    schema.backup(loaded.store_url, target)
    print(f"store {loaded.store_url} is copied to {target}")


@app.command("check")
def check(config: ConfigOption = None) -> None:
    """Tell whether the store is of this program's version and sound."""
    from engine.store import schema  # noqa: PLC0415

    loaded = load_config(config)
    state = schema.check(loaded.store_url)
    faults = schema.integrity(loaded.store_url) if state is schema.SchemaState.OK else []
    if state is not schema.SchemaState.OK or faults:
        hint = f"; run '{schema.UPGRADE_COMMAND}'" if state is schema.SchemaState.OLDER else ""
        raise Unavailable(
            f"store {loaded.store_url}: schema is {state.value}{hint}" + "".join(f"\n  {f}" for f in faults)
        )
    print(f"store {loaded.store_url}: schema is current, no fault found")
