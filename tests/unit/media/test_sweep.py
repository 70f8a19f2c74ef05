"""Packets that wait for the tick must come to the same as packets that are dealt with on arrival."""

from __future__ import annotations

import errno
import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.media.codecs import FRAME
from engine.media.commands import CloseLeg, Codec, Connect, Disconnect, OpenLeg, Rebind
from engine.media.events import LegClosed, Quality, Rebound
from engine.media.leg import Leg
from engine.media.quality import quality
from engine.media.rtp import HEADER
from engine.media.sweep import MOST
from engine.media.tray import KNOWN, PLACES
from tests.support.media_fakes import Bench, FakeScoop, Sent, Speaker, remote, sine_frames
from tests.support.media_sockets import Wired

TICK_S = 0.02
TICKS = 60
CODECS = {"a": Codec.PCMU, "b": Codec.PCMA}
TALK = {name: sine_frames(400.0, frames=TICKS, peak=8000.0, codec=codec) for name, codec in CODECS.items()}


def bench_of_two(*, sweeps: bool = True) -> tuple[Bench, Leg, Leg]:
    """Two legs of different codecs that hear each other, so that both are mixed."""
    bench = Bench(sweeps=sweeps)
    a, b = bench.leg("a"), bench.leg("b", codec=Codec.PCMA)
    bench.bridge("a", "b")
    return bench, a, b


def scoop_of(bench: Bench) -> FakeScoop:
    (scoop,) = bench.scoops
    return scoop


@dataclass(frozen=True, slots=True, order=True)
class Arrival:
    """A packet of a leg: seconds after tick 0, and its octets."""

    at: float
    leg: str
    packet: bytes


def journey(seed: int) -> list[Arrival]:
    """What a bad network makes of two streams: late, lost, twice, out of order, a leap, another SSRC, other sizes."""
    chance = random.Random(seed)
    arrivals = []
    for name, kind in (("a", 0), ("b", 8)):
        seq, stamp, ssrc = chance.randrange(65536), chance.randrange(1 << 32), chance.randrange(1 << 32)
        phase, jitter_s = chance.uniform(0, TICK_S), chance.choice((0.0, 0.001, 0.015, 0.05))
        loss = chance.choice((0.0, 0.05))
        for number, sound in enumerate(TALK[name]):
            if chance.random() < 0.01:
                ssrc, seq, stamp = chance.choice(((ssrc + 1, seq, stamp), (ssrc, seq + 5000, stamp + 999_999)))
            odd = chance.random()
            payload = sound if odd > 0.03 else sound[:80] if odd > 0.015 else b""
            second = kind | (0x80 if chance.random() < 0.03 else 0)
            packet = HEADER.pack(0x80, second, seq & 0xFFFF, stamp & 0xFFFFFFFF, ssrc & 0xFFFFFFFF) + payload
            seq, stamp = seq + 1, stamp + FRAME
            at = phase + number * TICK_S + chance.uniform(0, jitter_s)
            if chance.random() >= loss:
                arrivals.append(Arrival(at, name, packet))
            if chance.random() < 0.02:
                arrivals.append(Arrival(at + chance.uniform(0, 0.03), name, packet))
    return sorted(arrivals)


def play(arrivals: list[Arrival], *, sweeps: bool) -> tuple[list[list[Sent]], list[Quality]]:
    """What the two legs are sent by the ticks, and what is counted on them."""
    bench, a, b = bench_of_two(sweeps=sweeps)
    began, waiting = bench.now, list(arrivals)
    for tick in range(TICKS + 10):
        due = began + tick * TICK_S
        while waiting and began + waiting[0].at <= due:
            arrival = waiting.pop(0)
            bench.now = began + arrival.at
            bench.arrive(bench.board.legs[arrival.leg], arrival.packet)
        bench.now = due
        bench.pass_tick()
    assert (a.rx.seat is not None) is sweeps
    for leg in (a, b):
        leg.settle()
    return [bench.heard(leg) for leg in (a, b)], [quality(leg, bench.board.table, bench.now) for leg in (a, b)]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1 << 30))
