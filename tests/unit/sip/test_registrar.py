"""REGISTER: bindings, their order, their end, and the flow as the way to the phone (RFC 3261 10.3)."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import Limits, LiveCounts
from engine.sip.events import (
    BindingAdded,
    BindingEnd,
    BindingRemoved,
    EndedBy,
    InviteAccepted,
    InviteFailed,
    SessionEnded,
    SipEvent,
)
from tests.support.sip_phone import SDP, SipPhone, make_station
from tests.support.sip_raw import RawPeer
from tests.support.sip_registering import CONTACT, PASSWORDS, Registering
from tests.support.wire import EndpointStation, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)


def added(events: list[SipEvent]) -> list[str]:
    return [each.contact for each in events if isinstance(each, BindingAdded)]


def removed(events: list[SipEvent]) -> list[tuple[str, BindingEnd, int]]:
    return [(each.contact, each.why, each.left) for each in events if isinstance(each, BindingRemoved)]


def test_a_phone_registers_and_is_told_of_once() -> None:
    it = Registering()
    response = it.ask(expires="120", fields=[("User-Agent", "Phone/1")])
    assert response.status == 200
    assert [(str(each.uri), each.expires) for each in response.contacts] == [("sip:ada@192.0.2.1:5060", 120)]
    assert it.take() == [
        BindingAdded(
            user="ada",
            contact="sip:ada@192.0.2.1:5060",
            flow=it.station.flow_to(it.raw),
            expires_s=120,
            user_agent="Phone/1",
            source="192.0.2.1:5060",
        )
    ]
    it.wire.run(60)
    assert it.ask(expires="120").contacts[0].expires == 120
    assert it.take() == []
    it.wire.run(121)
    assert removed(it.take()) == [("sip:ada@192.0.2.1:5060", BindingEnd.EXPIRED, 0)]
    assert it.station.endpoint.live() == NOTHING


def test_each_register_is_challenged_and_strangers_leave_nothing() -> None:
    it = Registering()
    assert it.raw.statuses() == [401]
    # So short a request gets one challenge only, so that an answer to a forged address is not much larger.
    assert ["MD5" in each for each in it.challenge] == [True]
    it.ask("ada", fields=[("User-Agent", "Phone " * 50)], authorized=False)
    assert [
        each.partition("algorithm=")[2][:3] for each in it.raw.responses()[-1].headers.get_all("WWW-Authenticate")
    ] == [
        "SHA",
        "MD5",
    ]
    assert it.station.endpoint.live() == NOTHING
    assert it.station.told() == []


def test_another_users_address_is_forbidden() -> None:
    it = Registering()
    assert it.ask("bob").status == 403
    assert it.take() == []
    assert it.station.endpoint.bindings("bob") == ()


def test_the_expires_parameter_wins_over_the_header_and_both_have_bounds() -> None:
    it = Registering()
    for contact, header, wanted in (
        (CONTACT + ";expires=200", "100", 200),
        (CONTACT, "100", 100),
        (CONTACT, None, 300),
        (CONTACT + ";expires=7200", None, 3600),
        (CONTACT, "99999999999", 3600),
        (CONTACT + ";expires=soon", None, 3600),
        (CONTACT, "soon", 300),
    ):
        response = it.ask(contact=contact, expires=header)
        assert [each.expires for each in response.contacts] == [wanted]


def test_too_brief_is_refused_with_the_shortest() -> None:
    it = Registering()
    response = it.ask(expires="5")
    assert (response.status, response.min_expires) == (423, 30)
    assert it.contacts() == []


def test_several_phones_the_newest_first_and_each_by_itself() -> None:
    it = Registering()
    for port in (1, 2, 3):
        it.ask(contact=f"<sip:ada@192.0.2.1:{port}>")
    assert it.contacts() == [f"sip:ada@192.0.2.1:{port}" for port in (3, 2, 1)]
    response = it.ask(contact="<sip:ada@192.0.2.1:2>;expires=0")
    assert [str(each.uri) for each in response.contacts] == ["sip:ada@192.0.2.1:3", "sip:ada@192.0.2.1:1"]
    assert removed(it.take()) == [("sip:ada@192.0.2.1:2", BindingEnd.UNREGISTERED, 2)]


def test_a_refresh_brings_a_phone_to_the_front() -> None:
    it = Registering()
    for port in (1, 2, 3, 1):
        it.ask(contact=f"<sip:ada@192.0.2.1:{port}>")
    assert it.contacts() == [f"sip:ada@192.0.2.1:{port}" for port in (1, 3, 2)]
    assert len(added(it.take())) == 3


def test_one_register_may_bring_several_contacts() -> None:
    it = Registering()
    it.ask(contact="<sip:a@h:1>;expires=60, <sip:a@h:2>")
    response = it.ask(contact="<sip:a@h:1>;expires=0, <sip:a@h:3>;expires=60")
    assert sorted(str(each.uri) for each in response.contacts) == ["sip:a@h:2", "sip:a@h:3"]


def test_contacts_compare_as_uris_do() -> None:
    it = Registering()
    it.ask(contact="<sip:%61da@192.0.2.1:5060;Transport=UDP;x=1>")
    it.ask(contact="<SIP:ada@192.0.2.1:5060;transport=udp>")
    assert len(it.contacts()) == 1
    it.ask(contact="<sip:Ada@192.0.2.1:5060>")
    assert len(it.contacts()) == 2


def test_without_contact_the_bindings_are_listed() -> None:
    it = Registering()
    it.ask()
    it.wire.run(100)
    response = it.ask(contact=None)
    assert [each.expires for each in response.contacts] == [200]
    assert len(it.take()) == 1


def test_star_removes_all_but_only_with_expires_0_and_alone() -> None:
    it = Registering()
    it.ask(contact="<sip:a@h:1>")
    it.ask(contact="<sip:a@h:2>")
    assert it.ask(contact="*").status == 400
    assert it.ask(contact="*", expires="60").status == 400
    assert it.ask(contact="*", expires="0", fields=[("Contact", "*"), ("Contact", "<sip:a@h:3>")]).status == 400
    it.take()
    response = it.ask(contact="*", expires="0")
    assert (response.status, response.contacts) == (200, ())
    assert removed(it.take()) == [("sip:a@h:1", BindingEnd.UNREGISTERED, 1), ("sip:a@h:2", BindingEnd.UNREGISTERED, 0)]
    assert it.station.endpoint.live().bindings == 0


def test_a_register_that_is_overtaken_changes_nothing() -> None:
    it = Registering()
    it.ask(number=10)
    it.take()
    for contact, expires in ((CONTACT, "0"), ("*", "0"), (f"<sip:new@h>, {CONTACT}", None)):
        assert it.ask(contact=contact, expires=expires, number=9).status == 500
    assert it.contacts() == ["sip:ada@192.0.2.1:5060"]
    assert it.take() == []
    assert it.ask(contact=CONTACT, expires="0", number=1, call_id="after-a-restart").status == 200
    assert it.contacts() == []


ELEVEN = ", ".join(f"<sip:a@h{number}>" for number in range(11))


@pytest.mark.parametrize("contact", ["<tel:123>", "<http://h/>", "nonsense", ELEVEN])
def test_contacts_that_cannot_be_called_are_refused(contact: str) -> None:
    it = Registering()
    assert it.ask(contact=contact).status == 400
    assert it.take() == []


def test_an_extension_that_is_required_is_refused() -> None:
    it = Registering()
    response = it.ask(fields=[("Require", "path, gruu, x"), ("Require", "Outbound")])
    assert (response.status, response.headers.get("Unsupported")) == (420, "gruu, x")
    assert it.contacts() == []
    assert it.ask(fields=[("Require", "path, outbound")]).status == 200


def test_a_repeated_register_gets_the_same_answer() -> None:
    it = Registering()
    it.ask()
    again = next(sent.data for sent in reversed(it.wire.log) if sent.first_line.startswith("REGISTER"))
    it.raw.send(again)
    it.wire.run(0.01)
    assert it.raw.responses()[-1] == it.raw.responses()[-2]
    assert len(it.take()) == 1


def test_the_same_contact_by_another_flow_replaces() -> None:
    it = Registering()
    it.ask()
    it.take()
    elsewhere = RawPeer("192.0.2.77", it.station)
    it.wire.join(elsewhere)
    it.ask(peer=elsewhere)
    events = it.take()
    assert removed(events) == [("sip:ada@192.0.2.1:5060", BindingEnd.REPLACED, 1)]
    assert isinstance(events[-1], BindingAdded)
    binding = it.station.endpoint.bindings("ada")[0]
    assert it.station.endpoint.target_of(binding).flow.remote == elsewhere.address


def test_the_same_instance_with_another_contact_replaces() -> None:
    it = Registering()
    instance = ';+sip.instance="<urn:uuid:1>";reg-id=1'
    it.ask(contact="<sip:ada@10.0.0.1:1111>" + instance)
    it.take()
    response = it.ask(contact="<sip:ada@10.0.0.1:2222>" + instance)
    assert it.contacts() == ["sip:ada@10.0.0.1:2222"]
    assert removed(it.take()) == [("sip:ada@10.0.0.1:1111", BindingEnd.REPLACED, 1)]
    assert response.contacts[0].params["+sip.instance"] == "<urn:uuid:1>"
    it.ask(contact='<sip:ada@10.0.0.1:3333>;+sip.instance="<urn:uuid:2>";reg-id=1')
    assert len(it.contacts()) == 2


def test_past_the_bound_of_a_user_the_one_not_heard_of_for_longest_gives_way() -> None:
    it = Registering(limits=Limits(bindings_per_user=2))
    for port in (1, 2, 1, 3):
        it.ask(contact=f"<sip:ada@192.0.2.1:{port}>")
    assert it.contacts() == ["sip:ada@192.0.2.1:3", "sip:ada@192.0.2.1:1"]
    assert removed(it.take()) == [("sip:ada@192.0.2.1:2", BindingEnd.REPLACED, 2)]


def test_past_the_bound_of_all_new_ones_are_refused() -> None:
    it = Registering(limits=Limits(bindings=1))
    it.ask()
    assert it.ask(contact="<sip:ada@192.0.2.1:9>").status == 503
    assert it.ask().status == 200


def test_bindings_are_removed_by_command() -> None:
    it = Registering()
    it.ask()
    it.take()
    it.station.endpoint.remove_bindings("ada", it.wire.now)
    it.station.endpoint.remove_bindings("nobody", it.wire.now)
    it.wire.run()
    assert removed(it.take()) == [("sip:ada@192.0.2.1:5060", BindingEnd.UNREGISTERED, 0)]
    assert it.station.endpoint.live() == NOTHING


# --- phones ---


def phones(*, tcp: bool = False, loss: float = 0.0, seed: int = 1) -> tuple[EndpointStation, SipPhone, Wire]:
    """An engine and ada's phone, registered."""
    engine = make_station("e", "192.0.2.9", trunks={}, passwords=PASSWORDS)
    phone = SipPhone("ada", "secret", "192.0.2.1", engine)
    wire = Wire(engine, phone, loss=loss, seed=seed)
    if tcp:
        phone.flow, _ = wire.connect(phone, engine)
    phone.register(wire.now)
    wire.run(30)
    return engine, phone, wire


