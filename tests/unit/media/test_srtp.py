from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.media.commands import Connect, Direction, OpenLeg, SrtpKeys, SrtpSuite
from engine.media.events import LegFailed
from engine.media.framing import WireError, decode, encode
from engine.media.leg import Leg
from engine.media.quality import quality
from engine.media.rtcp import parse
from engine.media.srtp import MAX_SSRCS, BadKeys, NotSealed, Opener, Sealer, Shield
from tests.support.media_fakes import Bench, Sent, Speaker, remote, unpack
from tests.support.sealed_packets import REPORT, SHA80, TRAILER, keys, opened, packet, sealed, text

# --- the two directions ---


@pytest.mark.parametrize("suite", SrtpSuite)
def test_what_is_sealed_is_opened_once(suite: SrtpSuite) -> None:
    sealer, opener = Sealer(suite, text(suite, 1)), Opener(suite, text(suite, 1), 0)
    secret = sealed(sealer, packet(5))
    assert len(secret) == len(packet(5)) + TRAILER[suite]
    assert secret[:12] == packet(5)[:12]
    assert packet(5)[12:] not in secret
    assert opened(opener, secret) == packet(5)
    assert opened(opener, secret) == b"", "played again"
    report = sealer.rtcp(REPORT)
    assert parse(opener.rtcp(report)) is not None
    assert opener.rtcp(report) == b"", "played again"


@pytest.mark.parametrize("suite", SrtpSuite)
@pytest.mark.parametrize("mki_octets", [1, 4, 128])
def test_the_name_of_a_key_is_taken_out(suite: SrtpSuite, mki_octets: int) -> None:
    sealer, opener = Sealer(suite, text(suite, 1)), Opener(suite, text(suite, 1), mki_octets)
    tag = 0 if "GCM" in suite else TRAILER[suite]
    secret, name = sealed(sealer, packet(5)), b"\7" * mki_octets
    assert opened(opener, secret[: len(secret) - tag] + name + secret[len(secret) - tag :]) == packet(5)
    assert opened(opener, sealed(sealer, packet(6))) == b"", "without the name"
    report, tag = sealer.rtcp(REPORT), 0 if "GCM" in suite else 10
    assert opener.rtcp(report[: len(report) - tag] + name + report[len(report) - tag :]) == REPORT


@pytest.mark.parametrize("suite", SrtpSuite)
def test_what_is_not_authentic_is_nothing(suite: SrtpSuite) -> None:
    sealer, opener = Sealer(suite, text(suite, 1)), Opener(suite, text(suite, 1), 0)
    secret, report = sealed(sealer, packet(5)), sealer.rtcp(REPORT)
    for at in (1, 2, 8, 12, 100, len(secret) - 1):
        changed = bytearray(secret)
        changed[at] ^= 1
        assert opened(opener, bytes(changed)) == b""
    assert opened(Opener(suite, text(suite, 3), 0), secret) == b"", "another key"
    assert opened(opener, packet(5)) == b"", "not encrypted"
    assert opener.rtcp(REPORT) == b""
    assert opener.rtcp(report[:-1] + bytes([report[-1] ^ 1])) == b""
    for size in (0, 1, 8, 11, 12, 13, 20):
        assert opened(opener, secret[:size]) == b""
        assert opener.rtcp(report[:size]) == b""
    assert opened(opener, secret + bytes(1400)) == b""
    assert opener.rtcp(report + bytes(1500)) == b""
    assert opened(opener, secret) == packet(5), "and what is, is heard"
    assert opener.rtcp(report) == REPORT


def test_the_rollover_is_counted_on_both_sides() -> None:
    sealer, opener = Sealer(SHA80, text(SHA80, 1)), Opener(SHA80, text(SHA80, 1), 0)
    for seq in (0x7FF0, 0xF000, 0xFFFF, 0x10000, 0x10001, 0x17000, 0x1E000, 0x1FFFF, 0x20000):
        assert opened(opener, sealed(sealer, packet(seq))) == packet(seq)
    late = Opener(SHA80, text(SHA80, 1), 0)
    assert opened(late, sealed(sealer, packet(0x20001))) == b"", "whoever begins anew has another count"


