"""What offer and answer agreed on, as a SetRemote carries it: whether it makes sense, and what follows from it."""

from __future__ import annotations

from typing import Final

from engine.media.commands import Codec, SetRemote
from engine.media.refusal import CommandFailed

PTIMES_MS: Final = (10, 20, 30, 40, 50, 60)
"""The tick is 20 ms, and packets are cut in halves of it."""

MAX_CLOCK_RATE: Final = 192_000

_CLOCKS: Final = {Codec.L16_16K: 16000}
"""Where it is not 8000."""


def heard_as(remote: SetRemote) -> int:
    """Payload number that the peer sends with."""
    return remote.payload_type if remote.heard_as is None else remote.heard_as


def dtmf_heard_as(remote: SetRemote) -> int | None:
    """Payload number of the peer's telephone-events."""
    return remote.dtmf_payload_type if remote.dtmf_heard_as is None else remote.dtmf_heard_as


def dtmf_clock(remote: SetRemote) -> int:
    """Clock of telephone-events, Hz."""
    return remote.clock_rate if remote.dtmf_clock_rate is None else remote.dtmf_clock_rate


def check_agreed(remote: SetRemote) -> None:
    """Raises CommandFailed for what no exchange can have agreed on, and for a codec that we have not got."""
    _check_numbers(remote.payload_type, remote.dtmf_payload_type, remote.cn_payload_type)
    _check_numbers(heard_as(remote), dtmf_heard_as(remote))
    if remote.ptime_ms not in PTIMES_MS:
        raise CommandFailed(f"ptime_ms {remote.ptime_ms} must be one of {PTIMES_MS}")
    if remote.dtmf_clock_rate is not None and not 1000 <= remote.dtmf_clock_rate <= MAX_CLOCK_RATE:
        raise CommandFailed(f"dtmf_clock_rate {remote.dtmf_clock_rate} must lie in 1000..{MAX_CLOCK_RATE}")
    if remote.inband and (remote.dtmf_payload_type is not None or remote.codec is Codec.OPAQUE):
        raise CommandFailed("inband goes neither with telephone-event nor with a codec that is not decoded")
    if remote.codec is Codec.OPAQUE:
        if not remote.opaque:
            raise CommandFailed("an opaque codec must be named in the field opaque")
        if not 1000 <= remote.clock_rate <= MAX_CLOCK_RATE:
            raise CommandFailed(f"clock_rate {remote.clock_rate} must lie in 1000..{MAX_CLOCK_RATE}")
    else:
        if remote.opaque:
            raise CommandFailed(f"opaque is {remote.opaque!r}, but the codec is {remote.codec}")
        clock = _CLOCKS.get(remote.codec, 8000)
        if remote.clock_rate != clock:
            raise CommandFailed(f"clock_rate {remote.clock_rate} must be {clock} with {remote.codec}")


def _check_numbers(*numbers: int | None) -> None:
    given = [number for number in numbers if number is not None]
    if any(not 0 <= number <= 127 for number in given) or len(set(given)) < len(given):
        raise CommandFailed(f"payload types {tuple(given)} must differ and lie in 0..127")
