"""Keys go to the other side by the way that it takes; what is measured is kept and told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.calls.media_records import DigitReceived, LegClosed, OneWayHeard, SoundSkipped
from engine.calls.twin_keys import MOST, WAIT_S
from engine.ids import CallId, LegId
from engine.media.commands import SendDtmf
from engine.media.events import LegClosed as Closed
from engine.media.events import MediaEvent, OneWayAudio, Way
from engine.media.events import SoundSkipped as Skipped
from tests.support.call_rig import Rig
from tests.support.fake_media import quality


@pytest.fixture
def rig() -> Rig:
    return Rig()


def takes(rig: Rig, leg: LegId, **changes: object) -> None:
    """What the leg's peer agreed on, of keys."""
    _, found = rig.manager._board.owners[leg]
    assert found.remote is not None
    found.remote = replace(found.remote, **changes)  # type: ignore[arg-type]


def tell(rig: Rig, event: MediaEvent) -> None:
    rig.manager.media_event(event, rig.now)
    rig.pump()


def sent_keys(rig: Rig) -> list[SendDtmf]:
    return [command for command in rig.media.sent if isinstance(command, SendDtmf)]


def test_a_key_in_the_sound_goes_on_beside_it_to_who_has_no_telephone_event(rig: Rig) -> None:
    caller, agent, _ = rig.talking()
    takes(rig, agent, dtmf_payload_type=None)
    rig.media.digit(caller, "7")
    rig.pump()
    assert rig.legs.keys == [(agent, "7", 120)]
    assert sent_keys(rig) == []
    assert [body.digit for body in rig.bodies(DigitReceived) if isinstance(body, DigitReceived)] == ["7"]


@pytest.mark.parametrize("changes", [{}, {"dtmf_payload_type": None, "inband": True}])
def test_a_key_in_the_sound_is_left_to_the_media_process_where_the_other_side_hears_keys(
    rig: Rig, changes: dict[str, object]
) -> None:
    caller, agent, _ = rig.talking()
    takes(rig, agent, **changes)
    rig.media.digit(caller, "7")
    rig.pump()
    assert rig.legs.keys == []
    assert sent_keys(rig) == []


def test_a_key_of_who_talks_with_nobody_is_logged(rig: Rig) -> None:
    caller, _ = rig.queued()
    rig.media.digit(caller, "7")
    rig.pump()
    rig.legs.far_key(caller, "8")
    rig.pump()
    rig.wait(WAIT_S)
    assert [body.digit for body in rig.bodies(DigitReceived) if isinstance(body, DigitReceived)] == ["7", "8"]
    assert rig.legs.keys == []
    assert sent_keys(rig) == []


def test_a_key_beside_the_sound_becomes_a_tone_where_tones_are_taken(rig: Rig) -> None:
    caller, agent, _ = rig.talking()
    takes(rig, agent, dtmf_payload_type=None, inband=True)
    takes(rig, caller, dtmf_payload_type=None)
    rig.legs.far_key(caller, "3")
    rig.pump()
    assert sent_keys(rig) == [SendDtmf(leg=agent, digits="3", duration_ms=160)]
    assert rig.legs.keys == []


# --- keys that a phone sends twice ---


def logged(rig: Rig) -> str:
    return "".join(body.digit for body in rig.bodies(DigitReceived) if isinstance(body, DigitReceived))


@pytest.mark.parametrize("beside_first", [True, False])
def test_a_key_that_comes_in_the_sound_and_beside_it_is_one(rig: Rig, beside_first: bool) -> None:
    caller, _, _ = rig.talking()
    for number, digit in enumerate("1223"):
        ways = [lambda d=digit: rig.legs.far_key(caller, d), lambda d=digit: rig.media.digit(caller, d)]
        for way in ways if beside_first else reversed(ways):
            way()
            rig.pump()
            rig.wait(0.1)
        rig.wait(0.1 if number < 2 else 5.0)
    assert logged(rig) == "1223"
    assert sent_keys(rig) == [], "the other side has them in the sound"
    assert rig.manager.next_deadline() is None


def test_keys_beside_the_sound_alone_wait_for_a_moment_once(rig: Rig) -> None:
    caller, agent, _ = rig.talking()
    for digit in "12":
        rig.legs.far_key(caller, digit)
        rig.pump()
        rig.wait(WAIT_S / 3)
    assert logged(rig) == ""
    rig.wait(WAIT_S / 3)
    assert logged(rig) == "12"
    rig.legs.far_key(caller, "3")
    rig.pump()
    assert logged(rig) == "123"
    assert [command.digits for command in sent_keys(rig)] == ["1", "2", "3"]
    assert {command.leg for command in sent_keys(rig)} == {agent}


