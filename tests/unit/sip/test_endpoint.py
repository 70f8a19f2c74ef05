"""The endpoint's edge: who is let in, what strangers get and bad bytes."""

from __future__ import annotations

from random import Random

import pytest

from engine.sip.auth import answer_challenge
from engine.sip.endpoint import LiveCounts
from engine.sip.events import AgentPeer, InviteReceived, SessionEnded, TrunkPeer
from engine.sip.flow import Address, Flow, Transport
from engine.sip.message import Message
from engine.sip.parser import parse_datagram
from tests.support.sip_phone import SDP, SipPhone, make_station, target
from tests.support.sip_raw import RawPeer, answering, pair
from tests.support.wire import Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)
PASSWORDS = {"ada": "secret"}


def authorize(raw: RawPeer, password: str = "secret", nc: int = 1, user: str = "ada") -> tuple[str, str]:
    challenge = next(each for each in reversed(raw.responses()) if each.status == 401)
    return answer_challenge(
        challenge.headers.get_all("WWW-Authenticate"),
        user=user,
        password=password,
        method="INVITE",
        uri="sip:100@192.0.2.9",
        cnonce="c",
        nc=nc,
    )


# --- who is let in ---


def test_a_trunk_is_known_by_its_address() -> None:
    station, raw, wire = pair(trunks={"192.0.2.1": "carrier"})
    raw.ask("INVITE")
    wire.run(0.1)
    received = station.told(InviteReceived)[0]
    assert isinstance(received, InviteReceived)
    assert received.peer == TrunkPeer(name="carrier")


def test_a_stranger_is_challenged_without_state_and_his_ack_is_absorbed() -> None:
    station, raw, wire = pair(trunks={}, passwords=PASSWORDS)
    invite = raw.ask("INVITE", branch="z9hG4bKs")
    wire.run(1)
    raw.send(invite)
    wire.run(1)
    assert raw.statuses() == [401, 401]
    first, second = raw.responses()
    assert first.to_tag == second.to_tag is not None
    raw.ask("ACK", branch="z9hG4bKs", to_tag=first.to_tag)
    wire.run()
    assert raw.statuses() == [401, 401]
    assert station.told() == []
    assert station.endpoint.live() == NOTHING


def test_an_agent_proves_itself_and_cannot_call_in_anothers_name() -> None:
    station, raw, wire = pair(trunks={}, passwords=PASSWORDS)
    raw.ask("INVITE")
    wire.run(0.1)
    fields = [authorize(raw), ("From", '"The boss" <sip:boss@192.0.2.9>;tag=t')]
    raw.ask("INVITE", number=2, fields=fields)
    wire.run(0.1)
    received = station.told(InviteReceived)[0]
    assert isinstance(received, InviteReceived)
    assert received.peer == AgentPeer(user="ada")
    assert (received.from_user, received.from_display) == ("ada", "The boss")


@pytest.mark.parametrize(
    ("password", "user", "status"), [("wrong", "ada", 403), ("secret", "nobody", 403), ("secret", "ada", 100)]
)
def test_wrong_credentials_are_refused_without_state(password: str, user: str, status: int) -> None:
    station, raw, wire = pair(trunks={}, passwords=PASSWORDS)
    raw.ask("INVITE")
    wire.run(0.1)
    raw.ask("INVITE", number=2, fields=[authorize(raw, password, user=user)])
    wire.run(0.1)
    assert raw.statuses()[-1] == status
    assert (station.endpoint.live() == NOTHING) is (status == 403)


@pytest.mark.parametrize("why", ["old", "used"])
def test_an_old_or_used_nonce_is_stale(why: str) -> None:
    station, raw, wire = pair(trunks={}, passwords=PASSWORDS, nonce_ttl_s=60)
    raw.ask("INVITE")
    wire.run(0.1)
    credentials = authorize(raw)
    if why == "old":
        wire.run(61)
    else:
        raw.ask("INVITE", number=2, fields=[credentials])
        wire.run(0.1)
        assert raw.statuses()[-1] == 100
    raw.ask("INVITE", number=3, call_id="again", fields=[credentials])
    wire.run(0.1)
    challenge = raw.responses()[-1]
    assert challenge.status == 401
    assert all("stale=true" in each for each in challenge.headers.get_all("WWW-Authenticate"))
    raw.ask("INVITE", number=4, call_id="again", fields=[authorize(raw)])
    wire.run(0.1)
    assert raw.statuses()[-1] == 100
    assert len(station.told(InviteReceived)) == (1 if why == "old" else 2)