def test_late_packets_are_heard_and_too_late_ones_are_not() -> None:
    sealer, opener = Sealer(SHA80, text(SHA80, 1)), Opener(SHA80, text(SHA80, 1), 0)
    secrets = {seq: sealed(sealer, packet(seq)) for seq in range(1000, 1300)}
    assert opened(opener, secrets[1299]) == packet(1299)
    assert opened(opener, secrets[1250]) == packet(1250)
    assert opened(opener, secrets[1000]) == b""


def test_a_number_is_not_used_twice() -> None:
    sealer = Sealer(SHA80, text(SHA80, 1))
    sealed(sealer, packet(5))
    for bad in (packet(5, b"other"), packet(6, bytes(1500)), b"\x80"):
        with pytest.raises(NotSealed):
            sealed(sealer, bad)
    with pytest.raises(NotSealed):
        sealer.rtcp(b"\x80")
    with pytest.raises(NotSealed):
        sealer.rtcp(REPORT + bytes(1400))


def test_a_peer_has_so_many_streams_and_no_more() -> None:
    sealer, opener = Sealer(SHA80, text(SHA80, 1)), Opener(SHA80, text(SHA80, 1), 0)
    for ssrc in range(MAX_SSRCS):
        assert opened(opener, sealed(sealer, packet(1, ssrc=ssrc)))
    assert opened(opener, sealed(sealer, packet(1, ssrc=MAX_SSRCS))) == b""
    assert opener.rtcp(sealer.rtcp(REPORT)) == b""
    assert opened(opener, sealed(sealer, packet(2, ssrc=3)))
    reports = Opener(SHA80, text(SHA80, 1), 0)
    for ssrc in range(MAX_SSRCS):
        assert reports.rtcp(sealer.rtcp(REPORT[:4] + ssrc.to_bytes(4) + REPORT[8:]))
    assert reports.rtcp(sealer.rtcp(REPORT)) == b""
    strangers = Opener(SHA80, text(SHA80, 1), 0)
    for ssrc in range(2 * MAX_SSRCS):
        assert opened(strangers, packet(1, ssrc=ssrc)) == b""
    assert opened(strangers, sealed(sealer, packet(3, ssrc=3))), "whoever has no key takes no place"


@pytest.mark.parametrize("key", ["", "x", "AAAA", text(SrtpSuite.AEAD_AES_256_GCM, 1), "\u00e9" * 40])
def test_keys_that_are_none(key: str) -> None:
    for make in (lambda: Sealer(SHA80, key), lambda: Opener(SHA80, key, 0)):
        with pytest.raises(BadKeys) as bad:
            make()
        assert str(bad.value) == f"a key of {SHA80} must be 30 octets in Base64"


@settings(max_examples=60, deadline=None)
@given(
    suite=st.sampled_from(SrtpSuite),
    seed=st.integers(0, 2**32),
    start=st.integers(0, 0x7FFF),
    payloads=st.lists(st.binary(min_size=1, max_size=320), min_size=1, max_size=8),
)
def test_any_packets_go_through_two_legs(suite: SrtpSuite, seed: int, start: int, payloads: list[bytes]) -> None:
    """From one encrypted peer, by both legs, to another: what is heard is what was said."""
    bench = Bench()
    near = bench.leg("near", srtp=keys(suite, seed + 1, seed + 2))
    far = bench.leg("far", srtp=keys(suite, seed + 3, seed + 4))
    out = wired(bench, far)
    bench.bridge("near", "far")
    says, hears = Sealer(suite, text(suite, seed + 2)), Opener(suite, text(suite, seed + 3), 0)
    for at, payload in enumerate(payloads):
        hear(bench, near, sealed(says, packet(start + at, payload)))
    assert [opened(hears, data)[12:] for data in out] == payloads


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=400), head=st.sampled_from([b"", b"\x80\x00", b"\x90\x00", b"\x8f\x80", b"\x80\xc8"]))
def test_nonsense_is_nothing(data: bytes, head: bytes) -> None:
    opener = Opener(SHA80, text(SHA80, 1), 4)
    assert opened(opener, head + data) == b""
    assert opener.rtcp(head + data) == b""


