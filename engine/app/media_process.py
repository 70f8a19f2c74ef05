"""The media process as control starts it, or as a service of its own."""

from __future__ import annotations

import math
import subprocess
from dataclasses import replace
from pathlib import Path

from engine.app.config import Config
from engine.app.state import StateDir
from engine.media.client import spawn
from engine.media.options import PlaneOptions


def plane_options(config: Config, socket: Path) -> PlaneOptions:
    """What the media process is started with."""
    state = StateDir(config.state_dir)
    return PlaneOptions(
        socket=socket,
        secret_file=state.path / "secrets" / "media",
        port_min=config.media.port_min,
        port_max=config.media.port_max,
        bind=config.media.host,
        rtp_timeout_s=config.media.rtp_timeout_s,
        log_level=config.log.level.value,
        log_format=config.log.format,
    )


def spawn_media(config: Config, socket: Path) -> subprocess.Popen[bytes]:
    """Start a media process that listens on the socket; its log is `log/media.log` in the state directory."""
    log_file = StateDir(config.state_dir).log_dir / "media.log"
    with log_file.open("ab") as log:
        return spawn(plane_options(config, socket), log=log, module=("-m", "engine.media.plane"))


def run_media(config: Config) -> int:
    """Be the media process until it is stopped."""
    from engine.media.plane import run  # noqa: PLC0415 - numpy, which control must not load

    state = StateDir(config.state_dir)
    state.prepare()
    # A service manager decides when this process ends, not the absence of control.
    return run(replace(plane_options(config, state.media_socket), idle_exit_s=math.inf))
