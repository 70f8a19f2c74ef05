"""The guard: who is heard at all, decided before a datagram is parsed.

Every source (`source_key`) has a standing, looked up with each message:

- **trunk**: `PeerDirectory.trunk_at`, or in `policy.trusted`. Heard always; a trunk's bounds are its own.
- **known**: a phone is registered from there, somebody logged in there lately, or we sent a request there. Heard up to
  `known_per_s` of each group of methods, answers and what ends calls up to ten times that; beyond, 503 a few times a
  second, then nothing.
- **proven**: on a stream connection, or a datagram that brought back the nonce which we sent to this address. Heard up
  to `source_per_s`, and banned `excess` messages beyond; keep-alives on a connection count too.
- **unknown**: any other UDP address; it may be forged. Heard up to `source_per_s`, all together up to `unknown_per_s`
  and the share `unknown_time` of our time; beyond, nothing. Never banned, since another's address could be banned so.

A ban is of a whole source where nobody is at home; where a phone is registered, or a trunk or proxy was called, only of
the user name that was tried there, since homes share addresses. Wrong passwords count against their source only where
the datagram itself proves that it came from there. No table grows beyond its bound, and a flood of forged sources can
push out only other unknown ones.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final, Protocol, TypeVar

from engine.sip.bans import Ban, Bans
from engine.sip.flow import Flow
from engine.sip.guard_policy import GuardPolicy
from engine.sip.homes import Homes
from engine.sip.limits import MAX_KEEPALIVE_BYTES, MAX_REMEMBERED_FLOWS, MAX_TOLD_BANS, MAX_USER_KEPT
from engine.sip.message import Request
from engine.sip.source_key import source_key
from engine.sip.token_bucket import TimeBudget, TokenBucket


class Standing(IntEnum):
    """What a message is let in as; DROPPED is false."""

    DROPPED = 0
    UNKNOWN = 1
    PROVEN = 2
    BUSY = 3
    """From a known source that sends too much: to be answered 503."""
    KNOWN = 4
    TRUNK = 5


class _Group(IntEnum):
    REGISTER = 0
    INVITE = 1
    OPTIONS = 2
    OTHER = 3
    FREE = 4
    """Answers, and what ends or confirms a call that stands."""


_GROUPS: Final = {
    b"REG": _Group.REGISTER,
    b"INV": _Group.INVITE,
    b"OPT": _Group.OPTIONS,
    b"SIP": _Group.FREE,
    b"ACK": _Group.FREE,
    b"BYE": _Group.FREE,
    b"CAN": _Group.FREE,
    b"PRA": _Group.FREE,
}
_GROUPS_OUTSIDE: Final = {begins: group for begins, group in _GROUPS.items() if group is not _Group.FREE}
"""Of whom we do not know nothing is owed an ear."""
_OTHER: Final = _Group.OTHER
_FREE: Final = _Group.FREE
_REFUSALS_PER_S: Final = 10.0
_EXCESS_REFILL_PER_S: Final = 1.0
_FREE_SHARE: Final = 10.0
"""What is always heard of a known source is bounded too, this much higher: its address may be forged."""
_FIRST_LETTER: Final = 0x21
"""The first octet that a token may begin with (RFC 3261 25.1); what begins lower is STUN or noise."""
_K = TypeVar("_K")
_V = TypeVar("_V")


class TrunkDirectory(Protocol):
    """As much of `PeerDirectory` as is asked here."""

    def trunk_at(self, flow: Flow) -> str | None: ...


class NonceReader(Protocol):
    """As much of `DigestServer` as is asked here."""

    def echoed(self, data: bytes, source: str, now: float) -> bool:
        """Whether the datagram brings back a nonce that was made for this source and is not too old."""
        ...


class _Source:
    """What is counted of one source."""

    __slots__ = ("_buckets", "_burst", "called", "excess", "rate")

    def __init__(self, rate: float, burst: float, excess: TokenBucket) -> None:
        self.rate = rate
        """Messages a second of each group."""
        self._burst = burst
        self._buckets: dict[_Group, TokenBucket] = {}
        self.excess = excess
        """Of what came beyond the rate: how much is borne (proven), or answered with 503 (known)."""
        self.called = False
        """We sent a request there ourselves."""

    def take(self, group: _Group, now: float) -> bool:
        """Whether one more of the group is within the rate; it is counted."""
        bucket = self._buckets.get(group)
        if bucket is None:
            share = _FREE_SHARE if group is _FREE else 1.0
            bucket = self._buckets[group] = TokenBucket(self.rate * share, self._burst * share, now)
        return bucket.take(now)

    def change_rate(self, rate: float, burst: float) -> None:
        """Another rate from now on; the buckets begin full again."""
        self.rate, self._burst = rate, burst
        self._buckets.clear()


class Guard:
    """Asked first for every message; told of log-ins and of requests that we send."""

    __slots__ = (
        "_bans",
        "_failures",
        "_friends",
        "_homes",
        "_invites",
        "_logins",
        "_nonces",
        "_peers",
        "_policy",
        "_proven",
        "_scanners",
        "_strangers",
        "_time",
        "_total",
        "_trusted",
        "_users",
        "dropped",
        "imposed",
    )

    def __init__(self, policy: GuardPolicy, peers: TrunkDirectory, nonces: NonceReader, homes: Homes) -> None:
        self._policy = policy
        self._peers = peers
        self._nonces = nonces
        self._homes = homes
        self._trusted = _trusted_by(policy.trusted)
        self._scanners = tuple(each.lower() for each in policy.scanners)
        burst_s = policy.burst_s
        self._total = TokenBucket(policy.unknown_per_s, policy.unknown_per_s * burst_s, 0.0)
        self._time = TimeBudget(policy.unknown_time, policy.unknown_time * burst_s, 0.0)
        self._invites = TokenBucket(policy.unknown_invites_per_s, policy.unknown_invites_per_s * burst_s, 0.0)
        self._strangers: OrderedDict[str, _Source] = OrderedDict()
        self._proven: OrderedDict[str, _Source] = OrderedDict()
        self._friends: OrderedDict[str, _Source] = OrderedDict()
        """Sources of good log-ins, and those that we called."""
        self._logins: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Source and user of good log-ins."""
        self._failures: OrderedDict[tuple[str, str | None], TokenBucket] = OrderedDict()
        self._users: OrderedDict[str, TokenBucket] = OrderedDict()
        """Failed log-ins by user, of all sources."""
        self._bans = Bans(first_s=policy.ban_s, longest_s=policy.ban_max_s, bound=policy.sources)
        self.dropped: Counter[str] = Counter()
        """What was not answered, by reason: see docs/metrics.md."""
        self.imposed: deque[Ban] = deque(maxlen=MAX_TOLD_BANS)
        """Bans that are to be told; whoever tells them takes them out."""

    # --- may it come in? ---

    def datagram(self, data: bytes, flow: Flow, now: float) -> Standing:
        """As what a datagram is let in. Costs a few microseconds, whatever it holds."""
        if self._peers.trunk_at(flow) is not None:
            return Standing.TRUNK
        host = flow.remote.host
        source = host if ":" not in host else source_key(host)
        if self._trusted is not None and self._trusted(host):
            return Standing.TRUNK
        if source in self._homes.users or source in self._friends:
            return self._known(source, _GROUPS.get(data[:3], _OTHER), now)
        if len(self._bans) and self._bans.stands(source, None, now):
            return self._drop("banned")
        return self._from_outside(data, source, now)

    def _from_outside(self, data: bytes, source: str, now: float) -> Standing:
        """A datagram of nobody whom we know and did not ban."""
        if len(data) <= MAX_KEEPALIVE_BYTES or data[0] < _FIRST_LETTER:
            # Neither a keep-alive nor STUN (RFC 5626 4.4) is owed to somebody who has no flow with us.
            data = data.lstrip(b"\r\n")
            if len(data) <= MAX_KEEPALIVE_BYTES or data[0] < _FIRST_LETTER:
                return self._drop("no_sip")
        group = _GROUPS_OUTSIDE.get(data[:3], _OTHER)
        if source in self._proven or (b'nonce="' in data and self._nonces.echoed(data, source, now)):
            return self._proven_source(source, group, now)
        return self._stranger(source, group, now)

    def stream(self, method: str, flow: Flow, now: float) -> Standing:
        """As what a request is let in that came on a connection."""
        if self._peers.trunk_at(flow) is not None:
            return Standing.TRUNK
        source = source_key(flow.remote.host)
        begins = method[:3].encode(errors="replace")
        if self._trusted is not None and self._trusted(flow.remote.host):
            return Standing.TRUNK
        if source in self._homes.users or source in self._friends:
            return self._known(source, _GROUPS.get(begins, _OTHER), now)
        if self._bans.stands(source, None, now):
            return self._drop("banned")
        return self._proven_source(source, _GROUPS_OUTSIDE.get(begins, _OTHER), now)

    def shuts_out(self, flow: Flow, now: float) -> bool:
        """Whether the source is banned whole, so that its connections are to be closed."""
        source = source_key(flow.remote.host)
        return self._bans.stands(source, None, now) and not self._spared(source, flow)

    def is_scanner(self, request: Request, flow: Flow, proved: bool, now: float) -> bool:
        """Whether a stranger's request is a known scanner's, which gets no answer; with a return path, a ban too."""
        first = request.headers.first
        said = f"{first.get('User-Agent', '')}\n{first.get('From', '')}".lower()
        # Twenty look-ups by name are ten times as fast as one expression of twenty names.
        if not any(map(said.__contains__, self._scanners)):
            return False
        self._drop("scanner")
        if proved:
            self._ban(source_key(flow.remote.host), None, "scanner", now)
        return True

    # --- what became of it ---

    def spent(self, seconds: float) -> None:
        """So much time went into a datagram that was let in as UNKNOWN."""
        self._time.spend(seconds)

    def logged_in(self, flow: Flow, user: str, now: float) -> None:
        """Digest proved who it is."""
        source = source_key(flow.remote.host)
        _touch(self._logins, (source, user[:MAX_USER_KEPT]), None, self._policy.sources)
        self._befriend(source, now)

    def login_failed(self, flow: Flow, user: str, now: float) -> None:
        """The password for the user was wrong, in a request that shows by its nonce that it came from the flow's
        remote: whoever forges addresses could else ban others, or lock the user out."""
        policy, user = self._policy, user[:MAX_USER_KEPT]
        self._bucket(self._users, user, policy.user_failures, policy.user_window_s, now).take(now)
        source = source_key(flow.remote.host)
        if self._trusted is not None and self._trusted(flow.remote.host):
            return
        tried = user if self._spared(source, flow) else None
        bucket = self._bucket(self._failures, (source, tried), policy.auth_failures, policy.auth_window_s, now)
        bucket.take(now)
        if not bucket.has(now):
            self._ban(source, tried, "auth_failures", now)

    def may_log_in(self, flow: Flow, user: str, now: float) -> bool:
        """Whether right credentials are to be believed: not where the user's password is being guessed from all sides
        and nobody of that name was ever seen at this source."""
        bucket = self._users.get(user)
        if bucket is None or bucket.has(now):
            return True
        source = source_key(flow.remote.host)
        return (source, user) in self._logins or user in self._homes.users.get(source, ())

    def ignores(self, flow: Flow, user: str, now: float) -> bool:
        """Whether this user name is banned at this source."""
        return len(self._bans) > 0 and self._bans.stands(source_key(flow.remote.host), user[:MAX_USER_KEPT], now)

    def called(self, flow: Flow) -> None:
        """We send a request there: what is answered must be heard."""
        source = source_key(flow.remote.host)
        if source not in self._homes.users:
            self._befriend(source, 0.0).called = True

    # --- for those who look ---

    def bans(self, now: float) -> list[Ban]:
        """Every ban that stands, the latest first."""
        return self._bans.standing(now)

    def unban(self, source: str, user: str | None = None) -> bool:
        """Lift a ban and forget what led to it; False where there is none. `source` is an address, or as `bans` names
        it."""
        source = source_key(source) if "/" not in source else source
        self._failures.pop((source, user), None)
        self._proven.pop(source, None)
        return self._bans.lift(source, user)

    def table_sizes(self) -> dict[str, int]:
        """Entries of each table, none above `policy.sources`."""
        return {
            "unknown": len(self._strangers),
            "proven": len(self._proven),
            "known": len(self._friends),
            "logins": len(self._logins),
            "failures": len(self._failures),
            "users": len(self._users),
            "bans": len(self._bans),
        }

    # --- inner ---

    def _known(self, source: str, group: _Group, now: float) -> Standing:
        entry = self._friends.get(source)
        if entry is None:
            entry = self._befriend(source, now)
        if entry.take(group, now):
            return Standing.KNOWN
        # The rate is looked up only now, when it matters.
        rate = self._known_rate(source)
        if entry.rate != rate:
            entry.change_rate(rate, rate * self._policy.burst_s)
            return Standing.KNOWN
        self._drop("rate")
        return Standing.BUSY if group is not _FREE and entry.excess.take(now) else Standing.DROPPED

    def _known_rate(self, source: str) -> float:
        return self._policy.known_per_s * (1 + len(self._homes.users.get(source, ())))

    def _befriend(self, source: str, now: float) -> _Source:
        entry = self._friends.get(source)
        if entry is None:
            refusals = TokenBucket(_REFUSALS_PER_S, _REFUSALS_PER_S, now)
            rate = self._known_rate(source)
            entry = _Source(rate, rate * self._policy.burst_s, refusals)
            self._proven.pop(source, None)
            self._strangers.pop(source, None)
        _touch(self._friends, source, entry, self._policy.sources)
        return entry

    def _proven_source(self, source: str, group: _Group, now: float) -> Standing:
        policy = self._policy
        entry = self._proven.get(source)
        if entry is None:
            borne = TokenBucket(_EXCESS_REFILL_PER_S, policy.excess, now)
            entry = _Source(policy.source_per_s, policy.source_per_s * policy.burst_s, borne)
            self._strangers.pop(source, None)
        _touch(self._proven, source, entry, policy.sources)
        if entry.take(group, now):
            return Standing.PROVEN
        if not entry.excess.take(now):
            self._ban(source, None, "flood", now)
        return self._drop("rate")

    def _stranger(self, source: str, group: _Group, now: float) -> Standing:
        strangers = self._strangers
        entry = strangers.get(source)
        if entry is None:
            policy = self._policy
            entry = strangers[source] = _Source(policy.source_per_s, policy.source_per_s * policy.burst_s, _NO_EXCESS)
            if len(strangers) > policy.sources:
                strangers.popitem(last=False)
        else:
            strangers.move_to_end(source)
        if not entry.take(group, now):
            return self._drop("rate")
        if group is _Group.INVITE and not self._invites.take(now):
            return self._drop("unknown_invites")
        if not self._time.left(now) or not self._total.take(now):
            return self._drop("unknown")
        return Standing.UNKNOWN

    def _drop(self, why: str) -> Standing:
        self.dropped[why] += 1
        return Standing.DROPPED

    def _spared(self, source: str, flow: Flow) -> bool:
        """Whether others may be at home there, so that it is never banned whole."""
        friend = self._friends.get(source)
        return (
            source in self._homes.users
            or (friend is not None and friend.called)
            or self._peers.trunk_at(flow) is not None
        )

    def _ban(self, source: str, user: str | None, reason: str, now: float) -> None:
        if user is None:
            self._friends.pop(source, None)
        self._failures.pop((source, user), None)
        self.imposed.append(self._bans.impose(source, user, reason, now))

    def _bucket(
        self, table: OrderedDict[_K, TokenBucket], key: _K, failures: int, window_s: float, now: float
    ) -> TokenBucket:
        bucket = table.get(key)
        if bucket is None:
            bucket = TokenBucket(failures / window_s, failures, now)
        _touch(table, key, bucket, self._policy.sources)
        return bucket


_NO_EXCESS: Final = TokenBucket(0.0, 0.0, 0.0)


def _touch(table: OrderedDict[_K, _V], key: _K, value: _V, bound: int) -> None:
    """Put into a table as what was heard of last; past the bound whoever was heard of longest ago leaves."""
    table[key] = value
    table.move_to_end(key)
    if len(table) > bound:
        table.popitem(last=False)


def _trusted_by(listed: Sequence[str]) -> Callable[[str], bool] | None:
    """Whether a source is in one of the networks; None where there are none. Raises ValueError for what is none."""
    if not listed:
        return None
    networks = [ip_network(each, strict=False) for each in listed]

    @lru_cache(maxsize=MAX_REMEMBERED_FLOWS)
    def trusted(source: str) -> bool:
        try:
            address = ip_address(source.partition("/")[0])
        except ValueError:
            return False
        return any(address in network for network in networks)

    return trusted
