from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from engine.api.feed import BATCH, MAX_WATCHERS, FeedHub, TooSlow
from engine.api.ports import Page
from engine.calls.journal import Record
from engine.calls.log import EngineStarted
from engine.errors import Unavailable
from tests.support.fake_centre import FakePage
from tests.support.records import record

T = TypeVar("T")


def some(first: int, count: int) -> list[Record]:
    return [record(n, EngineStarted(version="1")) for n in range(first, first + count)]


class Encoder:
    def __init__(self) -> None:
        self.made: list[int] = []

    def __call__(self, one: Record) -> str:
        self.made.append(one.seq)
        return json.dumps({"seq": one.seq})


class Store:
    """Holds what was written of the log, a few records a page."""

    def __init__(self, through: int, *, page: int = 3) -> None:
        self.through = through
        self.page = page
        self.read_from: list[int] = []

    async def read(self, after: int) -> Page:
        self.read_from.append(after)
        return FakePage(tuple(f'{{"seq":{n}}}' for n in range(after + 1, min(after + self.page, self.through) + 1)))


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(coroutine, 10.0))


class Watcher:
    """Reads messages of one watch."""

    def __init__(self, hub: FeedHub, store: Store, since: int | None = None) -> None:
        self._messages = hub.watch(since, store.read)

    async def next(self) -> Any:
        return json.loads(await anext(self._messages))

    async def seqs(self, count: int) -> list[int]:
        """The next `count` records' numbers."""
        seqs: list[int] = []
        while len(seqs) < count:
            message = await self.next()
            assert message["type"] == "records"
            assert 0 < len(message["records"]) <= BATCH
            seqs += [r["seq"] for r in message["records"]]
        return seqs

    async def close(self) -> None:
        await self._messages.aclose()


def test_a_watcher_is_greeted_and_told_what_happens_from_now_on() -> None:
    async def scene() -> None:
        hub, store = FeedHub(Encoder(), last_seq=41), Store(41)
        hub.publish(some(42, 2))
        watcher = Watcher(hub, store)
        assert await watcher.next() == {"type": "hello", "last_seq": 43, "since": 43}
        hub.publish(some(44, 3))
        assert await watcher.seqs(3) == [44, 45, 46]
        later = asyncio.create_task(watcher.seqs(2))
        await asyncio.sleep(0)
        hub.publish(some(47, 1))
        hub.publish(some(48, 1))
        assert await later == [47, 48]
        assert store.read_from == []
        await watcher.close()

    run(scene())


def test_records_become_json_once_and_only_when_somebody_watches() -> None:
    async def scene() -> None:
        encoder = Encoder()
        hub = FeedHub(encoder, last_seq=0)
        hub.publish(some(1, 5))
        assert encoder.made == []
        watchers = [Watcher(hub, Store(0), since=3) for _ in range(4)]
        for watcher in watchers:
            await watcher.next()
            assert await watcher.seqs(2) == [4, 5]
            await watcher.close()
        assert encoder.made == [4, 5]

    run(scene())


def test_what_the_ring_has_lost_comes_from_the_store_without_gap_or_double() -> None:
    async def scene() -> None:
        hub, store = FeedHub(Encoder(), last_seq=20), Store(22)
        hub.publish(some(21, 4))
        watcher = Watcher(hub, store, since=10)
        assert (await watcher.next())["since"] == 10
        assert await watcher.seqs(14) == list(range(11, 25))
        assert store.read_from == [10, 13, 16, 19]
        hub.publish(some(25, 1))
        assert await watcher.seqs(1) == [25]
        await watcher.close()

    run(scene())


def test_records_that_neither_ring_nor_store_has_yet_mean_try_again() -> None:
    """The store is degraded: what lies between is in the writer's memory."""

    async def scene() -> None:
        hub = FeedHub(Encoder(), last_seq=20)
        watcher = Watcher(hub, Store(15), since=10)
        await watcher.next()
        assert await watcher.seqs(5) == [11, 12, 13, 14, 15]
        with pytest.raises(Unavailable, match="records after 15 are not in the store yet"):
            await watcher.next()

    run(scene())


def test_a_since_of_before_a_crash_counts_as_the_last_record() -> None:
    async def scene() -> None:
        hub = FeedHub(Encoder(), last_seq=20)
        watcher = Watcher(hub, Store(20), since=999)
        assert await watcher.next() == {"type": "hello", "last_seq": 20, "since": 20}
        hub.publish(some(21, 1))
        assert await watcher.seqs(1) == [21]
        await watcher.close()

    run(scene())


def test_who_falls_off_the_ring_is_too_slow() -> None:
    async def scene() -> None:
        hub = FeedHub(Encoder(), last_seq=0, keep=10)
        slow, quick = Watcher(hub, Store(0)), Watcher(hub, Store(0))
        await slow.next()
        await quick.next()
        for n in range(1, 31):
            hub.publish(some(n, 1))
            assert await quick.seqs(1) == [n]
        with pytest.raises(TooSlow, match="record 1 is gone; the oldest is"):
            await slow.next()
        await quick.close()

    run(scene())


def test_the_ring_is_bounded_and_messages_are_too() -> None:
    hub = FeedHub(Encoder(), last_seq=0, keep=1_000)
    for first in range(1, 20_001, 100):
        hub.publish(some(first, 100))
        assert hub.last_seq - hub.first_seq < 2_000
    assert len(hub.after(hub.first_seq)) == BATCH
    assert hub.after(hub.last_seq) == []
    with pytest.raises(TooSlow):
        hub.after(hub.first_seq - 2)


def test_the_number_of_watchers_is_bounded_and_places_become_free() -> None:
    async def scene() -> None:
        hub = FeedHub(Encoder(), last_seq=0)
        watchers = [Watcher(hub, Store(0)) for _ in range(MAX_WATCHERS)]
        for watcher in watchers:
            await watcher.next()
        with pytest.raises(Unavailable, match="watch the feed already"):
            await Watcher(hub, Store(0)).next()
        await watchers[0].close()
        again = Watcher(hub, Store(0))
        await again.next()
        for watcher in (*watchers[1:], again):
            await watcher.close()

    run(scene())


def test_publishing_nothing_is_nothing() -> None:
    hub = FeedHub(Encoder(), last_seq=5)
    hub.publish([])
    assert (hub.first_seq, hub.last_seq) == (6, 5)
