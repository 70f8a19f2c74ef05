from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from twisted.internet.task import Clock as TwistedClock

from engine.calls.journal import Record
from engine.calls.log import EngineStarted
from engine.media.commands import Command, ListLegs
from engine.media.events import MediaEvent, PlayFinished
from engine.net.driver import Driver, Lookup
from engine.sip.flow import Address, Flow, Transmission, Transport
from engine.sip.guard import Standing
from engine.sip.locating import Abilities, Located
from engine.sip.uri import SipUri
from tests.support.records import record

FLOW = Flow(Transport.UDP, Address("127.0.0.1", 5080), Address("127.0.0.1", 5060))


class VirtualClock:
    def __init__(self, reactor: TwistedClock) -> None:
        self._reactor = reactor

    def monotonic(self) -> float:
        return float(self._reactor.seconds())

    def wall(self) -> float:
        return 0.0


class EchoCore:
    """Sends back what it gets, asks for a deadline one second after each input, and notes what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object, float]] = []
        self.deadline: float | None = None
        self.defects: list[Exception] = []
        self.closes: list[Flow] = []
        self.records: list[Record] = []
        self.lookups: list[Lookup] = []
        self._out: list[Transmission] = []

    def receive_datagram(self, data: bytes, flow: Flow, now: float) -> Standing:
        if data == b"nothing":
            return Standing.DROPPED
        self._out.append(Transmission(flow, data))
        self.deadline = now + 1 if self.deadline is None else min(self.deadline, now + 1)
        return Standing.UNKNOWN if data == b"unknown" else Standing.TRUNK

    def stranger_took(self, seconds: float) -> None:
        self.told.append(("took", None, seconds))

    def receive_stream(self, data: bytes, flow: Flow, now: float) -> None:
        self.told.append(("stream", data, now))

    def connection_opened(self, flow: Flow, now: float) -> None:
        self.told.append(("opened", flow, now))

    def connection_lost(self, flow: Flow, now: float) -> None:
        self.told.append(("lost", flow, now))

    def send_failed(self, flow: Flow, now: float) -> None:
        self.told.append(("send_failed", flow, now))

    def media_event(self, event: MediaEvent, now: float, plane: int = 0) -> None:
        self.told.append(("media", event, now))

    def media_lost(self, detail: str, now: float, plane: int = 0) -> None:
        self.told.append(("media_lost", detail, now))

    def handle_deadline(self, now: float) -> None:
        if self.deadline is not None and self.deadline <= now:
            self.told.append(("deadline", None, now))
            self.deadline = None

    def next_deadline(self) -> float | None:
        return self.deadline

    def take_transmissions(self) -> Sequence[Transmission]:
        taken, self._out = self._out, []
        return taken

    def take_closes(self) -> Sequence[Flow]:
        taken, self.closes = self.closes, []
        return taken

    def take_lookups(self) -> Sequence[Lookup]:
        taken, self.lookups = self.lookups, []
        return taken

    def located(self, key: object, found: Located, now: float) -> None:
        self.told.append(("located", (key, found), now))

    def take_media_commands(self, plane: int = 0) -> Sequence[Command]:
        return [ListLegs()] if self.told and self.told[-1][0] == "media" else []

    def take_records(self) -> Sequence[Record]:
        taken, self.records = self.records, []
        return taken

    def take_defects(self) -> Sequence[Exception]:
        taken, self.defects = self.defects, []
        return taken

    def keeps(self, flow: Flow) -> bool:
        return flow.connection == 7


ABLE = Abilities()
FOUND = Located((), 5.0)


@dataclass(frozen=True)
class Asked:
    """A Lookup."""

    key: object
    uri: SipUri
    abilities: Abilities = ABLE
    refresh: bool = False


class Names:
    """A Locator that answers at once, or when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[SipUri, bool]] = []
        self.waiting: list[Callable[[Located], None]] = []
        self.at_once = True

    def locate(
        self, uri: SipUri, abilities: Abilities, done: Callable[[Located], None], *, refresh: bool = False
    ) -> None:
        self.asked.append((uri, refresh))
        if self.at_once:
            done(FOUND)
        else:
            self.waiting.append(done)


class Wires:
    def __init__(self, *, works: bool = True) -> None:
        self.sent: list[bytes] = []
        self.closed: list[Flow] = []
        self._works = works

    def send(self, flow: Flow, data: bytes) -> bool:
        self.sent.append(data)
        return self._works

    def close(self, flow: Flow) -> None:
        self.closed.append(flow)


