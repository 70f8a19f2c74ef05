"""Who we say calls, and what our INVITE brings besides: to a phone nothing special, to a line as its settings want."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, NamedTuple

from engine.calls.directory import Directory
from engine.calls.events import Carried, Party
from engine.calls.header_rules import HeaderRules
from engine.calls.number_rules import ANONYMOUS, dialable
from engine.calls.ports import AgentPhone, Destination, TrunkNumber
from engine.calls.trunk import Trunk
from engine.sip import carried as sip
from engine.sip.stack import Target

_NOWHERE: Final = "anonymous.invalid"
"""Host of who shows no number (RFC 3323 4.1.1.3)."""

_LONGEST_NAME: Final = 80

_CARRIED: Final = {
    "alert-info": {"alert_info": ()},
    "diversion": {"diversion": ()},
    "history-info": {"history": ()},
    "p-asserted-identity": {"asserted": ()},
    "privacy": {"privacy": ()},
    "user-to-user": {"user_to_user": ()},
}
"""Headers that another leg may bring and a rule may remove, with what that makes of what is carried."""

_rules = lru_cache(1024)(HeaderRules.of)


class Words(NamedTuple):
    """What an INVITE of ours says of the caller."""

    from_user: str
    from_display: str
    from_host: str | None = None
    """None: our own address."""
    to_user: str | None = None
    """None: that of the target."""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True, kw_only=True, eq=False)
class Wanted:
    """Whom a leg that we placed is to reach."""

    destination: Destination
    caller: Party
    carried: Carried
    tried: list[Target] = field(default_factory=list)


def words(directory: Directory, destination: Destination, caller: Party) -> Words:
    """For a call of this caller to this destination."""
    if isinstance(destination, AgentPhone):
        return Words(caller.number or ANONYMOUS, caller.display, None, destination.agent)
    trunk = directory.trunks.get(destination.trunk)
    return _to_line(trunk, destination, caller) if trunk is not None else Words(ANONYMOUS, "")


def allowed(directory: Directory, destination: Destination, carried: sip.Carried) -> sip.Carried:
    """What is carried, without what the line's rules remove."""
    if carried is sip.NOTHING or not isinstance(destination, TrunkNumber):
        return carried
    trunk = directory.trunks.get(destination.trunk)
    if trunk is None or not trunk.headers_out:
        return carried
    removed = _rules(trunk.headers_out).removed
    for name, nothing in _CARRIED.items():
        if name in removed:
            carried = replace(carried, **nothing)  # type: ignore[arg-type]  # each of its own type, all of them tuples
    return replace(carried, others=tuple(field for field in carried.others if field[0].lower() not in removed))


def _to_line(trunk: Trunk, destination: TrunkNumber, caller: Party) -> Words:
    """Only a number, or the account, ever stands in From: whatever a phone or another network calls itself."""
    number = dialable(caller.number)
    if number is None:
        host = trunk.from_domain or _NOWHERE
        privacy = (("Privacy", "id"),) if caller.number == "" else ()
        return Words(ANONYMOUS, "Anonymous", host, None, (*privacy, *_headers(trunk, destination, ANONYMOUS)))
    display = "".join(letter for letter in caller.display if letter.isprintable())[:_LONGEST_NAME]
    headers = _headers(trunk, destination, number)
    return Words(trunk.from_user or number, display, trunk.from_domain or None, None, headers)


def _headers(trunk: Trunk, destination: TrunkNumber, caller: str) -> tuple[tuple[str, str], ...]:
    if not trunk.headers_out:
        return ()
    domain = trunk.from_domain or trunk.host
    return _rules(trunk.headers_out).headers(caller=caller, called=destination.number, domain=domain)
