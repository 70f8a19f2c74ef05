from __future__ import annotations

import json
from functools import partial

from sqlalchemy import Engine

from engine.acd.queue_log import QueueLog
from engine.calls.causes import Outcome, Reason
from engine.calls.directory import Directory
from engine.calls.journal import Journal, Record
from engine.calls.log import CallEnded, CallerLeft, CallerQueued, EngineStarted, QueueExit
from engine.ids import QueueName
from engine.store.reader import cdr, next_seq
from engine.store.recovery import cut_off, recover
from engine.store.sink import SqlSink
from engine.store.writer import EventWriter
from tests.support.records import ANNA, SALES, WALL, call_started, cdrs_of, queue_call, record


class Noon:
    """The engine comes back an hour later, on a machine that was restarted."""

    def monotonic(self) -> float:
        return 7.0

    def wall(self) -> float:
        return WALL + 3_600


def restart(database: Engine) -> list[Record]:
    """What an engine does on every start."""
    journal = Journal(Noon(), next_seq=next_seq(database))
    cut = recover(database, journal, now=7.0)
    journal.append(EngineStarted(version="2"), now=7.0)
    records = journal.take()
    sink = SqlSink(database)
    sink.write(records, cut.cdrs)
    sink.close()
    return records


def log(database: Engine, *records: Record) -> None:
    sink = SqlSink(database)
    sink.write(records, cdrs_of(list(records)))
    sink.close()


def shown(database: Engine, call: str) -> dict[str, object]:
    row: dict[str, object] = json.loads(cdr(database, call))
    return row


def test_a_talk_that_was_cut_off_gets_its_end_and_its_cdr(database: Engine) -> None:
    talk = queue_call("c1", first=2)[:9]
    log(database, record(1, EngineStarted(version="1")), *talk)
    log(database, record(20, call_started("x"), call="c2"))
    end, other, started = restart(database)
    assert (end.seq, end.call, end.wall) == (21, "c1", WALL + 3_600)
    assert isinstance(end.body, CallEnded)
    assert (end.body.cause.outcome, end.body.cause.reason) == (Outcome.INDETERMINATE, Reason.ENGINE_RESTART)
    assert (end.body.ended_by, end.body.queue, end.body.agent) == ("engine", SALES, ANNA)
    assert (end.body.waited_s, end.body.talked_s, end.body.total_s) == (3.0, 10.0, 18.0)
    assert other.call == "c2"
    assert isinstance(started.body, EngineStarted)
    row = shown(database, "c1")
    assert (row["outcome"], row["reason"], row["sip_code"]) == ("indeterminate", "engine_restart", None)
    assert (row["started"], row["connected"], row["ended"]) == (WALL + 2, WALL + 10, WALL + 20)
    assert row["peer"] == "agent:anna"
    assert row["caller_quality"] is None


def test_a_talk_in_a_quiet_centre_lasts_as_long_as_it_was_seen_alive(database: Engine) -> None:
    talk = queue_call("c1")[:9]
    log(database, *talk)
    writer = EventWriter(SqlSink(database))
    writer.start()
    for number, minutes in ((1, 1), (2, 20)):
        writer.alive(WALL + 9 + 60 * minutes)
        assert writer.wait_committed(number, 10.0)
    assert writer.close(10.0) == 0
    end = restart(database)[0]
    assert isinstance(end.body, CallEnded)
    assert (end.body.waited_s, end.body.talked_s, end.body.total_s) == (3.0, 1200.0, 1208.0)
    row = shown(database, "c1")
    assert (row["ended"], row["talked_s"]) == (WALL + 1209, 1200.0)


def test_a_sign_of_life_that_is_older_than_the_last_record_changes_nothing(database: Engine) -> None:
    talk = queue_call("c1")[:9]
    log(database, *talk)
    sink = SqlSink(database)
    sink.write([], [], WALL + 3)
    sink.close()
    end = restart(database)[0].body
    assert isinstance(end, CallEnded)
    assert end.talked_s == 0.0


