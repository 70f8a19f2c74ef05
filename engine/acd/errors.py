"""The one error that is the ACD's own."""

from __future__ import annotations

from typing import ClassVar

from engine.errors import EngineError


class InvalidTransition(EngineError):
    """A machine was given an input that its table has no entry for: a defect of this package, never of a peer."""

    code: ClassVar[str] = "acd_invalid_transition"