@pytest.mark.parametrize("tcp", [False, True])
def test_a_call_goes_out_on_the_flow_of_the_registration(tcp: bool) -> None:
    engine, phone, wire = phones(tcp=tcp)
    assert [each.status for each in phone.answers] == [200]
    binding = engine.endpoint.bindings("ada")[0]
    aim = engine.endpoint.target_of(binding)
    session = engine.endpoint.invite(aim, from_user="caller", to_user="ada", sdp=SDP, now=wire.now)
    wire.run(1)
    assert engine.told(InviteAccepted)
    engine.endpoint.bye(session, now=wire.now)
    wire.run(5)
    assert engine.told()[-1] == SessionEnded(session=session, by=EndedBy.LOCAL)
    assert "Contact: <sip:192.0.2.9:5060;transport=tcp>" in wire_text(wire) if tcp else True


def wire_text(wire: Wire) -> str:
    return b"".join(sent.data for sent in wire.log).decode()


@pytest.mark.parametrize("seed", range(6))
def test_a_phone_registers_over_a_bad_wire(seed: int) -> None:
    engine, phone, _ = phones(loss=0.3, seed=seed)
    assert phone.answers[-1].status == 200
    assert len(engine.endpoint.bindings("ada")) == 1


def test_a_lost_connection_ends_its_bindings_and_what_rings_on_it() -> None:
    engine, phone, wire = phones(tcp=True)
    phone.answer_with = None
    aim = engine.endpoint.target_of(engine.endpoint.bindings("ada")[0])
    session = engine.endpoint.invite(aim, from_user="caller", sdp=SDP, now=wire.now)
    wire.run(1)
    engine.events.clear()
    wire.cut(phone.flow)
    assert engine.endpoint.bindings("ada") == ()
    wire.run(1)
    assert removed(engine.told()) == [("sip:ada@192.0.2.1:30001;transport=tcp", BindingEnd.CONNECTION_LOST, 0)]
    assert engine.told(InviteFailed) == [InviteFailed(session=session, status=503, reason="Service Unavailable")]
    session = engine.endpoint.invite(aim, from_user="caller", sdp=SDP, now=wire.now)
    wire.run(100)
    assert engine.told()[-1] == InviteFailed(session=session, status=503, reason="Service Unavailable")
    assert engine.endpoint.live() == NOTHING


