"""What pjsua2 tells of the other side, taken apart."""

from __future__ import annotations

import pytest

from softphone.sip.addresses import host_of, split_address


@pytest.mark.parametrize(
    ("text", "address", "name"),
    [
        ("sip:a@b", "sip:a@b", ""),
        ("<sip:a@b>", "sip:a@b", ""),
        ("Ann <sip:a@b;transport=tcp>", "sip:a@b;transport=tcp", "Ann"),
        (r'"Ann \"the <voice>\" \\ Lee" <sip:a@b>;tag=1', "sip:a@b", r'Ann "the <voice>" \ Lee'),
        ('"never closed <sip:a@b>', '"never closed <sip:a@b>', ""),
        (" sip:a@b ", "sip:a@b", ""),
    ],
)
def test_address_and_name(text: str, address: str, name: str) -> None:
    assert split_address(text) == (address, name)


def test_host_without_its_port() -> None:
    assert host_of("192.0.2.1:5060") == "192.0.2.1"
