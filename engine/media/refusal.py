"""Commands that cannot be done."""

from __future__ import annotations

from typing import Final

MAX_GAIN_DB: Final = 40.0


class CommandFailed(Exception):
    """Becomes LegFailed; the message is its reason."""


def check_gain(gain_db: float) -> None:
    """Raises CommandFailed for more than anybody means."""
    if gain_db > MAX_GAIN_DB:
        raise CommandFailed(f"gain_db {gain_db} is more than {MAX_GAIN_DB}")