def driven(
    works: bool = True,
    core: EchoCore | None = None,
    defects: list[Exception] | None = None,
    on_records: Callable[[Sequence[Record]], None] = lambda records: None,
    names: Names | None = None,
) -> tuple[Driver, EchoCore, TwistedClock, Wires, list[Command]]:
    reactor = TwistedClock()
    core = core or EchoCore()
    wires = Wires(works=works)
    commands: list[Command] = []
    driver = Driver(
        core,
        reactor=reactor,
        clock=VirtualClock(reactor),
        transmitter=wires,
        locator=names or Names(),
        to_media=lambda to_one, plane: commands.extend(to_one),
        on_records=on_records,
        on_defect=([] if defects is None else defects).append,
    )
    return driver, core, reactor, wires, commands


def test_nothing_is_looked_at_after_a_datagram_that_was_dropped() -> None:
    driver, core, *_ = driven()
    core.closes.append(FLOW)
    driver.datagram(b"nothing", FLOW)
    assert core.closes == [FLOW]
    driver.datagram(b"something", FLOW)
    assert core.closes == []


def test_the_listener_hears_which_datagrams_are_a_trunks() -> None:
    driver, *_ = driven()
    assert [driver.datagram(data, FLOW) for data in (b"nothing", b"a trunk's", b"unknown")] == [False, True, False]


def test_the_time_that_a_stranger_takes_is_told() -> None:
    driver, core, *_ = driven()
    for data in (b"nothing", b"something", b"unknown"):
        driver.datagram(data, FLOW)
    assert [told for told in core.told if told[0] == "took"] == [("took", None, 0.0)]


def test_what_an_input_causes_leaves_at_once() -> None:
    driver, _, _, wires, _ = driven()
    driver.datagram(b"hello", FLOW)
    assert wires.sent == [b"hello"]


def test_a_look_up_is_begun_and_its_answer_comes_back_as_an_input() -> None:
    names = Names()
    driver, core, reactor, _, _ = driven(names=names)
    uri = SipUri(host="sip.example")
    core.lookups = [Asked(1, uri), Asked("line", uri, refresh=True)]
    driver.stream(b"x", FLOW)
    assert names.asked == [(uri, False), (uri, True)]
    assert core.told[1:] == [("located", (1, FOUND), 0.0), ("located", ("line", FOUND), 0.0)]
    names.at_once = False
    core.lookups = [Asked(2, uri)]
    driver.stream(b"x", FLOW)
    reactor.advance(2.0)
    names.waiting[0](FOUND)
    assert core.told[-1] == ("located", (2, FOUND), 2.0)


def test_one_timer_rings_at_the_earliest_deadline() -> None:
    driver, core, reactor, _, _ = driven()
    for _ in range(5):
        driver.datagram(b"x", FLOW)
        reactor.advance(0.1)
    assert len(reactor.getDelayedCalls()) == 1
    reactor.advance(0.49)
    assert core.told == []
    reactor.advance(0.02)
    assert [what for what, _, _ in core.told] == ["deadline"]
    assert reactor.getDelayedCalls() == []


def test_a_deadline_that_moved_away_costs_one_early_ring_and_nothing_else() -> None:
    driver, core, reactor, _, _ = driven()
    driver.datagram(b"x", FLOW)
    core.deadline = 5.0
    reactor.advance(1.0)
    assert core.told == []
    reactor.advance(4.0)
    assert core.told == [("deadline", None, 5.0)]


def test_a_send_that_fails_is_told_to_the_core_afterwards_not_within() -> None:
    driver, core, reactor, _, _ = driven(works=False)
    driver.datagram(b"x", FLOW)
    assert core.told == []
    reactor.advance(0)
    assert core.told == [("send_failed", FLOW, 0.0)]


def test_media_events_reach_the_core_and_its_commands_go_back() -> None:
    driver, core, _, _, commands = driven()
    event = PlayFinished(leg="l", player="p")
    driver.media_events([event])
    driver.media_lost("died")
    assert [(what, value) for what, value, _ in core.told] == [("media", event), ("media_lost", "died")]
    assert commands == [ListLegs()]


def test_a_command_that_raises_is_settled_all_the_same() -> None:
    driver, core, reactor, _, _ = driven()

    def fail(now: float) -> None:
        core.deadline = now + 1
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        driver.command(fail)
    assert len(reactor.getDelayedCalls()) == 1


def test_after_stop_no_timer_is_left() -> None:
    driver, core, reactor, _, _ = driven()
    driver.datagram(b"x", FLOW)
    driver.stop()
    assert reactor.getDelayedCalls() == []
    core.deadline = 0.1
    driver.connection_lost(FLOW)
    assert reactor.getDelayedCalls() == [], "not even for what still comes"