@pytest.mark.parametrize("comes_back", ["before", "after", ""])
def test_a_call_outlives_its_connection_if_the_phone_comes_back(comes_back: str) -> None:
    engine, phone, wire = phones(tcp=True)
    phone.instance = "<urn:uuid:1>"
    phone.register(wire.now)
    wire.run(1)
    aim = engine.endpoint.target_of(engine.endpoint.bindings("ada")[0])
    session = engine.endpoint.invite(aim, from_user="caller", sdp=SDP, now=wire.now)
    wire.run(1)
    assert engine.told(InviteAccepted)
    engine.events.clear()
    began = wire.now
    old = phone.flow
    if comes_back == "after":
        wire.cut(old)
    if comes_back:
        phone.flow, _ = wire.connect(phone, engine)
        phone.register(wire.now)
        wire.run(1)
    if comes_back != "after":
        wire.cut(old)
    wire.run(60)
    if not comes_back:
        assert [each for each in engine.events if isinstance(each.event, SessionEnded)] == [
            (began + 32, SessionEnded(session=session, by=EndedBy.CONNECTION_LOST))
        ]
        return
    assert engine.told(SessionEnded) == []
    engine.endpoint.bye(session, now=wire.now)
    wire.run(5)
    assert engine.told(SessionEnded) == [SessionEnded(session=session, by=EndedBy.LOCAL)]


