"""Challenges to requests of ours: answered by the stack, once for each realm (RFC 3261 22, 7616, 8760)."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from engine.sip.accounts import Login
from engine.sip.auth import DigestServer, Outcome, ha1, response_digest
from engine.sip.endpoint import LiveCounts, Target
from engine.sip.events import (
    EndedBy,
    InviteAccepted,
    InviteFailed,
    OfferAnswered,
    OfferRefused,
    PingAnswered,
    ProgressReceived,
    SessionEnded,
    SessionId,
)
from engine.sip.headers import parse_auth
from engine.sip.limits import MAX_REALMS
from engine.sip.message import Request
from tests.support.sip_phone import SDP, SDP_ANSWER, Logins, make_station, target
from tests.support.sip_raw import RawPeer, answering, pair, session_of
from tests.support.wire import EndpointStation, Wire

LOGIN = Login(user="4711", password="secret")
NOTHING = LiveCounts(0, 0, 0, 0, 0)


class Guard:
    """Challenges as a server of some realm does, and looks at what comes back."""

    def __init__(self, realm: str = "provider", *, proxy: bool = False) -> None:
        self.realm = realm
        self.proxy = proxy
        self._digest = DigestServer(realm, b"0123456789abcdef", 300.0)
        # Running since before the test, so that the nonces of a twin with the same secret are good here too.
        self._digest.challenges(0.0)

    def challenge(self, now: float = 0.0, *, stale: bool = False) -> list[tuple[str, str]]:
        name = "Proxy-Authenticate" if self.proxy else "WWW-Authenticate"
        return [(name, text) for text in self._digest.challenges(now, stale)]

    def verify(self, request: Request, now: float = 0.0) -> Outcome:
        name = "Proxy-Authorization" if self.proxy else "Authorization"
        return self._digest.verify(
            request.headers.get_all(name),
            request.method,
            request.request_uri,
            request.body,
            lambda user, realm, algorithm: ha1(user, realm, "secret", algorithm) if user == "4711" else None,
            now,
        ).outcome


def aim_at(station: EndpointStation, raw: RawPeer) -> Target:
    return replace(target(station, raw), account="provider")


def challenged(*, pinned: bool = False) -> tuple[EndpointStation, RawPeer, Wire, SessionId, Request]:
    """An INVITE of an account's, with which the test does what it likes."""
    station, raw, wire = pair(logins={"provider": LOGIN})
    aim = replace(aim_at(station, raw), pinned=pinned)
    session = station.endpoint.invite(aim, from_user="4711", sdp=SDP, now=wire.now)
    wire.run(0.1)
    return station, raw, wire, session, raw.requests("INVITE")[0]


def last(raw: RawPeer, method: str = "INVITE") -> Request:
    return raw.requests(method)[-1]


def nonce_count(request: Request, field: str = "Authorization") -> str:
    return parse_auth(request.headers.get(field) or "").params["nc"]


