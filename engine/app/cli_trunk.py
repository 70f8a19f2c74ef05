"""`hearthline trunk`: the lines to the PBX and to providers."""

from __future__ import annotations

import json

import typer

from engine.app import cli_trunk_options as opt
from engine.app.administration import administration
from engine.app.cli_common import ConfigOption, JsonOption, given, listed, show, warn
from engine.app.config import load_config
from engine.errors import NotFound

app = typer.Typer(help="Add, change, list and remove trunks.", no_args_is_help=True)


@app.command("set", help="Change a trunk; what is not given stays. A repeatable option, when given, replaces them all.")
@app.command("add", help="Add a trunk; it needs a --host. Calls from its addresses are taken without a password.")
def write(
    context: typer.Context,
    name: opt.NameArgument,
    host: opt.HostOption = None,
    port: opt.PortOption = None,
    transport: opt.TransportOption = None,
    tls_name: opt.TlsNameOption = None,
    address: opt.AddressOption = None,
    match_port: opt.MatchPortOption = None,
    dialplan_context: opt.ContextOption = None,
    user: opt.UserOption = None,
    auth_user: opt.AuthUserOption = None,
    secret_file: opt.SecretFileOption = None,
    register: opt.RegisterOption = None,
    register_expires: opt.ExpiresOption = None,
    outbound: opt.OutboundOption = None,
    from_user: opt.FromUserOption = None,
    from_domain: opt.FromDomainOption = None,
    called_out: opt.CalledOutOption = None,
    caller_out: opt.CallerOutOption = None,
    called_in: opt.CalledInOption = None,
    caller_in: opt.CallerInOption = None,
    header_out: opt.HeaderOption = None,
    trusted: opt.TrustedOption = None,
    redirects: opt.RedirectsOption = None,
    codec: opt.CodecOption = None,
    srtp: opt.SrtpOption = None,
    dtmf: opt.DtmfOption = None,
    record: opt.RecordOption = None,
    max_calls: opt.MaxCallsOption = None,
    max_in: opt.MaxInOption = None,
    max_out: opt.MaxOutOption = None,
    cps_in: opt.CpsInOption = None,
    cps_out: opt.CpsOutOption = None,
    destination: opt.DestinationOption = None,
    daily_spend: opt.DailySpendOption = None,
    ping: opt.PingOption = None,
    down_after: opt.DownAfterOption = None,
    up_after: opt.UpAfterOption = None,
    circuit_after: opt.CircuitOption = None,
    patience: opt.PatienceOption = None,
    setup: opt.SetupOption = None,
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
        tls_name=tls_name,
        addresses=listed(address),
        match_port=match_port,
        context=dialplan_context,
        user=user,
        auth_user=auth_user,
        secret=opt.secret_from(secret_file),
        registers=register,
        register_expires_s=register_expires,
        outbound=outbound,
        from_user=from_user,
        from_domain=from_domain,
        called_out=listed(called_out),
        caller_out=listed(caller_out),
        called_in=listed(called_in),
        caller_in=listed(caller_in),
        headers_out=listed(header_out),
        trusted=trusted,
        redirects=redirects,
        codecs=listed(codec),
        srtp=srtp,
        dtmf=dtmf,
        record=record,
        max_calls=max_calls,
        max_in=max_in,
        max_out=max_out,
        cps_in=cps_in,
        cps_out=cps_out,
        destinations=listed(destination),
        daily_spend=daily_spend,
        ping_s=ping,
        down_after=down_after,
        up_after=up_after,
        circuit_after=circuit_after,
        patience_s=patience,
        setup_s=setup,
    )
    with administration(load_config(config)) as admin:
        warnings = admin.write("trunk", name, values, "create" if adding else "update")
    print(f"trunk {name} {'added' if adding else 'changed'}")
    warn(warnings)


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all trunks."""
    with administration(load_config(config)) as admin:
        trunks = admin.all("trunk")
    columns = ["name", "host", "port", "transport", "addresses", "match_port", "context", "ping_s"]
    show(trunks, columns, as_json=as_json)


@app.command("show")
def show_one(name: opt.NameArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every setting of a trunk, and how it does while an engine runs."""
    with administration(load_config(config)) as admin:
        found = next((trunk for trunk in admin.all("trunk") if trunk["name"] == name), None)
    if found is None:
        raise NotFound(f"no trunk {name!r}")
    if as_json:
        print(json.dumps(found, indent=2))
        return
    rows = [{"setting": key, "value": None if value == "" else value} for key, value in found.items()]
    show(rows, ["setting", "value"], as_json=False)


@app.command("remove")
def remove(name: opt.NameArgument, config: ConfigOption = None) -> None:
    """Remove a trunk; calls from its addresses are challenged from now on."""
    with administration(load_config(config)) as admin:
        admin.drop("trunk", name)
    print(f"trunk {name} removed")
