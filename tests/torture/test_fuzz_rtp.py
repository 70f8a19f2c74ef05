"""The short form of the fuzzer of RTP, RTCP and SRTP; `make fuzz` sends a million packets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.fuzz_rtp import RtpFuzz, RtpOutcome
from tests.torture.rtp_live import LiveVoices, at_a_live_process


def test_bystanders_hear_the_same_to_the_bit_and_encrypted_legs_all_that_is_authentic() -> None:
    outcome = RtpFuzz(count=15_000, seed=7).run()
    assert outcome.problems() == []
    assert outcome.packets >= 15_000
    assert outcome.honest == 1000
    assert outcome.heard >= 13 * 240, "thirteen people hear somebody for 250 ticks"
    assert outcome.taped > 4.5 * 8000 * 4, "two of them are recorded"
    assert min(outcome.kinds[kind] for kind in ("mutated RTP or RTCP", "SRTP mutated", "SRTCP mutated")) > 100
    assert outcome.events["DtmfDigit"] > 0, "some of it is taken for what it is"


@pytest.mark.integration
@pytest.mark.timing
def test_two_who_talk_in_a_real_process_hear_each_other(tmp_path: Path) -> None:
    outcome = at_a_live_process(tmp_path, count=8000, seed=7)
    assert outcome.problems() == []
    assert outcome.spoken == 200
    assert outcome.sealed > 300


def test_what_misses_a_bound_is_told() -> None:
    outcome = RtpOutcome(live=LiveVoices(spoken=10, heard=9, altered=1, complaints=("Traceback",)))
    outcome.ticks_that_differ, outcome.honest, outcome.mib_grown = 1, 1, 31.0
    assert len(outcome.problems()) == 7
