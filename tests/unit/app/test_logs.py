from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from engine.app.config import LogConfig, LogLevel
from engine.app.logs import RecordLogger, note, set_up_logs
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.journal import Record
from engine.calls.log import (
    CallAnswered,
    CallEnded,
    CallRouted,
    LogBody,
    MediaLost,
    OfferEnded,
    OfferOutcome,
)
from engine.calls.media_records import LegClosed
from engine.ids import AgentName, CallId, LegId, OfferId, QueueName
from engine.log_format import LogFormat, formatter, pairs
from tests.support.records import queue_call


@pytest.fixture
def _loggers() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


WALL = 1_790_000_000.9996
"""Rounds up to the next second."""


def written(config: LogConfig, *bodies: LogBody) -> list[str]:
    stream = io.StringIO()
    set_up_logs(config, stream)
    RecordLogger().observe([Record(7, 1, CallId("c1"), WALL, 0.0, body) for body in bodies])
    return stream.getvalue().splitlines()


ANSWERED = CallAnswered(leg=LegId("l1"))
ENDED = CallEnded(
    cause=EndCause(outcome=Outcome.CLIENT, reason=Reason.ABANDONED, sip_code=487),
    ended_by="caller",
    waited_s=1.23456,
    talked_s=0,
    total_s=2,
    queue=None,
    agent=None,
)
CLOSED = LegClosed(
    leg=LegId("l1"), packets_received=1, packets_sent=1, lost=0, jitter_ms=0, remote_lost=None, round_trip_ms=None
)


@pytest.mark.usefixtures("_loggers")
def test_key_value_lines_carry_call_and_leg() -> None:
    (line,) = written(LogConfig(level=LogLevel.DEBUG), ANSWERED)
    assert line.endswith("level=debug event=CallAnswered seq=7 call=c1 leg=l1")
    assert line.startswith("time=2026-09-21T14:13:21.000Z level=")


@pytest.mark.usefixtures("_loggers")
def test_json_lines_carry_the_same() -> None:
    (line,) = written(LogConfig(format=LogFormat.JSON), ENDED)
    entry = json.loads(line)
    assert entry["call"] == "c1"
    assert entry["cause"] == "client/abandoned/487"
    assert entry["waited_s"] == 1.235
    assert "queue" not in entry


@pytest.mark.usefixtures("_loggers")
def test_the_level_hides_what_is_less_and_shows_trouble() -> None:
    assert written(LogConfig(), CLOSED) == []
    assert len(written(LogConfig(level=LogLevel.DEBUG), CLOSED)) == 1
    (line,) = written(LogConfig(level=LogLevel.WARNING), ANSWERED, MediaLost(detail="it died", legs=3))
    assert 'event=MediaLost seq=7 call=c1 detail="it died" legs=3' in line


@pytest.mark.usefixtures("_loggers")
def test_a_value_cannot_forge_a_line_or_a_key() -> None:
    stream = io.StringIO()
    set_up_logs(LogConfig(), stream)
    note("x", name='a b="c"\nlevel=error')
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(r'event=x name="a b=\"c\"\nlevel=error"')


@pytest.mark.parametrize("form", list(LogFormat))
def test_a_value_holds_no_end_of_a_line_for_any_reader_and_nothing_for_a_terminal(form: LogFormat) -> None:
    value = "Zoë \U0001f600 a\v\f\x1b\x1c\x7f\x85\x9b31m\u2028level=error\u2029\u202e\U000e0001"
    line = formatter(form).format(logging.makeLogRecord({"msg": "x", "levelno": logging.INFO, **pairs(name=value)}))
    assert line.isprintable()
    assert len(line.splitlines()) == 1
    assert "Zoë \U0001f600" in line
    said = line if form is LogFormat.JSON else "{" + line[line.index("name=") :].replace("name=", '"name":', 1) + "}"
    assert json.loads(said)["name"] == value


@pytest.mark.parametrize("value", ["", "a b", "a=b", 'a"b', "a\nb", " ", "="])
def test_whatever_needs_quotes_gets_them_wherever_it_stands(value: str) -> None:
    for given in ({"a": value, "z": "plain"}, {"a": "plain", "z": value}, {"a": value, "z": value}):
        entry = logging.makeLogRecord({"msg": "x", "levelno": logging.INFO, **pairs(**given)})
        told = formatter(LogFormat.KEY_VALUE).format(entry)
        quoted = [text if text == "plain" else json.dumps(text) for text in given.values()]
        assert told.endswith(f" event=x a={quoted[0]} z={quoted[1]}")


