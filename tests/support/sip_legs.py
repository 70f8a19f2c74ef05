"""Legs of `SipPair` brought to where a test begins."""

from __future__ import annotations

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.events import (
    LocalMedia,
    Offered,
    Party,
)
from engine.calls.ports import AgentPhone, TrunkNumber
from engine.ids import LegId, TrunkName
from engine.sip.events import (
    InviteReceived,
    SessionId,
)
from engine.sip.offer_answer import AudioCodec, Local, make_answer
from tests.support.sip_pair import SipPair, description

MEDIA = LocalMedia(port=20000)
LEG = LegId("out")
HANGUP = EndCause(outcome=Outcome.SUCCESS, reason=Reason.CALLER_HANGUP, sip_code=200)
CANCELLED = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.CANCELLED, sip_code=487)
PBX = TrunkNumber(trunk=TrunkName("pbx"), number="0305550")
CALLER = Party(number="0301234", display="Mrs Caller")


def answer_of(sdp: bytes | None, *codecs: AudioCodec) -> bytes:
    """How a far phone answers our offer."""
    assert sdp is not None
    local = Local(
        address="192.0.2.2", port=4000, session_id=9, version=0, codecs=codecs or (AudioCodec.PCMU, AudioCodec.PCMA)
    )
    return make_answer(sdp, local)[0]


def offered(pair: SipPair, sdp: bytes | None) -> tuple[LegId, SessionId]:
    session = pair.call_in(sdp)
    return pair.last(Offered).leg, session


def up_incoming(pair: SipPair, sdp: bytes | None = None) -> tuple[LegId, SessionId]:
    leg, session = offered(pair, sdp or description())
    pair.legs.answer(leg, MEDIA, pair.now)
    pair.run()
    return leg, session


def placed(pair: SipPair, destination: TrunkNumber | AgentPhone = PBX, media: LocalMedia = MEDIA) -> SessionId:
    pair.legs.place(LEG, destination, CALLER, media, pair.now)
    pair.run()
    received = pair.all_far(InviteReceived)[-1]
    assert isinstance(received, InviteReceived)
    return received.session


def up_outgoing(pair: SipPair) -> SessionId:
    session = placed(pair)
    pair.peer.accept(session, answer_of(invite_of(pair).sdp), now=pair.now)
    pair.run()
    return session


def invite_of(pair: SipPair) -> InviteReceived:
    received = pair.all_far(InviteReceived)[-1]
    assert isinstance(received, InviteReceived)
    return received


def nothing_left(pair: SipPair) -> bool:
    pair.wait(70)
    assert not pair.legs._book._by_session
    return pair.legs.live() == 0 and pair.engine.live().sessions == 0 and pair.engine.live().timers == 0
