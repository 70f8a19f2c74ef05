"""`hearthline recording`: record live calls, list what was recorded, read what is encrypted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from engine.app.administration import api_client
from engine.app.cli_common import ConfigOption, JsonOption, show
from engine.app.config import load_config
from engine.app.config_recording import RecordingConfig
from engine.errors import ConfigError

app = typer.Typer(help="Record live calls, list and decrypt recordings.", no_args_is_help=True)

CallArgument = Annotated[str, typer.Argument(help="The call, as `hearthline status` names it.")]


def _act(call: str, action: str, config: Path | None) -> None:
    api_client(load_config(config)).post(f"/api/v1/calls/{call}/recording", {"action": action})


@app.command("start")
def start(call: CallArgument, config: ConfigOption = None) -> None:
    """Record a live call from now on."""
    _act(call, "start", config)
    print(f"call {call} is recorded")


@app.command("pause")
def pause(call: CallArgument, config: ConfigOption = None) -> None:
    """Record silence until `resume`: a card number is told."""
    _act(call, "pause", config)
    print(f"the recording of call {call} is paused")


@app.command("resume")
def resume(call: CallArgument, config: ConfigOption = None) -> None:
    """Record sound again."""
    _act(call, "resume", config)
    print(f"call {call} is recorded again")


@app.command("stop")
def stop(call: CallArgument, config: ConfigOption = None) -> None:
    """End the recording; the call goes on."""
    _act(call, "stop", config)
    print(f"call {call} is recorded no longer")


@app.command("list")
def list_(
    call: Annotated[str, typer.Option(help="Only of this call.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="The latest so many.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the files of recordings, the latest first; no engine need run."""
    from engine.app.recording_files import recordings  # noqa: PLC0415
    from engine.app.recording_setup import recording_directory  # noqa: PLC0415

    found = recordings(recording_directory(load_config(config)), limit=limit, of=call)
    rows: list[dict[str, Any]] = [
        {
            name: getattr(each, name)
            for name in ("path", "recording", "state", "format", "encrypted", "octets", "changed")
        }
        for each in found
    ]
    show(rows, ["path", "state", "encrypted", "octets"], as_json=as_json)


@app.command("decrypt")
def decrypt(
    file: Annotated[Path, typer.Argument(help="The encrypted file.")],
    output: Annotated[Path | None, typer.Option(help="Where to; left out: beside it, without `.hlr`.")] = None,
    key_file: Annotated[Path | None, typer.Option(help="The key, in place of the configured one.")] = None,
    config: ConfigOption = None,
) -> None:
    """Give an encrypted recording back as a sound file."""
    from engine.app.recording_decrypt import decrypt as decrypted  # noqa: PLC0415 - brings cryptography
    from engine.app.recording_key import recording_key  # noqa: PLC0415

    section = load_config(config).recording if key_file is None else RecordingConfig(key_file=str(key_file))
    key = recording_key(section)
    if key is None:
        raise ConfigError("no key is configured in [recording]; name one with --key-file")
    done = decrypted(file, key, output)
    note = "" if done.complete else "; it was cut off, and is here up to its last whole chunk"
    print(f"{done.path} written, {done.octets} octets{note}")