def test_a_challenged_invite_is_sent_again_with_credentials_and_its_user_sees_the_outcome_alone() -> None:
    station, raw, wire, session, first = challenged()
    guard = Guard()
    raw.respond(first, 401, fields=guard.challenge())
    wire.run(0.1)
    second = last(raw)
    assert guard.verify(second) is Outcome.OK
    assert parse_auth(second.headers.get("Authorization") or "").params["algorithm"] == "SHA-256"
    same = ("Call-ID", "From", "To", "Contact", "Max-Forwards")
    assert [second.headers.get(name) for name in same] == [first.headers.get(name) for name in same]
    assert (first.cseq.number, second.cseq.number) == (1, 2)
    assert second.via.branch != first.via.branch
    assert (second.body, second.request_uri) == (SDP, first.request_uri)
    ack = raw.requests("ACK")[0]
    assert (ack.cseq.number, ack.via.branch) == (1, first.via.branch)
    assert station.told() == []
    raw.respond(second, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told() == [InviteAccepted(session=session, flow=station.flow_to(raw), sdp=SDP_ANSWER)]
    assert last(raw, "ACK").cseq.number == 2
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert last(raw, "BYE").cseq.number == 3


def test_the_refusal_that_comes_again_is_acknowledged_again_beside_the_second_try() -> None:
    station, raw, wire, session, first = challenged()
    guard = Guard()
    for _ in range(3):
        raw.respond(first, 401, fields=guard.challenge())
    wire.run(0.1)
    acks = raw.requests("ACK")
    assert len(acks) == 3
    assert acks[0] == acks[1] == acks[2]
    assert len(raw.requests("INVITE")) == 2
    raw.respond(last(raw), 486)
    wire.run()
    assert station.told() == [InviteFailed(session=session, status=486, reason="Busy Here")]
    assert station.endpoint.live() == NOTHING


def test_a_wrong_password_is_told_after_one_try() -> None:
    station, raw, wire, session, first = challenged()
    guard = Guard()
    raw.respond(first, 401, fields=guard.challenge())
    wire.run(0.1)
    raw.respond(last(raw), 401, fields=guard.challenge())
    wire.run(0.1)
    assert len(raw.requests("INVITE")) == 2
    assert station.told() == [InviteFailed(session=session, status=401, reason="Unauthorized")]
    # What was refused is not sent unasked with the next call.
    station.endpoint.invite(aim_at(station, raw), from_user="4711", sdp=SDP, now=wire.now)
    wire.run(0.1)
    assert "Authorization" not in last(raw).headers


def test_a_stale_nonce_is_replaced_however_the_first_was_answered_but_not_for_ever() -> None:
    station, raw, wire, session, first = challenged()
    guard = Guard()
    raw.respond(first, 401, fields=guard.challenge())
    wire.run(0.1)
    raw.respond(last(raw), 401, fields=guard.challenge(stale=True))
    wire.run(0.1)
    assert guard.verify(last(raw)) is Outcome.OK
    assert last(raw).cseq.number == 3
    for _ in range(20):
        raw.respond(last(raw), 401, fields=guard.challenge(stale=True))
        wire.run(0.1)
    assert len(raw.requests("INVITE")) == 7
    assert station.told() == [InviteFailed(session=session, status=401, reason="Unauthorized")]


def test_two_proxies_and_the_server_are_answered_each() -> None:
    # Three credentials are more than a datagram should hold.
    _, raw, wire, _, first = challenged(pinned=True)
    guards = [Guard("edge", proxy=True), Guard("core", proxy=True), Guard("provider")]
    raw.respond(first, 407, fields=[*guards[0].challenge(), *guards[1].challenge()])
    wire.run(0.1)
    assert [guard.verify(last(raw)) for guard in guards] == [Outcome.OK, Outcome.OK, Outcome.ABSENT]
    raw.respond(last(raw), 401, fields=guards[2].challenge())
    wire.run(0.1)
    assert [guard.verify(last(raw)) for guard in guards] == [Outcome.OK] * 3
    assert last(raw).cseq.number == 3
    assert len(last(raw).headers.get_all("Proxy-Authorization")) == 2


def test_the_next_requests_of_the_account_carry_the_nonce_with_a_rising_count() -> None:
    station, raw, wire, session, first = challenged()
    guard = Guard()
    raw.respond(first, 401, fields=guard.challenge())
    wire.run(0.1)
    assert nonce_count(last(raw)) == "00000001"
    raw.respond(last(raw), 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    station.endpoint.bye(session, now=wire.now)
    station.endpoint.ping(aim_at(station, raw), now=wire.now)
    station.endpoint.invite(aim_at(station, raw), from_user="4711", sdp=SDP, now=wire.now)
    wire.run(0.1)
    asked = [last(raw, method) for method in ("BYE", "OPTIONS", "INVITE")]
    assert [nonce_count(request) for request in asked] == ["00000002", "00000003", "00000004"]
    assert [guard.verify(request) for request in asked] == [Outcome.OK] * 3


def test_a_server_that_takes_no_nonce_twice_asks_again_and_is_answered() -> None:
    station, raw, wire, _, first = challenged()
    guard = Guard()
    raw.respond(first, 401, fields=guard.challenge())
    wire.run(0.1)
    raw.respond(last(raw), 486)
    station.endpoint.ping(aim_at(station, raw), now=wire.now)
    wire.run(0.1)
    raw.respond(last(raw, "OPTIONS"), 401, fields=guard.challenge(now=1.0))
    wire.run(0.1)
    assert guard.verify(last(raw, "OPTIONS"), now=1.0) is Outcome.OK
    assert nonce_count(last(raw, "OPTIONS")) == "00000001"


def test_the_nonce_that_the_server_names_is_used_next() -> None:
    station, raw, wire, _, first = challenged()
    guard, following = Guard(), Guard()
    raw.respond(first, 401, fields=guard.challenge())
    wire.run(0.1)
    nonce = parse_auth(following.challenge(7.0)[0][1]).params["nonce"]
    info = ("Authentication-Info", f'qop=auth, rspauth="", nextnonce="{nonce}"')
    raw.respond(last(raw), 200, sdp=SDP_ANSWER, fields=[info])
    wire.run(0.1)
    station.endpoint.ping(aim_at(station, raw), now=wire.now)
    wire.run(0.1)
    assert parse_auth(last(raw, "OPTIONS").headers.get("Authorization") or "").params["nonce"] == nonce
    assert nonce_count(last(raw, "OPTIONS")) == "00000001"


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("WWW-Authenticate", "Basic realm=x")],
        [("WWW-Authenticate", "Digest nonce=abc")],
        [("WWW-Authenticate", 'Digest realm="x", nonce="1", algorithm=SHA-1')],
        [("WWW-Authenticate", "")],
    ],
)
def test_what_cannot_be_answered_is_told(fields: list[tuple[str, str]]) -> None:
    station, raw, wire, session, first = challenged()
    raw.respond(first, 401, fields=fields)
    wire.run(0.1)
    assert station.told() == [InviteFailed(session=session, status=401, reason="Unauthorized")]


