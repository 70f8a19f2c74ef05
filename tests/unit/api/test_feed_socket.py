from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from engine.api import feed, feed_socket
from engine.calls.log import EngineStarted
from engine.errors import Unavailable
from tests.support.asgi_socket import AsgiSocket
from tests.support.records import record
from tests.unit.api.conftest import TOKEN, Rig

FEED = "/api/v1/feed"
GOOD = {"Authorization": f"Bearer {TOKEN}"}


def socket(rig: Rig, *, query: str = "", headers: Mapping[str, str] | None = None) -> AsgiSocket:
    return AsgiSocket(rig.app, FEED, query=query, headers=headers)


def publish(rig: Rig, first: int, count: int) -> None:
    rig.hub.publish([record(n, EngineStarted(version="1")) for n in range(first, first + count)])


def test_a_client_with_a_token_in_the_header_hears_what_happens(rig: Rig) -> None:
    async def scene() -> None:
        async with socket(rig, headers=GOOD) as client:
            assert await client.json() == {"type": "hello", "last_seq": 41, "since": 41}
            publish(rig, 42, 2)
            assert await client.json() == {
                "type": "records",
                "records": [{"seq": 42, "type": "EngineStarted"}, {"seq": 43, "type": "EngineStarted"}],
            }
            client.say("anything at all")
            publish(rig, 44, 1)
            assert (await client.json())["records"][0]["seq"] == 44

    rig.run(scene())


def test_a_browser_sends_its_token_first(rig: Rig) -> None:
    async def scene() -> None:
        async with socket(rig) as client:
            assert (await client.next())["type"] == "websocket.accept"
            client.say(json.dumps({"token": TOKEN}))
            assert (await client.json())["type"] == "hello"

    rig.run(scene())


def test_since_is_served_from_the_store(rig: Rig) -> None:
    rig.centre.stored = [(n, f'{{"seq":{n}}}') for n in range(1, 42)]

    async def scene() -> None:
        async with socket(rig, headers=GOOD, query="since=38") as client:
            assert (await client.json())["since"] == 38
            assert [r["seq"] for r in (await client.json())["records"]] == [39, 40, 41]
            publish(rig, 42, 1)
            assert [r["seq"] for r in (await client.json())["records"]] == [42]

    rig.run(scene())


@pytest.mark.parametrize(
    ("headers", "query", "status", "code"),
    [
        ({"Authorization": "Bearer hl_bad"}, "", 401, "unauthorized"),
        (GOOD, "since=yesterday", 400, "invalid_request"),
        (GOOD, "since=-1", 400, "invalid_request"),
    ],
)
def test_a_bad_request_is_refused_before_the_handshake(
    rig: Rig, headers: dict[str, str], query: str, status: int, code: str
) -> None:
    async def scene() -> list[dict[str, Any]]:
        async with socket(rig, headers=headers, query=query) as client:
            return [await client.next(), await client.next()]

    start, body = rig.run(scene())
    assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
    assert json.loads(body["body"])["error"]["code"] == code


@pytest.mark.parametrize("token_in_url", [f"token={TOKEN}", f"since=1&token={TOKEN}"])
def test_a_token_in_the_address_counts_for_nothing(rig: Rig, token_in_url: str) -> None:
    async def scene() -> dict[str, Any]:
        async with socket(rig, query=token_in_url) as client:
            assert (await client.next())["type"] == "websocket.accept"
            client.say("{}")
            return await client.next()

    assert rig.run(scene())["code"] == 4400


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('{"token": "hl_bad"}', 4401),
        ('{"token": 7}', 4401),
        ("hl_good", 4400),
        ("[]", 4400),
        ("{}", 4400),
        ("null", 4400),
    ],
)
def test_a_first_message_without_a_good_token_ends_it(rig: Rig, said: str, code: int) -> None:
    async def scene() -> dict[str, Any]:
        async with socket(rig) as client:
            await client.next()
            client.say(said)
            return await client.next()

    assert rig.run(scene())["code"] == code


def test_who_says_nothing_is_not_waited_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_socket, "TOKEN_WAIT_S", 0.01)

    async def scene() -> dict[str, Any]:
        async with socket(rig) as client:
            await client.next()
            return await client.next()

    assert rig.run(scene())["code"] == 4401


def test_who_leaves_before_the_token_leaves_nothing_behind(rig: Rig) -> None:
    async def scene() -> None:
        async with socket(rig) as client:
            await client.next()

    rig.run(scene())


def test_a_slow_client_is_dropped_and_told_why(rig: Rig) -> None:
    async def scene() -> dict[str, Any]:
        async with socket(rig, headers=GOOD) as client:
            await client.json()
            client.writable.clear()
            publish(rig, 42, 1)
            await asyncio.sleep(feed.COALESCE_S * 3)
            publish(rig, 43, 3 * feed.KEEP)
            client.writable.set()
            assert [r["seq"] for r in (await client.json())["records"]] == [42]
            return await client.next()

    said = rig.run(scene())
    assert (said["type"], said["code"]) == ("websocket.close", 4429)
    assert "record 43 is gone" in said["reason"]


def test_a_store_that_cannot_be_read_means_try_again(rig: Rig) -> None:
    rig.centre.trouble = Unavailable("the store cannot be used now: locked")

    async def scene() -> dict[str, Any]:
        async with socket(rig, headers=GOOD, query="since=1") as client:
            await client.json()
            return await client.next()

    said = rig.run(scene())
    assert (said["code"], said["reason"]) == (1013, "the store cannot be used now: locked")


def test_a_client_that_goes_frees_its_place(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MAX_WATCHERS", 1)

    async def scene() -> None:
        for _ in range(3):
            async with socket(rig, headers=GOOD) as client:
                assert (await client.json())["type"] == "hello"

    rig.run(scene())
