"""RFC 5626 4.4: pings by CRLF and STUN, and what their silence does."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.sip.endpoint import Endpoint, LiveCounts
from engine.sip.flow import Address, Flow, Transport
from engine.sip.stun import answer, mapped_address
from tests.support.sip_phone import SDP, make_station, target
from tests.support.sip_raw import pair

HERE = Address("192.0.2.9", 5080)
THERE = Address("192.0.2.1", 5060)
STREAM = Flow(Transport.TCP, HERE, THERE, 7)
DATAGRAMS = Flow(Transport.UDP, HERE, THERE)
PING, PONG = b"\r\n\r\n", b"\r\n"


@dataclass
class Rig:
    """An endpoint whose time the test moves on; `sent` is what left, with its time."""

    endpoint: Endpoint
    now: float = 0.0
    sent: list[tuple[float, Flow, bytes]] = field(default_factory=list)
    failed: list[tuple[Flow, float]] = field(default_factory=list)

    def until(self, end: float) -> None:
        while (deadline := self.endpoint.next_deadline()) is not None and deadline <= end:
            self.now = deadline
            self.endpoint.handle_deadline(deadline)
            self.drain()
        self.now = end

    def until_sent(self, number: int) -> None:
        """Until so many pings have left in all."""
        for _ in range(2000):
            if len(self.sent) >= number:
                return
            self.until(self.now + 0.1)
        raise AssertionError(f"{len(self.sent)} were sent")

    def drain(self) -> list[bytes]:
        new = [(self.now, flow, data) for flow, data in self.endpoint.datagrams_to_send()]
        self.sent += new
        return [data for _, _, data in new]

    def keep(self, flow: Flow, every_s: float | None = None) -> None:
        self.endpoint.keep_alive(
            flow, self.now, every_s=every_s, failed=lambda flow, now: self.failed.append((flow, now))
        )

    def times(self) -> list[float]:
        return [when for when, _, _ in self.sent]


def rig(*, stream: bool = False) -> Rig:
    station, _, _ = pair()
    made = Rig(station.endpoint)
    if stream:
        station.endpoint.connection_opened(STREAM, 0.0)
    return made


def called() -> Rig:
    """An endpoint that opened a connection to call somebody."""
    station, peer = make_station("a", "192.0.2.9"), make_station("b", "192.0.2.1")
    aim = target(station, peer)
    on_demand = STREAM._replace(connection=0)
    station.endpoint.invite(type(aim)(uri=aim.uri, flow=on_demand), from_user="x", sdp=SDP, now=0.0)
    station.endpoint.connection_opened(STREAM, 0.0)
    made = Rig(station.endpoint)
    made.drain()
    made.sent.clear()
    made.until(60)
    return made


def test_a_connection_of_ours_is_pinged_and_silence_alone_does_not_end_it() -> None:
    it = called()
    it.until(400)
    assert [data for _, _, data in it.sent] == [PING] * len(it.sent)
    first, second, third, *_ = it.times()
    for gap in (first, second - first, third - second):
        assert 96 <= gap <= 120
    assert it.endpoint.connections_to_close() == []


def test_a_peer_that_answered_once_must_answer_each_ping() -> None:
    it = called()
    it.until_sent(1)
    it.endpoint.receive_stream(PONG, STREAM, it.now)
    it.until_sent(2)
    last = it.times()[1]
    it.until(last + 9.9)
    assert it.endpoint.connections_to_close() == []
    it.until(last + 10)
    assert it.endpoint.connections_to_close() == [STREAM]
    assert it.endpoint.live().timers == 0


def test_a_connection_that_came_to_us_is_not_pinged() -> None:
    it = rig(stream=True)
    assert it.endpoint.next_deadline() is None


def test_a_registrar_that_promised_must_answer_from_the_first_ping_on() -> None:
    it = rig(stream=True)
    it.keep(STREAM, every_s=50)
    it.until(50)
    (sent_at,) = it.times()
    assert 40 <= sent_at <= 50
    it.until(sent_at + 10)
    assert it.failed == [(STREAM, sent_at + 10)]
    assert it.endpoint.connections_to_close() == [STREAM]


def test_a_registrars_time_holds_at_once_on_a_connection_that_is_kept_already() -> None:
    it = called()
    it.keep(STREAM, every_s=20)
    it.until(80)
    (sent_at,) = it.times()
    assert 76 <= sent_at <= 80
    it.keep(STREAM, every_s=10)
    it.until(sent_at + 9.9)
    assert it.failed == []
    it.until(sent_at + 10)
    assert it.failed == [(STREAM, sent_at + 10)], "the ping that is out must still be answered"


def test_a_longer_time_leaves_the_next_ping_where_it_is() -> None:
    it = rig(stream=True)
    it.keep(STREAM, every_s=50)
    it.keep(STREAM, every_s=500)
    it.until(50)
    assert len(it.sent) == 1


def test_a_pong_in_time_keeps_the_flow() -> None:
    it = rig(stream=True)
    it.keep(STREAM, every_s=50)
    for _ in range(5):
        before = len(it.sent)
        it.until_sent(before + 1)
        it.endpoint.receive_stream(PONG, STREAM, it.now)
    assert it.failed == []
    it.endpoint.let_go(STREAM)
    assert it.endpoint.live().timers == 0


def test_a_connection_that_is_lost_is_pinged_no_more() -> None:
    it = rig(stream=True)
    it.keep(STREAM)
    it.endpoint.connection_lost(STREAM, 1.0)
    assert it.endpoint.live() == LiveCounts(0, 0, 0, 0, 0)


def answered(it: Rig, seen: Address) -> None:
    said = answer(it.sent[-1][2], seen)
    assert said is not None
    it.endpoint.receive_datagram(said, DATAGRAMS, it.now)


def test_a_datagram_flow_is_kept_by_stun() -> None:
    it = rig()
    it.keep(DATAGRAMS)
    for number in range(1, 4):
        it.until_sent(number)
        answered(it, Address("203.0.113.1", 4000))
    it.until(it.now + 20)
    assert len(it.sent) == 3
    first, second, third = it.times()
    assert all(23.2 <= gap <= 29 for gap in (first, second - first, third - second))
    assert len({data for _, _, data in it.sent}) == 3, "each has a transaction id of its own"
    assert it.failed == []


def test_a_request_is_repeated_seven_times_and_then_the_flow_has_failed() -> None:
    it = rig()
    it.keep(DATAGRAMS)
    it.until(100)
    start = it.times()[0]
    assert [round(when - start, 1) for when in it.times()] == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert len({data for _, _, data in it.sent}) == 1
    ((flow, when),) = it.failed
    assert (flow, round(when - start, 1)) == (DATAGRAMS, 39.5)
    assert it.endpoint.live().timers == 0


def test_a_request_that_waits_on_a_failed_flow_fails_with_it() -> None:
    station, peer = make_station("a", "192.0.2.9"), make_station("b", "192.0.2.1")
    aim = target(station, peer)
    it = Rig(station.endpoint)
    station.endpoint.ping(type(aim)(uri=aim.uri, flow=DATAGRAMS), now=0.0)
    it.endpoint.keep_alive(DATAGRAMS, 0.0, every_s=0.001, failed=lambda flow, now: it.failed.append((flow, now)))
    before = it.endpoint.live().transactions
    it.endpoint.receive_datagram(answer(bytes.fromhex("000100002112a442") + bytes(12), THERE) or b"", DATAGRAMS, 0.0)
    for _ in range(2):
        it.until_sent(len(it.sent) + 1)
        stun = next(data for _, _, data in reversed(it.sent) if data[0] == 0)
        said = answer(stun, Address("203.0.113.1", 4000 + len(it.sent)))
        assert said is not None
        it.endpoint.receive_datagram(said, DATAGRAMS, it.now)
    assert len(it.failed) == 1
    assert (before, it.endpoint.live().transactions) == (1, 0)


def test_another_address_of_ours_is_another_flow() -> None:
    it = rig()
    it.keep(DATAGRAMS, every_s=10)
    it.until_sent(1)
    answered(it, Address("203.0.113.1", 4000))
    it.until_sent(2)
    answered(it, Address("203.0.113.1", 4001))
    assert it.failed == [(DATAGRAMS, it.now)]


def test_an_answer_that_nobody_asked_for_changes_nothing() -> None:
    it = rig()
    stray = answer(bytes.fromhex("000100002112a442") + bytes(12), THERE)
    assert stray is not None
    it.endpoint.receive_datagram(stray, DATAGRAMS, 0.0)
    it.keep(DATAGRAMS)
    it.until_sent(1)
    it.endpoint.receive_datagram(stray, DATAGRAMS, it.now)
    it.until(it.times()[0] + 39.5)
    assert len(it.failed) == 1, "the request that was sent is still without an answer"
    it.endpoint.receive_datagram(stray, DATAGRAMS, it.now)


def test_keeping_a_flow_again_changes_how_often() -> None:
    it = rig()
    it.keep(DATAGRAMS, every_s=1000)
    it.keep(DATAGRAMS, every_s=10)
    assert it.endpoint.live().timers == 1
    it.until(10)
    assert it.times()[0] <= 10


def test_a_peers_binding_request_is_answered_on_the_sip_port() -> None:
    it = rig()
    request = bytes.fromhex("000100002112a442") + bytes(12)
    it.endpoint.receive_datagram(request, DATAGRAMS, 0.0)
    (said,) = it.drain()
    assert mapped_address(said) == (bytes(12), THERE)
    it.endpoint.receive_datagram(request[:-1], DATAGRAMS, 0.0)
    assert it.drain() == []