# --- legs ---


def wired(bench: Bench, leg: Leg) -> list[bytes]:
    """Every datagram that leaves a leg from now on."""
    out: list[bytes] = []

    def send(data: memoryview) -> int:
        out.append(bytes(data))
        return len(data)

    leg.point(send)
    return out


def hear(bench: Bench, leg: Leg, data: bytes) -> None:
    """A datagram comes to the leg's socket."""

    def receive(buffer: bytearray) -> int:
        buffer[: len(data)] = data
        return len(data)

    leg.hear(receive)
    size = leg.rx.recv_into(bench.forwarder.buffer)
    bench.forwarder.receive(leg.rx, size, bench.now, int(bench.now * 8000))


def test_an_encrypted_leg_and_a_plain_one_hear_each_other_by_the_fast_lane() -> None:
    bench = Bench()
    secure, plain = bench.leg("secure", srtp=keys()), bench.leg("plain")
    out = wired(bench, secure)
    bench.bridge("secure", "plain")
    says, hears = Sealer(SHA80, text(SHA80, 2)), Opener(SHA80, text(SHA80, 1), 0)
    for seq in range(20):
        hear(bench, secure, sealed(says, packet(seq, bytes([seq]) * 160)))
    heard = bench.heard(plain)
    assert [each.payload[0] for each in heard] == list(range(20))
    assert secure.rx.next == 20, "the lane is open"
    speaker = Speaker(plain)
    for mark in range(20):
        bench.speak(speaker, bytes([mark]) * 160)
    assert [opened(hears, data)[12] for data in out] == list(range(20))
    assert plain.rx.next > 0
    secure.settle()
    plain.settle()
    assert (plain.tx.packets, secure.tx.packets, secure.rx.received) == (20, 20, 20)


def test_what_is_not_authentic_reaches_nobody_and_is_counted() -> None:
    bench = Bench()
    secure, plain = bench.leg("secure", srtp=keys()), bench.leg("plain")
    bench.bridge("secure", "plain")
    says = Sealer(SHA80, text(SHA80, 2))
    secret = sealed(says, packet(0))
    for data in (packet(0), secret[:-1] + b"x", secret, secret, sealed(says, packet(1)), packet(2)):
        hear(bench, secure, data)
    assert len(bench.heard(plain)) == 2
    told = quality(secure, bench.board.table, bench.now)
    assert (told.unauthentic, told.strangers) == (4, 0)
    bench.do(remote("secure", srtp=keys(theirs=9)))
    assert quality(secure, bench.board.table, bench.now).unauthentic == 4
    assert secure.rx.received == 2


def test_a_mix_a_tone_and_silence_leave_an_encrypted_leg_sealed() -> None:
    bench = Bench()
    bench.do(OpenLeg(leg="secure", tag="t"))
    leg = bench.board.legs["secure"]
    bench.do(remote("secure", srtp=keys()))
    leg.latched = ("192.0.2.1", 4000)
    out = wired(bench, leg)
    other, third = bench.leg("other"), bench.leg("third")
    bench.bridge("secure", "other")
    bench.do(Connect(source="third", sink="secure"))
    bench.speak(Speaker(other))
    bench.speak(Speaker(third))
    bench.pass_tick(5)
    hears = Opener(SHA80, text(SHA80, 1), 0)
    assert len(out) >= 4
    assert all(len(opened(hears, data)) == 172 for data in out)


