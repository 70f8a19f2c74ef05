from __future__ import annotations

import subprocess
from pathlib import Path
from typing import IO, Any

import pytest

from engine.app import media_process
from engine.app.config import Config, LogFormat, LogLevel, load_config
from engine.app.state import StateDir
from engine.media.options import PlaneOptions


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = tmp_path / "engine.toml"
    file.write_text(
        '[service]\nstate_dir = "state"\n[log]\nlevel = "warning"\nformat = "json"\n'
        '[media]\nhost = "127.0.0.1"\nport_min = 21000\nport_max = 21010\ndead_s = 7.0\ndscp = 34\n'
    )
    return load_config(file)


def test_the_process_is_started_with_what_the_configuration_says(config: Config) -> None:
    options = media_process.plane_options(config, Path("/run/m.sock"))
    assert options == PlaneOptions(
        socket=Path("/run/m.sock"),
        secret_file=config.state_dir / "secrets" / "media",
        port_min=21000,
        port_max=21010,
        bind="127.0.0.1",
        dscp=34,
        dead_s=7.0,
        log_level=LogLevel.WARNING.value,
        log_format=LogFormat.JSON,
    )
    state = StateDir(config.state_dir)
    state.prepare()
    assert options.secret_file.read_text() == state.secret("media")


def test_a_child_writes_its_log_beside_ours_and_is_no_command_of_its_own(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    StateDir(config.state_dir).prepare()
    (config.state_dir / "log" / "media.log").write_text("before\n")
    asked: list[tuple[PlaneOptions, tuple[str, ...]]] = []

    def spawn(options: PlaneOptions, *, log: IO[bytes], module: tuple[str, ...]) -> Any:
        asked.append((options, module))
        log.write(b"after\n")
        return subprocess.CompletedProcess([], 0)

    monkeypatch.setattr(media_process, "spawn", spawn)
    media_process.spawn_media(config, Path("/run/m.sock"))
    assert asked == [(media_process.plane_options(config, Path("/run/m.sock")), ("-m", "engine.media.plane"))]
    assert (config.state_dir / "log" / "media.log").read_text() == "before\nafter\n"


def test_as_a_service_it_waits_for_control_for_ever_on_the_socket_that_control_looks_at(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[PlaneOptions] = []

    def run(options: PlaneOptions) -> int:
        asked.append(options)
        return 5

    monkeypatch.setattr("engine.media.plane.run", run)
    assert media_process.run_media(config) == 5
    (options,) = asked
    assert options.socket == StateDir(config.state_dir).media_socket
    assert options.idle_exit_s == float("inf")
    assert options.secret_file.exists(), "it may be started before control"
