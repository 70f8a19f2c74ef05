"""How a call sounds, and which keys are pressed in it, end to end: what the network does to packets is in the CDR, the
metrics, the API and the log."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.media.codecs import encode
from engine.media.commands import Codec
from engine.media.dtmf_out import DigitSender
from tests.support.live_centre import LiveCentre
from tests.support.plain_phone import PlainPhone
from tests.support.plain_voice import PTIME_S

pytestmark = pytest.mark.integration


@pytest.fixture
def centre(centres: Callable[..., LiveCentre]) -> LiveCentre:
    return centres()


def metric(centre: LiveCentre, name: str, **labels: str) -> float:
    """The value of a metric, 0 where there is none."""
    named = ",".join(f'{key}="{value}"' for key, value in labels.items())
    found = re.search(rf"^{re.escape(f'{name}{{{named}}}')} (.*)$", centre.engine.api.text("/metrics"), re.MULTILINE)
    return 0.0 if found is None else float(found[1])


def sound_of(centre: LiveCentre, who: str) -> dict[str, Any]:
    """How a leg of the only live call sounds now."""
    (call,) = centre.engine.api.get("/api/v1/calls")["items"]
    return next((sound for sound in call["sound"] if sound["who"] == who), {})


def test_loss_and_jitter_are_in_the_cdr_and_the_metrics_with_what_they_cost(centre: LiveCentre) -> None:
    caller, agent = centre.caller(), centre.agent("anna", "demo")
    talk, _ = centre.connect(caller, agent)
    caller.voice.loses, caller.voice.delays_s = 0.08, 0.015
    centre.until(lambda: (sound_of(centre, "trunk:pbx").get("mos") or 5) < 4.2, "a worse score of a live call")
    time.sleep(3.0)
    assert talk.hang_up().status == 200
    cdr = centre.cdr(talk)

    bad, good = cdr["caller_quality"], cdr["peer_quality"]
    expected = bad["packets_received"] + bad["lost"]
    assert 0.02 < bad["lost"] / expected < 0.14
    assert 1.0 < bad["jitter_ms"] < 20.0
    assert 1.0 < bad["mos_worst"] <= bad["mos"] < 4.2
    assert good["lost"] == 0
    assert good["mos"] > 4.25
    assert (bad["who"], good["who"]) == ("trunk:pbx", "agent:anna")
    assert bad["one_way"] == good["one_way"] == ""
    assert bad["level_dbm0"] is not None
    assert metric(centre, "hearthline_rtp_mos_count", trunk="pbx") == 1
    assert metric(centre, "hearthline_rtp_mos_sum", trunk="pbx") == pytest.approx(bad["mos"])
    missing = metric(centre, "hearthline_rtp_loss_ratio_sum", trunk="pbx")
    assert missing == pytest.approx(bad["lost"] / expected, abs=0.02)
    assert centre.metric("hearthline_rtp_lost_total") == bad["lost"]


def test_one_way_audio_is_told_within_three_seconds(centre: LiveCentre) -> None:
    caller, agent = centre.caller(), centre.agent("anna", "demo")
    talk, _ = centre.connect(caller, agent)
    agent.voice.muted = True
    muted = time.time()
    centre.until(lambda: bool(centre.engine.records("OneWayHeard")), "one-way audio", timeout=5)
    (told,) = centre.engine.records("OneWayHeard")
    assert told["body"]["who"] == "agent:anna"
    assert (told["body"]["way"], told["body"]["over"]) == ("in", False)
    assert 1.8 < told["wall"] - muted < 3.0
    assert sound_of(centre, "agent:anna")["one_way"] == ["in"]

    agent.voice.muted = False
    centre.until(lambda: len(centre.engine.records("OneWayHeard")) == 2, "the end of it", timeout=5)
    assert sound_of(centre, "agent:anna")["one_way"] == []
    assert talk.hang_up().status == 200
    assert centre.cdr(talk)["peer_quality"]["one_way"] == "in"
    assert metric(centre, "hearthline_rtp_one_way_total", trunk="", way="in") == 1


def say_keys(phone: PlainPhone, digits: str) -> None:
    """Press keys as tones in the sound."""
    sender = DigitSender()
    sender.add(digits)
    before = phone.voice.says
    due = time.monotonic()
    while sender:
        phone.voice.says = encode(sender.sound(), Codec.PCMU).tobytes()
        due += PTIME_S
        time.sleep(max(0.0, due - time.monotonic()))
    phone.voice.says = before


def test_keys_come_as_tones_and_go_as_events_and_the_other_way_round(centre: LiveCentre) -> None:
    """A trunk without telephone-event. The thread that makes the tones is not in step with the one that sends, so a
    frame may be sent twice or not at all: each key is held for long enough."""
    caller, agent = centre.caller(), centre.agent("anna", "demo")
    talk = caller.call("600", formats="0")
    talk.wait(200)
    centre.until(lambda: bool(agent.talks), "a call to the agent")
    centre.hear_each_other(caller, agent)
    agent.voice.press("5#")
    centre.until(lambda: len(keys(centre)) == 2, "the agent's keys", timeout=5)
    time.sleep(0.5)
    sound = caller.voice.audio().samples[-16000:]
    spectrum = np.abs(np.fft.rfft(sound))
    hz = np.fft.rfftfreq(len(sound), 1 / 8000)
    for tone in (770, 1336, 941, 1477):
        assert spectrum[np.abs(hz - tone) < 8].max() > 50 * np.median(spectrum)

    say_keys(caller, "19")
    centre.until(lambda: len(keys(centre)) == 4, "the caller's keys", timeout=5)
    assert keys(centre) == ["5", "#", "1", "9"]
    centre.until(lambda: agent.voice.digits == ["1", "9"], "the same as events", timeout=3)
    assert talk.hang_up().status == 200


def keys(centre: LiveCentre) -> list[str]:
    return [record["body"]["digit"] for record in centre.engine.records("DigitReceived")]
