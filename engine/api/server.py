"""Serves the API with uvicorn as one task of the engine's own event loop."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from engine.errors import ConfigError

BACKLOG: Final = 128
GRACE_S: Final = 2
"""Requests under way may take this long when the engine stops."""

MAX_CONNECTIONS: Final = 512
"""Further ones are answered with 503 at once; the phones need the file descriptors more."""

MAX_MESSAGE: Final = 65_536
"""Bytes of one WebSocket message from a client; a token is all that one has to say."""


class _Server(uvicorn.Server):
    """uvicorn, but a guest: it neither takes the process's signals nor wakes the loop ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.told_to_stop = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def main_loop(self) -> None:
        counter = 0
        # `on_tick` renews the Date header whenever the counter is a multiple of ten.
        while not await self.on_tick(counter):
            counter += 10
            try:
                await asyncio.wait_for(self.told_to_stop.wait(), 1.0)
            except TimeoutError:
                continue
            self.should_exit = True


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError that says what is wrong with the address, before anything else starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        where = f"api: {host} port {port}"
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"{where} is in use by another program; choose another api.port") from error
        raise ConfigError(f"{where} cannot be used: {os.strerror(error.errno or 0)}") from error
    return listener


class ApiServer:
    """One server on one listening socket, which it closes in the end."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        self._listener = listener
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="wsproto",
                http="h11",
                loop="none",
                ws_max_size=MAX_MESSAGE,
                # Deflate costs the loop more than the network costs anybody.
                ws_per_message_deflate=False,
                log_config=None,
                access_log=False,
                # At INFO it logs the path of every WebSocket.
                log_level="warning",
                server_header=False,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_graceful_shutdown=GRACE_S,
            )
        )

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._listener.getsockname()[:2]
        return host, port

    async def serve(self) -> None:
        """Answer until `stop`. Returns when every connection is closed."""
        await self._server.serve(sockets=[self._listener])

    def stop(self) -> None:
        """Take no more connections, finish what is under way within `GRACE_S`, close the feeds (1012)."""
        self._server.told_to_stop.set()
