"""A media process as control starts it, or as a service of its own. They are numbered from 0."""

from __future__ import annotations

import math
import os
import subprocess
from dataclasses import replace
from pathlib import Path

from engine.app.config import Config
from engine.app.state import StateDir
from engine.errors import ConfigError
from engine.media.client import SINGLE_THREADED, spawn
from engine.media.options import PlaneOptions


def plane_options(config: Config, socket: Path, plane: int = 0) -> PlaneOptions:
    """What the media process of this number is started with."""
    state = StateDir(config.state_dir)
    port_min, port_max = config.media.ports_of(plane)
    return PlaneOptions(
        socket=socket,
        secret_file=state.path / "secrets" / _secret_name(plane),
        port_min=port_min,
        port_max=port_max,
        bind=config.media.host,
        dscp=config.media.dscp,
        dead_s=config.media.dead_s,
        core=config.media.core_of(plane),
        realtime=config.media.realtime,
        log_level=config.log.level.value,
        log_format=config.log.format,
    )


def media_secret(state: StateDir, plane: int) -> str:
    """What control must know to command the media process of this number."""
    return state.secret(_secret_name(plane))


def spawn_media(config: Config, socket: Path, plane: int = 0) -> subprocess.Popen[bytes]:
    """Start a media process that listens on the socket; its log is `log/media.log` in the state directory, that of
    further ones `log/media-NUMBER.log`."""
    log_file = StateDir(config.state_dir).log_dir / f"media{_suffix(plane)}.log"
    with log_file.open("ab") as log:
        return spawn(plane_options(config, socket, plane), log=log, module=("-m", "engine.media.plane"))


def run_media(config: Config, plane: int = 0) -> int:
    """Be the media process of this number until it is stopped. Raises ConfigError where there is none of it."""
    if plane >= config.media.processes:
        raise ConfigError(f"media process {plane}: [media] processes is {config.media.processes}, counted from 0")
    os.environ.update(SINGLE_THREADED)
    from engine.media.plane import run  # noqa: PLC0415 - numpy, which control must not load

    state = StateDir(config.state_dir)
    state.prepare()
    media_secret(state, plane)
    # A service manager decides when this process ends, not the absence of control.
    return run(replace(plane_options(config, state.media_socket_of(plane), plane), idle_exit_s=math.inf))


def _secret_name(plane: int) -> str:
    return f"media{_suffix(plane)}"


def _suffix(plane: int) -> str:
    return f"-{plane}" if plane else ""
