from __future__ import annotations

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Drop, Put, Trunk
from engine.calls.events import (
    Answered,
    Ended,
    FromAgent,
    Offered,
    Reachable,
    TrunkDown,
    TrunkUp,
    Unreachable,
    UnreachableReason,
)
from engine.calls.ports import AgentPhone, TrunkNumber
from engine.calls.sip_targets import uri_of
from engine.ids import AgentName, TrunkName
from engine.sip.events import (
    AgentPeer,
    BindingEnd,
    BindingRemoved,
    InviteReceived,
    LocateWanted,
    SessionId,
)
from engine.sip.flow import Address
from tests.support.sip_legs import (
    CALLER,
    LEG,
    MEDIA,
    PBX,
    answer_of,
    invite_of,
    nothing_left,
    placed,
)
from tests.support.sip_pair import ENGINE, PHONE, SipPair, udp


def test_an_agents_phone_is_called_by_the_flow_of_its_registration() -> None:
    pair = SipPair()
    pair.register()
    reachable = pair.last(Reachable)
    assert (reachable.agent, reachable.source, reachable.user_agent) == ("anna", "192.0.2.3:40000", "Test phone")
    session = placed(pair, AgentPhone(agent=AgentName("anna")))
    invite = next(data for data in pair.to_phone if data.startswith(b"INVITE"))
    assert invite.startswith(b"INVITE sip:anna@10.0.0.3:5070")
    assert b"\r\nTo: <sip:anna@" in invite
    assert invite_of(pair).flow.local == PHONE
    pair.peer.accept(session, answer_of(invite_of(pair).sdp), now=pair.now)
    pair.run()
    assert pair.last(Answered).media.flow_address == PHONE.host
    pair.peer.bye(session, now=pair.now)
    pair.run()
    assert pair.last(Ended).cause.reason is Reason.AGENT_HANGUP


def test_an_agent_without_a_binding_is_unreachable() -> None:
    pair = SipPair()
    pair.legs.place(LEG, AgentPhone(agent=AgentName("anna")), CALLER, MEDIA, pair.now)
    pair.run()
    assert pair.last(Ended).cause == EndCause(outcome=Outcome.UPSTREAM, reason=Reason.UNREACHABLE)
    assert nothing_left(pair)


def test_the_last_binding_that_goes_makes_the_agent_unreachable() -> None:
    pair = SipPair()
    pair.register(expires=60)
    pair.wait(59)
    assert not any(isinstance(e, Unreachable) for e in pair.told)
    pair.wait(2)
    assert pair.last(Unreachable) == Unreachable(agent=AgentName("anna"), reason=UnreachableReason.EXPIRED)
    pair.register(call_id="again")
    pair.register(call_id="bye", expires=0)
    assert pair.last(Unreachable).reason is UnreachableReason.UNREGISTERED


def test_an_agent_with_another_phone_stays_reachable() -> None:
    pair = SipPair()
    for left, why in ((1, BindingEnd.EXPIRED), (0, BindingEnd.REPLACED)):
        pair.legs.handle(BindingRemoved(user="anna", contact="sip:a@b", why=why, left=left), pair.now)
    assert pair.legs.take_events() == []


def test_a_trunk_is_asked_at_once_and_then_by_its_interval() -> None:
    pair = SipPair(ping_s=30)
    assert pair.legs.next_deadline() == 0
    pair.wait(1)
    assert [type(e) for e in pair.told] == [TrunkUp]
    assert 27 <= (pair.legs.next_deadline() or 0) <= 33
    pair.wait(120)
    assert len(pair.told) == 1


def test_a_trunk_that_is_silent_is_down_and_not_tried_until_it_is_back() -> None:
    pair = SipPair(ping_s=30)
    pair.wait(1)
    pair.lose = lambda data: data.startswith(b"OPTIONS")
    pair.wait(70)
    assert pair.last(TrunkDown).trunk == "pbx"
    pair.legs.place(LEG, PBX, CALLER, MEDIA, pair.now)
    pair.run()
    assert pair.last(Ended).cause.reason is Reason.UNREACHABLE
    pair.lose = lambda data: False
    pair.wait(10)
    assert isinstance(pair.told[-1], TrunkUp)
    placed(pair)


def test_a_trunk_that_wants_no_question_is_taken_for_up() -> None:
    pair = SipPair(ping_s=0)
    assert pair.legs.next_deadline() is None
    assert [health.up for health in pair.legs.trunks()] == [True]
    placed(pair)


def test_a_trunk_that_is_changed_or_dropped() -> None:
    pair = SipPair(ping_s=0)
    changed = Trunk(name=TrunkName("pbx"), host="192.0.2.2", port=5060, ping_s=10)
    pair.directory.apply(Put(entity=changed))
    pair.legs.directory_changed(Put(entity=changed), pair.now)
    pair.wait(1)
    assert [type(e) for e in pair.told] == [TrunkUp]
    pair.directory.apply(Drop(entity=changed))
    pair.legs.directory_changed(Drop(entity=changed), pair.now)
    assert pair.legs.next_deadline() is None
    assert pair.legs.trunks() == ()


def test_a_trunk_without_a_way_is_down() -> None:
    pair = SipPair(ping_s=30)
    pair.no_way = True
    pair.wait(3)
    assert pair.last(TrunkDown).reason == "no way to send"
    pair.no_way = False
    pair.wait(6)
    assert isinstance(pair.told[-1], TrunkUp)


def test_an_agents_own_call_names_the_agent() -> None:
    pair = SipPair()
    event = InviteReceived(
        session=SessionId(1),
        peer=AgentPeer(user="anna"),
        flow=udp(ENGINE, PHONE),
        call_id="x",
        to_user="100",
        from_user="anna",
        from_display="",
        sdp=None,
    )
    pair.legs.handle(event, pair.now)
    (told,) = pair.legs.take_events()
    assert isinstance(told, Offered)
    assert told.origin == FromAgent(agent=AgentName("anna"))


LINE = Address("192.0.2.2", 5060)


def test_a_trunk_with_a_name_is_called_where_its_name_leads() -> None:
    pair = SipPair()
    line = Trunk(name=TrunkName("line"), host="sip.provider.example", port=0)
    pair.directory.apply(Put(entity=line))
    pair.legs.place(LEG, TrunkNumber(trunk=line.name, number="0301234"), CALLER, MEDIA, pair.now)
    wanted = pair.engine.next_event()
    assert isinstance(wanted, LocateWanted)
    assert str(wanted.uri) == "sip:0301234@sip.provider.example"
    assert pair.engine.datagrams_to_send() == []
    pair.engine.located(wanted.key, [udp(ENGINE, LINE)], pair.now)
    pair.run()
    invite = invite_of(pair)
    assert invite.to_user == "0301234"
    # Written before it was known where to: the address that the machine's usual way shows.
    assert b"203.0.113.9" in (invite.sdp or b"")


@pytest.mark.parametrize(
    ("host", "port", "transport", "uri"),
    [
        ("sip.provider.example", 0, "udp", "sip:5@sip.provider.example"),
        ("sip.provider.example", 5070, "udp", "sip:5@sip.provider.example:5070"),
        ("sip.provider.example", 0, "tcp", "sip:5@sip.provider.example;transport=tcp"),
        ("192.0.2.77", 5060, "udp", "sip:5@192.0.2.77:5060"),
    ],
)
def test_how_a_number_at_a_trunk_is_addressed(host: str, port: int, transport: str, uri: str) -> None:
    trunk = Trunk(name=TrunkName("line"), host=host, port=port, transport=transport)
    assert str(uri_of(trunk, "5")) == uri
