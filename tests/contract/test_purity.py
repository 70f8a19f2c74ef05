"""Import rules on single files, which import-linter's contracts (.importlinter) do not express.

They hold for every file there will ever be in these folders, so that a new file cannot slip past a list.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ENGINE = REPOSITORY / "engine"

IMPURE_MODULES = frozenset(
    {"asyncio", "multiprocessing", "random", "secrets", "select", "selectors", "signal", "socket", "ssl"}
    | {"subprocess", "threading", "time", "uuid"}
)
IMPURE_CALLS = frozenset(
    {"os.urandom", "os.getpid", "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time"}
)

PURE_PACKAGES = ("acd", "calls", "dialer", "dialplan", "sip", "speech")
MEDIA_WITH_IO = ("io*.py", "plane.py", "client.py")


def pure_files() -> list[Path]:
    """Every file that gets time, chance and bytes as arguments."""
    files = [file for package in PURE_PACKAGES for file in (ENGINE / package).rglob("*.py")]
    media = [file for file in (ENGINE / "media").rglob("*.py") if not any(map(file.match, MEDIA_WITH_IO))]
    return sorted(files + media)


def impurities(source: str) -> list[str]:
    """One line for each impure import or call, in functions and under `if TYPE_CHECKING` too."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            if node.module == "os":
                names += [f"os.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            names = [name for name in IMPURE_CALLS if ast.unparse(node).endswith(name)]
        found += [
            f"line {getattr(node, 'lineno', 0)}: {name}"
            for name in names
            if name.split(".")[0] in IMPURE_MODULES or name in IMPURE_CALLS
        ]
    return found


@pytest.mark.parametrize("file", pure_files(), ids=lambda file: str(file.relative_to(ENGINE)))
def test_a_pure_file_reads_no_clock_and_touches_no_world(file: Path) -> None:
    assert impurities(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import asyncio.subprocess as s",
        "from random import choice",
        "def f():\n    import socket",
        "from os import urandom",
        "import os\nos.urandom(4)",
        "import datetime\ndatetime.datetime.now()",
    ],
)
def test_the_rule_sees_every_way_of_writing_it(source: str) -> None:
    assert len(impurities(source)) == 1


def test_the_rule_lets_plain_code_pass() -> None:
    assert impurities("import os.path\nfrom datetime import datetime\nnow = clock.now()\nself.timeout = 3") == []


def test_pure_files_are_found() -> None:
    packages = {file.relative_to(ENGINE).parts[0] for file in pure_files()}
    assert {"sip", "calls", "acd", "media"} <= packages
    assert ENGINE / "media/io.py" not in pure_files()


@pytest.mark.parametrize("package", ["", "media"])
def test_packages_that_others_pass_through_bring_nothing(package: str) -> None:
    """`engine.media.commands` is imported by control, which must not load numpy by way of a package's own file."""
    body = ast.parse((ENGINE / package / "__init__.py").read_text(encoding="utf-8")).body
    rest = [node for node in body if not isinstance(node, ast.Expr)]
    assert all(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in rest)


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("engine.__main__", "twisted fastapi starlette uvicorn numpy sqlalchemy"),
        ("engine.app.cli", "twisted fastapi starlette uvicorn numpy"),
        ("engine.media.plane", "twisted fastapi starlette uvicorn asyncio sqlalchemy"),
        ("engine.media.commands", "twisted fastapi numpy asyncio"),
        ("engine.media.events", "twisted fastapi numpy asyncio"),
        ("engine.media.client", "twisted fastapi numpy"),
        ("softphone.__main__", "engine twisted sounddevice pjsua2"),
    ],
)
def test_a_command_loads_only_what_it_needs(module: str, absent: str) -> None:
    """Only `run` pays for the reactor and the web, and the media process has neither: seen in a process of its own."""
    code = f"import sys, {module}; print(*sorted(set({absent.split()!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
