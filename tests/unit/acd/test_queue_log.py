"""The lines that reports of an Asterisk house read, from the records that the centre really writes."""

from __future__ import annotations

import pytest

from engine.acd.queue_log import QueueLog
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Agent, AgentStatus, Directory, Drop, Queue, StrategyName
from engine.calls.journal import Record
from engine.calls.log import (
    AgentReachable,
    CallEnded,
    CallerConnected,
    CallerLeft,
    CallerQueued,
    CallTransferred,
    DirectoryChanged,
    EngineStarted,
    LogBody,
    QueueExit,
    TransferKind,
)
from engine.calls.ports import MakeOffer, OfferResult
from engine.ids import AgentName, CallId, LegId, OfferId, QueueName
from tests.support.acd_floor import AcdFloor, queue_of

HANGUP = EndCause(outcome=Outcome.SUCCESS, reason=Reason.CALLER_HANGUP, sip_code=200)


class Lines:
    """A floor and the queue_log of it, without the times."""

    def __init__(self, floor: AcdFloor) -> None:
        self.floor = floor
        self.log = QueueLog(floor.directory)

    def new(self) -> list[str]:
        return [line.split("|", 1)[1] for line in self.log.lines(self.floor.journal.take())]

    def note(self, body: LogBody, call: str | None = None) -> None:
        self.floor.journal.append(body, now=self.floor.now, call=None if call is None else CallId(call))

    def end_call(self, call: str, ended_by: str, talked_s: float) -> None:
        self.floor.end_talk(call)
        ended = CallEnded(
            cause=HANGUP, ended_by=ended_by, waited_s=0, talked_s=talked_s, total_s=0, queue=None, agent=None
        )
        self.note(ended, call)


def floor_of(*names: str, queue: Queue | None = None) -> Lines:
    return Lines(AcdFloor(*queue_of(*names, queue=queue), registered=names))


def test_the_line_begins_with_the_epoch_in_whole_seconds() -> None:
    body = CallerQueued(queue=QueueName("q"), position=1, caller="+491")
    record = Record(1, 1, CallId("c1"), 1_790_000_000.987, 5.0, body)
    assert QueueLog(Directory()).lines([record]) == ["1790000000|c1|q|NONE|ENTERQUEUE||+491|1"]


@pytest.mark.parametrize(
    ("caller", "written"),
    [
        *(("a|b", "a_b"), ("a\nb", "a b"), ("a\rb", "a b"), ("a b", "a b"), ("Zoë|", "Zoë_")),
        *((f"a{end}b", "a b") for end in "\v\f\x1b\x1c\x1d\x1e\x85\x9b\u2028\u2029\u202e"),
    ],
)
def test_a_caller_can_forge_neither_a_field_nor_a_line(caller: str, written: str) -> None:
    body = CallerQueued(queue=QueueName("q"), position=1, caller=caller)
    record = Record(1, 1, CallId("c1"), 1_790_000_000.987, 5.0, body)
    assert QueueLog(Directory()).lines([record]) == [f"1790000000|c1|q|NONE|ENTERQUEUE||{written}|1"]


@pytest.mark.parametrize(
    ("ended_by", "event"),
    [("caller", "COMPLETECALLER"), ("agent", "COMPLETEAGENT"), ("engine", "COMPLETECALLER")],
)
def test_a_call_that_was_served(ended_by: str, event: str) -> None:
    lines = Lines(AcdFloor(*queue_of("anna")))
    floor = lines.floor
    floor.call("c0")
    floor.call("c1")
    floor.pass_time(3.9)
    floor.hang_up("c0")
    floor.register("anna")
    floor.pass_time(2.2)
    offer = floor.offer().offer
    floor.answer(offer)
    floor.pass_time(61.5)
    lines.end_call("c1", ended_by, 61.5)
    assert lines.new() == [
        "c0|q|NONE|ENTERQUEUE||+49301234|1",
        "c1|q|NONE|ENTERQUEUE||+49301234|2",
        "c0|q|NONE|ABANDON|1|1|3",
        f"c1|q|anna|CONNECT|6|{offer}|2",
        f"c1|q|anna|{event}|6|61|2",
    ]


def test_calls_that_no_queue_connected_complete_nothing() -> None:
    lines = floor_of("anna")
    lines.end_call("own", "agent", 5)
    lines.note(AgentReachable(agent=AgentName("anna"), contact="", source="", user_agent=""))
    assert lines.new() == []


