"""What a run of a fuzzer leaves behind, with what is needed to judge and to repeat it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DIRECTORY: Final = ROOT / "build" / "fuzz"


def write_result(name: str, path: Path | None = None, /, **found: object) -> Path:
    """Write build/fuzz/NAME.json, or another file: the command, the commit, the machine's load, what was `found`."""
    path = path or DIRECTORY / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {
        "command": shlex.join(["python", "-m", f"tests.torture.{name}", *sys.argv[1:]]),
        "commit": _commit(),
        "load_average": round(os.getloadavg()[0], 2),
        **found,
    }
    path.write_text(json.dumps(told, indent=2) + "\n")
    return path


def _commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"
