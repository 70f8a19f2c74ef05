"""The shipped systemd units: commands that exist, two units that do not stop each other, time enough to drain."""

from __future__ import annotations

import configparser
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
UNITS = REPOSITORY / "config/systemd"
EXAMPLE = REPOSITORY / "config/engine.example.toml"
CONTROL = "hearthline.service"
MEDIA = "hearthline-media.service"


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNITS / name, encoding="utf-8")
    return parser


@pytest.mark.parametrize(("name", "key"), [(CONTROL, "ExecStart"), (CONTROL, "ExecStartPre"), (MEDIA, "ExecStart")])
def test_the_commands_exist_with_these_options(name: str, key: str) -> None:
    program, command, *options = shlex.split(unit(name)["Service"][key])
    assert program.endswith("/bin/hearthline")
    done = subprocess.run(
        [sys.executable, "-m", "engine", command, "--help"],
        cwd=REPOSITORY,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert all(option in done.stdout for option in options if option.startswith("-"))
    assert options[-1] == "/etc/hearthline/engine.toml"


def test_restarting_control_leaves_media_alone() -> None:
    for name in (CONTROL, MEDIA):
        ties = {"Requires", "Requisite", "BindsTo", "PartOf", "Upholds", "Conflicts", "PropagatesStopTo"}
        assert ties.isdisjoint(unit(name)["Unit"]), f"{name} is tied to the other unit"
    assert MEDIA in unit(CONTROL)["Unit"]["Wants"].split()
    assert MEDIA in unit(CONTROL)["Unit"]["After"].split()


def test_systemd_waits_longer_than_the_engine_drains() -> None:
    drain_s = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))["service"]["drain_s"]
    assert float(unit(CONTROL)["Service"]["TimeoutStopSec"]) > drain_s


def test_both_units_share_the_state_directory_and_the_user() -> None:
    shared = ("User", "Group", "StateDirectory", "StateDirectoryMode", "WorkingDirectory", "UMask")
    control, media = unit(CONTROL)["Service"], unit(MEDIA)["Service"]
    assert {key: control[key] for key in shared} == {key: media[key] for key in shared}
    state_dir = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))["service"]["state_dir"]
    assert control["WorkingDirectory"] == state_dir == f"/var/lib/{control['StateDirectory']}"


def test_what_the_units_point_to_is_there_after_the_install() -> None:
    """The words at the head of the unit copy files of this repository; nothing else is promised."""
    words = [
        line.lstrip("# ") for line in (UNITS / CONTROL).read_text(encoding="utf-8").splitlines() if "install" in line
    ]
    assert any("/opt/hearthline/bin/pip install ." in line for line in words)
    assert "`pip install .`" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
    sources = [word for line in words for word in line.split() if word.startswith("config/")]
    assert sources
    assert all(list(REPOSITORY.glob(source)) for source in sources)
    for name in (CONTROL, MEDIA):
        assert "Documentation" not in unit(name)["Unit"], "no page is installed"


def test_further_media_processes_are_like_the_first_but_for_their_number() -> None:
    first, further = unit(MEDIA)["Service"], unit("hearthline-media@.service")["Service"]
    command = first["ExecStart"].replace(" media ", " media --plane %i ")
    assert dict(further) == {**first, "ExecStart": command}


def test_what_real_time_takes_is_granted_by_the_unit() -> None:
    from engine.media.io_priority import PRIORITY  # noqa: PLC0415

    service = unit(MEDIA)["Service"]
    assert int(service["LimitRTPRIO"]) >= PRIORITY
    assert (service["LimitMEMLOCK"], service["RestrictRealtime"]) == ("infinity", "no")
