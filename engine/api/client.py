"""Talks to a running engine, for the command line. Standard library only: a command must not wait for frameworks."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode

from engine.errors import AlreadyExists, EngineError, InvalidRequest, NotFound, Unavailable

USER_AGENT: Final = "hearthline-cli"
"""The API takes it for "cli" in the event log; see `answers.CLI_AGENT`."""

TIMEOUT_S: Final = 10.0

_ERRORS: Final[dict[str, type[EngineError]]] = {
    cls.code: cls for cls in (NotFound, AlreadyExists, InvalidRequest, Unavailable)
}


class EngineNotRunning(Unavailable):
    """Nobody answers at the engine's address."""

    code: ClassVar[str] = "engine_not_running"


class ApiRefused(EngineError):
    """The engine answered with an error that has no class of its own here."""

    code: ClassVar[str] = "api_refused"


def direct_opener() -> urllib.request.OpenerDirector:
    """Asks without a detour: a proxy of the environment must not come between the command line and its engine."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ApiClient:
    """Asks one engine, with one token. Every method blocks."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        timeout_s: float = TIMEOUT_S,
        opener: urllib.request.OpenerDirector | None = None,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._token = token
        self._timeout_s = timeout_s
        self._opener = opener or direct_opener()

    def get(self, path: str, **query: str | int | float | None) -> Any:
        """The JSON at this path. Query values that are None are left out.

        Raises, as all the others: EngineNotRunning, the engine's own error by its code, ApiRefused for the rest.
        """
        return self._json("GET", path, None, query)

    def post(self, path: str, body: object = None) -> Any:
        return self._json("POST", path, body)

    def put(self, path: str, body: object) -> Any:
        return self._json("PUT", path, body)

    def patch(self, path: str, body: object) -> Any:
        return self._json("PATCH", path, body)

    def delete(self, path: str) -> None:
        self._ask("DELETE", path, None, {})

    def text(self, path: str, **query: str | int | float | None) -> str:
        """The text at this path (queue-log, metrics)."""
        return self._ask("GET", path, None, query).decode()

    def content(self, path: str) -> bytes:
        """The bytes at this path (pcap)."""
        return self._ask("GET", path, None, {})

    def _json(
        self, method: str, path: str, body: object, query: dict[str, str | int | float | None] | None = None
    ) -> Any:
        answer = self._ask(method, path, body, query or {})
        return json.loads(answer) if answer else None

    def _ask(self, method: str, path: str, body: object, query: dict[str, str | int | float | None]) -> bytes:
        given = {key: value for key, value in query.items() if value is not None}
        url = f"{self._base}{quote(path)}" + (f"?{urlencode(given)}" if given else "")
        request = urllib.request.Request(
            url,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                "Content-Type": "application/json",
            },
        )
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error.code, error.read()) from None
        except (OSError, HTTPException) as error:
            raise EngineNotRunning(self._unreachable(error)) from error

    def _unreachable(self, error: Exception) -> str:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ConnectionRefusedError):
            return f"no engine is running at {self._base}; start it with 'hearthline run'"
        if isinstance(reason, TimeoutError | socket.timeout):
            return f"the engine at {self._base} did not answer within {self._timeout_s:g} s"
        return f"the engine at {self._base} cannot be asked: {reason}"


def _refusal(status: int, content: bytes) -> EngineError:
    try:
        error = json.loads(content)["error"]
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return ApiRefused(f"HTTP {status}, and not from Hearthline: {content[:80].decode('utf-8', 'replace')!r}")
    return _ERRORS[code](message) if code in _ERRORS else ApiRefused(f"{code}: {message}")
