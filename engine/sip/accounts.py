"""Accounts of ours at others: whose login answers a challenge (RFC 3261 22, 7616, 8760), and what the challenges that
were answered let us say at once the next time.

A server that challenged us takes the same nonce again with a higher count (RFC 7616 3.4), so later requests of the
account carry credentials from the start, and a call costs no round trip more. Where the server wants a new nonce it
says so with another challenge, which costs what it would have cost anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from engine.ids import IdSource
from engine.sip.auth import best_challenge, credentials, ha1
from engine.sip.errors import RemoteSipError
from engine.sip.hashes import is_session
from engine.sip.headers import parse_auth
from engine.sip.limits import MAX_CHALLENGES, MAX_REALMS
from engine.sip.message import Request, Response

_ANSWERED_BY: Final = {"WWW-Authenticate": "Authorization", "Proxy-Authenticate": "Proxy-Authorization"}
"""What a challenge is answered in. A proxy that forked may bring both kinds in one response (RFC 3261 22.3), so that
the status, 401 or 407, does not decide."""
_NEXT_NONCE_OF: Final = {
    "Authentication-Info": "Authorization",
    "Proxy-Authentication-Info": "Proxy-Authorization",
}
_LAST_COUNT: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who we are at somebody else's server."""

    user: str
    """The user name of digest."""
    password: str

    def __repr__(self) -> str:
        return f"Login(user={self.user!r}, password=...)"


class AccountStore(Protocol):
    """Our logins, looked up in memory."""

    def login(self, account: str) -> Login | None:
        """The login of the account; None where there is no such account, or it has no login."""
        ...


class NoAccounts:
    """For an endpoint that never proves who it is."""

    def login(self, account: str) -> Login | None:
        return None


class Space(NamedTuple):
    """A protection space: what our credentials are for, and in which header field they go."""

    field: str
    realm: str


class _Nonce:
    """The last challenge of a space, and how often it was answered."""

    __slots__ = ("algorithm", "cnonce", "count", "login", "params", "secret")

    def __init__(self, params: Mapping[str, str], algorithm: str, login: Login, cnonce: str) -> None:
        self.params = params
        self.algorithm = algorithm
        self.login = login
        self.secret = ha1(login.user, params["realm"], login.password, algorithm)
        self.cnonce = cnonce
        """Ours for all of a session (`-sess`, RFC 7616 3.4.2); empty where each request has its own."""
        self.count = 0


class Accounts:
    """What every account has been challenged with. Bounded by the accounts that there are, and by MAX_REALMS each."""

    __slots__ = ("_ids", "_spaces", "_store")

    def __init__(self, store: AccountStore, ids: IdSource) -> None:
        self._store = store
        self._ids = ids
        self._spaces: dict[str, dict[Space, _Nonce]] = {}

    def has(self, account: str) -> bool:
        """Whether there is a login to answer with."""
        return self._store.login(account) is not None

    def sign(self, request: Request, account: str) -> None:
        """Put on a request what the account's servers are known to ask for, instead of what it carried before."""
        spaces = self._spaces.get(account)
        if not spaces:
            return
        login = self._store.login(account)
        headers = request.headers
        for field in _ANSWERED_BY.values():
            if field in headers.first:
                headers.remove(field)
        fields = []
        for space, nonce in list(spaces.items()):
            if nonce.login != login or nonce.count >= _LAST_COUNT:
                del spaces[space]
                continue
            nonce.count += 1
            text = credentials(
                nonce.params,
                nonce.algorithm,
                nonce.secret,
                user=nonce.login.user,
                method=request.method,
                uri=request.request_uri,
                cnonce=nonce.cnonce or self._ids.token(),
                nc=nonce.count,
                body=request.body,
            )
            fields.append((space.field, text))
        headers.extend(fields)

    def learn(self, account: str, response: Response) -> dict[Space, bool]:
        """Take over the challenges of a response: the spaces that can be answered, and whether the server only wants a
        fresh nonce (`stale`). Empty where nothing can be answered."""
        login = self._store.login(account)
        if login is None:
            return {}
        found: dict[Space, bool] = {}
        for header, field in _ANSWERED_BY.items():
            for realm, texts in _by_realm(response.headers.get_all(header)).items():
                try:
                    auth, algorithm = best_challenge(texts)
                except RemoteSipError:
                    continue
                space = Space(field, realm)
                found[space] = auth.params.get("stale", "").lower() == "true"
                cnonce = self._ids.token() if is_session(algorithm) else ""
                self._note(account, space, _Nonce(auth.params, algorithm, login, cnonce))
        return found

    def refused(self, account: str, spaces: dict[Space, bool]) -> None:
        """The login is wrong there: nothing is sent to it unasked."""
        known = self._spaces.get(account, {})
        for space in spaces:
            known.pop(space, None)

    def renew(self, account: str, response: Response) -> None:
        """Take over the nonce that a server wants next (RFC 7616 3.5)."""
        spaces = self._spaces.get(account)
        for header, field in _NEXT_NONCE_OF.items():
            text = response.headers.get(header)
            # The header has parameters alone, no scheme.
            if not text or not spaces:
                continue
            try:
                following = parse_auth(f"Digest {text}").params.get("nextnonce")
            except RemoteSipError:
                continue
            mine = [space for space in spaces if space.field == field]
            if following and len(mine) == 1:
                nonce = spaces[mine[0]]
                if nonce.cnonce:
                    # Which nonces a session goes on with is not said: let the server begin another.
                    del spaces[mine[0]]
                    continue
                nonce.params, nonce.count = {**nonce.params, "nonce": following}, 0

    def _note(self, account: str, space: Space, nonce: _Nonce) -> None:
        spaces = self._spaces.setdefault(account, {})
        before = spaces.pop(space, None)
        if before is not None and before.params["nonce"] == nonce.params["nonce"] and before.login == nonce.login:
            nonce.count, nonce.cnonce = before.count, nonce.cnonce and before.cnonce
        spaces[space] = nonce
        if len(spaces) > MAX_REALMS:
            del spaces[next(iter(spaces))]


def _by_realm(texts: list[str]) -> dict[str, list[str]]:
    """Challenges that can be read, by their realm: one server offers several algorithms, several proxies have realms of
    their own."""
    realms: dict[str, list[str]] = {}
    for text in texts[:MAX_CHALLENGES]:
        try:
            auth = parse_auth(text)
        except RemoteSipError:
            continue
        if auth.scheme == "digest" and "realm" in auth.params:
            realms.setdefault(auth.params["realm"], []).append(text)
    return realms
