"""What the API shows of the guard against hostile networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.api.base_view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class BanView(View):
    """A source that is not heard."""

    address: str
    """An IPv4 address, or an IPv6 network of 64 bits."""
    user: str
    """The one user name that is banned from there; empty: everybody."""
    reason: str
    """auth_failures, flood or scanner."""
    times: int
    """How often it was banned lately, this one counted."""
    left_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardView(View):
    """Whom the engine does not listen to."""

    enabled: bool
    dropped: Mapping[str, int]
    """Messages that were not let in, by reason, since the start."""
    bans: tuple[BanView, ...]
