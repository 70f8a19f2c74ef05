"""uvicorn as a guest of the engine's loop, over a Unix socket: no port is taken."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed

from engine.api.server import ApiServer, bind
from engine.calls.log import EngineStarted
from engine.errors import ConfigError
from tests.support.records import record
from tests.unit.api.conftest import TOKEN, Rig

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@asynccontextmanager
async def serving(rig: Rig, path: Path) -> AsyncIterator[ApiServer]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    listener.setblocking(False)
    server = ApiServer(rig.app, listener)
    task = asyncio.create_task(server.serve())
    try:
        yield server
    finally:
        server.stop()
        await asyncio.wait_for(task, 5.0)


def http(path: Path) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(path)), base_url="http://engine")


def test_it_answers_and_leaves_the_signals_alone(rig: Rig, tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    async def scene() -> None:
        async with serving(rig, tmp_path / "s"), http(tmp_path / "s") as client:
            answer = await client.get("/api/v1/queues", headers=BEARER)
            assert answer.json()["items"][0]["name"] == "sales"
            assert "server" not in answer.headers
            assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
            assert (await client.get("/api/v1/queues")).status_code == 401

    rig.run(scene())
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_the_feed_over_a_real_websocket_ends_with_the_engine(
    rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="uvicorn")

    async def scene() -> int | None:
        async with serving(rig, tmp_path / "s") as server:
            feed = await unix_connect(
                str(tmp_path / "s"), "ws://engine/api/v1/feed", additional_headers=BEARER, proxy=None
            )
            assert json.loads(await feed.recv())["type"] == "hello"
            rig.hub.publish([record(42, EngineStarted(version="1"))])
            assert json.loads(await feed.recv())["records"][0]["seq"] == 42
            server.stop()
            with pytest.raises(ConnectionClosed):
                await feed.recv()
            return feed.close_code

    assert rig.run(scene()) == 1012
    assert TOKEN not in caplog.text


def test_stop_before_serve_ends_at_once(rig: Rig, tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(rig, tmp_path / "s") as server:
            server.stop()

    rig.run(scene())


def test_a_port_in_use_is_named_and_nothing_exits() -> None:
    first = bind("127.0.0.1", 0)
    try:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"api: 127\.0\.0\.1 port {port} is in use by another program"):
            bind("127.0.0.1", port)
    finally:
        first.close()


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(ConfigError, match=r"api: 192\.0\.2\.1 port 0 cannot be used"):
        bind("192.0.2.1", 0)
