"""A peer that sends G.711 by the other law than was agreed."""

from __future__ import annotations

import numpy as np
import pytest

from engine.media.codecs import decode
from engine.media.commands import Codec, Connect, OpenLeg
from engine.media.laws import is_other_law, to_agreed_law
from tests.support.media_fakes import HEADER, Bench, Speaker, remote, sine_frames
from tests.support.media_sockets import Wired

LAWS = ((Codec.PCMU, Codec.PCMA, 8), (Codec.PCMA, Codec.PCMU, 0))


@pytest.mark.parametrize(("agreed", "other", "number"), LAWS)
def test_each_code_becomes_one_of_the_same_loudness(agreed: Codec, other: Codec, number: int) -> None:
    codes = np.arange(256, dtype=np.uint8)
    wanted = decode(codes, other).astype(float)
    payload = memoryview(bytearray(codes.tobytes()))
    to_agreed_law(agreed, number, payload)
    found = decode(np.frombuffer(payload, np.uint8), agreed).astype(float)
    assert (np.abs(found - wanted) <= np.maximum(np.abs(wanted), 64) / 8).all(), "a step of either law is no wider"


def test_only_g711_has_another_law() -> None:
    assert [(codec, number) for codec in Codec for number in range(128) if is_other_law(codec, number)] == [
        (Codec.PCMU, 8),
        (Codec.PCMA, 0),
    ]


@pytest.mark.parametrize(("agreed", "other", "number"), LAWS)
@pytest.mark.parametrize("mixed", [False, True])
def test_who_changes_the_law_amid_the_call_is_heard_on(agreed: Codec, other: Codec, number: int, mixed: bool) -> None:
    bench = Bench()
    a, b = bench.leg("a", codec=agreed), bench.leg("b", codec=agreed)
    bench.do(Connect(source="a", sink="b", gain_db=1.0 if mixed else 0.0))
    speaker, heard = Speaker(a), []
    frames = {law: sine_frames(1000.0, frames=40, peak=8000.0, codec=law) for law in (agreed, other)}
    for at in range(40):
        law = other if 10 <= at < 25 else agreed
        speaker.payload_type = {Codec.PCMU: 0, Codec.PCMA: 8}[law]
        bench.speak(speaker, frames[law][at])
        bench.pass_tick()
        heard += bench.heard(b)
    packets = [packet for packet in heard if packet.payload_type == {Codec.PCMU: 0, Codec.PCMA: 8}[agreed]]
    assert len(packets) == len(heard) >= 39
    assert [packet.seq - heard[0].seq for packet in heard] == list(range(len(heard)))
    assert not any(packet.marker for packet in heard[1:])
    sound = decode(np.frombuffer(b"".join(packet.payload for packet in packets[5:35]), np.uint8), agreed).astype(float)
    times = np.arange(len(sound)) / 8000
    basis = np.stack((np.sin(2 * np.pi * 1000 * times), np.cos(2 * np.pi * 1000 * times)), axis=1)
    fitted = basis @ np.linalg.lstsq(basis, sound, rcond=None)[0]
    assert 10 * np.log10((fitted**2).mean() / ((sound - fitted) ** 2).mean()) > 30
    assert a.rx.strangers == 0


def test_who_begins_with_the_other_law_latches() -> None:
    made = Wired()
    made.bench.do(OpenLeg(leg="a", tag=""), remote("a"))
    made.packet(20002, ("192.0.2.1", 4000), HEADER.pack(0x80, 8, 1, 160, 7) + b"\xd5" * 160)
    assert made.leg("a").latched == ("192.0.2.1", 4000)
    assert made.leg("a").rx.received == 1