def test_sound_and_figures_are_those_of_packets_dealt_with_on_arrival(seed: int) -> None:
    arrivals = journey(seed)
    heard, figures = play(arrivals, sweeps=False)
    assert play(arrivals, sweeps=True) == (heard, figures)
    assert figures[0].packets_received > TICKS // 2


def seated(bench: Bench, *legs: Leg) -> None:
    for leg in legs:
        bench.sweep.visit(leg)
        assert leg.rx.seat is not None


def sweep(bench: Bench) -> None:
    for _ in bench.sweep.pieces():
        pass


def test_the_usual_packet_is_not_looked_at_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, a, b = bench_of_two()
    seated(bench, a, b)
    speakers = Speaker(a), Speaker(b, payload_type=8)
    closely = []
    look = bench.forwarder._look
    monkeypatch.setattr(bench.forwarder, "_look", lambda rx, *rest: (closely.append(rx), look(rx, *rest)))
    for _ in range(20):
        for speaker in speakers:
            bench.speak(speaker)
        bench.now += 0.001
        sweep(bench)
        bench.now += 0.019
        bench.board.step.run(bench.tick, bench.now)
        bench.tick += 1
    assert closely == [a.rx, b.rx], "the first one of each"
    a.settle()
    assert (a.rx.received, a.rx.octets, a.rx.highest) == (20, 3200, 119)
    assert a.rx.heard_at == pytest.approx(bench.now - 0.02)


def test_a_leg_sits_down_in_the_rounds_and_only_where_nothing_is_passed_on() -> None:
    bench = Bench(sweeps=True)
    a, b, c = bench.leg("a"), bench.leg("b"), bench.leg("c")
    bench.bridge("a", "b")
    unlatched = bench.leg("d")
    unlatched.latched = None
    bench.pass_tick(60)
    assert [leg.rx.seat is not None for leg in (a, b, c, unlatched)] == [False, False, True, False]
    assert bench.wire.lent == [c.port]


def test_a_leg_whose_socket_cannot_be_had_is_read_on_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(sweeps=True)
    monkeypatch.setattr(type(bench.wire), "lend", lambda wire, leg: -1)
    leg = bench.leg("a")
    bench.sweep.visit(leg)
    assert leg.rx.seat is None


def test_who_is_passed_on_leaves_at_once_and_nothing_is_lost() -> None:
    bench = Bench(sweeps=True)
    a, b = bench.leg("a"), bench.leg("b")
    bench.do(Connect(source="b", sink="a"))
    speaker = Speaker(a)
    seated(bench, a)
    for _ in range(3):
        bench.speak(speaker)
        bench.pass_tick()
    bench.do(Connect(source="a", sink="b"))
    assert (a.rx.seat, bench.wire.lent) == (None, [])
    assert (a.rx.received, a.rx.highest) == (3, 102)
    bench.speak(speaker)
    assert len(bench.heard(b)) == 1, "passed on when it came"
    bench.do(Disconnect(source="a", sink="b"))
    seated(bench, a)
    bench.speak(speaker)
    bench.pass_tick()
    a.settle()
    assert (a.rx.received, a.rx.lost) == (5, 0)


def test_an_encrypted_leg_is_not_read_with_others() -> None:
    bench = Bench(sweeps=True)
    leg = bench.leg("a")
    seated(bench, leg)
    leg.hear(leg.rx.recv_into)
    assert leg.rx.seat is None, "its packets come from elsewhere"


def test_a_closed_leg_has_left_before_its_socket_closes() -> None:
    bench, a, b = bench_of_two()
    seated(bench, a, b)
    bench.do(CloseLeg(leg="a"))
    assert bench.wire.lent == [b.port] or a.rx.seat is None
    bench.speak(Speaker(b, payload_type=8))
    bench.pass_tick()
    b.settle()
    assert b.rx.received == 1


