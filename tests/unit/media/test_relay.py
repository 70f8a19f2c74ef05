from __future__ import annotations

import random
import struct
from itertools import pairwise

import pytest

from engine.media.commands import Codec, Connect, Direction, Disconnect, Play, SendDtmf, Sound, StopPlay, Tone
from engine.media.events import DtmfDigit
from engine.media.quality import quality
from engine.media.reception import samples_at
from tests.support.media_fakes import HEADER, Bench, Sent, Speaker, remote


@pytest.fixture
def bench() -> Bench:
    return Bench()


def steps(packets: list[Sent]) -> list[tuple[int, int]]:
    """How sequence number and timestamp move from packet to packet."""
    return [
        (second.seq - first.seq & 0xFFFF, second.stamp - first.stamp & 0xFFFFFFFF)
        for first, second in pairwise(packets)
    ]


def test_a_packet_leaves_on_arrival_with_our_header_and_its_own_payload(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    speaker = Speaker(a)
    payloads = [bytes([n]) * 160 for n in range(1, 6)]
    for payload in payloads:
        bench.speak(speaker, payload)

    sent = bench.heard(b)
    assert [packet.payload for packet in sent] == payloads
    assert {packet.ssrc for packet in sent} == {b.tx.ssrc}
    assert steps(sent) == [(1, 160)] * 4
    assert [packet.marker for packet in sent] == [True, False, False, False, False]
    assert bench.heard(a) == []


def test_payload_numbers_are_those_of_the_far_end(bench: Bench) -> None:
    a, b = bench.leg("a", payload_type=0), bench.leg("b", payload_type=96)
    bench.bridge("a", "b")
    for _ in range(3):
        bench.speak(Speaker(a))
    bench.speak(Speaker(b, payload_type=96))

    assert {packet.payload_type for packet in bench.heard(b)} == {96}
    assert {packet.payload_type for packet in bench.heard(a)} == {0}


def test_loss_and_reordering_stay_visible(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    for seq in (10, 11, 14, 13, 12, 15):
        bench.speak(Speaker(a, seq=seq, stamp=seq * 160))

    first, *others = bench.heard(b)
    assert [packet.seq - first.seq & 0xFFFF for packet in others] == [1, 4, 3, 2, 5]
    assert [packet.stamp - first.stamp & 0xFFFFFFFF for packet in others] == [160, 640, 480, 320, 800]


def test_numbers_and_stamps_wrap(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    speaker = Speaker(a, seq=65533, stamp=0xFFFFFFFF - 300)
    for _ in range(6):
        bench.speak(speaker)

    assert steps(bench.heard(b)) == [(1, 160)] * 5
    assert quality(a, bench.board.table, bench.now).lost == 0
    assert quality(a, bench.board.table, bench.now).packets_received == 6


def test_another_source_follows_on_without_a_jump(bench: Bench) -> None:
    a, b, c = bench.leg("a"), bench.leg("b"), bench.leg("c")
    bench.do(Connect(source="a", sink="b"))
    one, other = Speaker(a), Speaker(c, seq=40_000, stamp=9, ssrc=0x77)
    for _ in range(3):
        bench.speak(one)
        bench.now += 0.02
    bench.do(Disconnect(source="a", sink="b"), Connect(source="c", sink="b"))
    bench.now += 0.98
    for _ in range(3):
        bench.speak(other)
        bench.now += 0.02
    bench.speak(one)

    sent = bench.heard(b)
    assert steps(sent) == [(1, 160), (1, 160), (1, 8000), (1, 160), (1, 160)]
    assert [packet.marker for packet in sent] == [True, False, False, True, False, False]


def test_a_source_that_begins_a_new_stream_follows_on_without_a_jump(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    for speaker in (Speaker(a), Speaker(a, ssrc=0x99, seq=3, stamp=1 << 31)):
        for _ in range(2):
            bench.speak(speaker)
            bench.now += 0.02

    sent = bench.heard(b)
    assert steps(sent) == [(1, 160)] * 3
    assert [packet.marker for packet in sent] == [True, False, True, False]


def test_from_a_player_to_a_person_and_back_is_one_stream(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.do(Play(leg="b", player="p", playlist=(Sound(tone=Tone.RINGBACK),), loop=True))
    bench.pass_tick(3)
    bench.do(StopPlay(leg="b"), Connect(source="a", sink="b"))
    speaker = Speaker(a)
    for _ in range(3):
        bench.speak(speaker)
        bench.now += 0.02
    bench.do(
        Play(leg="b", player="p", playlist=(Sound(tone=Tone.RINGBACK),), loop=True), Disconnect(source="a", sink="b")
    )
    bench.pass_tick(3)

    sent = bench.heard(b)
    assert steps(sent) == [(1, 160)] * 8
    assert [packet.marker for packet in sent] == [n in (0, 3, 6) for n in range(9)]


def test_an_echo_hears_itself(bench: Bench) -> None:
    a = bench.leg("a")
    bench.do(Connect(source="a", sink="a"))
    bench.speak(Speaker(a), b"\x11" * 160)

    assert [packet.payload for packet in bench.heard(a)] == [b"\x11" * 160]


def test_two_listeners_of_one_source_have_streams_of_their_own(bench: Bench) -> None:
    a, b, c = bench.leg("a"), bench.leg("b"), bench.leg("c", payload_type=111)
    bench.do(Connect(source="a", sink="b"), Connect(source="a", sink="c"))
    speaker = Speaker(a)
    for _ in range(4):
        bench.speak(speaker, b"\x22" * 160)

    for leg, number in ((b, 0), (c, 111)):
        sent = bench.heard(leg)
        assert [(packet.payload, packet.payload_type) for packet in sent] == [(b"\x22" * 160, number)] * 4
        assert steps(sent) == [(1, 160)] * 3
        assert {packet.ssrc for packet in sent} == {leg.tx.ssrc}
        assert leg.tx.packets == 4


def test_csrcs_and_extensions_are_left_behind(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    bench.speak(Speaker(a), b"CSRC" + struct.pack("!HHI", 0xBEDE, 1, 0) + b"\x33" * 160, first=0x91)

    assert [packet.payload for packet in bench.heard(b)] == [b"\x33" * 160]


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x80",
        HEADER.pack(0x80, 0, 1, 2, 3),
        HEADER.pack(0x40, 0, 1, 2, 3) + b"x" * 160,
        HEADER.pack(0x80, 18, 1, 2, 3) + b"x" * 20,
        HEADER.pack(0x8F, 0, 1, 2, 3) + b"x" * 20,
        HEADER.pack(0x80, 0, 1, 2, 3) + b"x" * 1500,
    ],
)
def test_what_is_no_voice_of_ours_is_counted_and_goes_nowhere(bench: Bench, packet: bytes) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    bench.arrive(a, packet)

    assert bench.heard(b) == []
    assert a.rx.strangers == 1
    assert a.rx.received == 0


def test_a_packet_of_the_same_number_but_another_kind_does_not_ride_the_fast_lane(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    speaker = Speaker(a)
    for _ in range(3):
        bench.speak(speaker)
    bench.arrive(a, HEADER.pack(0x80, 18, speaker.seq, speaker.stamp, speaker.ssrc) + b"x" * 160)
    bench.speak(speaker, b"y" * 80)
    bench.speak(speaker, b"z" * 160)

    assert [len(packet.payload) for packet in bench.heard(b)] == [160, 160, 160, 80, 160]
    assert a.rx.strangers == 1


def test_counts_the_same_on_the_fast_lane_as_off_it(bench: Bench) -> None:
    """Packets with random loss, sizes and markers; counted by hand."""
    chance = random.Random(5)
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    speaker = Speaker(a, seq=65000)
    received = octets = skipped = 0
    last = 0
    for _ in range(2000):
        if chance.random() < 0.05:
            speaker.seq += 1
            speaker.stamp += 160
            skipped += 1
        size = chance.choice([160] * 30 + [80, 240])
        bench.speak(speaker, b"\x80" * size, marker=chance.random() < 0.02)
        bench.now += 0.02
        received += 1
        octets += size
        last = speaker.seq - 1
    bench.rounds.visit(a, bench.now)

    sent = bench.heard(b)
    a.settle()
    assert len(sent) == received == b.tx.packets == a.rx.received
    assert octets == b.tx.octets == a.rx.octets
    assert a.rx.lost == skipped
    assert (b.tx.seq, b.tx.stamp) == (sent[-1].seq, sent[-1].stamp)
    assert b.tx.stamp_at == pytest.approx(bench.now - 0.02)
    assert a.rx.highest == last & 0xFFFF


def test_a_port_that_refuses_is_counted_and_the_stream_goes_on(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    speaker = Speaker(a)
    bench.speak(speaker)
    bench.wire.error = ConnectionRefusedError()
    for _ in range(4):
        bench.speak(speaker)
    bench.wire.error = BlockingIOError()
    bench.speak(speaker)
    bench.wire.error = None
    bench.speak(speaker)
    b.settle()

    assert steps(bench.heard(b)) == [(6, 960)]
    assert (b.tx.packets, b.tx.refused, b.tx.dropped) == (2, 4, 1)
    assert b.tx.octets == 320


def test_a_leg_that_may_not_be_heard_is_not_passed_on(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    speaker = Speaker(a)
    bench.speak(speaker)
    bench.do(remote("a", direction=Direction.SENDONLY))
    bench.speak(speaker)
    assert len(bench.heard(b)) == 1

    bench.do(remote("a", direction=Direction.SENDRECV))
    bench.speak(speaker)
    assert len(bench.heard(b)) == 1


@pytest.mark.parametrize(
    "change",
    [{"direction": Direction.RECVONLY}, {"direction": Direction.INACTIVE}, {"address": "0.0.0.0"}, {"port": 0}],
)
def test_nothing_is_sent_on_hold_and_all_goes_on_after_it(bench: Bench, change: dict[str, object]) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    speaker = Speaker(a)
    bench.speak(speaker)
    bench.do(remote("b", **change))
    bench.speak(speaker)
    bench.pass_tick(20)
    assert len(bench.heard(b)) == 1

    bench.do(remote("b"))
    bench.speak(speaker)
    assert [packet.marker for packet in bench.heard(b)] == [True]


def test_a_new_payload_number_takes_effect_at_once(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    speaker = Speaker(a)
    for _ in range(3):
        bench.speak(speaker)
    bench.do(remote("b", payload_type=99))
    bench.speak(speaker)

    assert [packet.payload_type for packet in bench.heard(b)] == [0, 0, 0, 99]


def event(speaker: Speaker, code: int, duration: int, *, end: bool = False, marker: bool = False) -> bytes:
    packet = HEADER.pack(0x80, 101 | (0x80 if marker else 0), speaker.seq, speaker.stamp, speaker.ssrc)
    speaker.seq += 1
    return packet + struct.pack("!BBH", code, 0x8A if end else 10, duration)


def press(bench: Bench, speaker: Speaker, code: int) -> None:
    for number in range(1, 5):
        bench.arrive(speaker.leg, event(speaker, code, number * 160, marker=number == 1))
        bench.now += 0.02
    for _ in range(3):
        bench.arrive(speaker.leg, event(speaker, code, 800, end=True))
    speaker.stamp += 960


def test_digits_are_told_once_and_pass_through_in_order(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b", dtmf_payload_type=96)
    bench.bridge("a", "b")
    speaker = Speaker(a)
    bench.speak(speaker)
    bench.told()
    press(bench, speaker, 5)
    bench.speak(speaker)

    assert bench.told() == [DtmfDigit(leg="a", digit="5", duration_ms=100)]
    sent = bench.heard(b)
    assert [packet.payload_type for packet in sent] == [0] + [96] * 7 + [0]
    assert [packet.seq - sent[0].seq & 0xFFFF for packet in sent] == list(range(9))
    assert len({packet.stamp for packet in sent[1:8]}) == 1
    assert [packet.marker for packet in sent[1:8]] == [True] + [False] * 6


def test_digits_that_the_far_end_cannot_hear_leave_no_hole(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b", dtmf_payload_type=None)
    bench.bridge("a", "b")
    speaker = Speaker(a)
    bench.speak(speaker)
    press(bench, speaker, 11)
    bench.speak(speaker)
    bench.speak(speaker)

    sent = bench.heard(b)
    assert [seq for seq, _ in steps(sent)] == [1, 1]


def test_a_stream_that_begins_anew_with_a_key_follows_on(bench: Bench) -> None:
    """With the old SSRC, and no sound yet by which the new time base would be seen."""
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    speaker = Speaker(a, seq=20_000)
    bench.speak(speaker)
    speaker.seq = 10_000
    press(bench, speaker, 5)
    bench.speak(speaker)

    sent = bench.heard(b)
    assert [packet.payload_type for packet in sent] == [0] + [101] * 6 + [0]
    assert [seq for seq, _ in steps(sent)] == [1] * 7
    assert 0 < steps(sent)[0][1] < 8000


def test_keys_of_who_is_not_listened_to_are_nobodys(bench: Bench) -> None:
    a = bench.leg("a", direction=Direction.SENDONLY)
    bench.leg("b")
    bench.bridge("a", "b")
    press(bench, Speaker(a), 5)
    bench.pass_tick(20)
    assert not [event for event in bench.told() if isinstance(event, DtmfDigit)]


def test_sound_waits_while_a_digit_is_sent(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    speaker = Speaker(a)
    bench.speak(speaker)
    bench.do(SendDtmf(leg="b", digits="7"))
    for _ in range(8):
        bench.pass_tick()
        bench.speak(speaker)
    bench.speak(speaker)

    sent = bench.heard(b)
    kinds = [packet.payload_type for packet in sent]
    assert kinds == [0] + [101] * 7 + [0, 0]
    assert steps(sent)[0] == (1, 160)
    assert [step for step, _ in steps(sent)] == [1] * 9
    assert sent[8].marker


def test_the_other_law_is_not_passed_through(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b", codec=Codec.PCMA)
    bench.bridge("a", "b")
    bench.speak(Speaker(a))

    assert bench.heard(b) == []


def test_a_new_stream_that_happens_to_have_the_next_number_is_seen_to_be_new(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    speaker = Speaker(a)
    for _ in range(3):
        bench.speak(speaker)
        bench.now += 0.02
    speaker.ssrc, speaker.stamp = 0x77, 5
    bench.speak(speaker)

    sent = bench.heard(b)
    assert steps(sent) == [(1, 160)] * 3
    assert [packet.marker for packet in sent] == [True, False, False, True]


def test_says_when_a_packet_is_out_of_time_or_turn(bench: Bench) -> None:
    """The loop then reads on: another packet may be waiting behind this one."""
    a, _ = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    told = []
    for seq, late in [(1, 0.0), (2, 0.0), (3, 0.004), (4, 0.0), (5, 0.015), (6, 0.0), (7, 0.0), (9, 0.0), (10, 0.0)]:
        now = bench.now + seq * 0.02 + late
        packet = HEADER.pack(0x80, 0, seq, seq * 160, 7) + b"\x80" * 160
        bench.forwarder.buffer[: len(packet)] = packet
        told.append(bench.forwarder.receive(a.rx, len(packet), now, samples_at(now)))

    assert told == [True, False, False, False, True, True, False, True, False]


def test_who_is_heard_by_nobody_costs_no_second_look_and_is_counted() -> None:
    bench = Bench()
    leg = bench.leg("alone")
    speaker = Speaker(leg)
    for _ in range(4):
        bench.speak(speaker)
    assert leg.rx.next >= 0, "the next packet needs no second look"
    leg.settle()
    assert (leg.rx.received, leg.rx.octets, leg.rx.lost) == (4, 640, 0)
    bench.leg("other")
    bench.bridge("alone", "other")
    bench.speak(speaker)
    heard = bench.heard(bench.board.legs["other"])
    assert [sent.marker for sent in heard if sent.payload == b"\x80" * 160] == [True]