def test_a_repeated_number_of_a_source_does_not_silence_an_encrypted_hearer() -> None:
    """A stream that begins anew with the same SSRC (RFC 3550 A.1): far behind what was sealed last."""
    bench = Bench()
    plain, secure = bench.leg("plain"), bench.leg("secure", srtp=keys())
    out = wired(bench, secure)
    bench.bridge("plain", "secure")
    speaker = Speaker(plain, seq=20_000)
    for _ in range(5):
        bench.speak(speaker)
    speaker.seq = 10_000
    for _ in range(5):
        bench.speak(speaker)
    hears = Opener(SHA80, text(SHA80, 1), 0)
    heard: list[Sent] = [unpack(opened(hears, data)) for data in out]
    assert len(heard) == 9, "all but the one that had to be believed first"
    assert [each.seq - heard[0].seq for each in heard] == list(range(9))


def test_the_same_keys_go_on_and_new_ones_begin() -> None:
    bench = Bench()
    leg = bench.leg("a", srtp=keys())
    first = leg.shield
    assert first is not None
    for direction in (Direction.INACTIVE, Direction.SENDRECV):
        bench.do(remote("a", srtp=keys(), direction=direction))
        assert leg.shield is not None
        assert (leg.shield.sealer, leg.shield.opener) == (first.sealer, first.opener)
    bench.do(remote("a", srtp=keys(theirs=9)))
    assert leg.shield.sealer is first.sealer
    assert leg.shield.opener is not first.opener
    bench.do(remote("a", srtp=keys(ours=8, theirs=9)))
    assert leg.shield.sealer is not first.sealer
    assert Shield.renewed(first, keys(mki_octets=4)).opener is not first.opener  # type: ignore[union-attr]
    assert Shield.renewed(first, None) is None
    bench.do(remote("a"))
    assert leg.shield is None


def test_keys_that_do_not_fit_leave_the_leg_silent() -> None:
    bench = Bench()
    bench.do(OpenLeg(leg="a", tag="t"))
    bench.told()
    bench.do(remote("a", srtp=SrtpKeys(suite=SHA80, ours="AAAA", theirs="AAAA")))
    (failed,) = bench.told()
    assert isinstance(failed, LegFailed)
    assert failed.reason == f"srtp: a key of {SHA80} must be 30 octets in Base64"
    assert bench.board.legs["a"].remote is None
    assert bench.board.legs["a"].tx.send is None


# --- what travels between the processes ---


def test_keys_travel_in_a_frame_and_are_shown_by_nobody() -> None:
    command = remote("a", srtp=keys(mki_octets=4, resumed=True))
    frame = encode(command)
    assert decode(frame[4:]) == command
    for key in (text(SHA80, 1), text(SHA80, 2)):
        assert key not in repr(command)
        assert key.encode() in frame


@pytest.mark.parametrize(
    ("what", "by"),
    [
        (b'"mki_octets":0', b'"mki_octets":129'),
        (b'"mki_octets":0', b'"mki_octets":true'),
        (b'"resumed":false', b'"resumed":0'),
        (b'"suite":"AES_CM', b'"suite":"AES_XX'),
        (f'"ours":"{text(SHA80, 1)}"'.encode(), b'"ours":5'),
        (f'"theirs":"{text(SHA80, 2)}"'.encode(), b'"theirs":null'),
        (b'"theirs"', b'"others"'),
    ],
)
def test_a_frame_with_keys_of_another_shape_is_unreadable_and_shows_none(what: bytes, by: bytes) -> None:
    frame = encode(remote("a", srtp=keys()))
    assert what in frame
    with pytest.raises(WireError) as error:
        decode(frame[4:].replace(what, by))
    assert text(SHA80, 1) not in str(error.value)
    assert text(SHA80, 2) not in str(error.value)
