"""Where real identifiers come from."""

from __future__ import annotations

import os


class SystemIds:
    """`engine.ids.IdSource` over the operating system's random numbers."""

    def token(self) -> str:
        return os.urandom(9).hex()
