"""Bindings that outlive the process which they were made in."""

from __future__ import annotations

from dataclasses import replace

from engine.sip.binding import Binding
from engine.sip.endpoint import Limits
from engine.sip.events import BindingAdded, BindingEnd, BindingRemoved
from engine.sip.flow import Address, Flow, Transport
from engine.sip.uri import SipUri
from tests.support.sip_phone import SDP
from tests.support.sip_registering import CONTACT, Registering


def moved(it: Registering, *, limits: Limits | None = None) -> tuple[Registering, tuple[Binding, ...]]:
    """A second process in the place of the first, and what the first had."""
    return Registering(limits), it.station.endpoint.changed_bindings()["ada"]


def test_what_changed_is_told_once_and_for_the_whole_user() -> None:
    it = Registering()
    endpoint = it.station.endpoint
    assert endpoint.changed_bindings() == {}
    it.ask(contact="<sip:ada@192.0.2.1:1>")
    it.ask(contact="<sip:ada@192.0.2.1:2>")
    assert [str(each.contact) for each in endpoint.changed_bindings()["ada"]] == [
        "sip:ada@192.0.2.1:1",
        "sip:ada@192.0.2.1:2",
    ]
    assert endpoint.changed_bindings() == {}
    began = it.wire.now
    it.wire.run(50)
    it.ask(contact="<sip:ada@192.0.2.1:1>")
    first, second = endpoint.changed_bindings()["ada"]
    assert str(second.contact)[-1] == "1"
    assert second.expires_at >= began + 350
    assert second.registered_at <= began
    assert first.expires_at <= began + 300
    it.ask(contact="*", expires="0")
    assert endpoint.changed_bindings() == {"ada": ()}


def test_an_expired_binding_is_a_change_and_a_refused_register_is_none() -> None:
    it = Registering()
    it.ask()
    it.station.endpoint.changed_bindings()
    assert it.ask(contact="<tel:1>").status == 400
    assert it.station.endpoint.changed_bindings() == {}
    it.wire.run(400)
    assert it.station.endpoint.changed_bindings() == {"ada": ()}


def test_a_phone_can_be_called_before_it_is_heard_of_again() -> None:
    first = Registering()
    first.ask(fields=[("Path", "<sip:192.0.2.1;lr>"), ("User-Agent", "Phone/1")])
    it, kept = moved(first)
    it.station.endpoint.restore_bindings(kept, it.wire.now)
    it.wire.run(0.01)
    assert it.take() == [
        BindingAdded(
            user="ada",
            contact="sip:ada@192.0.2.1:5060",
            flow=it.station.flow_to(it.raw),
            expires_s=300,
            user_agent="Phone/1",
            source="192.0.2.1:5060",
        )
    ]
    aim = it.station.endpoint.target_of(it.station.endpoint.bindings("ada")[0])
    it.station.endpoint.invite(aim, from_user="x", sdp=SDP, now=it.wire.now)
    it.wire.run(0.1)
    assert it.raw.requests("INVITE")[0].headers.get("Route") == "<sip:192.0.2.1;lr>"


def test_its_next_register_is_a_refresh_and_its_last_one_no_news() -> None:
    first = Registering()
    first.ask(number=5)
    it, kept = moved(first)
    it.station.endpoint.restore_bindings(kept, it.wire.now)
    it.wire.run(0.01)
    it.take()
    assert it.ask(number=5).status == 500
    assert it.ask(number=6).status == 200
    assert it.take() == []
    assert it.contacts() == [CONTACT.strip("<>")]


def test_it_expires_when_it_would_have() -> None:
    first = Registering()
    first.ask()
    it, kept = moved(first)
    it.station.endpoint.restore_bindings([replace(each, expires_at=20.0) for each in kept], 0.0)
    it.wire.run(25)
    assert [each.why for each in it.take() if isinstance(each, BindingRemoved)] == [BindingEnd.EXPIRED]
    assert it.station.endpoint.changed_bindings() == {"ada": ()}


def binding(port: int, transport: Transport = Transport.UDP, expires_at: float = 100.0) -> Binding:
    return Binding(
        user="ada",
        contact=SipUri(user="ada", host="192.0.2.1", port=port),
        flow=Flow(transport, Address("192.0.2.9", 5060), Address("192.0.2.1", port)),
        expires_at=expires_at,
        user_agent="",
        instance=None,
        registered_at=0.0,
    )


def test_what_expired_or_had_a_connection_is_passed_over_and_bounds_hold() -> None:
    it = Registering(Limits(bindings_per_user=2, bindings=3))
    gone = [binding(1, Transport.TCP), binding(2, expires_at=1.0)]
    it.station.endpoint.restore_bindings([*gone, *(binding(port) for port in (3, 4, 5))], 2.0)
    assert [each[-1] for each in it.contacts()] == ["4", "3"]
    others = [replace(binding(port), user=f"u{port}") for port in (6, 7)]
    it.station.endpoint.restore_bindings(others, 2.0)
    assert it.station.endpoint.live().bindings == 3


def test_a_time_of_day_that_was_set_back_makes_no_binding_last_for_ever() -> None:
    it = Registering()
    it.station.endpoint.restore_bindings([binding(1, expires_at=10.0**9)], 2.0)
    assert [each.expires_at for each in it.station.endpoint.bindings("ada")] == [3602.0]


def test_a_binding_has_expired_at_the_very_second() -> None:
    it = Registering()
    it.station.endpoint.restore_bindings([binding(1, expires_at=2.0)], 2.0)
    assert it.contacts() == []
