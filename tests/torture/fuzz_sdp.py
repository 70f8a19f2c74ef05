"""`make fuzz`: one session description, guided by coverage, as offer and as answer. Nothing but RemoteSipError leaves
the readers, and an answer of ours agrees to the same on both sides.

    python -m tests.torture.fuzz_sdp [--seconds 600]
"""

from __future__ import annotations

from contextlib import suppress

from engine.sip.errors import RemoteSipError
from engine.sip.offer_answer import Direction, Local, answer_to, make_answer, make_offer, read_answer
from engine.sip.sdp import parse_sdp
from tests.torture.guided import run
from tests.torture.seeds import sdp_seeds as seeds

__all__ = ["fuzz", "seeds"]

_LOCALS = (
    Local(address="192.0.2.100", port=20002, session_id=1, version=1),
    Local(address="2001:db8::100", port=20002, session_id=1, version=1),
)


def fuzz(data: bytes) -> None:
    """One input."""
    with suppress(RemoteSipError):
        _look_into(data)
    for local in _LOCALS:
        for direction in (Direction.SENDRECV, Direction.SENDONLY):
            with suppress(RemoteSipError):
                answer, agreed = make_answer(data, local, direction)
                parse_sdp(answer)
                theirs = read_answer(data, answer)
                assert theirs.codec is agreed.codec
                assert theirs.dtmf_payload_type == agreed.dtmf_payload_type
            with suppress(RemoteSipError):
                agreed = answer_to(local, data, direction)
                assert agreed == read_answer(make_offer(local, direction), data)


def _look_into(data: bytes) -> None:
    session = parse_sdp(data)
    for stream in session.media:
        session.connection_of(stream), session.direction_of(stream)
        assert stream.rtcp_port is None or 0 < stream.rtcp_port <= 65535
        assert stream.ptime is None or stream.ptime >= 0
        for number in stream.rtpmap():
            stream.fmtp(number)


if __name__ == "__main__":
    run("fuzz_sdp")
