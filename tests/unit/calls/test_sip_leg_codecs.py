"""Which codec two legs of a call come to, over the wire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Put
from engine.calls.events import Answered, Ended, LocalMedia, Moved, MoveRefused, RemoteMedia
from engine.ids import LegId
from engine.media.commands import Codec
from engine.sip.events import InviteAccepted, InviteFailed, InviteReceived, OfferReceived, SessionId
from engine.sip.sdp import MediaDescription, parse_sdp
from tests.support.sip_legs import CALLER, HANGUP, LEG, PBX, invite_of, nothing_left, offered
from tests.support.sip_pair import SipPair

WORDS = ("G722", "PCMU", "PCMA", "any")
OPUS = ("96 opus/48000/2", "97 telephone-event/48000")
FEC, DTX = "useinbandfec=1;maxaveragebitrate=24000", "usedtx=1"
EVENT = "101 telephone-event/8000"


def sdp(formats: str, *mappings: str, fmtp: str = "", more: tuple[str, ...] = (), port: int = 4000) -> bytes:
    lines = ("v=0", "o=- 1 1 IN IP4 192.0.2.2", "s=-", "c=IN IP4 192.0.2.2", "t=0 0")
    parameters = [f"a=fmtp:{fmtp}"] if fmtp else []
    maps = [f"a=rtpmap:{each}" for each in mappings]
    return "\r\n".join((*lines, f"m=audio {port} RTP/AVP {formats}", *maps, *parameters, *more, "")).encode()


def stream(data: bytes | None) -> MediaDescription:
    assert data is not None
    return parse_sdp(data).media[0]


def said(data: bytes | None) -> tuple[tuple[str, ...], dict[int, str]]:
    """Formats, and the name and clock of each number."""
    media = stream(data)
    return media.formats, {n: f"{m.encoding}/{m.clock_rate}/{m.channels}" for n, m in media.rtpmap().items()}


class Two:
    """A caller's leg and one that is placed for it."""

    def __init__(self, offer: bytes | None, words: tuple[str, ...] = WORDS) -> None:
        self.pair = SipPair(codecs=words)
        self.caller, self.near = offered(self.pair, offer)
        self.pair.legs.place(LEG, PBX, CALLER, LocalMedia(port=20002, alike=self.caller), self.pair.now)
        self.pair.run()

    @property
    def asked(self) -> bytes:
        """What the far phone was offered."""
        found = invite_of(self.pair).sdp
        assert found is not None
        return found

    @property
    def far(self) -> SessionId:
        return invite_of(self.pair).session

    def answer(self, answer: bytes) -> bytes:
        """The far phone answers so, then we the caller; what the caller is told."""
        pair = self.pair
        pair.peer.accept(self.far, answer, now=pair.now)
        pair.run()
        pair.legs.answer(self.caller, LocalMedia(port=20000, alike=LEG), pair.now)
        pair.run()
        (accepted,) = pair.all_far(InviteAccepted)
        assert isinstance(accepted, InviteAccepted)
        assert accepted.sdp is not None
        return accepted.sdp

    def remotes(self) -> tuple[RemoteMedia, RemoteMedia]:
        """What was agreed with the caller, and with the far phone."""
        found = {e.leg: e.media for e in self.pair.told if isinstance(e, Answered)}
        return found[self.caller], found[LEG]


def test_a_shared_codec_passes_with_its_parameters_and_its_numbers_mapped() -> None:
    two = Two(sdp("96 97", *OPUS, fmtp=f"96 {FEC}"))
    assert said(two.asked) == (("96", "97"), {96: "opus/48000/2", 97: "telephone-event/48000/1"})
    assert stream(two.asked).fmtp(96) == FEC
    answer = two.answer(sdp("111 112", "111 opus/48000/2", "112 telephone-event/48000", fmtp=f"111 {DTX}"))
    assert said(answer) == (("96", "97"), {96: "opus/48000/2", 97: "telephone-event/48000/1"})
    assert stream(answer).fmtp(96) == DTX
    near, far = two.remotes()
    assert (near.codec, near.opaque, near.clock_rate) == (Codec.OPAQUE, "opus/48000/2", 48000)
    assert (far.codec, far.opaque, far.clock_rate) == (Codec.OPAQUE, "opus/48000/2", 48000)
    assert (near.payload_type, near.heard_as, near.dtmf_payload_type, near.dtmf_heard_as) == (96, None, 97, None)
    assert (far.payload_type, far.heard_as, far.dtmf_payload_type, far.dtmf_heard_as) == (111, 96, 112, 97)
    assert (near.codec_name, far.codec_name) == ("opus", "opus")


