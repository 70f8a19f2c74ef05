"""`hearthline listen`, `whisper`, `barge` and `leave-call`: supervisors on live calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.app.administration import api_client
from engine.app.cli_common import ConfigOption
from engine.app.config import load_config

CallArgument = Annotated[str, typer.Argument(help="The call, as `hearthline status` shows it.")]
AgentOption = Annotated[str, typer.Option("--agent", help="The supervisor, whose phone is called.")]


def _supervise(call: str, agent: str, mode: str, config: Path | None) -> None:
    path = f"/api/v1/calls/{call}/supervisors/{agent}"
    up = api_client(load_config(config)).put(path, {"mode": mode})["up"]
    print(f"{agent}: {mode} on {call}" if up else f"{agent}'s phone is called: {mode} on {call}")


def listen(call: CallArgument, agent: AgentOption, config: ConfigOption = None) -> None:
    """Let a supervisor hear a call, unheard; or let one who was heard be so no more."""
    _supervise(call, agent, "listen", config)


def whisper(call: CallArgument, agent: AgentOption, config: ConfigOption = None) -> None:
    """Let a supervisor hear a call and be heard by its agent alone."""
    _supervise(call, agent, "whisper", config)


def barge(call: CallArgument, agent: AgentOption, config: ConfigOption = None) -> None:
    """Let a supervisor hear a call and be heard by both sides."""
    _supervise(call, agent, "barge", config)


def leave_call(call: CallArgument, agent: AgentOption, config: ConfigOption = None) -> None:
    """Hang up the phone of a supervisor; the call goes on."""
    api_client(load_config(config)).delete(f"/api/v1/calls/{call}/supervisors/{agent}")
    print(f"{agent} is off {call}")