def test_strangers_may_ask_whether_we_are_there_and_nothing_else() -> None:
    station, raw, wire = pair(trunks={}, passwords=PASSWORDS)
    for method in ("OPTIONS", "BYE", "PUBLISH", "MESSAGE", "SUBSCRIBE", "NOTIFY", "REFER", "UPDATE", "X-ODD"):
        raw.ask(method, fields=[("User-Agent", "A phone as long as most")])
    wire.run()
    assert raw.statuses() == [200, 481, 405, 401, 401, 481, 403, 481, 501]
    options, refused = raw.responses()[0], raw.responses()[2]
    assert "REGISTER" in options.allow
    assert refused.allow == options.allow
    assert b"192.0.2.9" not in options.to_bytes().replace(b"To: <sip:100@192.0.2.9>", b"")
    assert station.endpoint.live() == NOTHING
    assert ("in", "other", "request", Transport.UDP) in station.endpoint.counters
    assert not any("X-ODD" in key for key in station.endpoint.counters)


def test_an_ack_of_nothing_is_silent() -> None:
    station, raw, wire = pair()
    raw.ask("ACK")
    raw.ask("ACK", to_tag="x")
    wire.run()
    assert raw.heard == []
    assert station.endpoint.live() == NOTHING


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"fields": [("Max-Forwards", "0")]}, 483),
        ({"fields": [("Max-Forwards", "many")]}, 400),
        ({"fields": [("Require", "gruu")]}, 420),
        ({"fields": [("Content-Type", "application/xml")]}, 415),
        ({"uri": "http://example.com/"}, 416),
        ({"uri": "sip:%ff@host"}, 400),
        ({"fields": [("From", '"unbalanced <sip:x@h>;tag=t')]}, 400),
        ({"fields": [("Call-ID", "two words")]}, 400),
        ({"fields": [("CSeq", "99999999999 INVITE")]}, 400),
    ],
)
def test_an_invite_that_the_rfc_forbids_is_refused_with_its_status(options: dict[str, object], status: int) -> None:
    station, raw, wire = pair()
    raw.ask("INVITE", **options)
    wire.run()
    assert raw.statuses() == [status]
    assert station.told() == []
    assert station.endpoint.live() == NOTHING


def test_options_to_the_last_hop_is_answered() -> None:
    _, raw, wire = pair()
    raw.ask("OPTIONS", fields=[("Max-Forwards", "0")])
    wire.run()
    assert raw.statuses() == [200]


# --- where responses go ---


@pytest.mark.parametrize(
    ("via", "port", "added"),
    [
        ("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport", 40000, ";rport=40000;received=192.0.2.1"),
        ("SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa", 5070, ""),
        ("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa", 5060, ""),
        ("SIP/2.0/UDP phone.example:5070;branch=z9hG4bKa", 5070, ";received=192.0.2.1"),
        ("SIP/2.0/UDP 203.0.113.5;maddr=203.0.113.6;branch=z9hG4bKa", 5060, ";received=192.0.2.1"),
    ],
)
def test_responses_go_to_the_source_and_its_port_or_that_of_the_via(via: str, port: int, added: str) -> None:
    station, raw, _ = pair()
    flow = Flow(Transport.UDP, station.address, Address("192.0.2.1", 40000))
    station.endpoint.receive_datagram(raw.request("OPTIONS", via=via).to_bytes(), flow, 0.0)
    ((to, data),) = station.endpoint.datagrams_to_send()
    assert to == flow._replace(remote=Address("192.0.2.1", port))
    response = parse_datagram(data)
    assert isinstance(response, Message)
    text = response.headers.get("Via") or ""
    assert all(part in text for part in added.split(";") if part)
    assert ("received" in text) is ("received" in added)


def test_every_via_comes_back() -> None:
    _, raw, wire = pair()
    below = "SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKb"
    raw.ask("OPTIONS", via=f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport, {below}")
    wire.run()
    assert [each.host for each in raw.responses()[0].vias] == ["192.0.2.1", "198.51.100.1"]


# --- bad bytes ---

BAD = [
    b"",
    b"\x00",
    b"\r\n\r\n",
    b"jaK\x00",
    b"\xff" * 2000,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"SIP/2.0 200 OK\r\n\r\n",
    b"INVITE sip:x SIP/2.0\r\n\r\n",
    b"A" * 70000,
    b"OPTIONS sip:a@b SIP/2.0\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
]


@pytest.mark.parametrize("data", BAD, ids=range(len(BAD)))
def test_bad_datagrams_are_dropped(data: bytes) -> None:
    station, raw, wire = pair()
    raw.send(data)
    wire.run()
    assert raw.heard == []
    assert station.endpoint.live() == NOTHING


def test_a_malformed_request_that_can_be_answered_is() -> None:
    station, raw, wire = pair()
    good = raw.request("OPTIONS").to_bytes()
    raw.send(good.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1))
    raw.send(good.replace(b"CSeq: 1 OPTIONS", b"CSeq: 1 INVITE"))
    raw.send(good.replace(b"Content-Length: 0", b"Content-Length: 50"))
    raw.send(good.replace(b"OPTIONS", b"ACK").replace(b"Content-Length: 0", b"Content-Length: 50"))
    wire.run()
    assert raw.statuses() == [505, 400, 400]
    assert station.endpoint.live() == NOTHING


