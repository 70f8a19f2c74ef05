"""DNS for SIP: drives `engine.sip.locating` with a cache and with twisted.names' client.

What is known is answered at once, within the call: numeric hosts and cached names ask nothing. twisted.names has a
`CacheResolver`, but nothing ever fills it, so the cache is here: records for their TTL (bounded both ways), "there is
none" for a while too (RFC 2308), and what has expired for longer where no server answers (RFC 8767), for a trunk that
was reachable a minute ago most likely still is.
"""

from __future__ import annotations

import socket
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from twisted.internet.defer import Deferred
from twisted.names import client, dns, error
from twisted.python.failure import Failure

from engine.net.reactor import Reactor
from engine.sip.flow import Address
from engine.sip.locating import Abilities, Kind, Located, Locating, Naptr, Question, Record, Srv, locate
from engine.sip.uri import SipUri

_TIMEOUTS_S: Final = (1, 2)
"""For each server, in rounds."""
_PORT: Final = 53
_LEAST_TTL_S: Final = 5.0
_MOST_TTL_S: Final = 86_400.0
_NEGATIVE_TTL_S: Final = 30.0
"""Where the answer does not say."""
_MOST_NEGATIVE_TTL_S: Final = 300.0
_FAILED_TTL_S: Final = 5.0
"""Until a server that did not answer is asked again."""
_STALE_S: Final = 86_400.0
_STALE_TTL_S: Final = 30.0
"""RFC 8767 5."""
_ENTRIES: Final = 4096
_WAITING: Final = 1024
"""Questions under way; what comes beyond finds nothing."""
_TIMED_OUT: Final = 2
"""Questions without an answer after which one location asks no more: a caller waits."""
_AHEAD: Final = 0.25
"""A refresh asks anew for what has less than this share of its TTL left."""
_ALIASES: Final = 8
_TYPES: Final = {Kind.NAPTR: dns.NAPTR, Kind.SRV: dns.SRV, Kind.A: dns.A, Kind.AAAA: dns.AAAA}


class Reply(NamedTuple):
    """What came of a question."""

    records: tuple[Record, ...]
    ttl_s: float
    failed: bool = False
    """No server answered, or it could not say."""


class Source(Protocol):
    """Who is asked; tests have a table."""

    def ask(self, question: Question, done: Callable[[Reply], None]) -> None: ...


@dataclass(slots=True)
class _Entry:
    records: tuple[Record, ...]
    ttl_s: float
    expires_at: float


class _Run:
    """One location under way."""

    __slots__ = ("done", "expires_at", "failures", "locating", "refresh")

    def __init__(self, locating: Locating, done: Callable[[Located], None], *, refresh: bool) -> None:
        self.locating = locating
        self.done = done
        self.refresh = refresh
        self.expires_at = float("inf")
        self.failures = 0


class Resolver:
    """Locates URIs."""

    def __init__(self, source: Source, *, now: Callable[[], float], random: Callable[[int], int]) -> None:
        """`random` gives a number from 0 to one below its argument: SRV weights."""
        self._source = source
        self._now = now
        self._random = random
        self._cache: OrderedDict[Question, _Entry] = OrderedDict()
        self._waiting: dict[Question, list[_Run]] = {}

    def locate(
        self, uri: SipUri, abilities: Abilities, done: Callable[[Located], None], *, refresh: bool = False
    ) -> None:
        """Call `done` once: before this returns where nothing has to be asked. `refresh` asks ahead of time for what
        expires soon, so that others need not wait for it."""
        self._advance(_Run(locate(uri, abilities, self._random), done, refresh=refresh), None)

    def __len__(self) -> int:
        """Answers that are kept."""
        return len(self._cache)

    def _advance(self, run: _Run, answer: Sequence[Record] | None) -> None:
        now = self._now()
        while True:
            try:
                question = next(run.locating) if answer is None else run.locating.send(answer)
            except StopIteration as stop:
                run.done(Located(stop.value, max(_LEAST_TTL_S, run.expires_at - now)))
                return
            entry = self._known(question, now, refresh=run.refresh)
            if entry is not None:
                run.expires_at = min(run.expires_at, entry.expires_at)
                answer = entry.records
            elif run.failures >= _TIMED_OUT or (len(self._waiting) >= _WAITING and question not in self._waiting):
                run.expires_at = min(run.expires_at, now + _FAILED_TTL_S)
                answer = ()
            else:
                self._ask(question, run)
                return

    def _known(self, question: Question, now: float, *, refresh: bool) -> _Entry | None:
        entry = self._cache.get(question)
        if entry is None or entry.expires_at <= now:
            return None
        if refresh and entry.expires_at - now < _AHEAD * entry.ttl_s:
            return None
        return entry

    def _ask(self, question: Question, run: _Run) -> None:
        runs = self._waiting.get(question)
        if runs is not None:
            runs.append(run)
            return
        self._waiting[question] = [run]
        self._source.ask(question, lambda reply: self._replied(question, reply))

    def _replied(self, question: Question, reply: Reply) -> None:
        now = self._now()
        entry = self._keep(question, reply, now)
        for run in self._waiting.pop(question, ()):
            run.failures += reply.failed
            run.expires_at = min(run.expires_at, entry.expires_at)
            self._advance(run, entry.records)

    def _keep(self, question: Question, reply: Reply, now: float) -> _Entry:
        before = self._cache.pop(question, None)
        if reply.failed and before is not None and before.records and now - before.expires_at < _STALE_S:
            before.expires_at = max(before.expires_at, now + _STALE_TTL_S)
            entry = before
        else:
            ttl = _ttl_of(reply)
            entry = _Entry(reply.records, ttl, now + ttl)
        self._cache[question] = entry
        if len(self._cache) > _ENTRIES:
            self._cache.popitem(last=False)
        return entry


