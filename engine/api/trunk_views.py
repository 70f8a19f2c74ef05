"""What the API shows of trunks and their groups; part of `views`, by the same rules."""

from __future__ import annotations

from dataclasses import dataclass

from engine.api.base_view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkView(View):
    """A line to another PBX or provider: its settings, as `TrunkSettings` describes them, and how it does."""

    name: str
    host: str
    port: int
    transport: str
    tls_name: str = ""
    addresses: tuple[str, ...]
    match_port: bool
    context: str
    ping_s: float
    up: bool
    detail: str
    """Why it is down, or how fast it answers."""
    user: str = ""
    auth_user: str = ""
    has_secret: bool = False
    """The secret itself is never shown."""
    registers: bool = False
    register_expires_s: int = 300
    outbound: bool = True
    from_user: str = ""
    from_domain: str = ""
    called_out: tuple[str, ...] = ()
    caller_out: tuple[str, ...] = ()
    called_in: tuple[str, ...] = ()
    caller_in: tuple[str, ...] = ()
    headers_out: tuple[str, ...] = ()
    trusted: bool = False
    redirects: bool = False
    codecs: tuple[str, ...] = ()
    srtp: str = "off"
    dtmf: str = "auto"
    record: bool = False
    max_calls: int = 0
    max_in: int = 0
    max_out: int = 0
    cps_in: float = 0.0
    cps_out: float = 0.0
    destinations: tuple[str, ...] = ()
    daily_spend: float = 0.0
    down_after: int = 2
    up_after: int = 2
    circuit_after: int = 5
    patience_s: float = 4.0
    setup_s: float = 15.0
    circuit: str = "closed"
    """Whether it gets calls, by how the last ones went: closed (it does), open (none for a while), half_open (one, to
    see whether it works again)."""
    circuit_detail: str = ""
    """Why it is not closed."""
    calls_in: int = 0
    """Calls from it that are up or being set up."""
    calls_out: int = 0
    registered: bool | None = None
    """Whether we are registered there; null for a trunk that wants no registration."""
    registration_detail: str = ""
    """For how long, or why not."""
    warnings: tuple[str, ...] = ()
    """What is hardly meant: that no listener of ours speaks its transport."""
    spent_today: float = 0.0
    """What calls on it have cost today, by the price list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView(View):
    """Trunks that stand for one another."""

    name: str
    members: tuple[str, ...]
    """"TRUNK:PRIORITY:WEIGHT" each."""