def test_one_challenge_that_cannot_be_read_does_not_hide_another() -> None:
    _, raw, wire, _, first = challenged()
    guard = Guard()
    raw.respond(first, 401, fields=[("WWW-Authenticate", "NTLM"), *guard.challenge()])
    wire.run(0.1)
    assert guard.verify(last(raw)) is Outcome.OK


def test_without_an_account_or_its_login_the_challenge_is_told() -> None:
    station, raw, wire = pair(logins={"provider": LOGIN})
    for aim in (target(station, raw), replace(target(station, raw), account="unknown")):
        session = station.endpoint.invite(aim, from_user="x", sdp=SDP, now=wire.now)
        wire.run(0.1)
        raw.respond(last(raw), 407, fields=Guard(proxy=True).challenge())
        wire.run(0.1)
        failed = InviteFailed(session=session, status=407, reason="Proxy Authentication Required")
        assert station.told()[-1] == failed


def test_a_call_that_is_taken_back_while_it_is_challenged_is_not_sent_again() -> None:
    station, raw, wire, session, first = challenged()
    raw.respond(first, 100)
    wire.run(0.1)
    station.endpoint.cancel(session, now=wire.now)
    wire.run(0.1)
    raw.respond(last(raw, "CANCEL"), 200)
    raw.respond(first, 401, fields=Guard().challenge())
    wire.run()
    assert len(raw.requests("INVITE")) == 1
    assert [type(event) for event in station.told()] == [InviteFailed]
    assert station.endpoint.live() == NOTHING


def test_cancel_waits_for_the_first_word_about_the_second_try_and_names_it() -> None:
    station, raw, wire, session, first = challenged()
    raw.respond(first, 100)
    raw.respond(first, 401, fields=Guard().challenge())
    wire.run(0.1)
    station.endpoint.cancel(session, now=wire.now)
    wire.run(0.1)
    assert raw.requests("CANCEL") == []
    second = last(raw)
    raw.respond(second, 180)
    wire.run(0.1)
    cancel = raw.requests("CANCEL")[0]
    assert (cancel.via.branch, cancel.cseq.number) == (second.via.branch, 2)
    raw.respond(cancel, 200)
    raw.respond(second, 487)
    wire.run()
    assert station.told() == [InviteFailed(session=session, status=487, reason="Request Terminated")]
    assert station.endpoint.live() == NOTHING


def test_progress_of_the_second_try_is_told() -> None:
    station, raw, wire, session, first = challenged()
    raw.respond(first, 401, fields=Guard().challenge())
    wire.run(0.1)
    raw.respond(last(raw), 180)
    wire.run(0.1)
    assert station.told() == [ProgressReceived(session=session, status=180, sdp=None)]


