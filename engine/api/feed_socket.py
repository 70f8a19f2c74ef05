"""`/api/v1/feed`: the WebSocket that carries the event feed.

A client proves itself by `Authorization: Bearer TOKEN`, or, where it cannot set headers (browsers), by a first text
message `{"token": "TOKEN"}` within five seconds. Not by the address: those are logged on the way.
`?since=SEQ` asks for records after that one; without it the feed begins now. What comes are text messages:

    {"type": "hello", "last_seq": 41, "since": 41}
    {"type": "records", "records": [{"seq": 42, "type": "CallStarted", "call": "...", "wall": ..., "body": {...}}, ...]}

The feed closes with 4401 (no good token), 4400 (a first message that is none), 4429 (too slow: come back with the last
`seq` that you saw as `since`), 1013 (try again later), 1012 (the engine stops).
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Final

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from engine.api.auth import TokenBook, bearer
from engine.api.errors import Unauthorized, answer_to
from engine.api.feed import FeedHub, TooSlow
from engine.api.ports import Centre, Page
from engine.errors import EngineError, InvalidRequest

UNAUTHORIZED: Final = 4401
BAD_MESSAGE: Final = 4400
TOO_SLOW: Final = 4429
TRY_AGAIN: Final = 1013

TOKEN_WAIT_S: Final = 5.0
PAGE: Final = 500


def feed_router(centre: Centre, tokens: TokenBook, hub: FeedHub) -> APIRouter:
    """The one route of the feed."""
    router = APIRouter()

    @router.websocket("/api/v1/feed")
    async def feed(socket: WebSocket) -> None:
        token = bearer(socket.headers.get("authorization"))
        if token is not None and await tokens.name_of(token) is None:
            await socket.send_denial_response(answer_to(Unauthorized("this token is not good")))
            return
        since = socket.query_params.get("since")
        if since is not None and not since.isdecimal():
            await socket.send_denial_response(answer_to(InvalidRequest(f"since {since!r} is not a number")))
            return
        await socket.accept()
        try:
            if token is not None or await _proved(socket, tokens):
                await _serve(socket, centre, hub, None if since is None else int(since))
        except WebSocketDisconnect:
            pass

    return router


async def _proved(socket: WebSocket, tokens: TokenBook) -> bool:
    """Read the first message and close the socket unless it holds a good token."""
    try:
        message = json.loads(await asyncio.wait_for(socket.receive_text(), TOKEN_WAIT_S))
        token = message["token"]
    except TimeoutError:
        await socket.close(UNAUTHORIZED, "no token came")
        return False
    except (ValueError, KeyError, TypeError):
        await socket.close(BAD_MESSAGE, 'the first message must be {"token": "..."}')
        return False
    if not isinstance(token, str) or await tokens.name_of(token) is None:
        await socket.close(UNAUTHORIZED, "this token is not good")
        return False
    return True


async def _serve(socket: WebSocket, centre: Centre, hub: FeedHub, since: int | None) -> None:
    """Send until the client goes or cannot be served any more."""
    sender = asyncio.create_task(_send(socket, centre, hub, since))
    listener = asyncio.create_task(_until_gone(socket))
    try:
        await asyncio.wait({sender, listener}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sender, listener):
            task.cancel()
        outcomes = await asyncio.gather(sender, listener, return_exceptions=True)
    error = outcomes[0]
    if isinstance(error, TooSlow):
        await socket.close(TOO_SLOW, str(error))
    elif isinstance(error, EngineError):
        await socket.close(TRY_AGAIN, str(error))
    elif isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect):
        raise error


async def _send(socket: WebSocket, centre: Centre, hub: FeedHub, since: int | None) -> None:
    async def read(seq: int) -> Page:
        return await centre.events(after=seq, limit=PAGE, type_=None, call=None)

    async with aclosing(hub.watch(since, read)) as messages:
        async for message in messages:
            await socket.send_text(message)


async def _until_gone(socket: WebSocket) -> None:
    """What a client says after its token means nothing; but that it is gone is heard here."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
