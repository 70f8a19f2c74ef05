from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.app.private_dir import make_private
from engine.errors import ConfigError


def test_what_is_made_is_the_owners_alone_and_stays(tmp_path: Path) -> None:
    wanted = tmp_path / "ours"
    before = os.umask(0)
    try:
        make_private(wanted)
    finally:
        os.umask(before)
    assert wanted.stat().st_mode & 0o777 == 0o700
    (wanted / "file").write_text("")
    make_private(wanted)
    assert (wanted / "file").exists()


def private(path: Path) -> None:
    path.mkdir(mode=0o700)


def link(path: Path) -> None:
    private(path.parent / "elsewhere")
    path.symlink_to(path.parent / "elsewhere")


def dangling_link(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def open_to(mode: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.mkdir()
        path.chmod(mode)

    return make


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (link, "is a symbolic link"),
        (dangling_link, "is a symbolic link"),
        (lambda path: path.write_text(""), "is no directory"),
        (open_to(0o1777), "is open to others (mode 1777)"),
        (open_to(0o710), "is open to others (mode 0710)"),
        (open_to(0o704), "is open to others (mode 0704)"),
    ],
)
def test_what_somebody_may_have_put_there_is_refused(make: Callable[[Path], None], told: str, tmp_path: Path) -> None:
    wanted = tmp_path / "ours"
    make(wanted)
    with pytest.raises(ConfigError, match=re.escape(f"{wanted} {told}; ") + ".*shorter service.state_dir"):
        make_private(wanted)


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = tmp_path / "ours"
    private(wanted)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(ConfigError, match=f"belongs to user {owner}, and we are user {owner + 1}"):
        make_private(wanted)


def test_a_place_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none/ours: No such file or directory; .*shorter"):
        make_private(tmp_path / "none" / "ours")
