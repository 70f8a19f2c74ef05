"""The event feed: what happens, as it happens, to any number of watchers.

One ring holds the last `KEEP` records for all of them; a watcher is no more than a number, the last record it has seen.
A record becomes JSON once, when the first watcher wants it, and costs nothing while nobody watches. Who falls off the
ring's end is too slow and is dropped; who comes from further back is first served from the store.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import ClassVar, Final

from engine.api.ports import Page
from engine.calls.journal import Record
from engine.errors import EngineError, Unavailable

KEEP: Final = 8_192
"""Records. About four seconds of a very busy centre, half an hour of a small one; 10 MB at most."""

BATCH: Final = 200
"""Records of one message at most."""

COALESCE_S: Final = 0.02
"""After a record, wait this long for others before a message is sent: no eye sees it, and a busy centre sends 50
messages a second to each watcher instead of a thousand."""

MAX_WATCHERS: Final = 100

ReadEvents = Callable[[int], Awaitable[Page]]
"""A page of records after this number, from the store."""


class TooSlow(EngineError):
    """A watcher did not keep up with what happens."""

    code: ClassVar[str] = "too_slow"


class FeedHub:
    """Told of every record; tells watchers. Lives on the event loop."""

    def __init__(self, encode: Callable[[Record], str], *, last_seq: int, keep: int = KEEP) -> None:
        self._encode = encode
        self._keep = keep
        self._ring: list[Record | str] = []
        self.last_seq = last_seq
        """Number of the last record that happened."""
        self._watchers: set[asyncio.Event] = set()

    @property
    def first_seq(self) -> int:
        """Number of the oldest record in the ring; one more than the last when it is empty."""
        return self.last_seq - len(self._ring) + 1

    def publish(self, records: Sequence[Record]) -> None:
        """Note what happened, in order."""
        if not records:
            return
        if records[0].seq != self.last_seq + 1:
            self._ring.clear()
        self._ring.extend(records)
        self.last_seq = records[-1].seq
        if len(self._ring) > 2 * self._keep:
            del self._ring[: -self._keep]
        for watcher in self._watchers:
            watcher.set()

    def after(self, seq: int, limit: int = BATCH) -> list[str]:
        """Records after this number as JSON, at most `limit`. Raises TooSlow when some are no longer in the ring."""
        start = seq + 1 - self.first_seq
        if start < 0:
            raise TooSlow(f"record {seq + 1} is gone; the oldest is {self.first_seq}")
        texts: list[str] = []
        for index in range(start, min(start + limit, len(self._ring))):
            entry = self._ring[index]
            if not isinstance(entry, str):
                entry = self._ring[index] = self._encode(entry)
            texts.append(entry)
        return texts

    async def watch(self, since: int | None, read: ReadEvents) -> AsyncGenerator[str, None]:
        """Messages for one watcher: a hello, then records after `since`; None means from now on.

        A `since` from before a crash may be higher than what the log has now, because up to a second was lost: it
        counts as the last record there is, which the hello names.

        Raises TooSlow, and Unavailable when the store cannot give what the ring no longer has or too many watch.
        """
        if len(self._watchers) >= MAX_WATCHERS:
            raise Unavailable(f"{MAX_WATCHERS} watch the feed already")
        news = asyncio.Event()
        self._watchers.add(news)
        try:
            seq = self.last_seq if since is None else min(since, self.last_seq)
            yield json.dumps({"type": "hello", "last_seq": self.last_seq, "since": seq})
            while since is not None and seq + 1 < self.first_seq:
                texts = await _stored(seq, read)
                seq = json.loads(texts[-1])["seq"]
                yield _message(texts)
            while True:
                news.clear()
                texts = self.after(seq)
                if texts:
                    seq += len(texts)
                    yield _message(texts)
                else:
                    await news.wait()
                    await asyncio.sleep(COALESCE_S)
        finally:
            self._watchers.discard(news)


def _message(texts: Sequence[str]) -> str:
    return f'{{"type":"records","records":[{",".join(texts)}]}}'


async def _stored(seq: int, read: ReadEvents) -> Sequence[str]:
    page = await read(seq)
    if not page.items:
        raise Unavailable(f"records after {seq} are not in the store yet; try again")
    return page.items
