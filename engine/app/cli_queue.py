"""`hearthline queue`: where callers wait."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.app.administration import administration
from engine.app.cli_common import ConfigOption, JsonOption, given, show
from engine.app.config import load_config

app = typer.Typer(help="Add, change, list and remove queues.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The queue's name.")]
StrategyOption = Annotated[str | None, typer.Option(help="longest-idle or ringall.")]
RingTimeoutOption = Annotated[float | None, typer.Option(help="Seconds that an offer rings.")]
RetryOption = Annotated[float | None, typer.Option(help="Seconds of rest after nobody took the caller.")]
WrapUpOption = Annotated[float | None, typer.Option(help="Seconds that an agent gets after a call.")]
MaxWaitOption = Annotated[float | None, typer.Option(help="Seconds after which a caller is let go; 0 never.")]
MaxCallersOption = Annotated[int | None, typer.Option(help="Callers that may wait at once; 0 any number.")]
MusicOption = Annotated[
    str | None,
    typer.Option(help="Music for those who wait: a name in [sounds] music, or a sound file; empty: the engine's own."),
]
RonaOption = Annotated[
    bool | None, typer.Option("--rona-break/--no-rona-break", help="Set an agent who does not answer to a break.")
]

RecordOption = Annotated[
    bool | None, typer.Option("--record/--no-record", help="Record its calls, from the agent's answer on.")
]


@app.command("set", help="Change a queue; what is not given stays.")
@app.command("add", help="Add a queue.")
def write(
    context: typer.Context,
    name: NameArgument,
    strategy: StrategyOption = None,
    ring_timeout: RingTimeoutOption = None,
    retry: RetryOption = None,
    wrap_up: WrapUpOption = None,
    max_wait: MaxWaitOption = None,
    max_callers: MaxCallersOption = None,
    music: MusicOption = None,
    rona_break: RonaOption = None,
    record: RecordOption = None,
    config: ConfigOption = None,
) -> None:
    """Carry out both commands, which take the same settings."""
    values = given(
        strategy=strategy,
        ring_timeout_s=ring_timeout,
        retry_s=retry,
        wrap_up_s=wrap_up,
        max_wait_s=max_wait,
        max_callers=max_callers,
        music=music,
        rona_break=rona_break,
        record=record,
    )
    adding = context.info_name == "add"
    with administration(load_config(config)) as admin:
        admin.write("queue", name, values, "create" if adding else "update")
    print(f"queue {name} {'added' if adding else 'changed'}")


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all queues with their members."""
    with administration(load_config(config)) as admin:
        queues = admin.all("queue")
        members = admin.all("member")
    for queue in queues:
        queue["members"] = [
            m["agent"] + (f":{m['penalty']}" if m["penalty"] else "") for m in members if m["queue"] == queue["name"]
        ]
    columns = ["name", "strategy", "ring_timeout_s", "retry_s", "wrap_up_s", "max_wait_s", "max_callers", "members"]
    show(queues, columns, as_json=as_json)


@app.command("remove")
def remove(name: NameArgument, config: ConfigOption = None) -> None:
    """Remove a queue and its memberships; those who wait in it are let go."""
    with administration(load_config(config)) as admin:
        admin.drop("queue", name)
    print(f"queue {name} removed")