def test_keys_of_a_phone_whose_events_run_at_8000_reach_the_other_phone() -> None:
    """Both pass Opus on; the media process makes the keys of the one into those of the other."""
    two = Two(sdp("96 8 101", OPUS[0], EVENT), ("opus", "PCMA"))
    answer = two.answer(sdp("111 112", "111 opus/48000/2", "112 telephone-event/48000"))
    assert said(answer) == (("96", "101"), {96: "opus/48000/2", 101: "telephone-event/8000/1"})
    near, far = two.remotes()
    assert (near.opaque, near.dtmf_payload_type, near.dtmf_clock_rate) == ("opus/48000/2", 101, 8000)
    assert (far.opaque, far.dtmf_payload_type, far.dtmf_clock_rate) == ("opus/48000/2", 112, None)


def test_what_can_be_decoded_goes_before_what_cannot_unless_the_list_says_otherwise() -> None:
    offer = sdp("96 8 97 101", *OPUS, EVENT)
    assert said(Two(offer).asked)[0][:2] == ("8", "96")
    assert said(Two(offer, ("opus", "PCMA")).asked)[0][:2] == ("96", "8")
    two = Two(offer)
    answer = two.answer(sdp("8 101", EVENT))
    assert said(answer) == (("8", "101"), {8: "PCMA/8000/1", 101: "telephone-event/8000/1"})
    assert [media.codec for media in two.remotes()] == [Codec.PCMA, Codec.PCMA]


def test_a_static_number_without_a_mapping_passes_too() -> None:
    two = Two(sdp("18", fmtp="18 annexb=no"))
    assert said(two.asked)[0] == ("18", "101")
    assert stream(two.asked).fmtp(18) == "annexb=no"
    two.answer(sdp("18"))
    near, far = two.remotes()
    assert (near.opaque, far.opaque, near.payload_type, far.payload_type) == ("g729/8000/1", "g729/8000/1", 18, 18)
    assert near.codec_name == "G729", "as operators write it"


def test_wideband_is_offered_to_whom_talks_with_wideband_alone() -> None:
    assert said(Two(sdp("9 0 8")).asked)[0] == ("9", "0", "8", "101")
    assert said(Two(sdp("0 8")).asked)[0] == ("0", "8", "101")
    two = Two(sdp("0 9"))
    answer = two.answer(sdp("9"))
    assert said(answer)[0] == ("9",)
    near, far = two.remotes()
    assert (near.codec, far.codec, near.clock_rate) == (Codec.G722, Codec.G722, 8000)


def test_where_the_far_phone_takes_another_the_caller_has_one_that_we_translate() -> None:
    two = Two(sdp("8"))
    answer = two.answer(sdp("0"))
    assert said(answer)[0] == ("8",)
    assert [media.codec for media in two.remotes()] == [Codec.PCMA, Codec.PCMU]


def test_nobody_rings_where_the_two_have_nothing_in_common() -> None:
    two = Two(sdp("18"), ("PCMU", "opus"))
    assert len(two.pair.all_far(InviteReceived)) == 0
    assert two.pair.last(Ended) == Ended(
        leg=LEG, cause=EndCause(outcome=Outcome.CLIENT, reason=Reason.NOT_ACCEPTABLE, sip_code=488)
    )


def test_a_caller_without_an_offer_is_offered_what_the_far_phone_has() -> None:
    two = Two(None)
    assert said(two.asked)[0] == ("9", "0", "8", "101")
    assert said(two.answer(sdp("8")))[0] == ("8", "0", "101")