def up() -> tuple[EndpointStation, RawPeer, Wire, SessionId]:
    """A call of an account's that stands."""
    station, raw, wire, session, first = challenged()
    raw.respond(first, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    station.events.clear()
    return station, raw, wire, session


def test_a_challenged_bye_is_sent_again_with_the_next_number_of_the_dialog() -> None:
    station, raw, wire, session = up()
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    bye = last(raw, "BYE")
    raw.respond(bye, 407, fields=Guard(proxy=True).challenge())
    wire.run(0.1)
    again = last(raw, "BYE")
    assert (bye.cseq.number, again.cseq.number) == (2, 3)
    assert Guard(proxy=True).verify(again) is Outcome.OK
    assert station.told() == []
    raw.respond(again, 200)
    wire.run()
    assert station.told() == [SessionEnded(session=session, by=EndedBy.LOCAL)]
    assert station.endpoint.live() == NOTHING


def test_a_challenged_reinvite_is_sent_again_and_counts_on_from_there() -> None:
    station, raw, wire, session = up()
    station.endpoint.offer(session, SDP, now=wire.now)
    wire.run(0.1)
    raw.respond(last(raw), 401, fields=Guard().challenge())
    wire.run(0.1)
    again = last(raw)
    assert (again.cseq.number, Guard().verify(again)) == (3, Outcome.OK)
    raw.respond(again, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told() == [OfferAnswered(session=session, sdp=SDP_ANSWER)]
    assert last(raw, "ACK").cseq.number == 3
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert last(raw, "BYE").cseq.number == 4


def test_a_reinvite_whose_login_is_wrong_is_refused_and_the_call_stays() -> None:
    station, raw, wire, session = up()
    station.endpoint.offer(session, SDP, now=wire.now)
    for _ in range(2):
        wire.run(0.1)
        raw.respond(last(raw), 401, fields=Guard().challenge())
    wire.run(0.1)
    assert station.told() == [OfferRefused(session=session, status=401, reason="Unauthorized")]


def test_a_challenged_ping_counts_as_one() -> None:
    station, raw, wire = pair(logins={"provider": LOGIN})
    ping = station.endpoint.ping(aim_at(station, raw), now=wire.now)
    wire.run(0.1)
    raw.respond(last(raw, "OPTIONS"), 401, fields=Guard().challenge())
    wire.run(0.1)
    assert station.told() == []
    raw.respond(last(raw, "OPTIONS"), 200)
    wire.run()
    (told,) = station.told()
    assert isinstance(told, PingAnswered)
    assert (told.ping, told.status) == (ping, 200)
    assert station.endpoint.live() == NOTHING


def test_our_bye_in_a_call_that_a_trunk_with_an_account_made_is_signed_too() -> None:
    station, raw, wire = pair(answering, trunks={"192.0.2.1": "provider"}, logins={"provider": LOGIN})
    raw.ask("INVITE")
    wire.run(0.1)
    station.endpoint.bye(session_of(station), now=wire.now)
    raw.ask("ACK", to_tag=raw.responses()[-1].to_tag)
    wire.run(0.1)
    raw.respond(last(raw, "BYE"), 401, fields=Guard().challenge())
    wire.run(0.1)
    assert Guard().verify(last(raw, "BYE")) is Outcome.OK


@pytest.mark.parametrize("seed", range(5))
def test_challenged_calls_come_through_on_a_network_that_loses(seed: int) -> None:
    server = make_station("s", "192.0.2.7", trunks={}, passwords={"4711": "secret"})
    server.on_event = lambda event, now: answering(server, event, now)
    client = make_station("c", "192.0.2.8", logins={"provider": LOGIN})
    wire = Wire(server, client, loss=0.3, duplicate=0.1, reorder=0.2, seed=seed)
    aim = replace(target(client, server), account="provider")
    sessions = [client.endpoint.invite(aim, from_user="4711", sdp=SDP, now=wire.now) for _ in range(10)]
    wire.run(20)
    for session in sessions:
        client.endpoint.terminate(session, now=wire.now)
    wire.run()
    ended = [event for event in client.told() if isinstance(event, InviteFailed | SessionEnded)]
    assert len(ended) == 10
    assert len(client.told(InviteAccepted)) >= 8
    assert client.endpoint.live() == NOTHING
    assert server.endpoint.live() == NOTHING


def test_a_login_that_was_changed_is_not_signed_with_any_more() -> None:
    station, raw, wire, _, first = challenged()
    raw.respond(first, 401, fields=Guard().challenge())
    wire.run(0.1)
    raw.respond(last(raw), 486)
    wire.run(0.1)
    store = station.endpoint._stack.retries.accounts._store
    assert isinstance(store, Logins)
    store.by_account["provider"] = Login(user="4711", password="another")
    station.endpoint.ping(aim_at(station, raw), now=wire.now)
    wire.run(0.1)
    assert "Authorization" not in last(raw, "OPTIONS").headers


def test_a_nonce_that_comes_again_is_counted_on() -> None:
    station, raw, wire, _, first = challenged()
    guard = Guard()
    challenge = guard.challenge()
    raw.respond(first, 401, fields=challenge)
    wire.run(0.1)
    raw.respond(last(raw), 486)
    station.endpoint.ping(aim_at(station, raw), now=wire.now)
    wire.run(0.1)
    raw.respond(last(raw, "OPTIONS"), 401, fields=challenge)
    wire.run(0.1)
    assert nonce_count(last(raw, "OPTIONS")) == "00000003"


def test_the_realms_of_an_account_have_a_bound() -> None:
    station, raw, wire = pair(logins={"provider": LOGIN})
    aim = replace(aim_at(station, raw), pinned=True)
    for number in range(MAX_REALMS + 3):
        station.endpoint.ping(aim, now=wire.now)
        wire.run(0.1)
        raw.respond(last(raw, "OPTIONS"), 401, fields=Guard(f"realm{number}").challenge())
        wire.run(0.1)
        raw.respond(last(raw, "OPTIONS"), 200)
        wire.run(0.1)
    assert len(last(raw, "OPTIONS").headers.get_all("Authorization")) == MAX_REALMS


@pytest.mark.parametrize("odd", ["\\\r", "\r", "\x00", "\udc80", '\\"', "\u00e9", "x" * 20_000])
def test_whatever_a_challenge_holds_the_outcome_is_told_and_the_next_call_goes_out(odd: str) -> None:
    station, raw, wire, _, first = challenged(pinned=True)
    text = f'SIP/2.0 401 No\r\nWWW-Authenticate: Digest realm="{odd}", nonce="{odd}", opaque="{odd}"\r\n'
    fields = "".join(f"{name}: {first.headers.get(name)}\r\n" for name in ("Via", "From", "Call-ID", "CSeq"))
    answer = f"{text}{fields}To: {first.headers.get('To')};tag=a\r\nContent-Length: 0\r\n\r\n"
    raw.send(answer.encode(errors="surrogateescape"))
    wire.run(0.1)
    if len(raw.requests("INVITE")) == 2:
        raw.respond(last(raw), 486)
        wire.run(0.1)
    if not station.told():
        # The answer could not be read, so that it was none.
        wire.run(40)
    assert [type(event) for event in station.told()] == [InviteFailed]
    station.endpoint.invite(aim_at(station, raw), from_user="4711", sdp=SDP, now=wire.now)
    wire.run(0.1)
    assert last(raw).call_id != first.call_id
    assert not station.endpoint.defects


SESSION = 'Digest realm="provider", nonce="{}", qop="auth", algorithm=MD5-sess'


def test_a_session_keeps_both_its_nonces_and_counts_on() -> None:
    station, raw, wire, session, first = challenged()
    raw.respond(first, 401, fields=[("WWW-Authenticate", SESSION.format("one"))])
    wire.run(0.1)
    raw.respond(last(raw), 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    # A second challenge with the same nonce, of another call, goes on with the same session.
    station.endpoint.invite(aim_at(station, raw), from_user="4711", sdp=SDP, now=wire.now)
    wire.run(0.1)
    said = [parse_auth(each.headers.get("Authorization") or "").params for each in (*raw.requests("INVITE")[1:],)]
    said.insert(1, parse_auth(last(raw, "BYE").headers.get("Authorization") or "").params)
    assert [each["nc"] for each in said] == ["00000001", "00000002", "00000003"]
    assert len({each["cnonce"] for each in said}) == 1
    key = ha1("4711", "provider", "secret", "MD5")
    key = hashlib.md5(f"{key}:one:{said[0]['cnonce']}".encode(), usedforsecurity=False).hexdigest()
    for each, method in zip(said, ("INVITE", "BYE", "INVITE"), strict=True):
        wanted = response_digest(
            *(key, "MD5"),
            **{"nonce": "one", "method": method, "uri": each["uri"], "qop": "auth", "nonce_count": each["nc"]},
            cnonce=each["cnonce"],
        )
        assert each["response"] == wanted


def test_a_session_that_is_asked_for_again_is_the_same() -> None:
    _, raw, wire, _, first = challenged()
    raw.respond(first, 401, fields=[("WWW-Authenticate", SESSION.format("one"))])
    wire.run(0.1)
    once = parse_auth(last(raw).headers.get("Authorization") or "").params
    raw.respond(last(raw), 401, fields=[("WWW-Authenticate", SESSION.format("one") + ", stale=true")])
    wire.run(0.1)
    again = parse_auth(last(raw).headers.get("Authorization") or "").params
    assert (once["cnonce"], once["nc"], again["nc"]) == (again["cnonce"], "00000001", "00000002")


def test_the_next_nonce_of_a_session_is_not_used_unasked() -> None:
    station, raw, wire, session, first = challenged()
    raw.respond(first, 401, fields=[("WWW-Authenticate", SESSION.format("one"))])
    wire.run(0.1)
    raw.respond(last(raw), 200, sdp=SDP_ANSWER, fields=[("Authentication-Info", 'nextnonce="two"')])
    wire.run(0.1)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert "Authorization" not in last(raw, "BYE").headers


def test_a_login_that_is_printed_keeps_its_password_to_itself() -> None:
    assert repr(LOGIN) == str(LOGIN) == "Login(user='4711', password=...)"
