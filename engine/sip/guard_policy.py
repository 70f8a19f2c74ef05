"""How much is heard from whom: the settings of `engine.sip.guard`, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCANNERS: Final = (
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sundayddr",
    "sipcli",
    "pplsip",
    "sip-scan",
    "sipscan",
    "siparmyknife",
    "svmap",
    "svwar",
    "svcrack",
    "smap",
    "iwar",
    "sivus",
    "gulp",
    "masscan",
    "zgrab",
    "nm@nm",
    "vaxsipuseragent",
    "vaxipuseragent",
    "gazllove",
)
"""What known scanners write into User-Agent or From, in lower case. Tools of operators (sipsak, sipp) are not here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPolicy:
    """Limits for everybody but trunks. Rates are messages a second; a bucket holds `burst_s` seconds of them."""

    enabled: bool = True
    unknown_per_s: float = 500.0
    """Of all unknown UDP sources together, since a sender can write any address into them: forging does not help. One
    costs about 0.1 ms, so that a flood takes a twentieth of a core; a thousand phones that come up at once are in after
    some seconds."""
    unknown_time: float = 0.1
    """Share of the passing time that may go into answering them, as measured: a rate would be too much for a machine
    that is slow or busy with calls. Only whoever drives the stack can measure it: `Guard.spent`."""
    unknown_invites_per_s: float = 50.0
    """Of these, INVITEs: nobody who is to call us is unknown, but for a phone that calls before it registers."""
    source_per_s: float = 20.0
    """Of one source that is unknown or has shown no more than a return path, for each group of methods."""
    known_per_s: float = 50.0
    """Of one source that phones are registered from, or were lately, for each group of methods; as much again for each
    user that is registered there."""
    burst_s: float = 2.0
    excess: int = 50
    """Messages beyond its rate for which a source with a return path is banned."""
    auth_failures: int = 10
    """Wrong passwords within `auth_window_s` for which a source (where others are at home: with that user name) is
    banned."""
    auth_window_s: float = 600.0
    user_failures: int = 60
    """Wrong passwords for one user within `user_window_s`, from all sources together, after which a further log-in is
    let in only from where the user logged in before."""
    user_window_s: float = 3600.0
    ban_s: float = 60.0
    """The first ban; each further one is twice as long."""
    ban_max_s: float = 86_400.0
    """The longest; after so long without a ban the next is a first one."""
    scanners: tuple[str, ...] = SCANNERS
    """Requests of strangers with one of these in User-Agent or From (case does not matter) get no answer."""
    trusted: tuple[str, ...] = ()
    """Addresses and networks that are neither limited nor banned: a proxy in front of us, a monitor."""
    sources: int = 8_192
    """Entries of each table here: unknown sources, those with a return path, those that logged in, failures, bans. A
    full one forgets whoever was heard of longest ago; no table can push anybody out of another."""
