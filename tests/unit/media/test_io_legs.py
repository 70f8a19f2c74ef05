"""Latching and second pairs, on stand-ins for sockets. Real ones are in tests/integration/test_media_safety.py."""

from __future__ import annotations

import pytest

from engine.media.commands import CloseLeg, Connect, Direction, OpenLeg, Rebind, SrtpKeys, SrtpSuite
from engine.media.events import Latched, LegFailed, Rebound, Switched
from engine.media.io_pen import MOST
from engine.media.probation import RUN
from engine.media.reception import deaf
from engine.media.rtcp import RtcpSession
from engine.media.srtp import Opener, Sealer
from engine.media.transmission import Transmission
from tests.support.media_fakes import HEADER, remote
from tests.support.media_sockets import Wired

FLOW = "198.51.100.7"
NATTED = {"address": "10.0.0.5", "port": 4000, "flow_address": FLOW}
SAID = ("192.0.2.1", 4000)


def wired(**changes: object) -> Wired:
    """With one leg, "a" on port 20002."""
    made = Wired()
    made.bench.do(OpenLeg(leg="a", tag=""), remote("a", **changes))
    return made


def report() -> bytes:
    tx = Transmission(ssrc=1, seq=1, stamp=1)
    return RtcpSession(b"c").compound(tx, Wired().bench.leg("x").rx, 0.0, 0.0)


def test_a_leg_is_connected_to_whom_it_latches_on() -> None:
    made = wired()
    made.packet(20002, SAID)
    assert made.leg("a").latched == made.socket(20002).peer == SAID
    assert [(event.address, event.port) for event in made.told(Latched)] == [SAID]
    assert made.leg("a").rx.received == 1


def test_a_run_from_the_network_of_the_flow_latches_and_each_packet_before_is_a_strangers() -> None:
    made = wired(**NATTED)
    source = ("198.51.100.200", 50000)
    for seq in range(RUN):
        assert made.leg("a").latched is None
        assert made.sent() == []
        made.packet(20002, source, seq=seq)
        made.bench.now += 0.02
    assert made.leg("a").latched == source
    assert made.leg("a").rx.strangers == RUN - 1
    assert made.leg("a").signs.probation is None


def test_while_the_peer_is_silent_no_stranger_latches_whatever_he_sends() -> None:
    """Who sprays the port with a stream of good cadence, from as many addresses as he likes."""
    for changes in (NATTED, {}, {"address": "203.0.113.9", "flow_address": FLOW}):
        made = wired(**changes)
        made.bench.do(Connect(source="a", sink="a"))
        for seq in range(100):
            for stranger in (("203.0.113.66", 4000), ("198.51.101.7", 4000), ("10.0.0.6", 4000), ("192.0.2.3", 4000)):
                made.packet(20002, stranger, seq=seq)
                made.packet(20003, stranger, report())
            made.bench.pass_tick()
        assert made.leg("a").latched is None
        assert made.reports == []
        peer = {made.leg("a").remote.address}  # type: ignore[union-attr]
        assert {address[0] for _, address in made.sent()} <= peer


def test_a_peer_that_cannot_be_connected_to_does_not_latch() -> None:
    made = wired()
    made.socket(20002).unreachable = True
    made.packet(20002, SAID)
    assert made.leg("a").latched is None
    made.socket(20002).unreachable = False
    made.packet(20002, SAID)
    assert made.leg("a").latched == SAID


def test_an_unlatched_socket_and_rtcp_are_read_in_shares_and_put_away_under_a_flood() -> None:
    made = wired()
    for port in (20002, 20003):
        socket = made.socket(port)
        for _ in range(3 * MOST):
            socket.arrive(b"x", ("203.0.113.66", 1))
        made.look()
        assert len(socket.queue) == 2 * MOST
        assert socket.number not in made.watch.watched
        made.bench.now += 0.02
        made.sockets.pen.let_out(made.bench.now)
        assert socket.number in made.watch.watched
    made.look()
    made.bench.do(CloseLeg(leg="a"))
    assert made.watch.watched == set(), "also what was put away is closed well"
    made.sockets.pen.let_out(made.bench.now + 9)
    assert made.watch.watched == set()


def test_rtcp_behind_nat_goes_where_it_comes_from() -> None:
    made = wired(**NATTED)
    made.packet(20002, (FLOW, 50000))
    made.sent()
    made.sockets.report(made.leg("a"), b"mine")
    assert made.sent() == []
    made.packet(20003, (FLOW, 50777), b"rubbish")
    made.sockets.report(made.leg("a"), b"mine")
    assert made.sent() == []
    made.packet(20003, (FLOW, 50777), report())
    made.sockets.report(made.leg("a"), b"mine")
    assert made.sent() == [(b"mine", (FLOW, 50777))]
    assert made.reports == ["a"]