def test_a_caller_who_still_waited_is_said_to_have_waited(database: Engine) -> None:
    log(database, *queue_call("c1")[:5], record(9, call_started("x"), call="c2"))
    left, end = [entry.body for entry in restart(database) if entry.call == "c1"]
    assert left == CallerLeft(queue=SALES, why=QueueExit.FAILED, waited_s=5.0, position=1, entry_position=1)
    assert isinstance(end, CallEnded)
    assert (end.waited_s, end.talked_s, end.queue, end.agent) == (5.0, 0.0, SALES, None)


def test_those_who_waited_leave_from_the_places_that_they_had(database: Engine) -> None:
    other = QueueName("other")
    log(
        database,
        *queue_call("served")[:9],
        *(record(10 + n, call_started(call), call=call) for n, call in enumerate(["gone", "third", "fourth", "alone"])),
        record(20, CallerQueued(queue=SALES, position=1, caller="1"), call="gone"),
        record(21, CallerQueued(queue=SALES, position=2, caller="2"), call="fourth"),
        record(22, CallerQueued(queue=SALES, position=3, caller="3"), call="third"),
        record(23, CallerQueued(queue=other, position=1, caller="4"), call="alone"),
        record(
            24, CallerLeft(queue=SALES, why=QueueExit.ABANDONED, waited_s=4, position=1, entry_position=1), call="gone"
        ),
        record(30, call_started("z"), call="new"),
    )
    records = restart(database)
    found = {entry.call: entry.body for entry in records if isinstance(entry.body, CallerLeft)}
    failed = partial(CallerLeft, why=QueueExit.FAILED)
    assert found == {
        "fourth": failed(queue=SALES, waited_s=9.0, position=1, entry_position=2),
        "third": failed(queue=SALES, waited_s=8.0, position=2, entry_position=3),
        "alone": failed(queue=other, waited_s=7.0, position=1, entry_position=1),
    }
    for call in found:
        kinds = [type(entry.body) for entry in records if entry.call == call]
        assert kinds == [CallerLeft, CallEnded], "the end of a call comes last"
    lines = [line.split("|", 1)[1] for line in QueueLog(Directory()).lines(records)]
    assert lines == [
        "third|sales|NONE|WITHDRAW|2|3|8|failed",
        "fourth|sales|NONE|WITHDRAW|1|2|9|failed",
        "alone|other|NONE|WITHDRAW|1|1|7|failed",
        "NONE|NONE|NONE|QUEUESTART|",
    ]


def test_a_call_that_had_ended_but_had_no_cdr_yet_gets_it(database: Engine) -> None:
    """The quality of its legs was still to come."""
    log(database, *queue_call("c1")[:11])
    records = restart(database)
    assert [type(r.body) for r in records] == [EngineStarted]
    row = shown(database, "c1")
    assert (row["outcome"], row["reason"], row["total_s"]) == ("success", "caller_hangup", 9.0)
    assert row["caller_quality"] is not None
    assert row["peer_quality"] is None


def test_nothing_is_done_twice(database: Engine) -> None:
    log(database, *queue_call("c1")[:4])
    assert len(restart(database)) == 3
    assert len(restart(database)) == 1
    assert cut_off(database).calls == {}


def test_what_an_earlier_start_left_open_is_not_tried_for_ever(database: Engine) -> None:
    """Only the last run is looked at: the log may hold a hundred million records."""
    log(
        database,
        *queue_call("c1")[:4],
        record(10, EngineStarted(version="1")),
        record(11, call_started("x"), call="c2"),
    )
    assert list(cut_off(database).calls) == ["c2"]


def test_a_clean_log_needs_nothing(database: Engine) -> None:
    assert len(restart(database)) == 1
    log(database, *queue_call("c1", first=5))
    assert cut_off(database).calls == {}
    assert len(restart(database)) == 1
