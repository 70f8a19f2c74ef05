"""What a SIP call carries through the calls layer: what is told of it, and what the next leg is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from engine.calls.causes import Reason
from engine.calls.events import NOTHING_CARRIED, Carried, Ended, Offered, Party
from engine.calls.ports import AgentPhone, Destination, TrunkNumber
from engine.calls.sip_carried import SipCarrying
from engine.ids import AgentName, LegId, TrunkName
from engine.sip.carried import Carried as SipCarried
from engine.sip.events import AgentPeer, InviteFailed, InviteReceived, SessionEnded, SessionId
from engine.sip.flow import Flow
from engine.sip.headers import parse_name_addr
from engine.sip.message import Message, Request
from engine.sip.parser import parse_datagram
from engine.sip.stack import Target
from engine.sip.uri import SipUri
from tests.support.sip_legs import HANGUP, MEDIA, PBX, answer_of, placed, up_incoming
from tests.support.sip_legs import offered as offered_leg
from tests.support.sip_pair import ENGINE, SipPair, description, udp
from tests.support.sip_pair import PBX as HOME

UUID = "ab30317f1a784dc48ff824d0d3715d86"
ASSERTED = ("P-Asserted-Identity", '"Real Name" <tel:+49-30-999>')
ANNA = AgentPhone(agent=AgentName("anna"))


def pair(*, trusted: bool = True, show_hidden: bool = False) -> SipPair:
    made = SipPair(show_hidden=show_hidden)
    if trusted:
        made.trunks.trusted.add("pbx")
    return made


def offered(it: SipPair, *fields: tuple[str, str]) -> Offered:
    it.call_in(description(), fields=fields)
    return it.last(Offered)


def sent(it: SipPair, destination: Destination, event: Offered, leg: str = "next") -> Request:
    """The INVITE of the next leg."""
    if isinstance(destination, AgentPhone):
        it.register()
    invites: list[Request] = []

    def watch(way: str, flow: Flow, message: Message) -> None:
        if way == "out" and isinstance(message, Request) and message.method == "INVITE":
            invites.append(message)

    it.engine.trace = watch
    it.legs.place(LegId(leg), destination, event.caller, MEDIA, it.now, carried=event.carried)
    (invite,) = invites
    read = parse_datagram(invite.to_bytes())
    assert isinstance(read, Request)
    read.check()
    return read


def names(request: Request, wanted: Sequence[str]) -> list[str]:
    return [name for name in wanted if name in request.headers]


def test_a_plain_call_carries_nothing() -> None:
    it = pair()
    event = offered(it)
    assert event.carried is NOTHING_CARRIED
    assert event.caller == Party(number="0301234", display="Mrs Caller")
    assert str(sent(it, PBX, event).from_.uri) == "sip:0301234@192.0.2.1"


def test_what_people_see_of_it() -> None:
    it = pair()
    event = offered(
        it,
        ("Diversion", "<tel:+49-30-444>;reason=no-answer, <sip:030333@a.example>"),
        ("Session-ID", UUID),
        ("User-to-User", "4711;encoding=hex"),
    )
    seen = event.carried
    assert seen == Carried(
        diverted_from="+4930444",
        diversion_reason="no-answer",
        session=UUID,
        user_to_user="4711;encoding=hex",
        whole=seen.whole,
    )
    request = sent(it, PBX, event)
    assert [each.partition(">")[0] for each in request.headers.get_all("Diversion")] == [
        "<tel:+49-30-444",
        "<sip:030333@a.example",
    ]
    assert (request.headers.get("Session-ID") or "").startswith(UUID)
    assert request.headers.get("User-to-User") == "4711;encoding=hex"
    assert "uui" in request.supported


def test_a_trusted_lines_word_is_who_calls() -> None:
    assert offered(pair(), ASSERTED).caller == Party(number="+4930999", display="Real Name")
    assert offered(pair(trusted=False), ASSERTED).caller == Party(number="0301234", display="Mrs Caller")
    assert offered(pair(), ("P-Asserted-Identity", "<sip:030999@a>")).caller.display == "Mrs Caller"


def test_a_hidden_caller_is_shown_to_nobody_but_a_trusted_line() -> None:
    it = pair()
    event = offered(it, ASSERTED, ("Privacy", "id"))
    assert event.caller == Party(number="anonymous", display="Anonymous")
    assert event.carried.hidden
    line = sent(it, PBX, event)
    assert line.from_.display == "Anonymous"
    assert str(line.from_.uri) == "sip:anonymous@anonymous.invalid"
    assert line.from_.tag
    assert line.headers.get("P-Asserted-Identity") == '"Real Name" <tel:+49-30-999>'
    assert line.headers.get("Privacy") == "id"


def test_a_phone_and_an_untrusted_line_are_told_nothing_of_him() -> None:
    for destination in (ANNA, PBX):
        it = pair()
        event = offered(it, ASSERTED, ("Privacy", "id"), ("Diversion", "<sip:1@a>"))
        if destination is PBX:
            it.trunks.trusted.clear()
        request = sent(it, destination, event)
        assert str(request.from_.uri) == "sip:anonymous@anonymous.invalid"
        assert names(request, ["P-Asserted-Identity", "Privacy", "Diversion"]) == []


def test_where_the_operator_shows_hidden_callers_agents_see_them() -> None:
    it = pair(show_hidden=True)
    event = offered(it, ASSERTED, ("Privacy", "id"))
    assert event.caller == Party(number="+4930999", display="Real Name")
    request = sent(it, ANNA, event)
    assert request.from_.uri.user == "+4930999"
    assert names(request, ["P-Asserted-Identity", "Privacy"]) == []


def test_a_line_is_sent_the_number_that_it_knows() -> None:
    it = pair()
    event = offered(it, ("History-Info", "<sip:4000@a.example>;index=1"))
    request = sent(it, TrunkNumber(trunk=TrunkName("pbx"), number="0305550"), event)
    assert request.headers.get(
        "History-Info",
    ) == ("<sip:4000@a.example>;index=1, <sip:0305550@192.0.2.2>;index=1.1;rc=1")


def test_a_hang_ups_cause_is_told_upwards_and_a_refusals() -> None:
    it = pair()
    leg, session = up_incoming(it)
    it.peer.bye(session, now=it.now, reason_header="Q.850;cause=31")
    it.run()
    assert it.last(Ended).leg == leg
    assert it.last(Ended).cause.q850 == 31
    again = placed(it)
    it.peer.reject(again, 480, headers=[("Reason", "Q.850;cause=17")], now=it.now)
    it.run()
    assert (it.last(Ended).cause.reason, it.last(Ended).cause.q850) == (Reason.BUSY, 17)


def test_a_caller_whose_other_phone_answered_is_not_missed() -> None:
    it = pair()
    for said, q850 in (('SIP;cause=200;text="elsewhere"', 26), ("Q.850;cause=16", 16), ("", None)):
        it.call_in(description())
        session = it.peer.invite(
            Target(uri=SipUri(user="4000", host=ENGINE.host, port=ENGINE.port), flow=udp(HOME, ENGINE)),
            from_user="x",
            sdp=description(),
            now=it.now,
        )
        it.run()
        it.peer.cancel(session, reason_header=said, now=it.now)
        it.run()
        assert it.last(Ended).cause.q850 == q850


def test_a_refused_caller_is_told_the_networks_cause() -> None:
    it = pair()
    leg, _ = offered_leg(it, description())
    it.legs.reject(leg, 486, "", it.now, q850=17)
    it.run()
    (failed,) = it.all_far(InviteFailed)
    assert isinstance(failed, InviteFailed)
    assert failed.reason_header == "Q.850;cause=17"


def test_what_ends_one_leg_is_said_on_the_other() -> None:
    it = pair()
    leg, _ = up_incoming(it)
    it.legs.end(leg, replace(HANGUP, q850=31), it.now)
    it.run()
    (ended,) = it.all_far(SessionEnded)
    assert isinstance(ended, SessionEnded)
    assert ended.reason == "Q.850;cause=31"


def test_names_of_others_are_told_without_line_breaks() -> None:
    it = pair()
    asserted = ("P-Asserted-Identity", "<sip:1%0a2@a.example>")
    event = offered(it, asserted, ("Diversion", '<sip:3%E2%80%A84@a.example>;reason="no"'))
    assert (event.caller.number, event.carried.diverted_from) == ("1 2", "3 4")


def test_what_the_calls_layer_forwards_is_one_more_diversion() -> None:
    it = pair()
    event = offered(it, ("Diversion", "<sip:030333@a.example>;reason=no-answer"))
    by_us = replace(event.carried, diverted_from="4000", diversion_reason="deflection")
    request = sent(it, PBX, replace(event, carried=by_us))
    assert request.headers.get_all("Diversion") == [
        "<sip:4000@192.0.2.2>;reason=deflection",
        "<sip:030333@a.example>;reason=no-answer",
    ]
    plain = offered(pair())
    first = sent(it, PBX, replace(plain, carried=Carried(diverted_from="anna")), leg="again")
    assert first.headers.get_all("Diversion") == ["<sip:anna@192.0.2.2>"]


@pytest.mark.parametrize("fields", [(), (("User-to-User", "1"),)])
def test_a_phone_that_is_to_answer_by_itself_is_told_so_and_no_other(fields: tuple[tuple[str, str], ...]) -> None:
    it = pair()
    request = sent(it, AgentPhone(agent=ANNA.agent, answers=True), offered(it, *fields))
    assert request.headers.get("Answer-Mode") == "Auto"
    assert request.headers.get("Alert-Info") == "<urn:alert:service:normal>;info=alert-autoanswer;delay=0"
    other = pair()
    assert names(sent(other, ANNA, offered(other, *fields)), ["Answer-Mode", "Alert-Info"]) == []


def test_an_agent_is_who_digest_proved_whatever_the_phone_asserts() -> None:
    event = InviteReceived(
        session=SessionId(1),
        peer=AgentPeer(user="anna"),
        flow=udp(ENGINE, HOME),
        call_id="x",
        to_user="030",
        from_user="anna",
        from_display="The Boss",
        sdp=None,
        carried=SipCarried(privacy=("id",), asserted=(parse_name_addr("<sip:boss@a.example>"),)),
    )
    told = SipCarrying(trusts=lambda _: True, show_hidden=False).offered(LegId("1"), event)
    assert told.caller == Party(number="anna", display="The Boss")
    assert told.carried.hidden


def test_a_caller_is_told_the_name_that_the_called_side_gives_the_session() -> None:
    it = pair()
    it.call_in(description(), fields=[("Session-ID", UUID)])
    caller = it.last(Offered)
    it.legs.place(LegId("far"), PBX, caller.caller, MEDIA, it.now, carried=caller.carried)
    it.run()
    invite = it.all_far(InviteReceived)[-1]
    assert isinstance(invite, InviteReceived)
    said: list[tuple[str, str]] = []
    it.engine.trace = lambda way, flow, message: said.append((way, message.headers.get("Session-ID") or ""))
    it.peer.accept(invite.session, answer_of(invite.sdp), now=it.now)
    it.run()
    (theirs, *_) = [name for way, name in said if way == "in"]
    it.legs.join(caller.leg, LegId("gone"))
    it.legs.join(caller.leg, LegId("far"))
    said.clear()
    it.legs.answer(caller.leg, MEDIA, it.now)
    it.run()
    assert said[0] == ("out", theirs)
    assert theirs.endswith(UUID)
