"""`hearthline agent`: who works here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated

import typer

from engine.app.administration import Administration, administration
from engine.app.cli_common import ConfigOption, JsonOption, given, listed, show, warn
from engine.app.config import load_config
from engine.calls.directory import AgentStatus
from engine.errors import EngineError, InvalidRequest, NotFound

app = typer.Typer(help="Add, change, list and remove agents, and change their status.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The agent's name, which is also the SIP user of the phone.")]
DisplayOption = Annotated[str | None, typer.Option(help="Name shown to the other side.")]
ContextOption = Annotated[str | None, typer.Option(help="Dialplan context of the agent's own calls.")]
QueueOption = Annotated[
    list[str] | None,
    typer.Option("--queue", metavar="QUEUE[:PENALTY]", help="Make a member of this queue (repeatable)."),
]
DestinationOption = Annotated[
    list[str] | None,
    typer.Option(
        "--destination",
        help="Beginning of numbers that may be called on trunks: 0049, +44, all; !0900 forbids (repeatable). "
        "Without any: no country but ours.",
    ),
]
OutboundOption = Annotated[int | None, typer.Option("--max-outbound", help="Calls on trunks at once; 0: no bound.")]
SpendOption = Annotated[
    float | None, typer.Option("--daily-spend", help="What calls on trunks may cost a day; 0: no bound.")
]
SrtpOption = Annotated[
    str | None, typer.Option("--srtp", help="Encrypt the sound of the phones: off, optional or required.")
]
CodecOption = Annotated[
    list[str] | None,
    typer.Option(
        "--codec", help="Codec of the phones, best first: opus, G729 ..., any (repeatable; empty: media.codecs)."
    ),
]

RecordOption = Annotated[bool | None, typer.Option("--record/--no-record", help="Record the agent's calls.")]


@app.command("add")
def add(
    name: NameArgument,
    display: DisplayOption = None,
    context: ContextOption = None,
    queue: QueueOption = None,
    destination: DestinationOption = None,
    max_outbound: OutboundOption = None,
    daily_spend: SpendOption = None,
    srtp: SrtpOption = None,
    codec: CodecOption = None,
    record: RecordOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an agent and show the SIP secret, once."""
    penalties = _penalties(queue)
    values = _settings(display, context, destination, max_outbound, daily_spend, srtp, codec, record)
    with administration(load_config(config)) as admin:
        admin.write("agent", name, values, "create")
        try:
            _join(admin, name, penalties)
        except EngineError:
            admin.drop("agent", name)
            raise
        secret = admin.rotate_secret(name)
    _show_secret(name, secret, as_json=as_json)


@app.command("set")
def set_(
    name: NameArgument,
    display: DisplayOption = None,
    context: ContextOption = None,
    queue: QueueOption = None,
    no_queue: Annotated[
        list[str] | None, typer.Option("--no-queue", help="Take out of this queue (repeatable).")
    ] = None,
    destination: DestinationOption = None,
    max_outbound: OutboundOption = None,
    daily_spend: SpendOption = None,
    srtp: SrtpOption = None,
    codec: CodecOption = None,
    record: RecordOption = None,
    config: ConfigOption = None,
) -> None:
    """Change an agent; what is not given stays."""
    penalties = _penalties(queue)
    values = _settings(display, context, destination, max_outbound, daily_spend, srtp, codec, record)
    with administration(load_config(config)) as admin:
        warnings = admin.write("agent", name, values, "update")
        _join(admin, name, penalties)
        for left in no_queue or ():
            admin.drop("member", f"{left}/{name}")
    warn(warnings)
    print(f"agent {name} changed")


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all agents with their status, its reason, and their queues."""
    with administration(load_config(config)) as admin:
        agents = admin.all("agent")
        members = admin.all("member")
    for agent in agents:
        agent["queues"] = sorted(m["queue"] for m in members if m["agent"] == agent["name"])
    show(agents, ["name", "display", "status", "status_reason", "context", "queues"], as_json=as_json)


@app.command("show")
def show_agent(name: NameArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one agent and the phones that are registered, in the order in which they are called."""
    with administration(load_config(config)) as admin:
        found = [agent for agent in admin.all("agent") if agent["name"] == name]
    if not found:
        raise NotFound(f"no agent {name!r}")
    if as_json:
        print(json.dumps(found[0], indent=2))
        return
    show(found, ["name", "display", "status", "status_reason", "state", "context"], as_json=False)
    print()
    columns = ["contact", "source", "transport", "user_agent", "expires_s", "q", "path"]
    show(found[0].get("bindings", []), columns, as_json=False, title="Phones")


@app.command("remove")
def remove(name: NameArgument, config: ConfigOption = None) -> None:
    """Remove an agent and its memberships."""
    with administration(load_config(config)) as admin:
        admin.drop("agent", name)
    print(f"agent {name} removed")


@app.command("secret")
def secret(name: NameArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make a new SIP secret for an agent and show it, once; the old one is void."""
    with administration(load_config(config)) as admin:
        made = admin.rotate_secret(name)
    _show_secret(name, made, as_json=as_json)


@app.command("status")
def status(
    name: NameArgument,
    wanted: Annotated[str, typer.Argument(metavar="available|break|logged_out", help="The new status.")],
    reason: Annotated[str, typer.Argument(help="Why, for a break: lunch, training ...")] = "",
    config: ConfigOption = None,
) -> None:
    """Change an agent's status."""
    try:
        chosen = AgentStatus(wanted)
    except ValueError:
        raise InvalidRequest(f"status {wanted!r} is not known; allowed is {', '.join(AgentStatus)}") from None
    with administration(load_config(config)) as admin:
        admin.set_status(name, chosen, reason)
    print(f"agent {name} is now {wanted}" + (f": {reason}" if reason else ""))


def _penalties(queues: list[str] | None) -> dict[str, int]:
    """What --queue says, by queue."""
    penalties = {}
    for text in queues or ():
        queue, _, penalty = text.partition(":")
        if penalty and not penalty.isdecimal():
            raise InvalidRequest(f"--queue {text!r}: the penalty {penalty!r} is not a whole number")
        penalties[queue] = int(penalty or 0)
    return penalties


def _join(admin: Administration, agent: str, penalties: Mapping[str, int]) -> None:
    for queue, penalty in penalties.items():
        admin.write("member", f"{queue}/{agent}", {"penalty": penalty}, "replace")


def _show_secret(name: str, secret: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"agent": name, "secret": secret}))
        return
    print(f"agent {name}: SIP user {name}, secret {secret}")
    print("The secret is not kept and cannot be shown again; `hearthline agent secret` makes a new one.")


def _settings(
    display: str | None,
    context: str | None,
    destination: list[str] | None,
    max_outbound: int | None,
    daily_spend: float | None,
    srtp: str | None,
    codec: list[str] | None,
    record: bool | None,
) -> dict[str, object]:
    return given(
        display=display,
        context=context,
        destinations=listed(destination),
        max_outbound=max_outbound,
        daily_spend=daily_spend,
        srtp=srtp,
        codecs=listed(codec),
        record=record,
    )
