"""What the recorder keeps, of whom, and how much; fed by endpoints on a wire in virtual time."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import Endpoint
from engine.sip.events import InviteReceived
from engine.sip.flow import Address, Flow, Transport
from engine.sip.recorder import Kind, Recorder, RecorderLimits, Trace
from tests.support.sip_phone import SDP, SDP_ANSWER, SipPhone, make_station, target
from tests.support.sip_raw import RawPeer, pair, session_of
from tests.support.wire import Wire

PASSWORDS = {"ada": "secret"}
FLOW = Flow(Transport.UDP, Address("192.0.2.9", 5060), Address("192.0.2.1", 5060))


class Watched:
    """An engine that knows ada and one trunk, and its recorder."""

    def __init__(self, limits: RecorderLimits | None = None) -> None:
        self.engine = make_station("e", "192.0.2.9", trunks={"192.0.2.7": "pbx"}, passwords=PASSWORDS)
        self.phone = SipPhone("ada", "secret", "192.0.2.1", self.engine)
        self.trunk = make_station("t", "192.0.2.7")
        self.stranger = RawPeer("192.0.2.66", self.engine)
        self.wire = Wire(self.engine, self.phone, self.trunk, self.stranger)
        self.recorder = Recorder(limits or RecorderLimits(), lambda: 5000.0 + self.wire.now)
        self.engine.endpoint.recorder = self.recorder

    def one(self, kind: Kind) -> Trace:
        (found,) = self.recorder.of(kind)
        return found


def titles(trace: Trace) -> list[tuple[str, str]]:
    """Way and start line, the version left out."""
    lines = [(way, data.partition(b"\r\n")[0].decode()) for _, way, _, data in trace]
    return [(way, line.removeprefix("SIP/2.0 ").partition(" sip:")[0]) for way, line in lines]


def test_a_call_is_kept_whole_with_the_bytes_and_times_of_the_wire() -> None:
    it = Watched()
    session = it.trunk.endpoint.invite(target(it.trunk, it.engine), from_user="1", sdp=SDP, now=it.wire.now)
    it.wire.run(0.5)
    it.engine.endpoint.accept(session_of(it.engine), SDP_ANSWER, now=it.wire.now)
    it.wire.run(0.5)
    it.trunk.endpoint.bye(session, now=it.wire.now)
    it.wire.run(0.5)
    trace = it.one(Kind.CALL)
    received = it.engine.told(InviteReceived)[0]
    assert isinstance(received, InviteReceived)
    assert it.recorder.find(received.call_id) is trace
    expected = [("in", "INVITE"), ("out", "100 Trying"), ("out", "200 OK"), ("in", "ACK"), ("in", "BYE")]
    assert titles(trace) == [*expected, ("out", "200 OK")]
    assert {data for _, _, _, data in trace} == {sent.data for sent in it.wire.log}
    assert {flow.remote for _, _, flow, _ in trace} == {it.trunk.address}
    times = [at for at, _, _, _ in trace]
    assert times == sorted(times)
    assert 7000 > times[-1] > times[2] >= times[0] + 0.4


def test_repetitions_of_both_sides_are_kept() -> None:
    it = Watched()
    it.wire.lose_nth(0, matching=lambda sent: sent.source == it.engine.address)
    it.trunk.endpoint.invite(target(it.trunk, it.engine), from_user="1", sdp=SDP, now=it.wire.now)
    it.wire.run(0.7)
    assert titles(it.one(Kind.CALL)) == [("in", "INVITE"), ("out", "100 Trying")] * 2


def test_a_call_of_ours_is_kept_and_its_name_is_told() -> None:
    it = Watched()
    session = it.engine.endpoint.invite(target(it.engine, it.trunk), from_user="1", sdp=SDP, now=it.wire.now)
    name = it.engine.endpoint.call_id(session)
    it.wire.run(0.2)
    trace = it.one(Kind.CALL)
    assert trace.call_id == name
    assert titles(trace)[:2] == [("out", "INVITE"), ("in", "100 Trying")]
    it.engine.endpoint.cancel(session, now=it.wire.now)
    it.wire.run()
    assert it.engine.endpoint.call_id(session) is None
    assert [title for _, title in titles(trace)].count("CANCEL") == 1


def test_a_phone_that_proves_itself_is_kept_as_its_user() -> None:
    it = Watched()
    it.phone.register(it.wire.now)
    it.wire.run(1)
    trace = it.one(Kind.REGISTRATION)
    assert trace.user == "ada"
    assert [title for _, title in titles(trace)] == ["REGISTER", "401 Unauthorized", "REGISTER", "200 OK"]
    assert list(it.recorder.of(Kind.STRANGER)) == []


def test_whom_nobody_knows_stays_a_stranger_and_whom_the_guard_knows_does_not() -> None:
    it = Watched()
    it.stranger.ask("INVITE", call_id="scan")
    it.wire.run(0.5)
    trace = it.one(Kind.STRANGER)
    assert trace.call_id == "scan"
    assert [title for _, title in titles(trace)] == ["INVITE", "401 Unauthorized"]
    it.trunk.endpoint.ping(target(it.trunk, it.engine), now=it.wire.now)
    it.wire.run(0.5)
    assert [title for _, title in titles(it.one(Kind.OTHER))] == ["OPTIONS", "200 OK"]
    assert it.one(Kind.STRANGER) is trace


def test_what_is_malformed_is_kept_on_udp_and_on_a_connection() -> None:
    it = Watched()
    bad = b"INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x>"
    bad += b"\r\nCall-ID: bad\r\nCSeq: 1 BYE\r\n\r\n"
    it.stranger.send(bad)
    it.wire.run(0.1)
    _, flow = it.wire.connect(it.trunk, it.engine)
    good = bad.replace(b"1 BYE", b"1 INVITE").replace(b"Call-ID: bad", b"Call-ID: stream").replace(b"UDP", b"TCP")
    body = good.replace(b"\r\n\r\n", b"\r\nContent-Length: 4\r\n\r\nbody")
    it.engine.endpoint.receive_stream(body[:70], flow, it.wire.now)
    assert it.recorder.find("stream") is None
    it.engine.endpoint.receive_stream(body[70:], flow, it.wire.now)
    found, streamed = it.recorder.find("bad"), it.recorder.find("stream")
    assert found is not None
    assert streamed is not None
    assert found[0][3] == bad
    assert titles(found)[1][1].startswith("400")
    assert streamed[0][3] == body


def test_a_scanner_that_gets_no_answer_is_seen() -> None:
    it = Watched()
    it.stranger.ask("OPTIONS", call_id="evil", fields=[("User-Agent", "friendly-scanner")])
    it.wire.run(0.5)
    assert [title for _, title in titles(it.one(Kind.STRANGER))] == ["OPTIONS"]


@pytest.fixture
def small() -> Recorder:
    limits = RecorderLimits(legs=3, registrations=2, others=2, strangers=2, messages=4, octets=1000)
    return Recorder(limits, lambda: 0.0)


def names(recorder: Recorder, kind: Kind) -> list[str]:
    return [trace.call_id for trace in recorder.of(kind)]


def test_each_kind_forgets_its_own_oldest(small: Recorder) -> None:
    for number in range(5):
        small.note("out", FLOW, f"c{number}", b"INVITE x")
        small.note("in", FLOW, f"s{number}", b"INVITE x")
    small.known = True
    for number in range(5):
        small.note("in", FLOW, f"o{number}", b"OPTIONS x")
        small.note("in", FLOW, f"r{number}", b"REGISTER x")
        small.keep(f"r{number}", Kind.REGISTRATION, "ada")
    assert names(small, Kind.CALL) == ["c1", "c2", "c3", "c4"], "one more than asked for, on its way to elsewhere"
    assert names(small, Kind.STRANGER) == ["s2", "s3", "s4"]
    assert names(small, Kind.OTHER) == ["o3", "o4"], "those that moved on pushed nobody out"
    assert names(small, Kind.REGISTRATION) == ["r3", "r4"]
    assert len(small) == 11
    assert small.find("c0") is None


def test_of_one_name_the_latest_messages_stay(small: Recorder) -> None:
    for number in range(6):
        small.note("in", FLOW, "a", b"%d" % number)
    trace = small.find("a")
    assert trace is not None
    assert [data for _, _, _, data in trace] == [b"2", b"3", b"4", b"5"]
    assert trace.cut
    small.note("in", FLOW, "b", b"1")
    other = small.find("b")
    assert other is not None
    assert not other.cut


def test_of_a_stranger_fewer_are_kept_until_he_is_known() -> None:
    recorder = Recorder(RecorderLimits(messages=6, stranger_messages=3), lambda: 0.0)

    def note(first: int, last: int) -> list[bytes]:
        for number in range(first, last):
            recorder.note("in", FLOW, "a", b"%d" % number)
        trace = recorder.find("a")
        assert trace is not None
        return [data for _, _, _, data in trace]

    assert note(0, 4) == [b"1", b"2", b"3"]
    recorder.keep("a", Kind.REGISTRATION, "ada")
    assert note(4, 6) == [b"1", b"2", b"3", b"4", b"5"]
    (trace,) = recorder.of(Kind.REGISTRATION)
    assert trace.user == "ada"
    recorder.keep("a", Kind.CALL)
    assert note(6, 8) == [b"2", b"3", b"4", b"5", b"6", b"7"]
    assert names(recorder, Kind.CALL) == ["a"]
    recorder.keep("a", Kind.CALL, "bob")
    assert [trace.user for trace in recorder.of(Kind.CALL)] == ["bob"]


def test_past_the_bytes_strangers_go_first_then_the_oldest_calls(small: Recorder) -> None:
    small.note("out", FLOW, "old", b"INVITE " + bytes(293))
    small.note("in", FLOW, "s", bytes(300))
    small.note("out", FLOW, "new", b"INVITE " + bytes(293))
    assert len(small) == 3
    small.note("out", FLOW, "new", bytes(200))
    assert names(small, Kind.STRANGER) == []
    assert names(small, Kind.CALL) == ["old", "new"]
    small.note("out", FLOW, "new", bytes(250))
    assert names(small, Kind.CALL) == ["new"]


def test_what_a_full_deque_dropped_takes_no_room(small: Recorder) -> None:
    small.note("out", FLOW, "call", b"INVITE x")
    for _ in range(100):
        small.note("out", FLOW, "busy", b"INVITE " + bytes(93))
    assert names(small, Kind.CALL) == ["call", "busy"]


def test_forgotten_is_forgotten(small: Recorder) -> None:
    small.note("in", FLOW, "a", bytes(900))
    small.forget("a")
    small.forget("a")
    small.keep("a", Kind.CALL)
    assert len(small) == 0
    small.note("in", FLOW, "b", bytes(900))
    assert names(small, Kind.STRANGER) == ["b"]


def test_without_a_recorder_nothing_is_kept() -> None:
    station, raw, wire = pair()
    assert station.endpoint.recorder is None
    raw.ask("INVITE")
    wire.run(0.1)
    assert isinstance(station.endpoint, Endpoint)
    assert raw.statuses()[0] == 100
