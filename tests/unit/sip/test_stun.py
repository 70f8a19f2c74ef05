from __future__ import annotations

from struct import pack
from zlib import crc32

import pytest

from engine.sip.flow import Address
from engine.sip.stun import answer, binding_request, is_stun, mapped_address

ID = bytes(range(12))
PHONE = Address("192.0.2.1", 32853)
PHONE6 = Address("2001:db8:1234:5678:11:2233:4455:6677", 32853)
COOKIE = 0x2112A442


def request(*attributes: bytes, kind: int = 1, cookie: int = COOKIE, length: int | None = None) -> bytes:
    body = b"".join(attributes)
    return pack("!HHI12s", kind, len(body) if length is None else length, cookie, ID) + body


def attribute(kind: int, value: bytes) -> bytes:
    return pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def fingerprinted(kind: int = 1, body: bytes = b"", *, wrong: int = 0) -> bytes:
    head = pack("!HHI12s", kind, len(body) + 8, COOKIE, ID) + body
    return head + attribute(0x8028, pack("!I", crc32(head) ^ 0x5354554E ^ wrong))


@pytest.mark.parametrize("phone", [PHONE, PHONE6], ids=["IPv4", "IPv6"])
def test_a_binding_request_is_answered_with_the_address_it_came_from(phone: Address) -> None:
    asked = binding_request(ID)
    assert is_stun(asked)
    said = answer(asked, phone)
    assert said is not None
    assert mapped_address(said) == (ID, phone)
    headers = 28 if phone is PHONE else 48
    assert len(said) + headers <= 1.5 * (len(asked) + headers)


def test_the_address_is_masked_as_in_rfc_5769() -> None:
    """Its sample responses (2.2, 2.3) have another transaction id than we can choose here; the same arithmetic."""
    transaction = bytes.fromhex("b7e7a701bc34d686fa87dfae")
    four, six = answer(binding_request(transaction), PHONE), answer(binding_request(transaction), PHONE6)
    assert four is not None
    assert six is not None
    assert four[20:] == bytes.fromhex("002000080001a147e112a643")
    assert six[20:] == bytes.fromhex("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        request()[:19],
        request(cookie=1),
        request(length=4),
        request(b"\0"),
        request(kind=0x0011),
        request(kind=0x0101),
        request(kind=0x0002),
        request(kind=0x4001),
        request(attribute(0x8022, b"abcd"), length=4),
        request(pack("!HH", 0x8022, 5) + b"abcd"),
        fingerprinted(wrong=1),
        fingerprinted()[:20] + pack("!HH", 0x8028, 0) + bytes(4),
    ],
)
def test_what_is_no_whole_binding_request_is_passed_over(data: bytes) -> None:
    assert answer(data, PHONE) is None


def test_something_after_the_fingerprint_is_no_message() -> None:
    good = fingerprinted(body=b"")
    assert answer(good, PHONE) is not None
    longer = pack("!HHI12s", 1, 16, COOKIE, ID)
    print_ = attribute(0x8028, pack("!I", crc32(longer) ^ 0x5354554E))
    assert answer(longer + print_ + attribute(0x8022, b"abcd"), PHONE) is None


def test_who_sends_a_fingerprint_gets_one() -> None:
    said = answer(fingerprinted(body=attribute(0x8022, b"phone")), PHONE)
    assert said is not None
    assert mapped_address(said) == (ID, PHONE)
    assert mapped_address(said[:-1] + bytes([said[-1] ^ 1])) is None


def test_an_attribute_that_must_be_understood_and_is_not_is_refused() -> None:
    said = answer(request(attribute(0x0003, bytes(4))), PHONE)
    assert said is not None
    assert said[:2] == b"\x01\x11"
    assert said[20:] == bytes.fromhex("0009000400000414000a000200030000")
    assert mapped_address(said) is None


def test_credentials_and_what_need_not_be_understood_are_passed_over() -> None:
    said = answer(request(attribute(0x0006, b"user"), attribute(0x8000, b"any"), attribute(0x8022, b"software")), PHONE)
    assert said is not None
    assert mapped_address(said) == (ID, PHONE)


@pytest.mark.parametrize(
    "body",
    [b"", attribute(0x0020, b"\0\x01\0\0\0\0\0"), attribute(0x0020, b"\0\x02" + bytes(6)), attribute(0x0001, bytes(8))],
)
def test_an_answer_without_a_mapped_address_says_nothing(body: bytes) -> None:
    assert mapped_address(request(body, kind=0x0101)) is None


def test_sip_is_never_taken_for_stun() -> None:
    assert not is_stun(b"OPTIONS sip:x SIP/2.0\r\n\r\n")
    assert not is_stun(b"\r\n\r\n")
    assert not is_stun(bytes(19))