def test_streams_reach_the_core_with_the_time_at_which_they_came() -> None:
    driver, core, reactor, _, _ = driven()
    driver.connection_opened(FLOW)
    reactor.advance(1)
    driver.stream(b"x", FLOW)
    reactor.advance(1)
    driver.connection_lost(FLOW)
    assert core.told == [("opened", FLOW, 0.0), ("stream", b"x", 1.0), ("lost", FLOW, 2.0)]


def test_the_core_says_whom_it_knows() -> None:
    driver, _, _, _, _ = driven()
    assert driver.keeps(FLOW._replace(connection=7))
    assert not driver.keeps(FLOW)


def test_what_the_core_wants_closed_is_closed_after_what_it_sends() -> None:
    driver, core, _, wires, _ = driven()
    core.closes.append(FLOW)
    driver.datagram(b"x", FLOW)
    assert (wires.sent, wires.closed) == ([b"x"], [FLOW])


def test_records_leave_with_the_input_that_made_them() -> None:
    kept: list[Record] = []
    driver, core, _, _, _ = driven(on_records=kept.extend)
    made = record(1, EngineStarted(version="1"))
    core.records.append(made)
    driver.datagram(b"x", FLOW)
    assert kept == [made]


def test_who_waits_for_a_condition_is_told_after_the_input_that_fulfils_it() -> None:
    async def scene() -> None:
        driver, core, _, _, _ = driven()
        many = driver.until(lambda: len(core.told) >= 2)
        gone = driver.until(lambda: len(core.told) >= 1)
        gone.cancel()
        driver.media_lost("1")
        assert not many.done()
        driver.media_lost("2")
        assert many.done()
        driver.media_lost("3")
        assert driver.until(lambda: True).done()

    asyncio.run(scene())


class FaultyCore(EchoCore):
    """Fails at datagrams that say so, and at as many deadlines as it is told."""

    faulty_deadlines = 0

    def receive_datagram(self, data: bytes, flow: Flow, now: float) -> Standing:
        standing = super().receive_datagram(data, flow, now)
        if data == b"fail":
            raise ZeroDivisionError
        return standing

    def handle_deadline(self, now: float) -> None:
        if self.faulty_deadlines:
            self.faulty_deadlines -= 1
            raise ZeroDivisionError
        super().handle_deadline(now)

    def media_event(self, event: MediaEvent, now: float, plane: int = 0) -> None:
        if event.player == "fail":  # type: ignore[union-attr]
            raise ZeroDivisionError
        super().media_event(event, now, plane)


def test_a_defect_is_told_and_what_it_interrupted_goes_on() -> None:
    defects: list[Exception] = []
    driver, core, reactor, wires, _ = driven(core=FaultyCore(), defects=defects)
    driver.datagram(b"fail", FLOW)
    assert [type(defect) for defect in defects] == [ZeroDivisionError]
    assert wires.sent == [b"fail"], "what the core had to send before it failed is sent"
    driver.datagram(b"good", FLOW)
    assert wires.sent == [b"fail", b"good"]
    core.deadline = 0.0
    reactor.advance(0.06)
    assert core.told == [("deadline", None, 0.06)], "the core is asked soon to go on"


def test_one_media_event_that_fails_keeps_no_other_from_the_core() -> None:
    defects: list[Exception] = []
    driver, core, _, _, _ = driven(core=FaultyCore(), defects=defects)
    driver.media_events([PlayFinished(leg="l", player=player) for player in ("fail", "p")])
    assert len(defects) == 1
    assert [event.player for _, event, _ in core.told] == ["p"]  # type: ignore[attr-defined]


def test_a_deadline_that_fails_is_tried_again_but_not_without_end_in_one_turn() -> None:
    defects: list[Exception] = []
    core = FaultyCore()
    core.faulty_deadlines = 1000
    driver, _, reactor, _, _ = driven(core=core, defects=defects)
    driver.datagram(b"x", FLOW)
    core.deadline = 1.0
    reactor.pump([0.01] * 200)
    assert 10 < len(defects) < 25, "about twenty a second"
    core.faulty_deadlines = 0
    reactor.advance(0.1)
    assert [what for what, _, _ in core.told] == ["deadline"]


def test_defects_that_the_core_survived_itself_are_told() -> None:
    defects: list[Exception] = []
    driver, core, _, _, _ = driven(defects=defects)
    core.defects.append(KeyError("x"))
    driver.datagram(b"x", FLOW)
    assert [type(defect) for defect in defects] == [KeyError]
