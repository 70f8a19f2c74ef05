"""`hearthline trunk-group`: trunks that stand for one another."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.app.administration import administration
from engine.app.cli_common import ConfigOption, JsonOption, show
from engine.app.config import load_config

app = typer.Typer(help="Add, change, list and remove groups of trunks.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The group's name, as the dialplan's trunk_group names it.")]
MemberOption = Annotated[
    list[str],
    typer.Option(
        "--member",
        help="TRUNK, TRUNK:PRIORITY or TRUNK:PRIORITY:WEIGHT (repeatable). Lower priorities are tried first; "
        "weights share the calls among those of one priority.",
    ),
]


@app.command("set", help="Replace the members of a group.")
@app.command("add", help="Add a group of trunks.")
def write(context: typer.Context, name: NameArgument, member: MemberOption, config: ConfigOption = None) -> None:
    """Carry out both commands."""
    adding = context.info_name == "add"
    with administration(load_config(config)) as admin:
        admin.write("group", name, {"members": member}, "create" if adding else "update")
    print(f"group {name} {'added' if adding else 'changed'}")


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all groups and their members."""
    with administration(load_config(config)) as admin:
        groups = admin.all("group")
    show(groups, ["name", "members"], as_json=as_json)


@app.command("remove")
def remove(name: NameArgument, config: ConfigOption = None) -> None:
    """Remove a group; its trunks stay."""
    with administration(load_config(config)) as admin:
        admin.drop("group", name)
    print(f"group {name} removed")
