"""What a trunk and a group of trunks must look like before they are stored. As in `validation`, every error names the
thing, the field, what was found and what is allowed; a secret is never shown."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Final

from engine.calls.codec_words import check_codecs
from engine.calls.header_rules import HeaderRules
from engine.calls.number_rules import NumberRules, RuleError, dialable
from engine.calls.toll_rules import MOST as MOST_DESTINATIONS
from engine.calls.toll_rules import check_destination
from engine.calls.trunk import DTMF, SRTP, TRANSPORTS, Trunk, TrunkGroup, is_address
from engine.errors import InvalidRequest
from engine.store.field_checks import check_name, number_between

MAX_ADDRESSES: Final = 64
MAX_SECRET: Final = 256
MAX_CALLS: Final = 100_000
MAX_MEMBERS: Final = 64
MAX_SPEND: Final = 1e9

_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
    re.ASCII,
)
_USER: Final = re.compile(r"[0-9A-Za-z*#+._~@-]{0,128}", re.ASCII)
"""What may be a provider's account, which the digest and From carry; some are whole addresses."""


def check_trunk(trunk: Trunk) -> None:
    """Raise InvalidRequest when this cannot be stored as it is."""
    check_name("trunk", "name", trunk.name)
    what = f"trunk {trunk.name}"
    check_name(what, "context", trunk.context)
    _way(what, trunk)
    _account(what, trunk)
    _rules(what, trunk)
    _media(what, trunk)
    _limits(what, trunk)
    check_destinations(what, trunk.destinations)


def check_group(group: TrunkGroup) -> None:
    """The same for a group; that its trunks exist is seen where it is stored."""
    check_name("group", "name", group.name)
    what = f"group {group.name}"
    if not 1 <= len(group.members) <= MAX_MEMBERS:
        raise InvalidRequest(f"{what}: {len(group.members)} members; needs 1 to {MAX_MEMBERS}")
    try:
        members = group.parsed()
    except ValueError as error:
        raise InvalidRequest(f"{what}: members: {error}") from error
    for member in members:
        number_between(f"{what}: member {member.trunk}", "priority", member.priority, 0, 1_000)
        number_between(f"{what}: member {member.trunk}", "weight", member.weight, 0, 1_000)
    names = [member.trunk for member in members]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequest(f"{what}: members has {', '.join(twice)} more than once")


def check_destinations(what: str, destinations: Sequence[str]) -> None:
    """Raise InvalidRequest for what is no list of beginnings of numbers."""
    if len(destinations) > MOST_DESTINATIONS:
        raise InvalidRequest(f"{what}: {len(destinations)} destinations are too many; at most {MOST_DESTINATIONS}")
    for entry in destinations:
        try:
            check_destination(entry)
        except ValueError as error:
            raise InvalidRequest(f"{what}: destinations: {error}") from error


def _way(what: str, trunk: Trunk) -> None:
    named = "/" in trunk.host or not is_address(trunk.host)
    if named and (not _HOST_NAME.fullmatch(trunk.host) or trunk.host.replace(".", "").isdigit()):
        raise InvalidRequest(f"{what}: host {trunk.host!r} is neither an IP address nor a name such as sip.example.com")
    number_between(what, "port", trunk.port, 0 if named else 1, 65_535)
    if trunk.transport not in TRANSPORTS:
        raise InvalidRequest(f"{what}: transport {trunk.transport!r} is not known; there are: {', '.join(TRANSPORTS)}")
    if trunk.tls_name and not (_HOST_NAME.fullmatch(trunk.tls_name) or is_address(trunk.tls_name)):
        raise InvalidRequest(f"{what}: tls_name {trunk.tls_name!r} is neither a host name nor an IP address")
    if len(trunk.addresses) > MAX_ADDRESSES:
        raise InvalidRequest(f"{what}: {len(trunk.addresses)} addresses are too many; at most {MAX_ADDRESSES}")
    for address in trunk.addresses:
        try:
            network = ipaddress.ip_network(address)
        except ValueError as error:
            raise InvalidRequest(
                f"{what}: addresses has {address!r}, which is neither an IP address nor a network such as 192.0.2.0/24"
            ) from error
        if network.prefixlen == 0:
            raise InvalidRequest(f"{what}: addresses has {address!r}, which would take everybody for this trunk")


