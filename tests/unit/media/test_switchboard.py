from __future__ import annotations

import gc

import pytest

from engine.media.commands import (
    CloseLeg,
    Codec,
    Command,
    Connect,
    Direction,
    Disconnect,
    Drain,
    ListLegs,
    OpenLeg,
    Play,
    SendDtmf,
    Shutdown,
    Sound,
    StopPlay,
    Tone,
)
from engine.media.events import LegClosed, LegFailed, LegInfo, LegOpened, Legs, PlayFinished
from engine.media.leg import Leg
from engine.media.matrix import Route
from engine.media.prompts import Clip
from engine.media.tones import render
from tests.support.media_fakes import Bench, Speaker, remote


@pytest.fixture
def bench() -> Bench:
    return Bench()


def failure(bench: Bench, command: Command) -> LegFailed:
    """Carry out a command of which nothing but a failure comes."""
    bench.told()
    bench.do(command)
    (event,) = bench.told()
    assert isinstance(event, LegFailed)
    assert event.command == type(command).__name__
    return event


def test_a_leg_is_opened_listed_and_closed(bench: Bench) -> None:
    bench.do(OpenLeg(leg="a", tag="call 7"), ListLegs())
    assert bench.told() == [
        LegOpened(leg="a", port=20002),
        Legs(legs=(LegInfo(leg="a", tag="call 7", port=20002),)),
    ]

    bench.do(CloseLeg(leg="a"), ListLegs())
    closed, legs = bench.told()
    assert isinstance(closed, LegClosed)
    assert closed.quality.leg == "a"
    assert legs == Legs(legs=())
    assert bench.wire.closed == [20002]


@pytest.mark.parametrize(
    "command",
    [
        remote("x"),
        Connect(source="x", sink="a"),
        Connect(source="a", sink="x"),
        Play(leg="x", player="p", playlist=(Sound(tone=Tone.BUSY),)),
        StopPlay(leg="x"),
        SendDtmf(leg="x", digits="1"),
        CloseLeg(leg="x"),
    ],
)
def test_commands_about_an_unknown_leg_fail_and_change_nothing(bench: Bench, command: Command) -> None:
    bench.leg("a")

    assert "'x'" in failure(bench, command).reason


def test_taking_away_an_edge_that_is_not_there_is_no_error(bench: Bench) -> None:
    bench.leg("a")
    bench.told()
    bench.do(Disconnect(source="a", sink="a"), Disconnect(source="x", sink="a"), Disconnect(source="a", sink="x"))

    assert bench.told() == []


def test_a_name_is_opened_once(bench: Bench) -> None:
    bench.do(OpenLeg(leg="a", tag=""))

    assert "open already" in failure(bench, OpenLeg(leg="a", tag="")).reason
    assert len(bench.board.legs) == 1


def test_no_port_left_is_said(bench: Bench) -> None:
    bench.wire.free = []

    assert failure(bench, OpenLeg(leg="a", tag="")).reason == "no free pair of RTP ports is left in the range"
    assert bench.board.legs == {}


def test_a_draining_process_opens_no_more_and_keeps_what_it_has(bench: Bench) -> None:
    a, _ = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    bench.do(Drain())

    assert "draining" in failure(bench, OpenLeg(leg="c", tag="")).reason
    bench.speak(Speaker(a))
    assert set(bench.board.legs) == {"a", "b"}
    assert not bench.board.ended


def test_shutdown_closes_every_leg(bench: Bench) -> None:
    bench.leg("a"), bench.leg("b")
    bench.told()
    bench.do(Shutdown())

    assert [type(event) for event in bench.told()] == [LegClosed, LegClosed]
    assert bench.board.ended


@pytest.mark.parametrize("numbers", [(101, 101), (-1, None), (128, None), (0, 200)])
def test_payload_numbers_that_cannot_be_are_refused(bench: Bench, numbers: tuple[int, int | None]) -> None:
    bench.do(OpenLeg(leg="a", tag=""))

    assert "payload types" in failure(bench, remote("a", payload_type=numbers[0], dtmf_payload_type=numbers[1])).reason


def test_another_address_unlatches_the_same_does_not(bench: Bench) -> None:
    a = bench.leg("a")
    bench.do(remote("a"), remote("a", direction=Direction.INACTIVE), remote("a", address="0.0.0.0"), remote("a"))
    assert bench.wire.unlatched == []
    assert a.latched is not None

    bench.do(remote("a", port=5000))
    assert bench.wire.unlatched == [a.port]
    assert a.latched is None


def test_a_port_that_cannot_be_bound_again_is_said(bench: Bench) -> None:
    bench.leg("a")
    bench.wire.rebind_fails = True

    assert "cannot bind" in failure(bench, remote("a", port=5000)).reason


# --- routes ---


