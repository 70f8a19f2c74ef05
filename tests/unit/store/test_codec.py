from __future__ import annotations

import json
import math
from dataclasses import fields
from enum import StrEnum
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.journal import Record
from engine.calls.log import (
    AgentStatusChanged,
    CallEnded,
    EngineStarted,
    LogBody,
    OfferMade,
)
from engine.calls.media_records import LegClosed
from engine.store.codec import decode, encode, feed_json
from engine.store.errors import UnreadableRecord
from tests.support.records import call_ended, leg_closed, queue_call, record


def _values(hint: Any) -> st.SearchStrategy[Any]:
    hint = getattr(hint, "__supertype__", hint)
    if hint is EndCause:
        return st.builds(
            EndCause,
            outcome=st.sampled_from(Outcome),
            reason=st.sampled_from(Reason),
            sip_code=st.none() | st.integers(100, 699),
        )
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    simple = {
        # Bytes that are no UTF-8 arrive from the network as lone surrogates.
        str: st.text(st.characters(codec=None), max_size=40),
        int: st.integers(-(2**40), 2**40),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
        type(None): st.none(),
    }
    return simple[hint] if hint in simple else st.one_of([_values(part) for part in get_args(hint)])


BODIES = st.one_of(
    [st.builds(cls, **{name: _values(hint) for name, hint in get_type_hints(cls).items()}) for cls in get_args(LogBody)]
)


@given(BODIES, st.none() | st.text("abc123", min_size=1), st.floats(0, 2e9), st.integers(1, 2**53))
def test_every_record_comes_back_as_it_was(body: LogBody, call: str | None, wall: float, seq: int) -> None:
    one = Record(seq, 1, call, wall, 7.5, body)  # type: ignore[arg-type]
    row = encode(one)
    assert decode(row) == one
    assert row["body"].isascii()
    assert json.loads(feed_json(row))["body"] == json.loads(row["body"])


def test_the_row_says_what_the_log_said() -> None:
    row = encode(record(7, call_ended(), call="c1", at=2.5))
    assert (row["seq"], row["schema"], row["call"], row["type"]) == (7, 1, "c1", "CallEnded")
    assert (row["wall"], row["mono"]) == (1_790_000_002.5, 102.5)
    assert json.loads(row["body"]) == {
        "cause": {"outcome": "success", "reason": "caller_hangup", "sip_code": 200},
        "ended_by": "caller",
        "waited_s": 3.0,
        "talked_s": 4.0,
        "total_s": 9.0,
        "queue": "sales",
        "agent": "anna",
    }


def test_the_feed_shows_one_json_object_with_the_body_inside() -> None:
    shown = json.loads(feed_json(encode(record(3, OfferMade(offer="o1", queue="sales", agent="anna")))))  # type: ignore[arg-type]
    assert shown == {
        "seq": 3,
        "schema": 1,
        "call": None,
        "wall": 1_790_000_003.0,
        "mono": 103.0,
        "type": "OfferMade",
        "body": {"offer": "o1", "queue": "sales", "agent": "anna"},
    }


def test_a_number_that_is_none_stays_readable_json() -> None:
    row = encode(record(1, leg_closed("a", jitter_ms=math.nan)))
    assert json.loads(row["body"])["jitter_ms"] is None
    body = decode(row).body
    assert isinstance(body, LegClosed)
    assert math.isnan(body.jitter_ms)


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    row = {**encode(record(1, EngineStarted(version="1"))), "body": '{"version":"2","mood":"good"}'}
    assert decode(row).body == EngineStarted(version="2")


def test_a_field_that_an_older_version_did_not_write_takes_its_default() -> None:
    """EndCause.sip_code has one."""
    row = dict(encode(record(1, call_ended())))
    body = json.loads(str(row["body"]))
    del body["cause"]["sip_code"]
    read = decode({**row, "body": json.dumps(body)}).body
    assert isinstance(read, CallEnded)
    assert read.cause.sip_code is None


@pytest.mark.parametrize(
    ("type_", "body", "said"),
    [
        ("CallDreamt", "{}", "unknown type"),
        ("EngineStarted", "{", "JSONDecodeError"),
        ("EngineStarted", "[]", "version"),
        ("EngineStarted", "{}", "version"),
        ("AgentStatusChanged", '{"agent":"a","status":"asleep","reason":"","by":""}', "asleep"),
    ],
)
def test_what_cannot_be_read_is_named(type_: str, body: str, said: str) -> None:
    row = {**encode(record(12, EngineStarted(version="1"))), "type": type_, "body": body}
    with pytest.raises(UnreadableRecord, match=rf"event 12 \({type_}\).*{said}"):
        decode(row)


def test_every_type_of_the_log_has_a_name_of_its_own() -> None:
    assert len({cls.__name__ for cls in get_args(LogBody)}) == len(get_args(LogBody))
    assert AgentStatusChanged in get_args(LogBody)
    assert all(fields(cls) for cls in get_args(LogBody))


def test_a_whole_call_survives() -> None:
    records = queue_call("c1")
    assert [decode(encode(r)) for r in records] == records
