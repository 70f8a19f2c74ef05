"""The files that come with Hearthline: the demo dialplan and its sounds."""

from __future__ import annotations

from pathlib import Path

import engine


def shared_file(relative: str) -> Path:
    """A file of `dialplans/` or `config/`: in the checkout beside the package, or inside an installed wheel."""
    package = Path(engine.__file__).parent
    for base in (package.parent, package / "share"):
        if (candidate := base / relative).exists():
            return candidate
    raise FileNotFoundError(f"{relative} did not come with this installation of Hearthline ({package})")