def test_alone_a_codec_that_cannot_be_decoded_is_refused_with_what_was_found() -> None:
    pair = SipPair(codecs=WORDS)
    leg, _ = offered(pair, sdp("96 18", "96 opus/48000/2"))
    pair.legs.answer(leg, LocalMedia(port=20000), pair.now)
    pair.run()
    (failed,) = pair.all_far(InviteFailed)
    assert isinstance(failed, InviteFailed)
    assert failed.status == 488
    assert pair.last(Ended).cause.reason is Reason.NOT_ACCEPTABLE


@pytest.mark.parametrize(
    ("lines", "ptime"), [((), 20), (("a=ptime:30",), 30), (("a=ptime:60", "a=maxptime:40"), 40), (("a=ptime:5",), 10)]
)
def test_packet_time_and_comfort_noise_go_along(lines: tuple[str, ...], ptime: int) -> None:
    two = Two(sdp("0 13", more=lines))
    assert said(two.asked)[0] == ("0", "8", "13", "101")
    assert stream(two.asked).ptime == ptime
    answer = two.answer(sdp("0 13", more=lines))
    assert said(answer)[0] == ("0", "13")
    assert stream(answer).ptime == ptime
    for media in two.remotes():
        assert (media.ptime_ms, media.cn_payload_type) == (ptime, 13)


def passing() -> tuple[Two, LegId]:
    """Opus passes between the two."""
    two = Two(sdp("96 97", *OPUS, fmtp=f"96 {FEC}"))
    two.answer(sdp("111 112", "111 opus/48000/2", "112 telephone-event/48000"))
    return two, two.caller


def reoffer(two: Two) -> OfferReceived:
    found = two.pair.all_far(OfferReceived)[-1]
    assert isinstance(found, OfferReceived)
    return found


def test_a_leg_is_asked_for_a_codec_that_can_be_decoded_when_there_is_need() -> None:
    two, caller = passing()
    pair = two.pair
    pair.legs.move(caller, LocalMedia(port=20000, decoded=True), pair.now)
    pair.run()
    formats, names = said(reoffer(two).sdp)
    assert formats == ("9", "0", "8", "101")
    assert names[101] == "telephone-event/8000/1"
    pair.peer.answer_offer(two.near, sdp("0 101", EVENT), now=pair.now)
    pair.run()
    assert pair.last(Moved).remote.codec is Codec.PCMU
    pair.legs.end(caller, HANGUP, pair.now)
    pair.legs.end(LEG, HANGUP, pair.now)
    pair.run()
    assert nothing_left(pair)


def test_numbers_that_meant_something_else_get_no_other_meaning() -> None:
    two = Two(sdp("101 96", "101 opus/48000/2", "96 telephone-event/48000"))
    two.answer(sdp("101 96", "101 opus/48000/2", "96 telephone-event/48000"))
    pair = two.pair
    pair.legs.move(two.caller, LocalMedia(port=20000, decoded=True), pair.now)
    pair.run()
    assert said(reoffer(two).sdp) == (
        ("9", "0", "8", "97"),
        {9: "G722/8000/1", 0: "PCMU/8000/1", 8: "PCMA/8000/1", 97: "telephone-event/8000/1"},
    )


def test_a_move_without_need_keeps_the_codec_and_its_parameters() -> None:
    two, caller = passing()
    pair = two.pair
    for leg, session, fmtp in ((caller, two.near, ""), (LEG, two.far, FEC)):
        pair.legs.move(leg, LocalMedia(port=20010), pair.now)
        pair.run()
        formats, names = said(reoffer(two).sdp)
        assert (formats[0], names[96]) == ("96", "opus/48000/2")
        assert (stream(reoffer(two).sdp).fmtp(96) or "") == fmtp
        pair.peer.answer_offer(session, sdp("96", "96 opus/48000/2"), now=pair.now)
        pair.run()
        assert pair.last(Moved).remote.opaque == "opus/48000/2"


def test_a_list_without_a_codec_that_can_be_decoded_cannot_be_asked_for_one() -> None:
    two = Two(sdp("18"), ("G729",))
    two.answer(sdp("18"))
    two.pair.legs.move(two.caller, LocalMedia(port=20000, decoded=True), two.pair.now)
    refused = two.pair.legs.take_events()[-1]
    assert isinstance(refused, MoveRefused)
    assert "decoded" in refused.reason