def test_where_rtcp_came_from_counts_for_one_latch_and_one_pair() -> None:
    made = wired(**NATTED)
    made.packet(20002, (FLOW, 50000))
    made.bench.do(Rebind(leg="a"))
    made.packet(20005, (FLOW, 50888), report())
    assert made.leg("a").signs.reported_from is None, "who reports to the second pair is to be answered from there"
    made.packet(20003, (FLOW, 50777), report())
    assert made.leg("a").signs.reported_from == (FLOW, 50777)
    made.packet(20004, (FLOW, 50002))
    assert made.leg("a").signs.reported_from is None
    made.packet(20005, (FLOW, 50888), report())
    made.bench.do(remote("a", address="10.0.0.9", flow_address=FLOW))
    assert made.leg("a").signs.reported_from is None


VOICE = HEADER.pack(0x80, 0, 9, 160, 7) + bytes([0x55]) * 160


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        VOICE[:12],
        b"\x40" + VOICE[1:],
        VOICE[:1] + b"\x12" + VOICE[2:],
        VOICE[:1] + b"\x0d" + VOICE[2:],
        b"\xa0" + VOICE[1:-1] + b"\xa0",
        b"\xa0" + VOICE[1:-1] + b"\xff",
        b"\x90" + VOICE[1:12] + b"\xbe\xde\xff\xff" + VOICE[12:],
    ],
    ids=[
        "nothing",
        "octet",
        "header",
        "version",
        "number",
        "noise",
        "all-padding",
        "padded-too-much",
        "extended-too-far",
    ],
)
def test_only_rtp_of_an_agreed_number_with_something_in_it_latches(data: bytes) -> None:
    made = wired()
    made.packet(20002, SAID, data)
    assert made.leg("a").latched is None
    assert made.leg("a").rx.strangers == 1
    made.packet(20002, SAID, b"\xb1" + VOICE[1:12] + bytes(4) + b"\xbe\xde\x00\x01" + bytes(4) + VOICE[12:-1] + b"\x01")
    assert made.leg("a").latched == SAID, "with a CSRC, an extension and padding it is as good as any"


def test_a_key_latches_as_sound_does() -> None:
    made = wired()
    made.packet(20002, SAID, HEADER.pack(0x80, 101, 9, 160, 7) + bytes([5, 10, 0, 160]))
    assert made.leg("a").latched == SAID


def test_what_came_before_the_leg_was_there_is_nobodys() -> None:
    made = Wired()
    port = made.sockets.open()
    made.socket(port).arrive(VOICE, SAID)
    made.socket(port + 1).arrive(report(), (SAID[0], 4001))
    made.bench.board.stock._ports[port] = None
    made.bench.do(OpenLeg(leg="a", tag="", port=port), remote("a"))
    made.look()
    assert made.leg("a").latched is None
    assert made.reports == []


def test_of_what_waits_at_the_latch_only_the_peers_is_heard() -> None:
    made = wired()
    for seq in range(3):
        made.socket(20002).arrive(HEADER.pack(0x80, 0, seq, seq * 160, 7) + bytes([0x55]) * 160, SAID)
        made.socket(20002).arrive(HEADER.pack(0x80, 0, 99, seq * 160, 8) + bytes([0x11]) * 160, ("203.0.113.66", 4000))
    made.look()
    made.leg("a").settle()
    assert made.leg("a").rx.received == 3
    assert made.leg("a").rx.strangers == 3
    assert not made.socket(20002).queue, "a connected socket would take what was queued before for the peer's"


def test_reports_of_strangers_and_rubbish_are_counted() -> None:
    made = wired()
    made.packet(20003, ("203.0.113.66", 4001), report())
    made.packet(20003, (SAID[0], 4001), b"rubbish")
    assert made.leg("a").rx.strangers == 2
    made.packet(20003, (SAID[0], 4001), report())
    assert (made.reports, made.leg("a").rx.strangers) == (["a"], 2)


def test_a_leg_that_is_to_hear_another_forgets_whom_it_watched() -> None:
    made = wired(**NATTED)
    made.packet(20002, (FLOW, 50000))
    made.bench.do(remote("a", **(NATTED | {"port": 4002})))
    assert made.leg("a").latched is None
    assert made.leg("a").rx.recv_into is deaf
    for seq in range(RUN - 1):
        made.packet(20002, ("198.51.100.200", 50000), seq=seq)
        made.bench.now += 0.02
    made.bench.do(remote("a", **(NATTED | {"port": 4004})))
    made.packet(20002, ("198.51.100.200", 50000), seq=RUN - 1)
    assert made.leg("a").latched is None, "a run that began under another offer"


