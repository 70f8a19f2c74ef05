"""Causes of the telephone network (ITU-T Q.850) and SIP's final statuses, each in the other's words (RFC 3398)."""

from __future__ import annotations

from typing import Final

from engine.calls.causes import EndCause, Reason

NORMAL: Final = 16
"""Normal call clearing."""
ELSEWHERE: Final = 26
"""Non-selected user clearing: another phone answered."""
_OTHER: Final = 127
"""Interworking, unspecified: what RFC 3398 makes of statuses that it does not name."""

# fmt: off
Q850_OF_STATUS: Final[dict[int, int]] = {
    400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22, 413: 127, 414: 127,
    415: 79, 416: 127, 420: 127, 421: 127, 423: 127, 480: 18, 481: 41, 482: 25, 483: 25, 484: 28, 485: 1, 486: 17,
    487: NORMAL, 488: 65, 500: 41, 501: 79, 502: 38, 503: 41, 504: 102, 505: 127, 513: 127, 600: 17, 603: 21, 604: 1,
    606: 65, 607: 21,
}
"""RFC 3398 8.2.6.1. It leaves 487 and 488 open: a caller who gave up cleared normally, and no common codec is a bearer
that is not implemented, as in the other direction; 607 (RFC 8197) is a refusal by the user like 603."""
# fmt: on

_MEANINGS: Final[dict[int, Reason]] = {
    1: Reason.UNREACHABLE,
    17: Reason.BUSY,
    18: Reason.NO_ANSWER,
    19: Reason.NO_ANSWER,
    20: Reason.UNREACHABLE,
    21: Reason.REJECTED,
    27: Reason.UNREACHABLE,
    28: Reason.UNREACHABLE,
}
"""Causes of which a gateway's status says less: many send 480 or 5xx for them all."""

_VAGUE: Final = frozenset({480, 500, 502, 503, 504})


def meaning(status: int, q850: int | None) -> Reason | None:
    """What the network's cause says more than the status; None where it says no more."""
    return None if q850 is None or status not in _VAGUE else _MEANINGS.get(q850)


def q850_of(cause: EndCause) -> int | None:
    """The cause as the telephone network has it: what the peer said, else what its status stands for; None where no
    status was exchanged."""
    if cause.q850 is not None:
        return cause.q850
    status = cause.sip_code
    if status is None:
        return None
    return NORMAL if status < 300 else Q850_OF_STATUS.get(status, _OTHER)


def reason_header(q850: int) -> str:
    """The Reason header that says this cause (RFC 3326); the one that phones know for "another phone answered", so
    that they show no missed call."""
    return 'SIP;cause=200;text="Call completed elsewhere"' if q850 == ELSEWHERE else f"Q.850;cause={q850}"