def test_the_cheapest_way_is_taken_for_what_a_leg_hears(bench: Bench) -> None:
    a, b, c = bench.leg("a"), bench.leg("b"), bench.leg("c", codec=Codec.PCMA)
    assert a.route is Route.SILENT
    for command, route in [
        (Connect(source="b", sink="a"), Route.RELAY),
        (Connect(source="c", sink="a"), Route.MIX),
        (Disconnect(source="b", sink="a"), Route.MIX),
        (Disconnect(source="c", sink="a"), Route.SILENT),
        (Play(leg="a", player="p", playlist=(Sound(tone=Tone.RINGBACK),), loop=True), Route.PLAYER),
        (Connect(source="b", sink="a"), Route.MIX),
        (StopPlay(leg="a"), Route.RELAY),
        (Connect(source="b", sink="a", gain_db=-3.0), Route.MIX),
        (Connect(source="b", sink="a"), Route.RELAY),
        (SendDtmf(leg="a", digits="1"), Route.DIGITS),
    ]:
        bench.do(command)
        assert a.route is route, command
    bench.pass_tick(8)
    assert a.route is Route.RELAY
    bench.do(remote("b", codec=Codec.PCMA))
    assert a.route is Route.MIX
    bench.do(remote("b", direction=Direction.INACTIVE))
    assert a.route is Route.SILENT
    assert (b.row, c.row) == (-1, -1)


