"""`hearthline trunk`: the lines to the PBX and to providers."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.app.administration import administration
from engine.app.cli_common import ConfigOption, JsonOption, given, show
from engine.app.config import load_config

app = typer.Typer(help="Add, change, list and remove trunks.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The trunk's name.")]
HostOption = Annotated[str | None, typer.Option(help="IP address that calls to it go to and come from.")]
PortOption = Annotated[int | None, typer.Option(help="Port that calls to it go to.")]
TransportOption = Annotated[str | None, typer.Option(help="udp or tcp.")]
AddressOption = Annotated[
    list[str] | None,
    typer.Option("--address", help="Further address or network that calls may come from (repeatable)."),
]
MatchPortOption = Annotated[
    bool | None, typer.Option("--match-port/--any-port", help="Take only requests whose source port is --port.")
]
ContextOption = Annotated[str | None, typer.Option("--context", help="Dialplan context that its calls enter.")]
PingOption = Annotated[float | None, typer.Option(help="Seconds between OPTIONS; 0 sends none.")]


@app.command("set", help="Change a trunk; what is not given stays. --address, when given, replaces them all.")
@app.command("add", help="Add a trunk; it needs a --host. Calls from its addresses are taken without a password.")
def write(
    context: typer.Context,
    name: NameArgument,
    host: HostOption = None,
    port: PortOption = None,
    transport: TransportOption = None,
    address: AddressOption = None,
    match_port: MatchPortOption = None,
    dialplan_context: ContextOption = None,
    ping: PingOption = None,
    config: ConfigOption = None,
) -> None:
    """Carry out both commands, which take the same settings."""
    adding = context.info_name == "add"
    if adding and host is None:
        raise typer.BadParameter("a new trunk needs one", param_hint="--host")
    values = given(
        host=host,
        port=port,
        transport=transport,
        addresses=address,
        match_port=match_port,
        context=dialplan_context,
        ping_s=ping,
    )
    with administration(load_config(config)) as admin:
        admin.write("trunk", name, values, "create" if adding else "update")
    print(f"trunk {name} {'added' if adding else 'changed'}")


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all trunks."""
    with administration(load_config(config)) as admin:
        trunks = admin.all("trunk")
    columns = ["name", "host", "port", "transport", "addresses", "match_port", "context", "ping_s"]
    show(trunks, columns, as_json=as_json)


@app.command("remove")
def remove(name: NameArgument, config: ConfigOption = None) -> None:
    """Remove a trunk; calls from its addresses are challenged from now on."""
    with administration(load_config(config)) as admin:
        admin.drop("trunk", name)
    print(f"trunk {name} removed")
