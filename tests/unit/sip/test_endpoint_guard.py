"""Hostile networks at the endpoint: what strangers learn, how much comes back, who is banned, and who is not."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any, Final

import pytest

from engine.sip.auth import answer_challenge
from engine.sip.endpoint import Endpoint, EndpointConfig, Target
from engine.sip.events import AckReceived, InviteReceived, PingAnswered
from engine.sip.flow import Address, Flow, Transport
from engine.sip.guard_policy import GuardPolicy
from engine.sip.message import Request, Response
from engine.sip.parser import parse_datagram
from engine.sip.uri import SipUri
from tests.support.sip_phone import SDP, SDP_ANSWER, CountingIds, Passwords, Trunks
from tests.torture.cases import Case
from tests.torture.mutate import mutated
from tests.torture.rfc4475_odd import ODD
from tests.torture.rfc4475_refused import REFUSED
from tests.torture.rfc4475_valid import VALID
from tests.torture.rfc5118_cases import CASES as RFC5118

US: Final = Address("203.0.113.1", 5060)
TRUNK: Final = "198.51.100.1"
METHODS: Final = (
    *("INVITE", "REGISTER", "OPTIONS", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "INFO", "MESSAGE", "SUBSCRIBE"),
    *("NOTIFY", "PUBLISH", "REFER", "WHATEVER"),
)
UNBOUNDED: Final = GuardPolicy(unknown_per_s=1e9, unknown_invites_per_s=1e9, source_per_s=1e9)
"""So that the answers are seen and not the rates."""


class Rig:
    """An endpoint, and whoever speaks to it."""

    def __init__(self, policy: GuardPolicy | None = None) -> None:
        config = EndpointConfig(
            realm="hearthline",
            advertise=lambda flow: US,
            nonce_secret=b"0123456789abcdef",
            guard=policy or GuardPolicy(),
        )
        passwords = Passwords({"ann": "secret", "bob": "hidden"})
        self.endpoint = Endpoint(config, ids=CountingIds("e"), credentials=passwords, peers=Trunks({TRUNK: "pbx"}))
        self.now = 100.0
        self.number = 0
        self.nonce_counts: dict[str, int] = {}

    def send(self, data: bytes, flow: Flow) -> list[bytes]:
        """What is answered."""
        if flow.transport is Transport.UDP:
            self.endpoint.receive_datagram(data, flow, self.now)
        else:
            self.endpoint.receive_stream(data, flow, self.now)
        sent = self.endpoint.datagrams_to_send()
        assert all(out.flow.remote.host == flow.remote.host for out in sent)
        assert not self.endpoint.defects
        return [out.data for out in sent]

    def ask(self, method: str, flow: Flow, **options: Any) -> Response | None:
        """The answer to a request, or None."""
        self.number += 1
        answers = self.send(request(method, flow, self.number, **options), flow)
        assert len(answers) <= 1
        if not answers:
            return None
        parsed = parse_datagram(answers[0])
        assert isinstance(parsed, Response)
        return parsed

    def guess(self, flow: Flow, user: str, password: str) -> int | None:
        """The status of a REGISTER with this password, after its challenge; None where nothing came back."""
        challenged = self.ask("REGISTER", flow, user=user)
        if challenged is None:
            return None
        assert challenged.status == 401
        return self.answer(flow, user, password, challenged)

    def answer(self, flow: Flow, user: str, password: str, challenged: Response) -> int | None:
        name, value = answer_challenge(
            challenged.headers.get_all("WWW-Authenticate"),
            user=user,
            password=password,
            method="REGISTER",
            uri="sip:hearthline",
            cnonce="c",
        )
        answered = self.ask("REGISTER", flow, user=user, fields=[(name, value)])
        return None if answered is None else answered.status

    def bans(self) -> list[tuple[str, str | None]]:
        assert self.endpoint.guard is not None
        return [(ban.source, ban.user) for ban in self.endpoint.guard.bans(self.now)]

    def open(self, host: str, connection: int = 1) -> Flow:
        flow = Flow(Transport.TCP, US, Address(host, 40000), connection)
        self.endpoint.connection_opened(flow, self.now)
        return flow


def udp(host: str, port: int = 5060) -> Flow:
    return Flow(Transport.UDP, US, Address(host, port))


def request(
    method: str,
    flow: Flow,
    number: int = 1,
    *,
    user: str = "ann",
    called: str | None = None,
    fields: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    agent: str = "Example Phone 1.2.3 (a name as long as those of phones)",
    call_id: str = "",
    tag: str = "",
) -> bytes:
    """As a phone sends it."""
    host = f"{flow.remote.host}:{flow.remote.port}"
    uri = "sip:hearthline" if method == "REGISTER" else f"sip:{called or user}@hearthline"
    own = [
        ("Via", f"SIP/2.0/{flow.transport} {host};branch=z9hG4bK{number}{method};rport"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:{user}@hearthline>;tag=f{number}"),
        ("To", f"<sip:{called or user}@hearthline>" + (f";tag={tag}" if tag else "")),
        ("Call-ID", call_id or f"call-{number}@{flow.remote.host}"),
        ("CSeq", f"{number} {method}"),
        ("Contact", f"<sip:{user}@{host}>"),
        *([("User-Agent", agent)] if agent else []),
    ]
    return Request.build(method, uri, [*own, *fields], body).to_bytes()


# --- how much comes back ---


def bounded(data: bytes, answers: list[bytes]) -> bool:
    return sum(map(len, answers)) <= 1.5 * len(data)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("agent", ["", "A phone", "A phone with a long name " * 10])
def test_no_more_than_half_as_much_again_comes_back_to_an_address_that_may_be_forged(method: str, agent: str) -> None:
    rig = Rig(UNBOUNDED)
    flow = udp("192.0.2.1")
    for fields in (
        [],
        [("Require", "nothing-known")],
        [("Expires", "0")],
        [("Authorization", 'Digest username="ann", realm="hearthline", nonce="x", uri="sip:x", response="y"')],
        [("Max-Forwards", "0")],
    ):
        for body in (b"", SDP):
            rig.number += 1
            data = request(method, flow, rig.number, fields=fields, body=body, agent=agent)
            assert bounded(data, rig.send(data, flow))
    assert rig.endpoint.live().transactions == 0
    rig.now += 60
    rig.endpoint.handle_deadline(rig.now)
    assert rig.endpoint.datagrams_to_send() == []


def test_the_shortest_request_that_can_be_answered_gets_no_long_answer() -> None:
    rig = Rig(UNBOUNDED)
    flow = udp("192.0.2.1")
    for method in METHODS:
        head = f"v:SIP/2.0/UDP h;branch=z9hG4bK{method}\r\nf:<a:b>;tag=1\r\nt:<a:b>\r\ni:{method}\r\nCSeq:1 {method}"
        data = f"{method} sip:a SIP/2.0\r\n{head}\r\n\r\n".encode()
        assert bounded(data, rig.send(data, flow)), method
    assert rig.endpoint.withheld > 0


@pytest.mark.parametrize("case", [*VALID, *ODD, *REFUSED, *RFC5118], ids=lambda case: case.name)
def test_the_torture_messages_of_a_stranger_bring_back_no_more(case: Case) -> None:
    rig = Rig(UNBOUNDED)
    assert bounded(case.data, rig.send(case.data, udp("192.0.2.1")))


def test_mutated_messages_of_a_stranger_bring_back_no_more() -> None:
    rig, chance, flow = Rig(UNBOUNDED), random.Random(7), udp("192.0.2.1")
    corpus = [request(method, flow, number) for number, method in enumerate(METHODS)]
    corpus += [case.data for case in (*VALID, *ODD, *REFUSED)]
    came = went = 0
    for _ in range(3000):
        data = mutated(chance, corpus)
        answers = rig.send(data, flow)
        assert bounded(data, answers)
        came, went = came + len(data), went + sum(map(len, answers))
    assert 0 < went < came
    assert rig.endpoint.live().sessions == 0


def test_keep_alives_and_stun_of_a_stranger_are_not_answered() -> None:
    rig = Rig(UNBOUNDED)
    for data in (b"\r\n\r\n", b"\x00", b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)):
        assert rig.send(data, udp("192.0.2.1")) == []


def test_a_phone_of_usual_length_is_offered_both_algorithms() -> None:
    challenged = Rig().ask("REGISTER", udp("192.0.2.1"), fields=[("Expires", "300"), ("Supported", "path, outbound")])
    assert challenged is not None
    assert len(challenged.headers.get_all("WWW-Authenticate")) == 2


# --- what strangers learn ---


def shape(answer: Response | None) -> object:
    """Everything of an answer but what echoes the request and the nonce."""
    if answer is None:
        return None
    echoed = {"Via", "From", "To", "Call-ID", "CSeq", "WWW-Authenticate"}
    kept = [(name, value) for name, value in answer.headers.items() if name not in echoed]
    lengths = [len(value) for value in answer.headers.get_all("WWW-Authenticate")]
    return answer.status, answer.reason, [name for name, _ in answer.headers.items()], kept, lengths


@pytest.mark.parametrize("method", METHODS)
def test_a_user_that_there_is_and_one_that_there_is_not_look_the_same(method: str) -> None:
    rig = Rig(UNBOUNDED)
    shapes = [
        shape(rig.ask(method, udp("192.0.2.1"), user=user, called=called))
        for user, called in (("ann", "bob"), ("xyz", "bob"), ("ann", "xyz"), ("xyz", "zyx"))
    ]
    assert shapes.count(shapes[0]) == 4


def test_a_wrong_password_and_an_unknown_user_look_the_same() -> None:
    rig = Rig(UNBOUNDED)
    assert {rig.guess(udp(f"192.0.2.{n}"), user, "wrong") for n, user in enumerate(("ann", "bob", "xyz", "admin"))} == {
        403
    }
    for method in ("INVITE", "MESSAGE", "SUBSCRIBE", "REFER", "PUBLISH"):
        shapes = []
        for user in ("ann", "xyz"):
            field = ("Authorization", f'Digest username="{user}", realm="hearthline", nonce="x", uri="y", response="z"')
            shapes.append(shape(rig.ask(method, udp("192.0.2.50"), user=user, fields=[field])))
        assert shapes[0] == shapes[1]


def test_an_old_nonce_does_not_tell_whether_the_password_is_right() -> None:
    rig = Rig(UNBOUNDED)
    challenged = rig.ask("REGISTER", udp("192.0.2.1"))
    assert challenged is not None
    rig.now += 1000
    assert [rig.answer(udp("192.0.2.1"), "ann", password, challenged) for password in ("secret", "x")] == [401, 401]


def test_strangers_learn_no_address_and_no_version() -> None:
    rig = Rig(UNBOUNDED)
    flow = udp("192.0.2.1")
    for method in METHODS:
        for answer in rig.send(request(method, flow, body=SDP), flow):
            assert US.host.encode() not in answer
            assert b"Python" not in answer
            for name in (b"\nServer:", b"\nUser-Agent:"):
                line = answer.partition(name)[2].partition(b"\r\n")[0]
                assert not any(digit in line for digit in b"0123456789")


# --- who is banned ---


def test_guessing_a_password_bans_its_source_within_a_second() -> None:
    rig, flow = Rig(), udp("192.0.2.1")
    statuses = []
    for _ in range(12):
        statuses.append(rig.guess(flow, "ann", "wrong"))
        rig.now += 0.08
    assert statuses == [403] * 10 + [None, None]
    assert rig.bans() == [("192.0.2.1", None)]
    assert rig.ask("OPTIONS", flow) is None
    assert rig.guess(udp("192.0.2.2"), "ann", "secret") == 200
    rig.now += 60
    assert rig.guess(flow, "ann", "secret") == 200


def test_a_forged_source_bans_nobody() -> None:
    rig = Rig()
    challenged = rig.ask("REGISTER", udp("192.0.2.66"))
    assert challenged is not None
    for number in range(200):
        rig.now += 0.1
        # With a nonce that was sent to another address, and a new one each time so that no count is used up.
        rig.answer(udp("192.0.2.1"), "ann", f"wrong{number}", challenged)
    assert rig.bans() == []
    rig.now += 400
    assert rig.guess(udp("192.0.2.1"), "bob", "hidden") == 200


def test_forged_sources_lock_nobody_out_and_every_guess_counts_where_it_is_made() -> None:
    rig = Rig()
    challenged = rig.ask("REGISTER", udp("192.0.2.66"))
    assert challenged is not None
    for number in range(100):
        rig.now += 0.1
        source = udp(f"198.18.0.{number}")
        # Neither a wrong password nor the right one is told apart with a nonce that was sent to another address.
        assert {rig.answer(source, "ann", password, challenged) for password in ("wrong", "secret")} == {401}
        text = 'Digest username="ann", realm="hearthline", nonce="x", uri="sip:hearthline", response="x", algorithm=SHA'
        answered = rig.ask("REGISTER", source, fields=[("Authorization", text)])
        assert answered is not None
        assert answered.status == 401
    assert rig.bans() == []
    assert rig.guess(udp("203.0.113.77"), "ann", "secret") == 200


def test_where_ann_is_registered_a_guess_of_bobs_password_bans_only_bob_there() -> None:
    rig, home = Rig(), udp("192.0.2.1")
    assert rig.guess(home, "ann", "secret") == 200
    other = udp("192.0.2.1", 5070)
    statuses = [rig.guess(other, "bob", "wrong") for _ in range(12)]
    assert statuses == [403] * 10 + [None, None]
    assert rig.bans() == [("192.0.2.1", "bob")]
    assert rig.guess(home, "ann", "secret") == 200
    assert rig.guess(other, "bob", "hidden") is None
    assert rig.guess(udp("192.0.2.2"), "bob", "hidden") == 200


def test_a_password_guessed_from_many_sources_does_not_lock_out_who_has_a_binding() -> None:
    rig, home = Rig(), udp("192.0.2.1")
    assert rig.guess(home, "ann", "secret") == 200
    for number in range(80):
        assert rig.guess(udp(f"198.18.0.{number}"), "ann", "wrong") == 403
        rig.now += 0.1
    assert rig.guess(udp("198.18.1.1"), "ann", "secret") == 403
    assert rig.guess(home, "ann", "secret") == 200
    assert rig.guess(udp("198.18.1.1"), "bob", "hidden") == 200


def test_a_banned_source_loses_its_connections() -> None:
    rig = Rig()
    flow = rig.open("192.0.2.1")
    assert [rig.guess(flow, "ann", "wrong") for _ in range(11)] == [403] * 10 + [None]
    assert rig.endpoint.connections_to_close() == [flow]
    again = rig.open("192.0.2.1", 2)
    assert rig.ask("OPTIONS", again) is None
    assert rig.endpoint.connections_to_close() == [again]
    other = rig.open("192.0.2.2", 3)
    answer = rig.ask("OPTIONS", other)
    assert answer is not None
    assert answer.status == 200


def test_a_flood_on_a_connection_is_banned_and_closed() -> None:
    rig = Rig()
    flow = rig.open("192.0.2.1")
    answers = rig.send(b"".join(request("INVITE", flow, n) for n in range(500)), flow)
    assert len(answers) == 40
    assert rig.bans() == [("192.0.2.1", None)]
    assert rig.endpoint.connections_to_close() == [flow]


def test_a_flood_of_keep_alives_on_a_connection_is_banned_and_closed() -> None:
    rig = Rig()
    flow, honest = rig.open("192.0.2.1"), rig.open("192.0.2.2", 2)
    for number in range(200):
        rig.endpoint.receive_stream(b"\r\n\r\n", flow, rig.now)
        if number % 10 == 0:
            rig.now += 0.01
            rig.endpoint.receive_stream(b"\r\n\r\n", honest, rig.now)
    pongs = rig.endpoint.datagrams_to_send()
    assert sum(each.flow == flow for each in pongs) < 50
    assert sum(each.flow == honest for each in pongs) == 20
    assert rig.bans() == [("192.0.2.1", None)]
    assert rig.endpoint.connections_to_close() == [flow]


def test_the_ban_itself_is_told_though_nothing_comes_of_the_message_that_earned_it() -> None:
    rig = Rig()
    flow = udp("192.0.2.1")
    assert rig.guess(flow, "ann", "wrong") == 403
    guard = rig.endpoint.guard
    assert guard is not None
    heard = []
    for number in range(2000):
        heard.append(bool(rig.endpoint.receive_datagram(request("OPTIONS", flow, 1000 + number), flow, rig.now)))
        if guard.imposed:
            break
    assert guard.imposed
    assert heard[-2:] == [False, True]
    rig.endpoint.datagrams_to_send()


def test_messages_that_cannot_be_read_count_on_a_connection_too() -> None:
    rig = Rig()
    flow = rig.open("192.0.2.1")
    bad = request("OPTIONS", flow).replace(b"CSeq: 1 OPTIONS", b"CSeq: x OPTIONS")
    assert 0 < len(rig.send(bad * 500, flow)) <= 40
    assert rig.bans() == [("192.0.2.1", None)]


@pytest.mark.parametrize("agent", ["friendly-scanner", "pplsip", "VaxSIPUserAgent/3.0", "sipcli/v1.8"])
def test_a_scanner_gets_no_answer(agent: str) -> None:
    rig = Rig()
    flow = udp("192.0.2.1")
    for method in ("OPTIONS", "REGISTER", "INVITE"):
        assert rig.ask(method, flow, agent=agent) is None
    bad = request("OPTIONS", flow, agent=agent).replace(b"CSeq: 1 OPTIONS", b"CSeq: x OPTIONS")
    assert rig.send(bad, flow) == []
    assert rig.bans() == []
    assert rig.ask("OPTIONS", flow) is not None
    stream = rig.open("192.0.2.2")
    assert rig.ask("OPTIONS", stream, agent=agent) is None
    assert rig.bans() == [("192.0.2.2", None)]


# --- who is heard all the same ---


def flood(rig: Rig, count: int = 5000) -> None:
    """Of forged sources."""
    for number in range(count):
        source = udp(f"198.18.{number // 250}.{number % 250}")
        rig.endpoint.receive_datagram(request("REGISTER", source, number), source, rig.now)
    rig.endpoint.datagrams_to_send()


def test_calls_of_a_trunk_are_served_in_a_flood() -> None:
    rig, trunk = Rig(), udp(TRUNK)
    flood(rig)
    answers = rig.send(request("INVITE", trunk, 1, body=SDP, fields=[("Content-Type", "application/sdp")]), trunk)
    assert answers[0].startswith(b"SIP/2.0 100 ")
    event = rig.endpoint.next_event()
    assert isinstance(event, InviteReceived)
    rig.endpoint.accept(event.session, SDP_ANSWER, now=rig.now)
    accepted = parse_datagram(rig.endpoint.datagrams_to_send()[0].data)
    assert isinstance(accepted, Response)
    tag = accepted.to_tag or ""
    dialog = {"call_id": f"call-1@{TRUNK}", "tag": tag}
    flood(rig)
    ack = request("ACK", trunk, 1, **dialog).replace(b"CSeq: 1 ACK", b"CSeq: 1 ACK")
    rig.send(ack, trunk)
    assert isinstance(rig.endpoint.next_event(), AckReceived)
    flood(rig)
    bye = request("BYE", trunk, 2, **dialog).replace(b"tag=f2", b"tag=f1")
    assert rig.send(bye, trunk)[0].startswith(b"SIP/2.0 200 ")
    assert rig.endpoint.live().sessions == 0


def test_whom_we_asked_is_heard_in_a_flood() -> None:
    rig, provider = Rig(), udp("192.0.2.200")
    target = Target(uri=SipUri(user="x", host="192.0.2.200"), flow=provider)
    number = rig.endpoint.ping(target, now=rig.now)
    asked = parse_datagram(rig.endpoint.datagrams_to_send()[0].data)
    assert isinstance(asked, Request)
    flood(rig)
    rig.send(Response.build(asked, 200, None, "t").to_bytes(), provider)
    event = rig.endpoint.next_event()
    assert isinstance(event, PingAnswered)
    assert (event.ping, event.status) == (number, 200)


def test_agents_stay_registered_in_a_flood() -> None:
    rig, home = Rig(), udp("192.0.2.1")
    assert rig.guess(home, "ann", "secret") == 200
    for _ in range(10):
        flood(rig, 500)
        rig.now += 0.05
        assert rig.guess(home, "ann", "secret") == 200


def test_a_known_source_that_sends_too_much_is_told_to_come_later() -> None:
    rig, home = Rig(), udp("192.0.2.1")
    assert rig.guess(home, "ann", "secret") == 200
    answers = [rig.ask("OPTIONS", home) for _ in range(500)]
    statuses = [None if each is None else each.status for each in answers]
    served = statuses.index(503)
    assert served > 200
    assert statuses == [200] * served + [503] * 10 + [None] * (490 - served)
    refused = answers[served]
    assert refused is not None
    assert refused.headers.get("Retry-After") == "5"


def test_without_a_guard_everybody_is_heard() -> None:
    rig = Rig(GuardPolicy(enabled=False))
    assert rig.endpoint.guard is None
    statuses = [rig.ask("OPTIONS", udp("192.0.2.1"), agent="friendly-scanner") for _ in range(200)]
    assert [each.status for each in statuses if each] == [200] * 200
    flow = rig.open("192.0.2.1")
    assert [rig.guess(flow, "ann", "wrong") for _ in range(30)] == [403] * 30
