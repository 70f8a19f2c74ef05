"""Lamps and texts: what the phones of agents see of each other, and what is said to them."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Agent, Put
from engine.calls.events import Party, TextRelayed
from engine.calls.ports import AgentPhone
from engine.ids import AgentName, LegId
from engine.sip.auth import answer_challenge
from engine.sip.event_state import Package
from engine.sip.events import MessageReceived, SessionEnded
from engine.sip.flow import Transport
from engine.sip.message import Request, Response
from engine.sip.parser import parse_datagram
from tests.support.sip_legs import LEG, MEDIA, answer_of, placed, up_incoming
from tests.support.sip_pair import ENGINE, PBX, SPARE, SipPair, udp

NS = "{urn:ietf:params:xml:ns:dialog-info}"
CANCELLED = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.CANCELLED, sip_code=487)
ANNA = AgentPhone(agent=AgentName("anna"))


class Desk:
    """Bert's phone, by hand, beside the engine's legs; it confirms every NOTIFY."""

    def __init__(self) -> None:
        self.pair = SipPair()
        for name, context in (("bert", "agents"), ("cleo", "elsewhere")):
            self.pair.directory.apply(Put(entity=Agent(name=AgentName(name), context=context)))
        self.notified: list[Request] = []
        self.number = 0
        self.pair.lose = self._take

    def _take(self, data: bytes) -> bool:
        if not data.startswith(b"NOTIFY"):
            return False
        request = parse_datagram(data)
        assert isinstance(request, Request)
        self.notified.append(request)
        answer = Response.build(request, 200).to_bytes()
        self.pair.engine.receive_datagram(answer, udp(ENGINE, SPARE), self.pair.now)
        return True

    def ask(
        self, method: str, user: str, fields: dict[str, str], body: bytes = b"", by: str = "bert"
    ) -> Response | None:
        """A request with digest, and its final answer if there is one at once."""
        uri = f"sip:{user}@{ENGINE.host}"
        extra: list[tuple[str, str]] = []
        for _ in range(2):
            self.number += 1
            request = Request.build(
                method,
                uri,
                [
                    ("Via", f"SIP/2.0/UDP 192.0.2.4:5060;rport;branch=z9hG4bKdesk{self.number}"),
                    ("Max-Forwards", "70"),
                    ("From", f"<sip:{by}@{ENGINE.host}>;tag=desk"),
                    ("To", f"<{uri}>"),
                    ("Call-ID", f"desk{self.number}"),
                    ("CSeq", f"1 {method}"),
                    ("Contact", "<sip:bert@192.0.2.4:5060>"),
                    *fields.items(),
                    *extra,
                ],
                body,
            )
            self.pair.engine.receive_datagram(request.to_bytes(), udp(ENGINE, SPARE), self.pair.now)
            answer = self.answer()
            if answer is None or answer.status != 401:
                break
            challenges = answer.headers.get_all("WWW-Authenticate")
            extra = [answer_challenge(challenges, user=by, password="secret", method=method, uri=uri, cnonce="c", nc=1)]
        self.pair.run()
        return answer

    def answer(self) -> Response | None:
        """What the engine says to the phone now; what it says to others goes on its way."""
        found: Response | None = None
        outbox = self.pair.engine._stack.outbox
        others = []
        for sent in self.pair.engine.datagrams_to_send():
            message = parse_datagram(sent.data)
            if isinstance(message, Response):
                found = message
            else:
                others.append(sent)
        outbox.transmissions += others
        return found

    def watch(self, user: str, event: str = "dialog", by: str = "bert") -> int | None:
        answer = self.ask("SUBSCRIBE", user, {"Event": event, "Expires": "600"}, by=by)
        return None if answer is None else answer.status

    def settle(self) -> None:
        """Changes are told, and the second between two of them passes."""
        self.pair.legs.watch.tell(self.pair.now)
        self.pair.run()
        self.pair.wait(1.5)

    def lamps(self) -> list[list[tuple[str | None, str | None, str | None]]]:
        """Direction, state and other side of each call, of each NOTIFY."""
        return [
            [
                (each.get("direction"), each.findtext(f"{NS}state"), each.findtext(f"{NS}remote/{NS}identity"))
                for each in ElementTree.fromstring(request.body).iter(f"{NS}dialog")
            ]
            for request in self.notified
        ]


def test_a_lamp_follows_a_call_to_the_phone() -> None:
    desk = Desk()
    assert desk.watch("anna") == 200
    desk.pair.register()
    desk.settle()
    session = placed(desk.pair, ANNA)
    desk.settle()
    desk.pair.peer.progress(session, 180, now=desk.pair.now)
    desk.pair.run()
    desk.settle()
    invite = desk.pair.far[-1]
    desk.pair.peer.accept(session, answer_of(getattr(invite, "sdp", None)), now=desk.pair.now)
    desk.pair.run()
    desk.settle()
    desk.pair.peer.bye(session, now=desk.pair.now)
    desk.pair.run()
    desk.settle()
    other = "sip:0301234@192.0.2.1"
    assert desk.lamps() == [
        [],
        [("recipient", "trying", other)],
        [("recipient", "early", other)],
        [("recipient", "confirmed", other)],
        [],
    ]
    assert len(desk.pair.all_far(SessionEnded)) == 1


def test_only_what_is_watched_is_told() -> None:
    desk = Desk()
    up_incoming(desk.pair)
    desk.settle()
    assert desk.pair.legs._book.touched == {}
    desk.pair.register("bert", call_id="other")
    desk.watch("anna")
    desk.pair.register()
    desk.pair.legs.place(LegId("other"), AgentPhone(agent=AgentName("bert")), Party(number="1"), MEDIA, desk.pair.now)
    assert desk.pair.legs._book.touched == {}
    placed(desk.pair, ANNA)
    assert list(desk.pair.legs._book.touched) == ["anna"]
    desk.settle()
    assert desk.pair.legs._book.touched == {}
    assert len(desk.notified) == 2


def test_a_phone_that_is_called_off_is_shown_no_more() -> None:
    desk = Desk()
    desk.watch("anna")
    desk.pair.register()
    session = placed(desk.pair, ANNA)
    desk.pair.peer.progress(session, 180, now=desk.pair.now)
    desk.pair.run()
    desk.settle()
    desk.pair.legs.end(LEG, CANCELLED, desk.pair.now)
    desk.pair.run()
    desk.settle()
    assert [states[:1] and states[0][1] for states in desk.lamps()] == [[], "early", []]
    assert desk.pair.legs.watch.dialogs("anna") == []


@pytest.mark.parametrize(
    ("user", "event", "status"),
    [
        ("bert", "message-summary", 200),
        ("bert", "dialog", 200),
        ("anna", "message-summary", 403),
        ("cleo", "dialog", 403),
        ("nobody", "dialog", 403),
    ],
)
def test_who_may_see_what(user: str, event: str, status: int) -> None:
    assert Desk().watch(user, event) == status


def test_there_is_no_voice_mail() -> None:
    desk = Desk()
    desk.watch("bert", "message-summary")
    assert desk.notified[0].body.startswith(b"Messages-Waiting: no\r\n")
    assert b"Voice-Message: 0/0 (0/0)" in desk.notified[0].body
    assert not desk.pair.legs.watch.may_watch("stranger", Package.DIALOG, "bert")


PLAIN = {"Content-Type": "text/plain"}


def test_a_text_reaches_the_phone_and_its_answer_the_sender() -> None:
    desk = Desk()
    desk.pair.register()
    assert desk.ask("MESSAGE", "anna", PLAIN, "Grüße".encode()) is None
    (came,) = desk.pair.all_far(MessageReceived)
    assert isinstance(came, MessageReceived)
    assert (came.from_user, came.text) == ("bert", "Grüße")
    desk.pair.peer.answer_message(came.message, 200, now=desk.pair.now)
    desk.pair.run()
    assert desk.pair.last(TextRelayed) == TextRelayed(sender="bert", to=AgentName("anna"), size=5, delivered=True)


def test_one_phone_that_takes_it_is_enough() -> None:
    desk = Desk()
    desk.pair.register()
    desk.pair.register(call_id="second", at=PBX)
    desk.ask("MESSAGE", "anna", PLAIN, b"hi")
    first, second = desk.pair.all_far(MessageReceived)
    assert isinstance(first, MessageReceived)
    assert isinstance(second, MessageReceived)
    desk.pair.peer.answer_message(first.message, 486, now=desk.pair.now)
    desk.pair.run()
    assert not [event for event in desk.pair.told if isinstance(event, TextRelayed)]
    desk.pair.peer.answer_message(second.message, 202, now=desk.pair.now)
    desk.pair.run()
    assert desk.pair.last(TextRelayed).delivered


def test_a_text_that_every_phone_refuses_is_not_delivered() -> None:
    desk = Desk()
    desk.pair.register()
    desk.ask("MESSAGE", "anna", PLAIN, b"hi")
    (came,) = desk.pair.all_far(MessageReceived)
    assert isinstance(came, MessageReceived)
    desk.pair.peer.answer_message(came.message, 415, now=desk.pair.now)
    desk.pair.run()
    assert not desk.pair.last(TextRelayed).delivered


@pytest.mark.parametrize(("user", "status"), [("anna", 480), ("nobody", 404)])
def test_whom_nothing_can_be_sent_to(user: str, status: int) -> None:
    desk = Desk()
    pair = desk.pair
    desk.ask("MESSAGE", user, PLAIN, b"hi")
    assert pair.last(TextRelayed) == TextRelayed(sender="bert", to=AgentName(user), size=2)
    assert pair.engine.counters["out", "MESSAGE", status, Transport.UDP] == 1