def test_a_key_in_the_sound_long_before_is_another(rig: Rig) -> None:
    caller, _, _ = rig.talking()
    rig.media.digit(caller, "5")
    rig.pump()
    rig.wait(WAIT_S + 0.1)
    rig.legs.far_key(caller, "5")
    rig.pump()
    rig.wait(WAIT_S)
    assert logged(rig) == "55"


def test_of_a_flood_of_keys_a_few_are_kept(rig: Rig) -> None:
    caller, _, _ = rig.talking()
    for _ in range(100):
        rig.legs.far_key(caller, "5")
    rig.pump()
    rig.wait(WAIT_S)
    assert logged(rig) == "5" * MOST


def test_who_hangs_up_meanwhile_has_pressed_nothing(rig: Rig) -> None:
    caller, _, _ = rig.talking()
    rig.legs.far_key(caller, "5")
    rig.pump()
    rig.legs.far_hang_up(caller)
    rig.pump()
    rig.wait(WAIT_S)
    assert logged(rig) == ""
    rig.assert_clean()


@pytest.mark.parametrize("way", Way)
def test_who_is_not_heard_is_logged_and_shown_until_it_is_over(rig: Rig, way: Way) -> None:
    _, agent, _ = rig.talking()
    tell(rig, OneWayAudio(leg=agent, way=way))
    (live,) = rig.manager.snapshot()
    assert [(sound.who, sound.one_way) for sound in live.sound] == [("agent:anna", (way.value,))]
    tell(rig, OneWayAudio(leg=agent, way=way, over=True))
    (live,) = rig.manager.snapshot()
    assert live.sound == ()
    told = [body for body in rig.bodies(OneWayHeard) if isinstance(body, OneWayHeard)]
    assert [(body.leg, body.who, body.way, body.over) for body in told] == [
        (agent, "agent:anna", way.value, False),
        (agent, "agent:anna", way.value, True),
    ]


def test_a_sound_that_is_left_out_is_logged_with_its_file(rig: Rig) -> None:
    caller, _, _ = rig.talking()
    tell(rig, Skipped(leg=caller, player="p", file="/x/gone.wav", reason="No such file"))
    tell(rig, Skipped(leg="unknown", player="p", file="/x/gone.wav", reason="No such file"))
    told = [body for body in rig.bodies(SoundSkipped) if isinstance(body, SoundSkipped)]
    assert [(body.leg, body.who, body.file, body.reason) for body in told] == [
        (caller, "trunk:pbx", "/x/gone.wav", "No such file")
    ]


def test_how_a_live_leg_sounds_is_shown_and_not_logged(rig: Rig) -> None:
    caller, _, _ = rig.talking()
    before = len(rig.bodies())
    tell(rig, replace(quality(caller), mos=3.9, level_dbm0=-22.0))
    (live,) = rig.manager.snapshot()
    (sound,) = live.sound
    assert (sound.who, sound.mos, sound.lost, sound.jitter_ms, sound.round_trip_ms, sound.level_dbm0) == (
        "trunk:pbx",
        3.9,
        1,
        2.0,
        40.0,
        -22.0,
    )
    assert len(rig.bodies()) == before


def test_news_of_legs_that_nobody_knows_is_dropped(rig: Rig) -> None:
    rig.talking()
    before = len(rig.bodies())
    tell(rig, OneWayAudio(leg="gone", way=Way.IN))
    tell(rig, quality("gone"))
    rig.media.digit("gone", "1")
    rig.pump()
    assert len(rig.bodies()) == before


def test_what_was_measured_of_a_leg_stands_in_its_record(rig: Rig) -> None:
    _, agent, call = rig.talking()
    rig.media.held = True
    rig.manager._board.close_media(CallId(call), rig.manager._board.owners[agent][1])
    rig.media.events.clear()
    measured = replace(
        quality(agent),
        discarded=4,
        concealed_ms=80,
        unauthentic=2,
        mos=4.0,
        mos_mean=3.8,
        mos_worst=3.1,
        level_dbm0=-20.0,
        one_way="in",
    )
    tell(rig, Closed(leg=agent, quality=measured))
    (body,) = rig.bodies(LegClosed)
    assert isinstance(body, LegClosed)
    assert (body.who, body.discarded, body.concealed_ms, body.unauthentic) == ("agent:anna", 4, 80, 2)
    assert (body.mos, body.mos_worst, body.level_dbm0, body.one_way) == (3.8, 3.1, -20.0, "in")