def test_the_peers_own_change_keeps_the_codec_that_passes() -> None:
    two, _ = passing()
    pair = two.pair
    before = two.pair.far.copy()
    pair.peer.offer(two.near, sdp("0 98 99", "98 opus/48000/2", "99 telephone-event/48000", port=5000), now=pair.now)
    pair.run()
    answered = [e for e in pair.far if e not in before][-1]
    assert said(answered.sdp)[0] == ("98", "99")  # type: ignore[union-attr]
    pair.peer.offer(two.near, sdp("0", port=5000), now=pair.now)
    pair.run()
    assert said(pair.far[-1].sdp)[0] == ("0",)  # type: ignore[union-attr]


def test_a_third_leg_is_offered_what_can_be_decoded_and_nothing_else_beside_one_that_passes() -> None:
    two, caller = passing()
    pair = two.pair
    third = LegId("third")
    pair.legs.place(third, PBX, CALLER, LocalMedia(port=20004, alike=caller), pair.now)
    pair.run()
    assert said(invite_of(pair).sdp)[0] == ("9", "0", "8", "101")


def test_a_leg_follows_the_other_back_into_its_codec() -> None:
    two, caller = passing()
    pair = two.pair
    pair.legs.move(LEG, LocalMedia(port=20002, decoded=True), pair.now)
    pair.run()
    pair.peer.answer_offer(two.far, sdp("0 101", EVENT), now=pair.now)
    pair.run()
    pair.legs.move(LEG, LocalMedia(port=20002, alike=caller), pair.now)
    pair.run()
    formats, names = said(reoffer(two).sdp)
    assert names[int(formats[0])] == "opus/48000/2"
    assert stream(reoffer(two).sdp).fmtp(int(formats[0])) == FEC
    pair.peer.answer_offer(two.far, sdp("111", "111 opus/48000/2"), now=pair.now)
    pair.run()
    assert pair.last(Moved).remote.opaque == "opus/48000/2"
    pair.legs.move(LEG, LocalMedia(port=20012), pair.now)
    pair.run()
    assert stream(reoffer(two).sdp).fmtp(int(said(reoffer(two).sdp)[0][0])) == FEC


def test_a_leg_of_another_call_follows_too() -> None:
    two, caller = passing()
    pair = two.pair
    third = LegId("third")
    pair.legs.place(third, PBX, CALLER, LocalMedia(port=20004), pair.now)
    pair.run()
    session = invite_of(pair).session
    pair.peer.accept(session, sdp("0"), now=pair.now)
    pair.run()
    pair.legs.move(third, LocalMedia(port=20004, alike=caller), pair.now)
    pair.run()
    assert said(reoffer(two).sdp)[1][96] == "opus/48000/2"


def test_a_codec_that_the_callers_list_has_not_is_not_answered_with() -> None:
    two = Two(sdp("0 8"), ("PCMU", "PCMA"))
    pbx = two.pair.directory.trunks[PBX.trunk]
    two.pair.directory.apply(Put(entity=replace(pbx, codecs=("PCMU",))))
    third, _ = offered(two.pair, sdp("8 0"))
    two.pair.peer.accept(two.far, sdp("8"), now=two.pair.now)
    two.pair.run()
    two.pair.legs.answer(third, LocalMedia(port=20006, alike=LEG), two.pair.now)
    two.pair.run()
    assert {e.leg: e.media.codec for e in two.pair.told if isinstance(e, Answered)}[third] is Codec.PCMU


def test_a_change_that_is_refused_leaves_the_description_of_what_passes() -> None:
    two, caller = passing()
    pair = two.pair
    pair.peer.offer(two.far, sdp("3"), now=pair.now)
    pair.run()
    pair.legs.move(LEG, LocalMedia(port=20012), pair.now)
    pair.run()
    formats, names = said(reoffer(two).sdp)
    assert names[int(formats[0])] == "opus/48000/2"
    assert stream(reoffer(two).sdp).fmtp(int(formats[0])) == FEC
    assert caller != LEG
