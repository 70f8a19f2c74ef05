"""A peer that changes its mind about media, in any order: what it is answered and what media is told each time."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.calls.directory import Put
from engine.calls.events import Answered, Updated
from engine.ids import TrunkName
from engine.media.commands import Codec, Direction
from engine.sip.events import InviteAccepted, OfferAnswered, OfferRefused
from engine.sip.sdes import read_crypto
from engine.sip.sdp import parse_sdp
from tests.support.sip_legs import HANGUP, nothing_left, up_incoming
from tests.support.sip_pair import SipPair

MIRRORED = {
    "sendrecv": Direction.SENDRECV,
    "sendonly": Direction.RECVONLY,
    "recvonly": Direction.SENDONLY,
    "inactive": Direction.INACTIVE,
}
"""What the peer says -> what we do."""


class Said(NamedTuple):
    """One description of the peer's."""

    direction: str = "sendrecv"
    address: str = "192.0.2.2"
    port: int = 4000
    formats: str = "0 8 101"
    key: int = 1
    """0: none; what else makes the line unusable is 9."""
    second: bool = False
    """A video stream besides."""

    def text(self, version: int) -> bytes:
        family = "IP6" if ":" in self.address else "IP4"
        lines = ["v=0", f"o=- 1 {version} IN IP4 192.0.2.2", "s=-", f"c=IN {family} {self.address}", "t=0 0"]
        lines += ["m=video 5000 RTP/AVP 31"] if self.second else []
        lines += [f"m=audio {self.port} RTP/AVP {self.formats}", "a=rtpmap:101 telephone-event/8000"]
        lines += [f"a={self.direction}", "a=rtcp-mux", "a=x-nobody-knows:this"]
        if self.key:
            more = " UNENCRYPTED_SRTP" if self.key == 9 else ""
            lines.append(
                f"a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:{b64encode(bytes([self.key]) * 30).decode()}{more}"
            )
        return "\r\n".join([*lines, ""]).encode()

    @property
    def refused(self) -> bool:
        return not self.port or self.address.startswith(("224.", "2001:")) or self.formats == "18"

    @property
    def ours(self) -> Direction:
        if self.address == "0.0.0.0":
            return Direction.RECVONLY if self.direction in ("sendrecv", "sendonly") else Direction.INACTIVE
        return MIRRORED[self.direction]


SAID = st.builds(
    Said,
    direction=st.sampled_from(sorted(MIRRORED)),
    address=st.sampled_from(["192.0.2.2", "192.0.2.2", "198.51.100.9", "0.0.0.0", "224.0.0.1", "2001:db8::1"]),
    port=st.sampled_from([4000, 4000, 4000, 4002, 65535, 0]),
    formats=st.sampled_from(["0 8 101", "8 0 101", "8 101", "101 0", "18"]),
    key=st.sampled_from([0, 1, 1, 2, 9]),
    second=st.booleans(),
)


@given(st.lists(SAID, max_size=12))
@settings(max_examples=25, deadline=None)
def test_every_change_is_answered_by_its_mirror_or_refused_and_then_all_is_as_before(changes: list[Said]) -> None:
    pair = SipPair()
    trunk = pair.directory.trunks[TrunkName("pbx")]
    pair.directory.apply(Put(entity=replace(trunk, srtp="optional")))
    leg, session = up_incoming(pair, Said().text(0))
    accepted = pair.all_far(InviteAccepted)[-1]
    assert isinstance(accepted, InviteAccepted)
    told, answer = pair.last(Answered).media, accepted.sdp
    versions, keys = [parse_sdp(answer or b"").origin.version], {}
    for number, said in enumerate(changes, 1):
        answered, refused = len(pair.all_far(OfferAnswered)), len(pair.all_far(OfferRefused))
        updates = len([event for event in pair.told if isinstance(event, Updated)])
        pair.peer.offer(session, said.text(number), now=pair.now)
        pair.run()
        if said.refused:
            assert len(pair.all_far(OfferRefused)) == refused + 1
            assert len([event for event in pair.told if isinstance(event, Updated)]) == updates
            continue
        assert len(pair.all_far(OfferAnswered)) == answered + 1
        event = pair.all_far(OfferAnswered)[-1]
        assert isinstance(event, OfferAnswered)
        read = parse_sdp(event.sdp or b"")
        if event.sdp != answer:
            versions.append(read.origin.version)
        answer = event.sdp
        updated = [event for event in pair.told if isinstance(event, Updated)][updates:]
        assert len(updated) <= 1
        told = updated[0].media if updated else told
        assert (told.address, told.port, told.direction) == (said.address, said.port, said.ours)
        assert told.rtcp_port == (None if said.port == 65535 else said.port + 1)
        assert [stream.port for stream in read.media] == ([0, 20000] if said.second else [20000])
        audio = read.media[-1]
        assert read.direction_of(audio).value == said.ours.value
        assert audio.attribute("rtcp-mux") is None
        assert told.codec in (Codec.PCMU, Codec.PCMA)
        assert audio.formats[0] == str(told.payload_type) in said.formats.split()
        ours = [read_crypto(line) for line in audio.crypto]
        assert len(ours) == (told.srtp is not None) == (said.key in (1, 2))
        if told.srtp is not None and ours[0] is not None:
            assert b64encode(ours[0].key).decode() == told.srtp.ours
            assert ours[0].tag == 7
            keys.setdefault(told.srtp.ours, told.srtp.theirs)
            assert keys[told.srtp.ours] == told.srtp.theirs, "a key of ours serves one of theirs"
    assert versions == [str(number) for number in sorted({int(each) for each in versions})], "each version once"
    pair.legs.end(leg, HANGUP, pair.now)
    pair.run()
    assert nothing_left(pair)
