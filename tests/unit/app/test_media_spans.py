"""Two who live in different media processes hear each other at once, by spans."""

from __future__ import annotations

from engine.app.media_moves import SETTLED_S
from engine.media.commands import (
    CloseLeg,
    Codec,
    Connect,
    Disconnect,
)
from engine.media.events import DtmfDigit, LegFailed, RtpTimeout
from tests.support.planes_bench import PlanesBench, apart, hear_each_other, remote


def test_who_is_in_the_same_process_is_connected_there() -> None:
    bench = PlanesBench()
    bench.leg("anna", 0)
    bench.leg("bert", 0)
    bench.connect("anna", "bert")
    assert hear_each_other(bench)
    assert bench.own_legs() == []
    bench.wait(SETTLED_S)
    assert bench.asked == []


def test_two_in_different_ones_hear_each_other_at_once_by_spans() -> None:
    bench = apart()
    assert hear_each_other(bench)
    assert len(bench.own_legs()) == 4
    assert bench.counted() == [3, 3]


def test_a_span_speaks_the_codec_of_whom_it_carries_and_expects_no_other_number() -> None:
    bench = apart()
    mouth = next(fake for name, fake in bench.fakes[0].remotes.items() if name.startswith("anna~"))
    assert (mouth.codec, mouth.payload_type, mouth.dtmf_payload_type) == (Codec.PCMA, 8, 96)
    assert (mouth.heard_as, mouth.rtcp_port) == (None, None)


def test_one_span_serves_all_who_hear_in_that_process_and_ends_with_the_last() -> None:
    bench = PlanesBench()
    bench.leg("anna", 0)
    for name in ("bert", "cleo"):
        bench.leg(name, 1)
        bench.media.send(Connect(source="anna", sink=name, gain_db=-6.0))
    bench.pump()
    assert (bench.hears("bert"), bench.hears("cleo"), len(bench.own_legs())) == ({"anna"}, {"anna"}, 2)
    assert {command.gain_db for command in bench.fakes[1].sent if isinstance(command, Connect)} == {-6.0}
    bench.media.send(Disconnect(source="anna", sink="bert"))
    bench.pump()
    assert (bench.hears("bert"), bench.hears("cleo"), len(bench.own_legs())) == (set(), {"anna"}, 2)
    bench.media.send(CloseLeg(leg="cleo"))
    bench.pump()
    assert (bench.own_legs(), bench.counted()) == ([], [1, 1])


def test_another_gain_is_told_on_the_same_edge() -> None:
    bench = apart()
    bench.media.send(Connect(source="anna", sink="bert", gain_db=-3.0))
    bench.pump()
    assert bench.fakes[1].sent[-1] == Connect(source="anna~1e", sink="bert", gain_db=-3.0)
    assert len(bench.own_legs()) == 4


def test_without_spare_pairs_a_span_waits_for_its_ports() -> None:
    bench = PlanesBench(spares=0)
    bench.leg("anna", 0)
    bench.leg("bert", 1)
    bench.connect("anna", "bert")
    assert hear_each_other(bench)
    bench.media.send(CloseLeg(leg="anna"))
    bench.media.send(CloseLeg(leg="bert"))
    bench.pump()
    assert bench.counted() == [0, 0]


def test_a_span_without_a_port_is_told_as_an_edge_that_cannot_be_drawn() -> None:
    bench = PlanesBench(spares=0)
    bench.leg("anna", 0)
    bench.leg("bert", 1)
    bench.fakes[1].held = True
    bench.media.send(Connect(source="anna", sink="bert"))
    bench.pump()
    del bench.fakes[1].ports["anna~1e"]
    bench.fakes[1].waiting.clear()
    bench.fakes[1].events.append(LegFailed(leg="anna~1e", command="OpenLeg", reason="no port left"))
    bench.pump()
    assert bench.told[-1] == LegFailed(
        leg="bert", command="Connect", reason="between two media processes: no port left"
    )
    assert (bench.own_legs(), bench.counted()) == ([], [1, 1])


def test_another_codec_of_the_peer_is_that_of_the_span() -> None:
    bench = apart()
    bench.media.send(remote("anna", port=7000))
    bench.pump()
    assert hear_each_other(bench)
    pointed = [command for command in bench.fakes[0].sent if getattr(command, "leg", "") == "anna~1m"]
    assert len(pointed) == 3, "opened, pointed, and pointed again"


def test_what_mouths_and_ears_say_of_themselves_is_not_for_calls() -> None:
    bench = apart()
    before = len(bench.told)
    bench.fakes[1].events.append(RtpTimeout(leg="anna~1e", silent_s=30.0))
    bench.fakes[1].events.append(DtmfDigit(leg="anna~1e", digit="5", duration_ms=100))
    bench.pump()
    assert len(bench.told) == before
