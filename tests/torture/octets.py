"""Where the RFCs' own octets lie: beside the repository, or where HEARTHLINE_RFC_DATA says. They are read in place."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(os.environ.get("HEARTHLINE_RFC_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")

OCTETS = sorted((*DATA.glob("rfc4475/*.dat"), *DATA.glob("rfc5118/*.dat")))
"""Empty where they do not lie."""
