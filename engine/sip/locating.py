"""Where a request goes: which questions a URI asks of DNS, and what follows from the answers (RFC 3263, RFC 2782).

Pure: `locate` is a generator that yields one `Question` at a time, is sent the records that answer it (none for a name
that has no such records, or whose server does not answer), and returns the hops in the order of trying. Whoever drives
it has the cache and the sockets (`engine.net.resolver`). Randomness comes in as a function.

    URI                                    questions
    numeric host                           none; the port of the URI, else 5060 (TLS 5061)
    name and port                          addresses; UDP where no transport is named, TLS for sips
    name and transport                     SRV of that transport, else addresses
    name alone                             NAPTR, then SRV of what it names in its order; without NAPTR the SRV of every
                                           transport; without SRV addresses, UDP (TLS for sips)
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final, NamedTuple

from engine.sip.flow import Address, Transport
from engine.sip.limits import MAX_HOPS, MAX_QUESTIONS
from engine.sip.uri import SipUri, is_host


class Kind(StrEnum):
    """A type of DNS record; the value is its name."""

    NAPTR = "NAPTR"
    SRV = "SRV"
    A = "A"
    AAAA = "AAAA"


class Question(NamedTuple):
    """What DNS is asked."""

    kind: Kind
    name: str
    """In lower case, without the last dot."""


class Naptr(NamedTuple):
    """One NAPTR record (RFC 3403), without its regular expression: SIP has none (RFC 3263 4.1)."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """One SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


Record = Naptr | Srv | str
"""An answer; the text of an address for A and AAAA."""


class Hop(NamedTuple):
    """One place to send to."""

    transport: Transport
    address: Address


class Located(NamedTuple):
    """Where a URI leads."""

    hops: tuple[Hop, ...]
    fresh_s: float
    """How long that holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What we can send by."""

    transports: tuple[Transport, ...] = (Transport.UDP, Transport.TCP, Transport.TLS)
    """In the order in which we prefer them, where the other side does not say."""
    ipv4: bool = True
    ipv6: bool = False


Locating = Generator[Question, Sequence[Record], tuple[Hop, ...]]

_SERVICES: Final = {"sip+d2u": Transport.UDP, "sip+d2t": Transport.TCP, "sips+d2t": Transport.TLS}
_LABELS: Final = {Transport.UDP: "_sip._udp", Transport.TCP: "_sip._tcp", Transport.TLS: "_sips._tcp"}
_NAMED: Final = {"udp": Transport.UDP, "tcp": Transport.TCP, "tls": Transport.TLS}
_PORT: Final = 5060
_TLS_PORT: Final = 5061


def locate(uri: SipUri, abilities: Abilities, random: Callable[[int], int]) -> Locating:
    """The hops of a sip or sips URI, the first to be tried first; none where there is no way to it. `random` gives a
    number from 0 to one below its argument."""
    wanted = _transport_of(uri)
    secure = uri.scheme == "sips" or wanted is Transport.TLS
    usable = tuple(each for each in abilities.transports if each is Transport.TLS or uri.scheme != "sips")
    host = (uri.params.get("maddr") or uri.host).lower().strip("[]").rstrip(".")
    usual = wanted or (Transport.TLS if secure else Transport.UDP)
    unknown = wanted is None and "transport" in uri.params
    if not uri.is_sip or not is_host(host) or unknown or (wanted is not None and wanted not in usable):
        return ()
    port = uri.port or (_TLS_PORT if secure else _PORT)
    if _is_numeric(host):
        return (Hop(usual, Address(host, port)),) if usual in usable else ()
    asker = _Asker(abilities, random)
    if uri.port is None:
        services = [(wanted, f"{_LABELS[wanted]}.{host}")] if wanted else (yield from asker.services(host, usable))
        for transport, name in services:
            yield from asker.servers(transport, name)
        if asker.hops or asker.refused:
            return asker.result()
    if usual in usable:
        yield from asker.addresses(usual, host, port)
    return asker.result()


def _transport_of(uri: SipUri) -> Transport | None:
    """The transport that the URI names, None for none or an unknown one; TCP is TLS in sips (RFC 3261 26.2.2)."""
    named = _NAMED.get((uri.params.get("transport") or "").lower())
    return Transport.TLS if named is Transport.TCP and uri.scheme == "sips" else named


class _Asker:
    """Collects hops, and stops asking past the bounds: whoever owns a name chooses its records."""

    def __init__(self, abilities: Abilities, random: Callable[[int], int]) -> None:
        self._abilities = abilities
        self._random = random
        self._asked = 0
        self._found: dict[Hop, None] = {}
        self.refused = False
        """A service says that it is not there (RFC 2782, target ".")."""

    @property
    def hops(self) -> bool:
        return bool(self._found)

    def result(self) -> tuple[Hop, ...]:
        return tuple(self._found)[:MAX_HOPS]

    def services(
        self, host: str, usable: Sequence[Transport]
    ) -> Generator[Question, Sequence[Record], list[tuple[Transport, str]]]:
        """SRV names of a domain with their transports, by its NAPTR records or else by ours (RFC 3263 4.1)."""
        answers = yield from self._ask(Kind.NAPTR, host)
        records = sorted(each for each in answers if isinstance(each, Naptr))
        named = [
            (transport, _name(record.replacement))
            for record in records
            if record.flags.lower() == "s"
            and (transport := _SERVICES.get(record.service.lower())) in usable
            and transport is not None
            and record.replacement.strip(".")
        ]
        return named or [(transport, f"{_LABELS[transport]}.{host}") for transport in usable]

    def servers(self, transport: Transport, name: str) -> Generator[Question, Sequence[Record], None]:
        """The hops behind an SRV name, in the order of RFC 2782."""
        answers = yield from self._ask(Kind.SRV, name)
        for record in in_order((each for each in answers if isinstance(each, Srv)), self._random):
            target = _name(record.target)
            if not target:
                self.refused = True
            elif is_host(target) and record.port > 0:
                yield from self.addresses(transport, target, record.port)

    def addresses(self, transport: Transport, host: str, port: int) -> Generator[Question, Sequence[Record], None]:
        """The hops of a host, IPv6 first where we have it (RFC 6724, RFC 7984)."""
        if _is_numeric(host):
            self._found.setdefault(Hop(transport, Address(host, port)))
            return
        kinds = [(Kind.AAAA, self._abilities.ipv6), (Kind.A, self._abilities.ipv4)]
        for kind, can in kinds:
            if can:
                answers = yield from self._ask(kind, host)
                for text in answers:
                    if isinstance(text, str):
                        self._found.setdefault(Hop(transport, Address(text, port)))

    def _ask(self, kind: Kind, name: str) -> Generator[Question, Sequence[Record], Sequence[Record]]:
        self._asked += 1
        if self._asked > MAX_QUESTIONS or len(self._found) >= MAX_HOPS:
            return ()
        return (yield Question(kind, name))


def in_order(records: Iterable[Srv], random: Callable[[int], int]) -> list[Srv]:
    """SRV records in the order of trying: by priority, and within one at random by weight (RFC 2782, "Usage rules")."""
    ordered: list[Srv] = []
    # Weight 0 first, so that it is chosen seldom and not never beside others.
    left = sorted(records, key=lambda each: (each.priority, each.weight > 0))
    while left:
        group = [each for each in left if each.priority == left[0].priority]
        mark = random(sum(each.weight for each in group) + 1)
        for chosen in group:
            mark -= chosen.weight
            if mark <= 0:
                break
        ordered.append(chosen)
        left.remove(chosen)
    return ordered


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _name(text: str) -> str:
    return text.lower().rstrip(".")