def test_a_place_is_taken_again_and_the_next_stream_owes_nothing_to_the_last() -> None:
    bench = Bench(sweeps=True)
    a, b = bench.leg("a"), bench.leg("b")
    seated(bench, a)
    speaker = Speaker(a)
    for _ in range(5):
        bench.speak(speaker)
        sweep(bench)
        bench.now += TICK_S
    assert a.rx.seat is not None
    place = a.rx.seat.place
    a.rx.rise()
    seated(bench, b)
    assert b.rx.seat is not None
    assert b.rx.seat.place == place
    assert b.rx.last_heard_at == b.rx.heard_at < a.rx.heard_at
    bench.arrive(b, HEADER.pack(0x80, 0, speaker.seq, speaker.stamp, speaker.ssrc) + bytes(160))
    sweep(bench)
    b.settle()
    assert (b.rx.received, b.rx.ssrc, b.rx.lost) == (1, speaker.ssrc, 0)


def test_more_legs_than_a_tray_has_places() -> None:
    bench = Bench(sweeps=True)
    bench.wire.free = list(range(20002, 20002 + 2 * PLACES + 8, 2))
    legs = [bench.leg(f"leg{number}") for number in range(PLACES + 2)]
    seated(bench, *legs)
    assert len(bench.scoops) == 2
    for leg in legs[-3:]:
        bench.speak(Speaker(leg))
    assert sum(1 for _ in bench.sweep.pieces()) >= 2, "a piece for each tray at least"
    assert [leg.rx.received for leg in legs[-3:]] == [1, 1, 1]


def test_what_queued_up_is_read_to_its_end_and_a_flood_is_not() -> None:
    bench = Bench(sweeps=True)
    a, b = bench.leg("a"), bench.leg("b")
    seated(bench, a, b)
    speakers = {a: Speaker(a), b: Speaker(b)}
    for _ in range(8):
        bench.speak(speakers[a])
    for _ in range(3 * MOST):
        bench.speak(speakers[b])
    bench.now += 0.1
    bench.pass_tick()
    for leg in (a, b):
        leg.settle()
    assert (a.rx.received, b.rx.received) == (8, MOST)


def looks(bench: Bench, speaker: Speaker, waited_s: float) -> int:
    """How often the leg's socket is read for a packet that has waited so long for the tick."""
    bench.speak(speaker)
    bench.now += waited_s
    before = scoop_of(bench).reads
    sweep(bench)
    bench.now += TICK_S - waited_s
    return scoop_of(bench).reads - before


def test_a_packet_in_time_costs_no_second_look_at_its_socket() -> None:
    bench = Bench(sweeps=True)
    leg = bench.leg("a")
    seated(bench, leg)
    speaker = Speaker(leg)
    assert {looks(bench, speaker, 0.005) for _ in range(KNOWN - 1)} == {2}, "nothing is known of its jitter yet"
    assert [looks(bench, speaker, waited_s) for waited_s in (0.005, 0.0215, 0.0225)] == [1, 1, 2]
    bench.now += 0.011
    assert looks(bench, speaker, 0.001) == 2, "it is late: the next may be there"
    bench.now += 0.009
    for _ in range(40):
        looks(bench, speaker, 0.005)
    assert looks(bench, speaker, 0.005) == 1
    for step_s in (0.005, -0.005) * 20:
        bench.now += step_s
        looks(bench, speaker, 0.005)
    assert looks(bench, speaker, 0.005) == 2, "of a stream that comes and goes there may always be two"


