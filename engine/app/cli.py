"""The command line. Each group of commands is a file of its own (`cli_*.py`); what they print is for people, and with
`--json` for programs. Commands are run often and live shortly, so each imports what is heavy when it is called: only
`run` brings Twisted and FastAPI, only `media` brings numpy, and SQLAlchemy comes only where the store is opened."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from engine.app import (
    cli_agent,
    cli_conference,
    cli_db,
    cli_dialplan,
    cli_guard,
    cli_media,
    cli_queue,
    cli_recording,
    cli_reload,
    cli_sound,
    cli_status,
    cli_supervise,
    cli_token,
    cli_trace,
    cli_trunk,
    cli_trunk_group,
)
from engine.app.cli_common import ConfigOption, warn
from engine.app.config import load_config
from engine.app.config_sip import TlsConfig
from engine.errors import EngineError

app = typer.Typer(
    name="hearthline",
    help="The Hearthline routing engine for call centres whose agents work from home.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_agent.app, name="agent")
app.add_typer(cli_queue.app, name="queue")
app.add_typer(cli_trunk.app, name="trunk")
app.add_typer(cli_recording.app, name="recording")
app.add_typer(cli_trunk_group.app, name="trunk-group")
app.add_typer(cli_conference.app, name="conference")
app.add_typer(cli_guard.app, name="guard")
app.add_typer(cli_media.app, name="media")
app.add_typer(cli_dialplan.app, name="dialplan")
app.add_typer(cli_sound.app, name="sound")
app.add_typer(cli_token.app, name="token")
app.add_typer(cli_db.app, name="db")
app.command("status")(cli_status.status)
app.command("queue-log")(cli_status.queue_log)
app.command("listen")(cli_supervise.listen)
app.command("whisper")(cli_supervise.whisper)
app.command("barge")(cli_supervise.barge)
app.command("leave-call")(cli_supervise.leave_call)
app.command("reload")(cli_reload.reload)
app.command("trace")(cli_trace.trace)


@app.command("run")
def run(
    config: ConfigOption = None,
    demo: Annotated[bool, typer.Option("--demo", help="Add a caller and an agent that talk to each other.")] = False,
) -> None:
    """Run the engine until it is stopped: Ctrl-C ends it at once, SIGTERM or SIGHUP lets live calls end first."""
    from engine.app.service import run_engine  # noqa: PLC0415 - brings Twisted and FastAPI

    raise typer.Exit(run_engine(load_config(config), config_file=config, demo=demo))


@app.command("check-config")
def check_config(file: Annotated[Path, typer.Argument(help="The configuration file.")]) -> None:
    """Check a configuration file, and the dialplan, music, prices and certificates that it names, without starting
    anything; where the store is a file, also whether its trunks can be reached by the listeners."""
    from engine.app.dialplan_file import configured_dialplan  # noqa: PLC0415 - brings calls and dialplan
    from engine.app.sounds import hold_music, sound_rules  # noqa: PLC0415
    from engine.app.toll import price_list  # noqa: PLC0415
    from engine.calls.toll_rules import Numbering  # noqa: PLC0415
    from engine.dialplan.playing import sound_warnings  # noqa: PLC0415

    loaded = load_config(file)
    dialplan, rules = configured_dialplan(loaded), sound_rules(loaded)
    hold_music(loaded)
    warn(sound_warnings(dialplan, rules.library, rules.language))
    price_list(loaded, Numbering())
    _check_certificates(loaded.sip.tls)
    if loaded.store.url or loaded.store_file.exists():
        from engine.app.stored_doubts import stored_doubts  # noqa: PLC0415 - brings SQLAlchemy

        warn(stored_doubts(loaded))
    print(f"{file}: good. SIP {', '.join(map(str, loaded.sip.listeners))}, API {loaded.api.host}:{loaded.api.port}.")


def _check_certificates(tls: TlsConfig) -> None:
    """Raises ConfigError for a file that TLS could not use. The state directory's own are made at the first start."""
    if not (tls.certificates or tls.client_ca or tls.trust):
        return
    from engine.net.tls_pair import load_authorities, load_pair  # noqa: PLC0415 - brings cryptography

    for each in tls.certificates:
        load_pair(Path(each.certificate), Path(each.key))
    for file in filter(None, (tls.client_ca, tls.trust)):
        load_authorities(Path(file))


def run_command_line() -> int:
    """Run one command. An error that Hearthline raised on purpose is one line on stderr and exit status 1."""
    try:
        app(prog_name="hearthline")
    except EngineError as error:
        print(f"hearthline: {error.code}: {error}", file=sys.stderr)
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0
