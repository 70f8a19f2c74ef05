from __future__ import annotations

from engine.sip.homes import Homes


def test_a_home_is_there_as_long_as_a_phone_of_it() -> None:
    homes = Homes()
    homes.add("192.0.2.1", "ann")
    homes.add("192.0.2.1", "ann")
    homes.add("192.0.2.1", "bob")
    homes.remove("192.0.2.1", "ann")
    assert homes.users == {"192.0.2.1": {"ann": 1, "bob": 1}}
    homes.remove("192.0.2.1", "ann")
    assert homes.users == {"192.0.2.1": {"bob": 1}}
    homes.remove("192.0.2.1", "bob")
    assert homes.users == {}


def test_addresses_of_one_subscriber_are_one_home() -> None:
    homes = Homes()
    homes.add("2001:db8::1", "ann")
    homes.add("2001:db8::2", "bob")
    assert homes.users == {"2001:db8::/64": {"ann": 1, "bob": 1}}
