"""`make fuzz`: one session description, guided by coverage, as offer and as answer. Nothing but RemoteSipError leaves
the readers, and an answer of ours agrees to the same on both sides.

    python -m tests.torture.fuzz_sdp [--seconds 600]
"""

from __future__ import annotations

from contextlib import suppress

from engine.sip.errors import RemoteSipError
from engine.sip.offer_answer import (
    AudioCodec,
    Direction,
    Format,
    Local,
    Passed,
    answer_to,
    make_answer,
    make_offer,
    read_answer,
    read_offer,
)
from engine.sip.sdp import SessionDescription, parse_sdp
from tests.torture.guided import run
from tests.torture.seeds import sdp_seeds as seeds

__all__ = ["fuzz", "seeds"]

_OPUS = Passed("opus", 48000, 2, "useinbandfec=1", 111, "opus/48000/2")
_LOCALS = (
    Local(address="192.0.2.100", port=20002, session_id=1, version=1, codecs=(*AudioCodec, _OPUS), noise=True),
    Local(address="2001:db8::100", port=20002, session_id=1, version=1, ours_first=True),
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
                assert _key(theirs.codec) == _key(agreed.codec)
                assert theirs.ptime_ms == agreed.ptime_ms
                assert theirs.dtmf_payload_type == agreed.dtmf_payload_type
            with suppress(RemoteSipError):
                agreed = answer_to(local, data, direction)
                assert agreed == read_answer(make_offer(local, direction), data)


def _key(codec: Format) -> str:
    return codec.key if isinstance(codec, Passed) else codec


def _look_into(data: bytes) -> None:
    session = parse_sdp(data)
    _offer_on(session)
    for stream in session.media:
        session.connection_of(stream), session.direction_of(stream)
        assert stream.rtcp_port is None or 0 < stream.rtcp_port <= 65535
        assert stream.ptime is None or stream.ptime >= 0
        for number in stream.rtpmap():
            stream.fmtp(number)


def _offer_on(session: SessionDescription) -> None:
    """What one leg has, another is offered: it hears of the same, in the same order."""
    found = read_offer(session)
    if found is None or not found.codecs:
        return
    offer = make_offer(_LOCALS[0]._replace(codecs=found.codecs, noise=found.noise, ptime_ms=found.ptime_ms))
    again = read_offer(parse_sdp(offer))
    assert again is not None
    assert list(map(_key, again.codecs)) == list(map(_key, found.codecs))
    assert again.ptime_ms == found.ptime_ms


if __name__ == "__main__":
    run("fuzz_sdp")