def test_a_call_that_was_up_when_the_engine_died_completes_nothing() -> None:
    lines = floor_of("anna")
    lines.floor.connect("c1")
    lines.note(EngineStarted(version="0.1.0"))
    lines.end_call("c1", "caller", 1)
    assert lines.new()[2:] == ["NONE|NONE|NONE|QUEUESTART|"]


def test_no_answer_is_told_in_milliseconds_and_pauses() -> None:
    lines = floor_of("anna", queue=Queue(name=QueueName("q"), ring_timeout_s=12.5))
    lines.floor.call("c1")
    lines.floor.pass_time(12.5)
    assert lines.new()[1:] == [
        "c1|q|anna|RINGNOANSWER|12500",
        "NONE|NONE|anna|PAUSEALL|Auto-Pause",
        "NONE|q|anna|PAUSE|Auto-Pause",
    ]


@pytest.mark.parametrize("result", list(OfferResult))
def test_a_refusal_is_no_answer_as_in_app_queue(result: OfferResult) -> None:
    lines = floor_of("anna")
    lines.floor.call("c1")
    lines.floor.pass_time(1)
    lines.floor.fail(lines.floor.offer().offer, result)
    assert lines.new()[1:] == ["c1|q|anna|RINGNOANSWER|1000"]


def test_a_caller_who_leaves_while_it_rings() -> None:
    lines = floor_of("anna")
    lines.floor.call("c1")
    lines.floor.pass_time(4.2)
    lines.floor.hang_up("c1")
    assert lines.new()[1:] == ["c1|q|anna|RINGCANCELED|4200", "c1|q|NONE|ABANDON|1|1|4"]


def test_a_caller_whose_call_the_engine_ends_did_not_abandon_it() -> None:
    lines = floor_of("anna")
    lines.floor.call("c1")
    lines.floor.call("c2")
    lines.floor.pass_time(4.2)
    lines.floor.end("c2")
    lines.floor.end("c1")
    assert lines.new()[2:] == [
        "c2|q|NONE|WITHDRAW|2|2|4|failed",
        "c1|q|anna|RINGCANCELED|4200",
        "c1|q|NONE|WITHDRAW|1|1|4|failed",
    ]
    (queue,) = lines.floor.acd.snapshot(lines.floor.now).queues
    assert (queue.counters.abandoned, queue.counters.failed) == (0, 2)


def test_a_caller_who_waited_too_long() -> None:
    lines = floor_of("anna", queue=Queue(name=QueueName("q"), max_wait_s=9))
    lines.floor.call("c1")
    lines.floor.pass_time(9)
    assert lines.new()[1:] == ["c1|q|anna|RINGCANCELED|9000", "c1|q|NONE|EXITWITHTIMEOUT|1|1|9"]


def test_who_lost_the_race_of_ringall_writes_nothing() -> None:
    lines = floor_of("anna", "ben", queue=Queue(name=QueueName("q"), strategy=StrategyName.RINGALL))
    lines.floor.call("c1")
    made = next(effect for effect in lines.floor.take() if isinstance(effect, MakeOffer))
    lines.floor.answer(made.offer)
    assert lines.new()[1:] == [f"c1|q|anna|CONNECT|0|{made.offer}|0"]


def test_a_full_queue_writes_nothing() -> None:
    lines = floor_of(queue=Queue(name=QueueName("q"), max_callers=1))
    lines.floor.call("c1")
    lines.floor.call("c2")
    assert lines.new() == ["c1|q|NONE|ENTERQUEUE||+49301234|1"]


def test_a_queue_that_is_removed_withdraws_its_callers() -> None:
    lines = floor_of()
    lines.floor.call("c1")
    lines.floor.pass_time(2)
    lines.floor.change(Drop(entity=Queue(name=QueueName("q"))))
    assert lines.new()[1:] == ["c1|q|NONE|WITHDRAW|1|1|2|queue removed"]


def test_every_exit_has_its_line() -> None:
    lines = floor_of()
    for why in QueueExit:
        lines.note(CallerLeft(queue=QueueName("q"), why=why, waited_s=1, position=2, entry_position=3), "c1")
    assert [line.split("|")[3] for line in lines.new()] == ["ABANDON", "EXITWITHTIMEOUT", "WITHDRAW", "WITHDRAW"]