def test_a_bye_on_a_lost_connection_ends_the_call_at_once() -> None:
    engine, phone, wire = phones(tcp=True)
    aim = engine.endpoint.target_of(engine.endpoint.bindings("ada")[0])
    session = engine.endpoint.invite(aim, from_user="caller", sdp=SDP, now=wire.now)
    wire.run(1)
    wire.cut(phone.flow)
    engine.endpoint.bye(session, now=wire.now)
    assert engine.endpoint.live()[1:4] == (0, 0, 0)
    wire.run()
    assert engine.told(SessionEnded) == [SessionEnded(session=session, by=EndedBy.CONNECTION_LOST)]
    assert engine.endpoint.live() == NOTHING


@pytest.mark.parametrize(
    ("uri", "status"), [("tel:201", 416), ("*", 416), ("urn:x:y", 416), ("sip:[x", 400), ("SIPS:192.0.2.9", 200)]
)
def test_rfc3261_8_2_2_1_a_registrar_is_asked_at_a_sip_uri(uri: str, status: int) -> None:
    it = Registering()
    assert it.ask(uri=uri).status == status
    assert len(it.contacts()) == (status == 200)


def test_rfc3261_10_3_only_a_sip_address_is_registered() -> None:
    it = Registering()
    assert it.ask(to="<tel:ada>").status == 404
    assert it.contacts() == []
    assert it.ask(to="<sips:ada@192.0.2.9>").status == 200