def _account(what: str, trunk: Trunk) -> None:
    for field, value in (("user", trunk.user), ("auth_user", trunk.auth_user), ("from_user", trunk.from_user)):
        if not _USER.fullmatch(value):
            raise InvalidRequest(f"{what}: {field} {value!r} may have letters, digits and * # + . _ ~ @ - only")
    if trunk.from_user and not dialable(trunk.from_user):
        raise InvalidRequest(f"{what}: from_user {trunk.from_user!r} may have letters, digits and * # + . _ - only")
    if len(trunk.secret) > MAX_SECRET or not trunk.secret.isprintable():
        raise InvalidRequest(f"{what}: the secret must be at most {MAX_SECRET} printable characters")
    domain = trunk.from_domain
    if domain and ("/" in domain or not is_address(domain)) and not _HOST_NAME.fullmatch(domain):
        raise InvalidRequest(f"{what}: from_domain {domain!r} is neither an IP address nor a name such as example.com")
    number_between(what, "register_expires_s", trunk.register_expires_s, 30, 86_400)
    if trunk.registers and not trunk.user:
        raise InvalidRequest(f"{what}: to register it needs a user")
    if (trunk.secret or trunk.auth_user) and not trunk.user:
        raise InvalidRequest(f"{what}: a secret or auth_user needs a user")


def _rules(what: str, trunk: Trunk) -> None:
    readers: tuple[tuple[str, Callable[[], object]], ...] = (
        ("called_out", lambda: NumberRules.of(trunk.called_out, callers=False)),
        ("caller_out", lambda: NumberRules.of(trunk.caller_out)),
        ("called_in", lambda: NumberRules.of(trunk.called_in, callers=False)),
        ("caller_in", lambda: NumberRules.of(trunk.caller_in)),
        ("headers_out", lambda: HeaderRules.of(trunk.headers_out)),
    )
    for field, read in readers:
        try:
            read()
        except RuleError as error:
            raise InvalidRequest(f"{what}: {field}: {error}") from error


def _media(what: str, trunk: Trunk) -> None:
    check_codec_words(what, trunk.codecs)
    check_srtp(what, trunk.srtp)
    if trunk.dtmf not in DTMF:
        raise InvalidRequest(f"{what}: dtmf {trunk.dtmf!r} is not known; there are: {', '.join(DTMF)}")


def check_codec_words(what: str, words: Sequence[str]) -> None:
    """Raise InvalidRequest for a list of codecs that has a word which is none, or one twice."""
    try:
        check_codecs(words)
    except ValueError as error:
        raise InvalidRequest(f"{what}: {error}") from error


def check_srtp(what: str, srtp: str) -> None:
    """Raise InvalidRequest for a word that is none."""
    if srtp not in SRTP:
        raise InvalidRequest(f"{what}: srtp {srtp!r} is not known; there are: {', '.join(SRTP)}")


def _limits(what: str, trunk: Trunk) -> None:
    for field in ("max_calls", "max_in", "max_out"):
        number_between(what, field, getattr(trunk, field), 0, MAX_CALLS)
    for field in ("cps_in", "cps_out"):
        number_between(what, field, getattr(trunk, field), 0, 1_000)
    number_between(what, "daily_spend", trunk.daily_spend, 0, MAX_SPEND)
    if trunk.ping_s != 0:
        number_between(what, "ping_s", trunk.ping_s, 1, 3_600)
    number_between(what, "down_after", trunk.down_after, 1, 20)
    number_between(what, "up_after", trunk.up_after, 1, 20)
    number_between(what, "circuit_after", trunk.circuit_after, 0, 1_000)
    number_between(what, "patience_s", trunk.patience_s, 0.5, 32)
    number_between(what, "setup_s", trunk.setup_s, 0, 600)