def test_a_source_changes_its_codec_while_it_is_mixed(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b", gain_db=-1.0)
    bench.speak(Speaker(a))
    bench.pass_tick()
    bench.do(remote("a", codec=Codec.PCMA))
    bench.pass_tick(3)

    assert b.route is Route.MIX
    assert bench.board.table.codec(a.row) == 1
    assert {packet.payload for packet in bench.heard(b)} <= {b"\xff" * 160, b"\xfe" * 160}


def test_a_closed_leg_leaves_no_edges_rows_or_relays(bench: Bench) -> None:
    a, b, c = bench.leg("a"), bench.leg("b"), bench.leg("c", codec=Codec.PCMA)
    bench.bridge("a", "b")
    bench.bridge("a", "c")
    bench.bridge("b", "c")
    bench.do(Play(leg="a", player="p", playlist=(Sound(tone=Tone.BUSY),)), SendDtmf(leg="b", digits="1"))
    for name in "abc":
        bench.do(CloseLeg(leg=name))
    for leg in (a, b, c):
        bench.heard(leg)
    bench.pass_tick(5)

    assert bench.board.table.rows == 0
    assert [leg.relays for leg in (a, b, c)] == [[], [], []]
    assert not bench.board.step.players
    assert not bench.board.step.mixed
    assert not bench.board.step.digits
    assert [bench.heard(leg) for leg in (a, b, c)] == [[], [], []]


def test_a_leg_hears_nothing_of_one_that_was_closed(bench: Bench) -> None:
    _, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    bench.do(CloseLeg(leg="a"))
    assert b.route is Route.SILENT
    again = bench.leg("a")
    bench.speak(Speaker(again))

    assert bench.heard(b) == []


def test_an_edge_may_be_made_before_the_remote_is_known(bench: Bench) -> None:
    bench.do(OpenLeg(leg="a", tag=""), OpenLeg(leg="b", tag=""))
    bench.bridge("a", "b")
    bench.do(remote("a"), remote("b"))
    bench.speak(Speaker(bench.board.legs["a"]))

    assert len(bench.heard(bench.board.legs["b"])) == 1


def test_a_gain_that_would_deafen_is_refused(bench: Bench) -> None:
    bench.leg("a")

    assert "gain_db" in failure(bench, Connect(source="a", sink="a", gain_db=60.0)).reason
    assert (
        "gain_db" in failure(bench, Play(leg="a", player="p", playlist=(Sound(tone=Tone.BUSY),), gain_db=60.0)).reason
    )


# --- players ---


@pytest.mark.parametrize(
    ("playlist", "reason"),
    [
        ((), "playlist has 0 sounds; it must have 1 to 500"),
        ((Sound(silence_ms=20),) * 501, "playlist has 501 sounds; it must have 1 to 500"),
        ((Sound(),), "sound 1: exactly one of"),
        ((Sound(silence_ms=20), Sound(file="x.wav", tone=Tone.BUSY)), "sound 2: exactly one of"),
        ((Sound(file="x.wav", silence_ms=20),), "sound 1: exactly one of"),
        ((Sound(silence_ms=-20),), "sound 1: silence_ms -20 must lie in 0..600000"),
        ((Sound(silence_ms=600_001),), "sound 1: silence_ms 600001 must lie in 0..600000"),
        ((Sound(tone=Tone.DIAL, country="xx"),), "sound 1: country 'xx' is none of ar at au "),
    ],
)
def test_a_playlist_that_is_none_is_refused(bench: Bench, playlist: tuple[Sound, ...], reason: str) -> None:
    bench.leg("a")

    assert failure(bench, Play(leg="a", player="p", playlist=playlist)).reason.startswith(reason)


def test_keys_that_are_none_cannot_stop_a_playing(bench: Bench) -> None:
    bench.leg("a")
    play = Play(leg="a", player="p", playlist=(Sound(tone=Tone.BUSY),), stop_digits="1x")

    assert failure(bench, play).reason == "stop_digits has 'x'; it may have 0123456789*#ABCD"


def test_a_file_that_cannot_be_read_is_named_with_the_reason(bench: Bench) -> None:
    a = bench.leg("a")

    assert failure(bench, Play(leg="a", player="p", playlist=(Sound(file="/no/such.wav"),))).reason == (
        "/no/such.wav: No such file or directory"
    )
    assert a.player is None


def test_what_plays_goes_on_while_another_file_is_loaded(bench: Bench) -> None:
    a = bench.leg("a")
    bench.files.clips["next.wav"] = Clip(render(Tone.CONFIRM))
    bench.files.later = True
    bench.do(
        Play(leg="a", player="one", playlist=(Sound(tone=Tone.RINGBACK),), loop=True),
        Play(leg="a", player="two", playlist=(Sound(file="next.wav"),)),
    )
    assert a.player is not None
    assert a.player.name == "one"
    bench.files.deliver()

    assert a.player.name == "two"


@pytest.mark.parametrize(
    "meanwhile",
    [StopPlay(leg="a"), CloseLeg(leg="a"), Play(leg="a", player="other", playlist=(Sound(tone=Tone.BUSY),), loop=True)],
)
def test_a_file_that_is_no_longer_wanted_is_not_played(bench: Bench, meanwhile: Command) -> None:
    a = bench.leg("a")
    bench.files.clips["x.wav"] = Clip(render(Tone.CONFIRM))
    bench.files.later = True
    bench.do(Play(leg="a", player="p", playlist=(Sound(file="x.wav"),)), meanwhile)
    bench.files.deliver()

    assert a.player is None or a.player.name == "other"
    bench.pass_tick(40)
    assert PlayFinished(leg="a", player="p") not in bench.told()


def test_stopping_says_nothing(bench: Bench) -> None:
    bench.leg("a")
    bench.do(Play(leg="a", player="p", playlist=(Sound(tone=Tone.CONFIRM),)))
    bench.pass_tick(3)
    bench.told()
    bench.do(StopPlay(leg="a"), StopPlay(leg="a"))
    bench.pass_tick(40)

    assert not [event for event in bench.told() if isinstance(event, PlayFinished)]


def test_a_tone_without_loop_is_one_round(bench: Bench) -> None:
    a = bench.leg("a")
    bench.do(Play(leg="a", player="p", playlist=(Sound(tone=Tone.CONFIRM),)))
    bench.pass_tick(40)

    assert len(bench.heard(a)) == len(render(Tone.CONFIRM)) // 160


def test_a_player_waits_for_a_leg_that_may_not_send_yet(bench: Bench) -> None:
    bench.do(OpenLeg(leg="a", tag=""), Play(leg="a", player="p", playlist=(Sound(tone=Tone.CONFIRM),)))
    bench.pass_tick(50)
    bench.do(remote("a"))
    bench.board.legs["a"].latched = ("192.0.2.1", 4000)
    bench.pass_tick(50)

    assert len(bench.heard(bench.board.legs["a"])) == 30


# --- digits ---


def test_digits_need_a_peer_that_can_hear_them(bench: Bench) -> None:
    bench.leg("a", dtmf_payload_type=None)
    bench.leg("b", direction=Direction.INACTIVE)
    bench.leg("c")

    assert "telephone-event" in failure(bench, SendDtmf(leg="a", digits="1")).reason
    assert "sent" in failure(bench, SendDtmf(leg="b", digits="1")).reason
    assert "'1p2'" in failure(bench, SendDtmf(leg="c", digits="1p2")).reason


def test_a_closed_leg_is_freed_without_the_garbage_collector(bench: Bench) -> None:
    """The loop runs without it, so a cycle would be a leak."""
    gc.collect()
    gc.disable()
    try:
        for name in ("a", "b", "c"):
            bench.leg(name, codec=Codec.PCMA if name == "c" else Codec.PCMU)
        bench.bridge("a", "b")
        bench.bridge("a", "c")
        bench.speak(Speaker(bench.board.legs["a"]))
        bench.do(Play(leg="b", player="p", playlist=(Sound(tone=Tone.BUSY),)), SendDtmf(leg="c", digits="1"))
        bench.pass_tick(30)
        bench.do(*[CloseLeg(leg=name) for name in "abc"])
        bench.pass_tick(60)

        assert [found for found in gc.get_objects() if isinstance(found, Leg)] == []
    finally:
        gc.enable()