def test_an_error_of_a_socket_is_its_legs_and_no_others() -> None:
    bench = Bench(sweeps=True)
    a, b = bench.leg("a"), bench.leg("b")
    seated(bench, a, b)
    assert a.rx.seat is not None
    scoop_of(bench).errors[a.rx.seat.place] = errno.ECONNREFUSED
    for leg in (a, b):
        bench.speak(Speaker(leg))
    bench.pass_tick()
    assert (a.tx.refused, b.tx.refused) == (1, 0)
    assert (a.rx.received, b.rx.received) == (1, 1), "what waits behind the error is read too"


def test_a_leg_that_is_silent_is_known_to_be() -> None:
    bench = Bench(sweeps=True)
    leg = bench.leg("a")
    seated(bench, leg)
    speaker = Speaker(leg)
    for _ in range(3):
        bench.speak(speaker)
        bench.pass_tick()
    spoken_at = bench.now - TICK_S
    bench.pass_tick(5)
    assert leg.rx.last_heard_at == pytest.approx(spoken_at, abs=TICK_S)
    leg.settle()
    assert leg.rx.heard_at == leg.rx.last_heard_at


SAID = ("192.0.2.1", 4000)


def wired() -> tuple[Wired, Leg]:
    """A leg on (stand-ins for) sockets whose packets wait for the tick."""
    made = Wired(bench=Bench(sweeps=True))
    made.bench.do(OpenLeg(leg="a", tag=""), remote("a"))
    made.packet(20002, SAID)
    made.bench.pass_tick(30)
    leg = made.leg("a")
    assert leg.rx.seat is not None
    assert made.socket(20002).number not in made.watch.watched
    return made, leg


def test_a_socket_is_read_by_the_tick_alone_and_on_arrival_again_afterwards() -> None:
    made, leg = wired()
    made.packet(20002, SAID, seq=2)
    assert leg.rx.received == 1, "it waits"
    made.bench.pass_tick()
    leg.settle()
    assert leg.rx.received == 2
    leg.outlets_changed()
    assert made.socket(20002).number in made.watch.watched
    made.packet(20002, SAID, seq=3)
    assert leg.rx.received == 3


def test_a_seated_leg_can_be_closed() -> None:
    made, leg = wired()
    rx = leg.rx
    made.bench.do(CloseLeg(leg="a"))
    assert rx.seat is None
    assert made.watch.watched == set()
    made.bench.pass_tick()
    assert [event.quality.packets_received for event in made.told(LegClosed)] == [1]


def test_a_seated_leg_can_be_moved_to_a_second_pair() -> None:
    made, leg = wired()
    made.bench.do(Rebind(leg="a"))
    (rebound,) = made.told(Rebound)
    made.packet(20002, SAID, seq=2)
    made.bench.pass_tick()
    leg.settle()
    assert leg.rx.received == 2, "the first pair is heard until the second hears"
    made.packet(rebound.port, SAID, seq=3)
    assert leg.port == rebound.port
    assert leg.rx.seat is None
    made.bench.pass_tick(30)
    assert leg.rx.seat is not None
    made.packet(rebound.port, SAID, seq=4)
    made.bench.pass_tick()
    leg.settle()
    assert leg.rx.received == 4


def test_a_seated_leg_can_be_told_another_address() -> None:
    made, leg = wired()
    made.bench.do(remote("a", address="198.51.100.9"))
    assert leg.rx.seat is None
    made.packet(20002, ("198.51.100.9", 4000), seq=9)
    assert leg.latched == ("198.51.100.9", 4000)
    assert leg.rx.received == 2


def test_a_socket_in_the_pen_is_not_taken() -> None:
    made = Wired(bench=Bench(sweeps=True))
    made.bench.do(OpenLeg(leg="a", tag=""), remote("a"))
    made.packet(20002, SAID)
    number = made.socket(20002).number
    made.sockets.pen.put(number, made.bench.now, edge=True)
    made.bench.sweep.visit(made.leg("a"))
    assert made.leg("a").rx.seat is None
    made.sockets.pen.let_out(made.bench.now + 1)
    made.bench.sweep.visit(made.leg("a"))
    assert made.leg("a").rx.seat is not None
