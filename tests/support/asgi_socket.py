"""A WebSocket client without a wire: it speaks ASGI to the application, on the same loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self


class AsgiSocket:
    """`async with AsgiSocket(app, path)`; afterwards the application has returned, and raised nothing."""

    def __init__(self, app: Any, path: str, *, query: str = "", headers: Mapping[str, str] | None = None) -> None:
        self._scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
            "client": ("192.0.2.99", 40000),
            "server": ("engine", 80),
            "subprotocols": [],
            "state": {},
            "extensions": {"websocket.http.response": {}},
        }
        self._app = app
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.writable = asyncio.Event()
        """Cleared: the client's network takes nothing more."""
        self.writable.set()

    async def __aenter__(self) -> Self:
        self._to_app.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(self._app(self._scope, self._to_app.get, self._send))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writable.set()
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(self._task, 5.0)

    async def _send(self, message: dict[str, Any]) -> None:
        await self.writable.wait()
        self._from_app.put_nowait(message)

    async def next(self) -> dict[str, Any]:
        """The next thing that the application says."""
        return await asyncio.wait_for(self._from_app.get(), 5.0)

    async def json(self) -> Any:
        """The next message's text, read as JSON; the acceptance is passed over."""
        message = await self.next()
        if message["type"] == "websocket.accept":
            message = await self.next()
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])

    def say(self, text: str) -> None:
        """Send a text message to the application."""
        self._to_app.put_nowait({"type": "websocket.receive", "text": text})