def test_pause_and_unpause_in_every_queue_of_the_agent() -> None:
    other = queue_of("anna", queue=Queue(name=QueueName("other")))
    lines = Lines(AcdFloor(*queue_of("anna"), *other, registered=["anna"]))
    lines.floor.pause("anna", "lunch")
    lines.floor.available("anna")
    lines.floor.acd.log_out(AgentName("anna"), "home", "api", lines.floor.now)
    assert lines.new() == [
        "NONE|NONE|anna|PAUSEALL|lunch",
        "NONE|q|anna|PAUSE|lunch",
        "NONE|other|anna|PAUSE|lunch",
        "NONE|NONE|anna|UNPAUSEALL|",
        "NONE|q|anna|UNPAUSE|",
        "NONE|other|anna|UNPAUSE|",
        "NONE|NONE|anna|PAUSEALL|home",
        "NONE|q|anna|PAUSE|home",
        "NONE|other|anna|PAUSE|home",
    ]


def test_an_agent_without_queues_has_no_pauses() -> None:
    lines = Lines(AcdFloor(Agent(name=AgentName("anna"))))
    lines.floor.pause("anna")
    assert lines.new() == []


def changed(action: str, kind: str, name: str) -> DirectoryChanged:
    return DirectoryChanged(action=action, kind=kind, name=name, by="cli")


def test_members_come_and_go() -> None:
    paused = Agent(name=AgentName("cleo"), status=AgentStatus.BREAK)
    lines = Lines(AcdFloor(*queue_of("anna"), Queue(name=QueueName("other")), paused, Agent(name=AgentName("ben"))))
    for body in (
        changed("put", "member", "q/ben"),
        changed("put", "member", "q/ben"),  # a new penalty
        changed("put", "member", "q/anna"),
        changed("put", "member", "other/cleo"),
        changed("put", "agent", "dora"),
        changed("drop", "member", "q/ben"),
        changed("drop", "member", "q/ben"),
        changed("put", "member", "q/ben"),
        changed("drop", "queue", "q"),
        changed("drop", "agent", "cleo"),
    ):
        lines.note(body)
    assert lines.new() == [
        "NONE|q|ben|ADDMEMBER|",
        "NONE|other|cleo|ADDMEMBER|PAUSED",
        "NONE|q|ben|REMOVEMEMBER|",
        "NONE|q|ben|ADDMEMBER|",
        "NONE|q|anna|REMOVEMEMBER|",
        "NONE|q|ben|REMOVEMEMBER|",
        "NONE|other|cleo|REMOVEMEMBER|",
    ]


def test_a_stranger_cannot_write_lines_or_fields() -> None:
    lines = floor_of()
    lines.floor.call("c1", number="1|q|x\r\n2|evil")
    assert lines.new() == ["c1|q|NONE|ENTERQUEUE||1_q_x  2_evil|1"]


@pytest.mark.parametrize(
    ("kind", "by", "expected"),
    [
        (TransferKind.BLIND, "agent:anna", ["c|q|anna|BLINDTRANSFER|200|agents|7|30|3"]),
        (TransferKind.ATTENDED, "agent:anna", ["c|q|anna|ATTENDEDTRANSFER|BRIDGE|consult|7|30|3"]),
        (TransferKind.BLIND, "trunk:pbx", ["c|q|anna|COMPLETECALLER|7|90|3"]),
    ],
)
def test_a_transfer_ends_the_agents_part_with_a_line_of_its_own(
    kind: TransferKind, by: str, expected: list[str]
) -> None:
    connected = CallerConnected(
        queue=QueueName("q"), agent=AgentName("anna"), offer=OfferId("o"), waited_s=7.9, rang_s=2.0, position=3
    )
    moved = CallTransferred(kind=kind, by=by, leg=LegId("l"), to="200", context="agents", other_call="consult")
    ended = CallEnded(
        cause=HANGUP, ended_by="caller", waited_s=7.9, talked_s=90, total_s=98, queue=QueueName("q"), agent=None
    )
    bodies: list[tuple[float, LogBody]] = [(10.0, connected), (40.5, moved), (100.0, ended)]
    records = [Record(n, 1, CallId("c"), 1.0, mono, body) for n, (mono, body) in enumerate(bodies)]
    assert [line.split("|", 1)[1] for line in QueueLog(Directory()).lines(records)][1:] == expected