@pytest.mark.usefixtures("_loggers")
def test_every_line_of_a_call_names_the_call_and_a_leg() -> None:
    stream = io.StringIO()
    set_up_logs(LogConfig(level=LogLevel.DEBUG), stream)
    logger = RecordLogger()
    for record in queue_call("c1"):
        logger.observe([record])
    lines = [
        dict(pair.split("=", 1) for pair in line.split(" ") if "=" in pair) for line in stream.getvalue().splitlines()
    ]
    assert {line["call"] for line in lines} == {"c1"}
    assert [(line["event"], line["leg"]) for line in lines] == [
        *((name, "c1-a") for name in ("CallStarted", "CallRouted", "CallAnswered", "CallerQueued", "OfferMade")),
        *((name, "c1-a") for name in ("OfferRinging", "OfferEnded", "CallerConnected")),
        ("CallConnected", "c1-b"),
        ("CallEnded", "c1-a"),
        ("LegClosed", "c1-a"),
        ("LegClosed", "c1-b"),
    ]
    assert [line["event"] for line in lines if line.get("peer_leg") == "c1-b"] == ["CallEnded"]


@pytest.mark.usefixtures("_loggers")
def test_a_call_that_went_well_has_a_line_for_its_start_and_one_for_its_end() -> None:
    bodies = [record.body for record in queue_call("c1")]
    assert [line.split(" ")[2] for line in written(LogConfig(), *bodies)] == ["event=CallStarted", "event=CallEnded"]
    refused = OfferEnded(
        offer=OfferId("o1"), queue=QueueName("q"), agent=AgentName("a"), outcome=OfferOutcome.REJECTED, rang_s=1.0
    )
    (line,) = written(LogConfig(), refused)
    assert "level=info event=OfferEnded" in line


@pytest.mark.usefixtures("_loggers")
def test_the_end_names_both_legs_although_the_records_that_told_them_are_hidden() -> None:
    stream = io.StringIO()
    set_up_logs(LogConfig(), stream)
    RecordLogger().observe(queue_call("c1"))
    assert "event=CallEnded seq=10 call=c1 leg=c1-a peer_leg=c1-b" in stream.getvalue()


@pytest.mark.usefixtures("_loggers")
def test_a_call_that_ended_is_forgotten() -> None:
    stream = io.StringIO()
    set_up_logs(LogConfig(level=LogLevel.DEBUG), stream)
    logger = RecordLogger()
    logger.observe(queue_call("c1"))
    told = len(stream.getvalue())
    logger.observe([Record(99, 1, CallId("c1"), 0.0, 0.0, CallRouted(destination="echo"))])
    assert stream.getvalue()[told:].endswith("event=CallRouted seq=99 call=c1 destination=echo\n")


@pytest.mark.usefixtures("_loggers")
def test_the_end_of_a_call_that_a_crash_cut_off_names_its_legs_too() -> None:
    stream = io.StringIO()
    set_up_logs(LogConfig(), stream)
    logger = RecordLogger()
    logger.recall(queue_call("c1")[:9])
    logger.observe(queue_call("c1")[9:10])
    assert "call=c1 leg=c1-a peer_leg=c1-b" in stream.getvalue()


def test_another_process_says_who_it_is_in_the_same_form() -> None:
    entry = logging.makeLogRecord(
        {"msg": "port_taken", "levelno": logging.WARNING, **pairs(port=20002, reason="in use")}
    )
    told = formatter(LogFormat.KEY_VALUE, process="media").format(entry)
    assert told.endswith('Z level=warning process=media event=port_taken port=20002 reason="in use"')
    said = json.loads(formatter(LogFormat.JSON, process="media").format(entry))
    assert (said["process"], said["event"], said["port"]) == ("media", "port_taken", 20002)


@pytest.mark.usefixtures("_loggers")
def test_libraries_are_heard_only_when_something_is_wrong() -> None:
    stream = io.StringIO()
    set_up_logs(LogConfig(level=LogLevel.DEBUG), stream)
    for library in ("alembic", "asyncio", "uvicorn", "twisted"):
        logging.getLogger(library).info("routine")
        logging.getLogger(library).warning("trouble")
    assert len(stream.getvalue().splitlines()) == 4
    assert "routine" not in stream.getvalue()