KEYS = {"ours": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB", "theirs": "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC"}


def test_reports_of_an_encrypted_leg_are_sealed_and_only_what_is_sealed_is_a_report() -> None:
    suite = SrtpSuite.AES_CM_128_HMAC_SHA1_80
    made = wired(srtp=SrtpKeys(suite=suite, **KEYS))
    made.sent()
    made.sockets.report(made.leg("a"), report())
    ((sealed, _),) = made.sent()
    assert Opener(suite, KEYS["ours"], 0).rtcp(sealed) == report()
    made.packet(20003, (SAID[0], 4001), report())
    assert made.reports == []
    shield = made.leg("a").shield
    assert shield is not None
    assert shield.opener.failed == 1
    made.packet(20003, (SAID[0], 4001), Sealer(suite, KEYS["theirs"]).rtcp(report()))
    assert made.reports == ["a"]


# --- a second pair ---


def rebound(**changes: object) -> Wired:
    """The leg is latched on 20002 and has a second pair, 20004."""
    made = wired(**changes)
    made.packet(20002, SAID)
    made.bench.do(Connect(source="a", sink="a"), Rebind(leg="a"))
    assert made.told(Rebound) == [Rebound(leg="a", port=20004)]
    made.sent()
    return made


def test_both_pairs_are_heard_until_the_second_hears_the_peer() -> None:
    made = rebound()
    made.packet(20002, SAID, seq=2)
    assert made.sent()[-1][1] == SAID
    assert made.leg("a").port == 20002
    made.packet(20004, ("192.0.2.1", 4777), seq=3)
    assert made.leg("a").port == 20004
    assert made.leg("a").latched == ("192.0.2.1", 4777)
    assert made.told(Switched) == [Switched(leg="a", port=20004)]
    assert made.sent()[-1][1] == ("192.0.2.1", 4777)
    assert made.pairs.released == [20002]
    assert made.leg("a").rx.received == 3
    made.packet(20004, ("192.0.2.1", 4777), seq=4)
    made.leg("a").settle()
    assert made.leg("a").rx.received == 4
    made.bench.do(CloseLeg(leg="a"))
    assert made.pairs.released == [20002, 20004]
    assert made.watch.watched == set()


def test_a_stranger_on_the_second_pair_moves_nothing() -> None:
    made = rebound()
    for seq in range(20):
        made.packet(20004, ("203.0.113.66", 4000), seq=seq)
        made.packet(20005, ("203.0.113.66", 4001), report())
        made.bench.now += 0.02
    made.packet(20002, SAID, seq=2)
    assert (made.leg("a").port, made.leg("a").latched) == (20002, SAID)
    assert made.reports == []
    made.bench.do(CloseLeg(leg="a"))
    assert sorted(made.pairs.released) == [20002, 20004], "both are kept until the leg ends"
    assert made.watch.watched == set()


def test_who_latched_by_a_run_is_believed_on_the_second_pair() -> None:
    made = wired(**NATTED)
    for seq in range(RUN):
        made.packet(20002, ("198.51.100.200", 50000), seq=seq)
        made.bench.now += 0.02
    made.bench.do(Rebind(leg="a"))
    made.packet(20004, ("198.51.100.200", 50001), seq=RUN)
    assert made.leg("a").port == 20004


def test_a_peer_who_says_another_address_meanwhile_is_heard_on_either_pair() -> None:
    for port in (20002, 20004):
        made = rebound()
        made.bench.do(remote("a", address="192.0.2.9", flow_address="192.0.2.9"))
        assert made.leg("a").latched is None
        made.packet(20002, SAID, seq=2)
        made.packet(20004, SAID, seq=2)
        assert made.leg("a").latched is None, "where he was before he is a stranger"
        made.packet(port, ("192.0.2.9", 4000), seq=3)
        assert made.leg("a").port == port
        assert made.leg("a").latched == ("192.0.2.9", 4000)


def test_a_second_pair_that_heard_nothing_gives_way_to_the_next() -> None:
    made = rebound()
    made.bench.do(Rebind(leg="a"))
    assert made.pairs.released == [20004]
    made.packet(20006, SAID, seq=2)
    assert made.leg("a").port == 20006
    assert made.pairs.released == [20004, 20002]


def test_a_second_pair_is_a_spare_one_or_there_is_none() -> None:
    made = wired()
    made.pairs.taken = True
    made.bench.do(Rebind(leg="a"), Rebind(leg="a", port=30000), Rebind(leg="b"))
    assert [event.command for event in made.told(LegFailed)] == ["Rebind"] * 3
    made.pairs.taken = False
    made.bench.board.stock._ports[made.sockets.open()] = None
    made.bench.do(Rebind(leg="a", port=20004))
    assert made.told(Rebound) == [Rebound(leg="a", port=20004)]


@pytest.mark.parametrize("direction", [Direction.INACTIVE, Direction.RECVONLY])
def test_nothing_is_sent_on_hold_from_either_pair(direction: Direction) -> None:
    made = rebound()
    made.bench.do(remote("a", direction=direction))
    made.packet(20004, SAID, seq=2)
    for seq in range(3, 40):
        made.packet(20004, SAID, seq=seq)
        made.bench.pass_tick()
    made.leg("a").settle()
    assert made.leg("a").rx.received == 39
    assert made.sent() == []
