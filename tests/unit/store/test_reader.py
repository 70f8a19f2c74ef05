from __future__ import annotations

import asyncio
import json
import threading

import pytest
from sqlalchemy import Engine

from engine.calls.cdr import Cdr
from engine.errors import InvalidRequest, NotFound
from engine.store.reader import MAX_PAGE, CdrFilter, HistoryReader, Page, cdr, cdr_page, event_page, next_seq
from engine.store.sink import SqlSink
from tests.support.records import WALL, cdrs_of, queue_call, record


@pytest.fixture
def calls(database: Engine) -> list[Cdr]:
    """Seven calls c0 ... c6, one after the other, twelve records each."""
    sink = SqlSink(database)
    rows: list[Cdr] = []
    for n in range(7):
        call = queue_call(f"c{n}", first=12 * n + 1)
        rows += cdrs_of(call)
        sink.write(call, cdrs_of(call))
    sink.close()
    return rows


def follow(read: object, **options: object) -> list[Page]:
    """All pages, one after the other."""
    pages: list[Page] = []
    after: str | None = None
    while not pages or after is not None:
        pages.append(read(after))  # type: ignore[operator]
        after = pages[-1].next
        assert len(pages) < 20
    return pages


def test_the_next_number_follows_the_last_record(database: Engine, calls: list[Cdr]) -> None:
    assert next_seq(database) == 85


def test_the_first_number_is_one(database: Engine) -> None:
    assert next_seq(database) == 1


def test_event_pages_give_each_record_once_in_order(database: Engine, calls: list[Cdr]) -> None:
    pages = follow(lambda after: event_page(database, after=int(after or 0), limit=12))
    items = [json.loads(item) for page in pages for item in page.items]
    assert [item["seq"] for item in items] == list(range(1, 85))
    assert items[0]["type"] == "CallStarted"
    assert items[0]["body"]["called"] == "4000"
    assert [len(page.items) for page in pages] == [12] * 7 + [0]


def test_events_of_one_type_or_call(database: Engine, calls: list[Cdr]) -> None:
    ended = event_page(database, after=0, limit=500, type_="CallEnded")
    assert [json.loads(item)["call"] for item in ended.items] == [f"c{n}" for n in range(7)]
    assert ended.next is None
    of_call = event_page(database, after=40, limit=500, call="c3")
    assert [json.loads(item)["seq"] for item in of_call.items] == list(range(41, 49))


def test_cdr_pages_give_each_call_once_newest_first(database: Engine, calls: list[Cdr]) -> None:
    pages = follow(lambda after: cdr_page(database, after=after, limit=3, wanted=CdrFilter()))
    assert [json.loads(item)["call"] for page in pages for item in page.items] == [f"c{n}" for n in range(6, -1, -1)]


def test_calls_that_ended_at_the_same_moment_are_not_lost_between_pages(database: Engine) -> None:
    sink = SqlSink(database)
    for n in range(5):
        moved = [record(20 * n + i, r.body, call=f"d{n}", at=1.0) for i, r in enumerate(queue_call(f"d{n}"))]
        sink.write(moved, cdrs_of(moved))
    sink.close()
    pages = follow(lambda after: cdr_page(database, after=after, limit=2, wanted=CdrFilter()))
    assert sorted(json.loads(item)["call"] for page in pages for item in page.items) == [f"d{n}" for n in range(5)]


def test_a_cdr_shows_who_when_how_long_and_why(database: Engine, calls: list[Cdr]) -> None:
    shown = json.loads(cdr(database, "c2"))
    assert shown["caller"] == "+4930123"
    assert (shown["outcome"], shown["reason"], shown["sip_code"]) == ("success", "caller_hangup", 200)
    assert (shown["waited_s"], shown["talked_s"], shown["total_s"]) == (3.0, 4.0, 9.0)
    assert shown["peer_quality"]["lost"] == 3
    assert shown["ended"] == WALL + 34
    with pytest.raises(NotFound, match="no CDR of call 'c9'"):
        cdr(database, "c9")


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (CdrFilter(queue="sales", agent="anna", direction="inbound", outcome="success"), 7),
        (CdrFilter(queue="help"), 0),
        (CdrFilter(agent="bert"), 0),
        (CdrFilter(direction="outbound"), 0),
        (CdrFilter(outcome="client"), 0),
        (CdrFilter(since=WALL + 34), 5),
        (CdrFilter(until=WALL + 34), 2),
    ],
)
def test_filters(database: Engine, calls: list[Cdr], wanted: CdrFilter, count: int) -> None:
    assert len(cdr_page(database, after=None, limit=100, wanted=wanted).items) == count


@pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1])
def test_pages_are_bounded(database: Engine, limit: int) -> None:
    with pytest.raises(InvalidRequest, match="allowed is 1 to 500"):
        event_page(database, after=0, limit=limit)
    with pytest.raises(InvalidRequest, match="allowed is 1 to 500"):
        cdr_page(database, after=None, limit=limit, wanted=CdrFilter())


def test_a_cursor_that_no_page_gave_is_refused(database: Engine) -> None:
    with pytest.raises(InvalidRequest, match="not from the 'next' of a page"):
        cdr_page(database, after="yesterday", limit=10, wanted=CdrFilter())


def test_the_event_loop_never_reads_itself(database: Engine, calls: list[Cdr], monkeypatch: pytest.MonkeyPatch) -> None:
    read_on: list[str] = []
    monkeypatch.setattr(
        "engine.store.reader.reading", _noting(read_on, __import__("engine.store.database").store.database.reading)
    )
    reader = HistoryReader(database)

    async def read() -> tuple[Page, Page, str]:
        return (
            await reader.events(after=0, limit=5),
            await reader.cdrs(after=None, limit=5, wanted=CdrFilter()),
            await reader.cdr("c1"),
        )

    events, cdrs, one = asyncio.run(read())
    reader.close()
    assert (len(events.items), len(cdrs.items), json.loads(one)["call"]) == (5, 5, "c1")
    assert len(read_on) == 3
    assert all(name.startswith("store-reader") for name in read_on)


def _noting(names: list[str], original: object) -> object:
    def reading(engine: Engine) -> object:
        names.append(threading.current_thread().name)
        return original(engine)  # type: ignore[operator]

    return reading
