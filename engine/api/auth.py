"""Who may ask: bearer tokens, and the guard that stands before every route but health.

Only SHA-256 digests of tokens are known here. The guard is plain ASGI and stands outside of the framework, so that
nothing of a stranger's request is parsed. It never logs a token, nor does any layer below it.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.api.errors import Unauthorized, answer_to, error_answer
from engine.errors import EngineError

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})
METRICS_PATH: Final = "/metrics"

MAX_BODY: Final = 65_536
"""Bytes of a request's body; the largest sensible one, a trunk with 64 networks, has 4 KB."""

RELOAD_S: Final = 30.0
"""A token that was revoked by another process works for this long at most."""
MISS_RELOAD_S: Final = 2.0
"""A token that another process has just made works after this long at most; and guessing costs a read that often."""

_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")

LoadDigests = Callable[[], Awaitable[Mapping[str, str]]]
"""Gives the name of each token by its SHA-256 in hex; may go to the store, off the loop."""


class TokenBook:
    """The tokens that are good now, held in memory."""

    def __init__(self, load: LoadDigests, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._monotonic = monotonic
        self._names: Mapping[str, str] = {}
        self._loaded_at: float | None = None

    async def name_of(self, token: str) -> str | None:
        """The name of this token; None when it is not good."""
        if self._age() > RELOAD_S:
            await self._reload()
        name = self._find(token)
        if name is None and self._age() > MISS_RELOAD_S:
            await self._reload()
            name = self._find(token)
        return name

    def _age(self) -> float:
        return float("inf") if self._loaded_at is None else self._monotonic() - self._loaded_at

    async def _reload(self) -> None:
        before, self._loaded_at = self._loaded_at, self._monotonic()
        try:
            self._names = await self._load()
        except EngineError:
            # A store that cannot be read now must not lock the operator out.
            if before is None:
                self._loaded_at = None

    def _find(self, token: str) -> str | None:
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
        found: str | None = None
        for known, name in self._names.items():
            # All are compared, each in constant time: how long it takes says nothing.
            if hmac.compare_digest(known, digest):
                found = name
        return found


def bearer(authorization: str | None) -> str | None:
    """The token in an Authorization header (RFC 6750 2.1)."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def is_loopback(scope: Scope) -> bool:
    """Whether the request was made on this machine, by itself and not for somebody else."""
    client = scope.get("client")
    if client is None:
        return False
    headers = Headers(scope=scope)
    if any(name in headers for name in _FORWARDED):
        # A proxy on this machine asks for a stranger.
        return False
    try:
        address = ipaddress.ip_address(client[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


class Guard:
    """Lets through who may ask, and what is small enough. WebSockets prove themselves in their own route, where a
    browser can."""

    def __init__(self, app: ASGIApp, *, tokens: TokenBook) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = await self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        path = scope["path"]
        if path not in OPEN_PATHS and not (path == METRICS_PATH and is_loopback(scope)):
            token = bearer(headers.get("authorization"))
            if token is None or await self._tokens.name_of(token) is None:
                return answer_to(Unauthorized("this needs 'Authorization: Bearer TOKEN' with a token that is good"))
        if "transfer-encoding" in headers:
            return error_answer(411, "length_required", "a body needs a Content-Length")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return error_answer(413, "too_large", f"a body may have {MAX_BODY} bytes")
        return None
