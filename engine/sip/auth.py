"""HTTP Digest as SIP uses it (RFC 7616, 8760; RFC 2617 and 2069 clients too), both sides.

A nonce is its own record: time, serial number, a mark of the source that it was made for, and an HMAC over all, so
that the server stores nothing for a challenge. Only nonces that have been used are remembered, for their counts. Who
brings a nonce back from the source that it was sent to has shown that he hears there; nobody else is verified.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.grammar import NONCE_COUNT, quote
from engine.sip.hashes import NAMES, OFFERED, hash_of, is_session, session_secret
from engine.sip.headers import AuthParams, parse_auth
from engine.sip.limits import MAX_NONCE_COUNTS, NONCE_COUNT_WINDOW
from engine.sip.names import refuse
from engine.sip.uri import parse_uri

Ha1Lookup = Callable[[str, str, str], str | None]
"""(user, realm, algorithm) to HA1 in hex, or None where the user is not known: `CredentialStore.ha1`, as a function."""

_QOPS: Final = ("auth", "auth-int")
_TIME_BYTES: Final = 6
_HEAD_BYTES: Final = 10
"""Time and serial number."""
_MARK_BYTES: Final = 5
_MAC_BYTES: Final = 12
_NOT_BEGUN: Final = -2
"""Before the first challenge; -1 is a millisecond before a clock that begins at 0."""
_NONCE: Final = re.compile(rb"[A-Za-z0-9_-]{36}")
"""27 octets in base64url, which makes no padding: short, for a challenge must not be much larger than the request."""
_NONCE_PARAM: Final = re.compile(rb'[ ,\t]nonce="([A-Za-z0-9_-]{36})"')


class CredentialStore(Protocol):
    """Secrets, looked up in memory."""

    def ha1(self, user: str, realm: str, algorithm: str) -> str | None:
        """H(user:realm:password) in hex for "MD5" or "SHA-256"; None where there is none."""
        ...


class Outcome(StrEnum):
    """What the credentials of a request prove."""

    OK = "ok"
    STALE = "stale"
    """The nonce is old, used up, not ours or made for another source: challenge with `stale=True` (RFC 7616 3.3); a
    phone that changed networks asks once more. Whether the password is right is told only for a nonce of ours that is
    young and came from where it was sent to, so that every guess needs one, and counts against who makes it."""
    DENIED = "denied"
    ABSENT = "absent"
    """No Digest credentials for our realm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome, and the user who proved to know the password (for all but OK: who is claimed to be)."""

    outcome: Outcome
    user: str = ""

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK


_ABSENT: Final = Verdict(outcome=Outcome.ABSENT)


def ha1(user: str, realm: str, password: str, algorithm: str) -> str:
    """H(user:realm:password) in hex (RFC 7616 3.4.2). Raises LocalSipError for an algorithm that is not here."""
    return hash_of(algorithm, f"{user}:{realm}:{password}".encode())


def response_digest(
    secret: str,
    algorithm: str,
    *,
    nonce: str,
    method: str,
    uri: str,
    qop: str = "",
    nonce_count: str = "",
    cnonce: str = "",
    body: bytes = b"",
) -> str:
    """The response parameter: H(HA1:nonce:nc:cnonce:qop:HA2), or H(HA1:nonce:HA2) without qop (RFC 7616 3.4.1, RFC
    2617 3.2.2.1)."""
    a2 = f"{method}:{uri}"
    if qop == "auth-int":
        a2 = f"{a2}:{hash_of(algorithm, body)}"
    ha2 = hash_of(algorithm, a2.encode())
    middle = f"{nonce}:{nonce_count}:{cnonce}:{qop}" if qop else nonce
    return hash_of(algorithm, f"{secret}:{middle}:{ha2}".encode())


class DigestServer:
    """Challenges and verifies for one realm. `nonce_secret` is at least 16 random octets, kept over restarts or not.
    `algorithms` are those that are offered, the preferred one first; of the others, none is taken."""

    __slots__ = (
        "_algorithms",
        "_counts",
        "_forgotten_until",
        "_realm",
        "_secret",
        "_serial",
        "_ttl_ms",
        "_unknown_ha1",
    )

    def __init__(
        self, realm: str, nonce_secret: bytes, nonce_ttl_s: float, algorithms: Sequence[str] = tuple(OFFERED)
    ) -> None:
        self._realm = realm
        self._algorithms = tuple(algorithms)
        self._secret = nonce_secret
        self._ttl_ms = int(nonce_ttl_s * 1000)
        self._serial = 0
        self._counts: OrderedDict[str, _Counts] = OrderedDict()
        self._forgotten_until = _NOT_BEGUN
        """Nonces made up to here (ms) may have been used and forgotten, so that they count as stale: those of an
        earlier process too, where the secret is kept."""
        self._unknown_ha1 = {
            algorithm: hmac.digest(nonce_secret, algorithm.encode(), make).hex() for algorithm, make in OFFERED.items()
        }

    def challenges(self, now: float, stale: bool = False, source: str = "") -> list[str]:
        """Values of WWW-Authenticate for a request from the source, one for each algorithm, the preferred one first
        (RFC 8760 2.4)."""
        now_ms = int(now * 1000)
        if self._forgotten_until == _NOT_BEGUN:
            self._forgotten_until = now_ms - 1
        nonce = self._make_nonce(now_ms, source)
        tail = ", stale=true" if stale else ""
        realm = quote(self._realm)
        return [
            f'Digest realm={realm}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{tail}'
            for algorithm in self._algorithms
        ]

    def verify(
        self,
        credentials: str | Sequence[str] | None,
        method: str,
        request_uri: str,
        body: bytes,
        ha1_lookup: Ha1Lookup,
        now: float,
        source: str = "",
    ) -> Verdict:
        """What the Authorization value (or several) of a request from the source prove. Never raises for what the peer
        sent; an unknown user costs the same work as a wrong password."""
        given = self._ours([credentials] if isinstance(credentials, str) else credentials or ())
        if given is None:
            return _ABSENT
        user, nonce, now_ms = given.get("username", ""), given.get("nonce", ""), int(now * 1000)
        made_ms, proved = self._read_nonce(nonce, source, now_ms)
        algorithm = given.get("algorithm", "MD5").upper()
        qop = given.get("qop", "").lower()
        if made_ms is None or not proved:
            return Verdict(outcome=Outcome.STALE, user=user)
        denied = Verdict(outcome=Outcome.DENIED, user=user)
        if algorithm not in self._algorithms or (qop and qop not in _QOPS):
            return denied
        known = ha1_lookup(user, self._realm, algorithm)
        expected = response_digest(
            known or self._unknown_ha1[algorithm],
            algorithm,
            nonce=nonce,
            method=method,
            uri=given.get("uri", ""),
            qop=qop,
            nonce_count=given.get("nc", ""),
            cnonce=given.get("cnonce", ""),
            body=body,
        )
        right = hmac.compare_digest(expected.encode(), given.get("response", "").lower().encode(errors="replace"))
        if not right or known is None or not _same_uri(given.get("uri", ""), request_uri):
            return denied
        count = _read_count(given) if qop else 1
        if count is None:
            return denied
        fresh = self._use_nonce(nonce, made_ms, count, now_ms)
        return Verdict(outcome=Outcome.OK if fresh else Outcome.STALE, user=user)

    def echoed(self, data: bytes, source: str, now: float) -> bool:
        """Whether a datagram, not yet read, has a nonce in it that was made for this source and is young: its sender
        heard our challenge there."""
        found = _NONCE_PARAM.search(data)
        return found is not None and self._read_nonce(found[1].decode(), source, int(now * 1000))[1]

    def _ours(self, fields: Sequence[str]) -> dict[str, str] | None:
        for text in fields:
            try:
                auth = parse_auth(text)
            except RemoteSipError:
                continue
            if auth.scheme == "digest" and auth.params.get("realm") == self._realm:
                return dict(auth.params)
        return None

    def _make_nonce(self, at_ms: int, source: str) -> str:
        # The serial number keeps two nonces of one millisecond apart: each has its own count.
        self._serial = (self._serial + 1) % (1 << 8 * (_HEAD_BYTES - _TIME_BYTES))
        time = (at_ms % (1 << 8 * _TIME_BYTES)).to_bytes(_TIME_BYTES, "big")
        head = time + self._serial.to_bytes(_HEAD_BYTES - _TIME_BYTES, "big")
        marked = head + self._mark(head, source)
        return urlsafe_b64encode(marked + self._mac(marked)).decode()

    def _mark(self, head: bytes, source: str) -> bytes:
        text = b"source " + head + source.encode(errors="replace")
        return hmac.digest(self._secret, text, "sha256")[:_MARK_BYTES]

    def _mac(self, marked: bytes) -> bytes:
        return hmac.digest(self._secret, b"nonce " + marked + self._realm.encode(), "sha256")[:_MAC_BYTES]

    def _read_nonce(self, nonce: str, source: str, now_ms: int) -> tuple[int | None, bool]:
        """When the nonce was made, None where it is not ours or not young; and whether it was made for the source."""
        if not _NONCE.fullmatch(nonce.encode(errors="replace")):
            return None, False
        raw = urlsafe_b64decode(nonce)
        head, marked = raw[:_HEAD_BYTES], raw[: _HEAD_BYTES + _MARK_BYTES]
        made_ms = int.from_bytes(raw[:_TIME_BYTES], "big")
        # A nonce from the future is of another boot of this machine, whose monotonic clock stood elsewhere.
        if not 0 <= now_ms - made_ms <= self._ttl_ms:
            return None, False
        if not hmac.compare_digest(self._mac(marked), raw[len(marked) :]):
            return None, False
        return made_ms, hmac.compare_digest(self._mark(head, source), marked[_HEAD_BYTES:])

    def _use_nonce(self, nonce: str, made_ms: int, count: int, now_ms: int) -> bool:
        """Whether the count of a nonce of ours is new."""
        counts = self._counts.get(nonce)
        if counts is None:
            if self._forgotten_until == _NOT_BEGUN:
                self._forgotten_until = now_ms
            if made_ms <= self._forgotten_until:
                return False
            counts = self._counts[nonce] = _Counts(made_ms)
            self._forget(now_ms)
        return counts.take(count)

    def _forget(self, now_ms: int) -> None:
        """Drops counts that no longer matter, for their nonce is too old, and past the bound those used first."""
        while self._counts:
            nonce, oldest = next(iter(self._counts.items()))
            if now_ms - oldest.made_ms <= self._ttl_ms and len(self._counts) <= MAX_NONCE_COUNTS:
                break
            del self._counts[nonce]
            self._forgotten_until = max(self._forgotten_until, oldest.made_ms)


class _Counts:
    """The counts of one nonce: the highest and a window of bits below it, so that requests that overtook each other
    pass and a repeated one does not (RFC 7616 3.4, nc)."""

    __slots__ = ("_highest", "_seen", "made_ms")

    def __init__(self, made_ms: int) -> None:
        self.made_ms = made_ms
        self._highest = 0
        self._seen = 0

    def take(self, count: int) -> bool:
        if count > self._highest:
            shift = min(count - self._highest, NONCE_COUNT_WINDOW)
            self._seen = ((self._seen << shift) | 1) & ((1 << NONCE_COUNT_WINDOW) - 1)
            self._highest = count
            return True
        behind = self._highest - count
        if count < 1 or behind >= NONCE_COUNT_WINDOW or self._seen >> behind & 1:
            return False
        self._seen |= 1 << behind
        return True


def answer_challenge(
    challenges: Sequence[str],
    *,
    user: str,
    method: str,
    uri: str,
    cnonce: str,
    nc: int = 1,
    body: bytes = b"",
    password: str | None = None,
    ha1_lookup: Ha1Lookup | None = None,
    proxy: bool = False,
) -> tuple[str, str]:
    """Header name and value that answer the values of WWW-Authenticate (or with `proxy` Proxy-Authenticate), of
    several algorithms the strongest; from the password, or from a look-up of HA1. Raises RemoteSipError where no
    challenge can be answered, LocalSipError without a secret."""
    auth, algorithm = best_challenge(challenges)
    realm = auth.params["realm"]
    secret = ha1_lookup(user, realm, algorithm) if ha1_lookup is not None else None
    if secret is None:
        if password is None:
            raise LocalSipError(f"no secret for user {user!r} in realm {realm!r}")
        secret = ha1(user, realm, password, algorithm)
    text = credentials(
        auth.params, algorithm, secret, user=user, method=method, uri=uri, cnonce=cnonce, nc=nc, body=body
    )
    return "Proxy-Authorization" if proxy else "Authorization", text


def credentials(
    challenge: Mapping[str, str],
    algorithm: str,
    secret: str,
    *,
    user: str,
    method: str,
    uri: str,
    cnonce: str,
    nc: int,
    body: bytes,
) -> str:
    """The value that answers the parameters of a Digest challenge, from HA1 (RFC 7616 3.4). A session's secret is made
    of this cnonce, so that all requests of one nonce need the same."""
    offered = [item.strip().lower() for item in challenge.get("qop", "").split(",")]
    qop = next((name for name in _QOPS if name in offered), "")
    count = f"{nc:08x}" if qop else ""
    digest = response_digest(
        *(session_secret(secret, algorithm, challenge["nonce"], cnonce), algorithm),
        **{"nonce": challenge["nonce"], "method": method, "uri": uri, "qop": qop, "nonce_count": count},
        cnonce=cnonce if qop else "",
        body=body,
    )
    realm, nonce = quote(challenge["realm"]), quote(challenge["nonce"])
    parts = [
        f"Digest username={quote(user)}, realm={realm}, nonce={nonce}, uri={quote(uri)}",
        f'response="{digest}", algorithm={NAMES[algorithm]}',
    ]
    if qop:
        parts.append(f"qop={qop}, nc={count}, cnonce={quote(cnonce)}")
    if "opaque" in challenge:
        parts.append(f"opaque={quote(challenge['opaque'])}")
    return ", ".join(parts)


def best_challenge(challenges: Sequence[str]) -> tuple[AuthParams, str]:
    """The challenge to answer, with its algorithm in capitals: the strongest, whatever the order. One of a session
    needs a qop, for without it our nonce is not told. Raises RemoteSipError where none can be read and answered."""
    found: dict[str, AuthParams] = {}
    for text in challenges:
        try:
            auth = parse_auth(text)
        except RemoteSipError:
            continue
        algorithm = auth.params.get("algorithm", "MD5").upper()
        wanted = {"realm", "nonce", "qop"} if is_session(algorithm) else {"realm", "nonce"}
        if auth.scheme == "digest" and auth.params.keys() >= wanted:
            found.setdefault(algorithm, auth)
    for algorithm in NAMES:
        if algorithm in found:
            return found[algorithm], algorithm
    raise refuse(400, "no challenge that can be answered")


def _read_count(given: Mapping[str, str]) -> int | None:
    """nc = 8LHEX; with qop, cnonce must be there too (RFC 7616 3.4)."""
    text = given.get("nc", "")
    return int(text, 16) if given.get("cnonce") and NONCE_COUNT.fullmatch(text) else None


def _same_uri(given: str, request_uri: str) -> bool:
    if given == request_uri:
        return True
    try:
        return parse_uri(given).equivalent(parse_uri(request_uri))
    except RemoteSipError:
        return False
