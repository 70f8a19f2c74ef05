"""What a stranger on the net can have of a call: nothing. Real sockets, packets counted."""

from __future__ import annotations

import socket
import time

import pytest

from engine.media.commands import CloseLeg, Connect, Play, Rebind, Sound, SrtpKeys, SrtpSuite, Tone
from engine.media.events import Latched, LegClosed, Rebound, Switched
from engine.media.probation import RUN
from engine.media.srtp import Sealer
from tests.support.media_listening import latch
from tests.support.media_plane import HEADER, Control, FarEnd, Plane, open_leg, talk

pytestmark = pytest.mark.integration

KEYS = SrtpKeys(
    suite=SrtpSuite.AES_CM_128_HMAC_SHA1_80,
    ours="b3VyczAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1",
    theirs="dGhlaXIwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0",
)
WRONG = "d3JvbmcwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0"


def test_who_sprays_all_ports_is_sent_nothing_whether_the_call_speaks_or_not(
    plane: Plane, control: Control, ends: list[FarEnd]
) -> None:
    """RTP bleed: one leg is latched and its peer silent now, one was never heard."""
    a, b, _, stranger = ends
    open_leg(control, "a", a)
    open_leg(control, "b", b)
    control.send(Connect(source="a", sink="b"), Connect(source="b", sink="a"))
    control.send(
        Play(leg="a", player="p", playlist=(Sound(tone=Tone.BUSY),), loop=True),
        Play(leg="b", player="p", playlist=(Sound(tone=Tone.BUSY),)),
    )
    latch(control, a, "a")
    control.send(Rebind(leg="a"))
    control.wait(Rebound)
    for _ in range(25):
        stranger.seq += 1
        stranger.stamp += 160
        packet = HEADER.pack(0x80, 0, stranger.seq & 0xFFFF, stranger.stamp, stranger.ssrc) + b"\x11" * 160
        for port in range(plane.options.port_min, plane.options.port_max + 2):
            stranger.rtp.sendto(packet, ("127.0.0.1", port))
            stranger.rtcp.sendto(packet, ("127.0.0.1", port))
        time.sleep(0.02)
    assert a.hear(), "those who belong here are"
    assert b.hear()
    time.sleep(0.1)
    assert stranger.hear() == []
    with pytest.raises(BlockingIOError):
        stranger.rtcp.recv(2048)
    assert not [event for event in control.collect(0.1) if isinstance(event, Latched | Switched)]


def test_a_leg_moves_to_its_second_pair_without_losing_a_packet(control: Control, ends: list[FarEnd]) -> None:
    a, b = ends[:2]
    open_leg(control, "a", a)
    open_leg(control, "b", b)
    control.send(Connect(source="a", sink="b"), Connect(source="b", sink="a"))
    latch(control, a, "a")
    latch(control, b, "b")
    first = talk([a, b], seconds=0.4)
    control.send(Rebind(leg="a"))
    port = control.wait(Rebound).port
    first = {end: packets + talk([a, b], seconds=0.2)[end] for end, packets in first.items()}
    a.leg_port = port
    second = talk([a, b], seconds=0.4)
    assert control.wait(Switched).port == port
    for end in (a, b):
        heard = first[end] + second[end]
        assert [packet.seq - heard[0].seq & 0xFFFF for packet in heard][:20] == list(range(20))
        assert len(second[end]) == 20
    assert second[b][-1].seq - first[b][0].seq & 0xFFFF >= 49
    control.send(CloseLeg(leg="a"))
    assert control.wait(LegClosed).quality.lost == 0


def test_on_an_encrypted_leg_a_run_of_authentic_packets_latches_from_anywhere_and_nothing_else_does(
    control: Control, ends: list[FarEnd]
) -> None:
    a, _, _, roaming = ends
    open_leg(control, "a", a, srtp=KEYS)
    roaming.leg_port = a.leg_port
    wrong, right = Sealer(KEYS.suite, WRONG), Sealer(KEYS.suite, KEYS.theirs)

    def say(end: FarEnd, sealer: Sealer | None) -> None:
        end.seq += 1
        end.stamp += 160
        packet = HEADER.pack(0x80, 0, end.seq & 0xFFFF, end.stamp, end.ssrc) + b"\x11" * 160
        sealed = packet if sealer is None else sealer.rtp(memoryview(bytearray(packet)))
        end.rtp.sendto(sealed, ("127.0.0.1", end.leg_port))
        time.sleep(0.02)

    for _ in range(2 * RUN):
        for end in (a, roaming):
            say(end, None)
            say(end, wrong)
    for _ in range(RUN - 1):
        say(roaming, right)
    assert not [event for event in control.collect(0.1) if isinstance(event, Latched)]
    say(roaming, right)
    assert control.wait(Latched).port == roaming.port


@pytest.mark.parametrize("address", ["127.255.255.255", "255.255.255.255", "224.0.0.1", "0.0.0.0", "240.1.2.3"])
def test_nothing_goes_to_who_is_nobody_and_the_process_lives(
    control: Control, ends: list[FarEnd], address: str
) -> None:
    """127.255.255.255 is the broadcast address of a network of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        nobody.bind(("", 0))
        nobody.setblocking(False)
        open_leg(control, "a", ends[0], address=address, port=nobody.getsockname()[1])
        control.send(Play(leg="a", player="p", playlist=(Sound(tone=Tone.BUSY),), loop=True))
        time.sleep(0.2)
        with pytest.raises(BlockingIOError):
            nobody.recv(2048)
    control.send(CloseLeg(leg="a"))
    assert control.wait(LegClosed).quality.packets_sent == 0