def _ttl_of(reply: Reply) -> float:
    if reply.failed:
        return _FAILED_TTL_S
    most = _MOST_TTL_S if reply.records else _MOST_NEGATIVE_TTL_S
    return min(max(reply.ttl_s, _LEAST_TTL_S), most)


class NamesSource:
    """Asks name servers, each in turn, with twisted.names: a socket and a port of its own for each question."""

    def __init__(self, reactor: Reactor, servers: Sequence[Address]) -> None:
        make: Any = client.Resolver
        self._client = make(servers=list(map(tuple, servers)), timeout=_TIMEOUTS_S, reactor=reactor)

    def ask(self, question: Question, done: Callable[[Reply], None]) -> None:
        self._ask(question, question.name, done, _ALIASES)

    def _ask(self, question: Question, name: str, done: Callable[[Reply], None], aliases: int) -> None:
        try:
            asked: Deferred[Any] = self._client.query(dns.Query(name.encode("ascii"), _TYPES[question.kind], dns.IN))
        except (UnicodeEncodeError, ValueError):
            # A label of more than 63 characters, say: there is no such name.
            done(Reply((), _NEGATIVE_TTL_S))
            return
        asked.addCallbacks(
            lambda sections: self._answered(question, name, sections, done, aliases),
            lambda failure: done(_refused(failure)),
        )

    def _answered(
        self, question: Question, name: str, sections: Any, done: Callable[[Reply], None], aliases: int
    ) -> None:
        answers, authority, _ = sections
        wanted = [each for each in answers if each.type == _TYPES[question.kind]]
        if wanted:
            ttl = min(each.ttl for each in answers)
            done(Reply(tuple(_record(question.kind, each.payload) for each in wanted), ttl))
            return
        alias = next((each for each in answers if each.type == dns.CNAME), None)
        if alias is not None and aliases:
            self._ask(question, _text(alias.payload.name), done, aliases - 1)
        else:
            done(Reply((), _negative_ttl(authority)))


def _refused(failure: Failure) -> Reply:
    if isinstance(failure.value, error.DNSNameError):
        message = getattr(failure.value, "message", None)
        return Reply((), _negative_ttl(getattr(message, "authority", ())))
    return Reply((), _FAILED_TTL_S, failed=True)


def _negative_ttl(authority: Sequence[Any]) -> float:
    """RFC 2308 5: the lesser of the SOA's own TTL and its minimum."""
    return min(
        (min(each.ttl, each.payload.minimum) for each in authority if each.type == dns.SOA), default=_NEGATIVE_TTL_S
    )


def _text(name: Any) -> str:
    """A name, whose octets may be any (RFC 2181 11). One that is not ASCII is no host's: asked for, it is not there."""
    octets: bytes = name.name
    return octets.decode("latin-1")


def _record(kind: Kind, payload: Any) -> Record:
    match kind:
        case Kind.SRV:
            return Srv(payload.priority, payload.weight, payload.port, _text(payload.target))
        case Kind.NAPTR:
            flags, service = payload.flags.string.decode("latin-1"), payload.service.string.decode("latin-1")
            return Naptr(payload.order, payload.preference, flags, service, _text(payload.replacement))
        case Kind.A:
            return str(payload.dottedQuad())
        case Kind.AAAA:
            return socket.inet_ntop(socket.AF_INET6, payload.address)


def system_servers(path: Path) -> list[Address]:
    """The name servers of a resolv.conf; the machine's own where it names none or is not there (resolv.conf(5))."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    words = [line.split() for line in lines]
    found = [
        Address(each[1], _PORT) for each in words if len(each) > 1 and each[0] == "nameserver" and "%" not in each[1]
    ]
    return found or [Address("127.0.0.1", _PORT)]