def test_malformed_responses_are_dropped() -> None:
    station, raw, wire = pair()
    station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    text = invite.to_bytes().replace(b"INVITE sip:100@192.0.2.1:5060 SIP/2.0", b"SIP/2.0 200 OK")
    for before, after in ((b"SIP/2.0/UDP", b"SIP/2.0"), (b"1 INVITE", b"one INVITE"), (b"To: <", b"To: <<<")):
        raw.send(text.replace(before, after))
    wire.run(0.1)
    assert [type(each).__name__ for each in station.told()] in ([], ["InviteAccepted"])
    assert not station.endpoint.defects


@pytest.mark.parametrize("seed", range(30))
def test_no_mutation_of_a_call_raises_or_leaves_anything(seed: int) -> None:
    """A call whose messages are spoiled at random on the way, beside the sound ones."""
    random = Random(seed)
    station, raw, wire = pair(answering)
    a = make_station("a", "192.0.2.3")
    wire.join(a)
    session = a.endpoint.invite(target(a, station), from_user="x", sdp=SDP, now=wire.now)
    wire.run(1)
    a.endpoint.bye(session, now=wire.now)
    wire.run(1)
    sound = [sent.data for sent in wire.log]
    for _ in range(150):
        data = bytearray(random.choice(sound))
        for _ in range(random.randint(1, 8)):
            at = random.randrange(len(data))
            action = random.randrange(4)
            if action == 0:
                data[at] = random.randrange(256)
            elif action == 1:
                del data[at : at + random.randint(1, 30)]
            elif action == 2:
                data[at:at] = random.choice(
                    [b"\r\n", b";", b",", b'"', b"<", b"\x00", b"%", b"z9hG4bK", b": ", b"999999"]
                )
            else:
                other = random.choice(sound)
                start = random.randrange(len(other))
                data[at : at + 20] = other[start : start + 40]
            if not data:
                break
        raw.send(bytes(data))
        wire.run(0.01)
    wire.run()
    assert not station.endpoint.defects
    assert station.endpoint.live() == NOTHING


# --- watching ---


def test_messages_are_counted_and_traced() -> None:
    engine = make_station("e", "192.0.2.9", trunks={}, passwords=PASSWORDS)
    phone = SipPhone("ada", "secret", "192.0.2.1", engine)
    seen: list[tuple[str, str]] = []
    engine.endpoint.trace = lambda way, flow, message: seen.append((way, message.start_line))
    wire = Wire(engine, phone)
    phone.register(wire.now)
    wire.run(1)
    assert engine.endpoint.counters == {
        ("in", "REGISTER", "request", Transport.UDP): 2,
        ("out", "REGISTER", 401, Transport.UDP): 1,
        ("out", "REGISTER", 200, Transport.UDP): 1,
    }
    assert [way for way, _ in seen] == ["in", "out", "in", "out"]
    assert seen[-1] == ("out", "SIP/2.0 200 OK")


def test_an_agent_calls_in_with_its_phone() -> None:
    engine = make_station("e", "192.0.2.9", trunks={}, passwords=PASSWORDS)
    engine.on_event = lambda event, now: answering(engine, event, now)
    phone = SipPhone("ada", "secret", "192.0.2.1", engine)
    wire = Wire(engine, phone)
    phone.call("300", wire.now)
    wire.run(1)
    phone.call("300", wire.now)
    wire.run(1)
    received = engine.told(InviteReceived)
    assert [(each.peer, each.to_user) for each in received if isinstance(each, InviteReceived)] == [
        (AgentPeer(user="ada"), "300")
    ]
    phone.endpoint.bye(phone.calls[-1], now=wire.now)
    wire.run()
    assert engine.told(SessionEnded)
    assert engine.endpoint.live() == phone.endpoint.live() == NOTHING
