from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import pytest

from engine.api.application import create_app
from engine.api.auth import TokenBook
from engine.api.feed import FeedHub
from engine.calls.journal import Record
from tests.support.fake_centre import FakeCentre

T = TypeVar("T")
TOKEN = "hl_good"


def encode(record: Record) -> str:
    """As the store's codec does it, in short."""
    return f'{{"seq":{record.seq},"type":"{type(record.body).__name__}"}}'


@dataclass
class Rig:
    """The API over a fake engine, on a loop of the test's own."""

    centre: FakeCentre
    hub: FeedHub
    app: Any
    loop: asyncio.AbstractEventLoop

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, 10.0))

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = TOKEN,
        client: tuple[str, int] = ("192.0.2.99", 40000),
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """One request from somewhere out there."""

        async def request() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=client, raise_app_exceptions=False)
            bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(transport=transport, base_url="http://engine") as http:
                return await http.request(method, path, headers={**bearer, **(headers or {})}, **options)

        return self.run(request())

    def get(self, path: str, **options: Any) -> Any:
        answer = self.ask("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def error(self, method: str, path: str, **options: Any) -> tuple[int, str, str]:
        """Status, code and message of what must be an error."""
        answer = self.ask(method, path, **options)
        assert set(answer.json()) == {"error"}
        return answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["message"]


async def load_tokens() -> Mapping[str, str]:
    return {hashlib.sha256(TOKEN.encode()).hexdigest(): "test", hashlib.sha256(b"hl_other").hexdigest(): "other"}


@pytest.fixture(scope="session")
def one_app() -> tuple[FakeCentre, FeedHub, Any]:
    """Made once: describing forty routes takes longer than all the tests together."""
    centre, hub = FakeCentre(), FeedHub(encode, last_seq=41)
    return centre, hub, create_app(centre, tokens=TokenBook(load_tokens), hub=hub, version="1.2.3")


@pytest.fixture
def rig(one_app: tuple[FakeCentre, FeedHub, Any]) -> Iterator[Rig]:
    centre, hub, app = one_app
    FakeCentre.__init__(centre)
    FeedHub.__init__(hub, encode, last_seq=41)
    loop = asyncio.new_event_loop()
    yield Rig(centre, hub, app, loop)
    loop.close()
