"""Traces as the API and the command line get them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.errors import NotFound, Unavailable
from engine.store.sink import SqlSink
from tests.support.centre_rig import ENGINE, TRUNK_HOST
from tests.support.records import cdrs_of, queue_call
from tests.support.running_centre import CentreBench


@pytest.fixture
def bench(database: Engine, tmp_path: Path) -> Iterator[CentreBench]:
    bench = CentreBench(database, tmp_path)
    yield bench
    bench.history.close()


def test_a_call_is_told_in_every_form(bench: CentreBench) -> None:
    bench.rig.call()
    (listed,) = bench.centre.traced_calls()
    assert (listed.origin, listed.caller, listed.called, listed.ended) == ("trunk:pbx", "5551000", "600", "")
    view = bench.run(bench.centre.trace("call", listed.call))
    first = view.messages[0]
    assert (first.way, first.transport, first.call_id, first.again) == ("in", "UDP", listed.call_ids[0], False)
    assert (first.local, first.remote) == (f"{ENGINE.host}:{ENGINE.port}", f"{TRUNK_HOST}:5060")
    assert first.text.startswith("INVITE sip:600@")
    assert first.sdp.startswith("sendrecv PCMU")
    assert not view.cut
    text = bench.run(bench.centre.trace_text("call", listed.call, False))
    full = bench.run(bench.centre.trace_text("call", listed.call, True))
    assert "may be missing" not in text
    assert "    | INVITE sip:600@" not in text
    assert "    | INVITE sip:600@" in full
    pcap = bench.run(bench.centre.trace_pcap("call", listed.call))
    assert pcap.count(b"INVITE sip:600@") == 1


def test_one_that_is_forgotten_is_told_from_one_that_never_was(bench: CentreBench, database: Engine) -> None:
    records = queue_call("old")
    SqlSink(database).write(records, cdrs_of(records))
    with pytest.raises(NotFound, match="call old is over and forgotten here"):
        bench.run(bench.centre.trace("call", "old"))
    with pytest.raises(NotFound, match="no call 'never' among"):
        bench.run(bench.centre.trace("call", "never"))


def test_strangers_and_agents_are_told(bench: CentreBench) -> None:
    assert bench.run(bench.centre.trace("strangers", "")).messages == ()
    bench.rig.register(bench.rig.alice)
    assert bench.run(bench.centre.trace("agent", "alice")).messages[0].title.startswith("REGISTER")
    bench.rig.bob.password = "wrong"
    bench.rig.bob.register(bench.rig.wire.now)
    bench.rig.wire.run(1.0)
    assert "403 Forbidden" in bench.run(bench.centre.trace_text("strangers", "", False))


def test_where_nothing_is_kept_that_is_said(bench: CentreBench) -> None:
    bench.rig.core.traces = None
    with pytest.raises(Unavailable, match=r"\[trace\] enabled = false"):
        bench.centre.traced_calls()
    for of in ("call", "agent", "strangers"):
        with pytest.raises(Unavailable):
            bench.run(bench.centre.trace(of, "x"))  # type: ignore[arg-type]
