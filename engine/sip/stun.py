"""The part of STUN that keeps flows alive: Binding requests on the SIP port (RFC 5626 3.5.2 and 8, RFC 8489).

A STUN message begins with two zero bits, which no SIP message does. Only a whole and valid Binding request is answered.
The answer is 12 octets longer than the shortest request over IPv4 and 24 over IPv6: on the wire, where IP and UDP add
28 or 48 to both, 1.25 and 1.35 times what came. What would make it longer (SOFTWARE, a reason phrase) is left out.
"""

from __future__ import annotations

from ipaddress import ip_address
from struct import Struct, pack, unpack_from
from typing import Final, NamedTuple
from zlib import crc32

from engine.sip.flow import Address

_HEAD: Final = Struct("!HHI12s")
_COOKIE: Final = 0x2112A442
_REQUEST: Final = 0x0001
_SUCCESS: Final = 0x0101
_FAILURE: Final = 0x0111
_ERROR_CODE: Final = 0x0009
_UNKNOWN_ATTRIBUTES: Final = 0x000A
_XOR_MAPPED_ADDRESS: Final = 0x0020
_FINGERPRINT: Final = 0x8028
_FINGERPRINT_XOR: Final = 0x5354554E
_FINGERPRINT_BYTES: Final = 8
_MUST_BE_KNOWN: Final = 0x8000
"""Attributes below must be understood (RFC 8489 14)."""
_KNOWN: Final = frozenset({0x0006, 0x0008, 0x0014, 0x0015, 0x001C, 0x001D, 0x001E})
"""Credentials: RFC 5626 8 asks for none, and one that comes is passed over."""
_IPV4: Final = 1
_IPV6: Final = 2


class _Message(NamedTuple):
    kind: int
    transaction: bytes
    attributes: list[tuple[int, bytes]]
    fingerprint: bool
    """Whether it has one, which is right then."""


def is_stun(data: bytes) -> bool:
    """Whether a datagram may be STUN and cannot be SIP."""
    return len(data) >= _HEAD.size and data[0] < 0x40


def binding_request(transaction: bytes) -> bytes:
    """A Binding request with this transaction id (12 octets)."""
    return _HEAD.pack(_REQUEST, 0, _COOKIE, transaction)


def answer(data: bytes, source: Address) -> bytes | None:
    """The answer to a Binding request that came from `source`; None for anything else, which is passed over."""
    message = _read(data)
    if message is None or message.kind != _REQUEST:
        return None
    unknown = [kind for kind, _ in message.attributes if kind < _MUST_BE_KNOWN and kind not in _KNOWN]
    if unknown:
        # RFC 8489 6.3.1. Two fit into what a request with one attribute may be answered with.
        refused = pack("!HHHBB", _ERROR_CODE, 4, 0, 4, 20) + pack("!HHHH", _UNKNOWN_ATTRIBUTES, 2, unknown[0], 0)
        return _HEAD.pack(_FAILURE, len(refused), _COOKIE, message.transaction) + refused
    body = _xor_mapped(source, message.transaction)
    if message.fingerprint:
        body += _fingerprint(_SUCCESS, body, message.transaction)
    return _HEAD.pack(_SUCCESS, len(body), _COOKIE, message.transaction) + body


def mapped_address(data: bytes) -> tuple[bytes, Address] | None:
    """Of a success response, whose transaction it answers and the address that the server saw; None for anything
    else."""
    message = _read(data)
    if message is None or message.kind != _SUCCESS:
        return None
    for kind, value in message.attributes:
        if kind == _XOR_MAPPED_ADDRESS and (found := _unmapped(value, message.transaction)) is not None:
            return message.transaction, found
    return None


def _read(data: bytes) -> _Message | None:
    """The message, if the datagram is one and whole (RFC 8489 6.3)."""
    if len(data) < _HEAD.size or len(data) % 4:
        return None
    kind, length, cookie, transaction = _HEAD.unpack_from(data)
    if cookie != _COOKIE or length != len(data) - _HEAD.size or kind & 0xC000:
        return None
    attributes: list[tuple[int, bytes]] = []
    at, fingerprint = _HEAD.size, False
    while at < len(data):
        attribute, size = unpack_from("!HH", data, at)
        value = data[at + 4 : at + 4 + size]
        if len(value) != size or fingerprint:
            return None  # cut short, or something after the fingerprint, which is last (14.7)
        if attribute == _FINGERPRINT:
            if value != pack("!I", crc32(data[:at]) ^ _FINGERPRINT_XOR):
                return None
            fingerprint = True
        else:
            attributes.append((attribute, value))
        at += 4 + (size + 3 & ~3)
    return _Message(kind, transaction, attributes, fingerprint)


def _xor_mapped(address: Address, transaction: bytes) -> bytes:
    """RFC 8489 14.2."""
    packed = ip_address(address.host).packed
    family = _IPV4 if len(packed) == 4 else _IPV6
    value = pack("!BBH", 0, family, address.port ^ _COOKIE >> 16) + _masked(packed, transaction)
    return pack("!HH", _XOR_MAPPED_ADDRESS, len(value)) + value


def _unmapped(value: bytes, transaction: bytes) -> Address | None:
    if len(value) not in (8, 20) or value[1] != (_IPV4 if len(value) == 8 else _IPV6):
        return None
    host = ip_address(_masked(value[4:], transaction))
    return Address(str(host), int.from_bytes(value[2:4]) ^ _COOKIE >> 16)


def _masked(packed: bytes, transaction: bytes) -> bytes:
    mask = pack("!I", _COOKIE) + transaction
    return bytes(one ^ other for one, other in zip(packed, mask, strict=False))


def _fingerprint(kind: int, body: bytes, transaction: bytes) -> bytes:
    head = _HEAD.pack(kind, len(body) + _FINGERPRINT_BYTES, _COOKIE, transaction)
    return pack("!HHI", _FINGERPRINT, 4, crc32(head + body) ^ _FINGERPRINT_XOR)
