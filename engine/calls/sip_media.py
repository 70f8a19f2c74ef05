"""What was said of media on one SIP leg: offer and answer (RFC 3264), and the way by which the peer speaks to us.

For INVITEs with an offer and without (the answer then comes in the ACK), and for the peer's re-INVITEs, by which phones
hold, resume and move to another network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from engine.calls.events import LocalMedia, RemoteMedia
from engine.media.commands import Codec, Direction
from engine.sip.errors import RemoteSipError
from engine.sip.flow import Flow
from engine.sip.offer_answer import Agreed, AudioCodec, Local, NotAcceptable, answer_to, make_answer, make_offer
from engine.sip.sdp import Direction as SipDirection

_ALL: Final = tuple(Codec)
_OURS: Final = {AudioCodec(codec.value): codec for codec in Codec}
_THEIRS: Final = {codec: audio for audio, codec in _OURS.items()}
_DIRECTIONS: Final = {theirs: Direction(theirs.value) for theirs in SipDirection}
"""The stack's words and the media plane's for the same."""


@dataclass(slots=True, kw_only=True, eq=False)
class SipMedia:
    """See the module."""

    number: int
    """The session id of our descriptions (`o=`)."""
    address: Callable[[Flow], str]
    """The IP address that peers on a flow reach our media at."""
    flow: Flow | None = None
    """The flow by which the peer's last offer, answer or ACK came; media may come from its address too (NAT)."""
    offer: bytes | None = None
    """The offer that waits for its answer: the peer's until we answer the call, else ours."""
    local: LocalMedia | None = None
    _offered: Local | None = None
    """What our offer that waits for its answer says."""
    _agreed: Agreed | None = None
    _told: RemoteMedia | None = None
    _version: int = 0
    _said: bytes = b""
    """Our last description."""
    _early: dict[str, Agreed] = field(default_factory=dict)
    """What was agreed anew before the answer, by the place that the call was forked to."""

    def first_offer(self, flow: Flow) -> bytes:
        """Our offer to a phone that we call by this flow; what another phone was offered before is void."""
        assert self.local is not None, "a leg has its port before it speaks of media"
        self.flow, self.offer = flow, None
        self._early.clear()
        return self.describe(self.local.codecs)

    def describe(self, codecs: tuple[Codec, ...]) -> bytes:
        """Our answer to the offer that waits, or an offer of ours where none does. Raises RemoteSipError."""
        if self.offer is None:
            known = self._known
            self._offered = self._ours(tuple(dict.fromkeys((*(c for c in codecs if c in known), *known))))
            self.offer = self._said = make_offer(self._offered)
            return self.offer
        offer, self.offer = self.offer, None
        self._said, self._agreed = self._answer(offer, codecs)
        return self._said

    @property
    def _known(self) -> tuple[Codec, ...]:
        """The codecs that may be used on this leg, best first."""
        return _ALL if self.local is None or not self.local.only else self.local.codecs

    def _answer(self, offer: bytes, codecs: tuple[Codec, ...]) -> tuple[bytes, Agreed]:
        try:
            return make_answer(offer, self._ours(codecs))
        except NotAcceptable:
            # Better another codec, which the media process translates, than no call.
            return make_answer(offer, self._ours(self._known))

    def answer_early(self, sdp: bytes | None, flow: Flow, dialog: str) -> bytes:
        """Our answer to an offer that came before the call is answered, by one of the places that it was forked to.
        Raises RemoteSipError to refuse it."""
        assert sdp is not None, "before the call is answered nobody can be asked for an offer"
        self.flow = flow
        self._version += 1
        self._said, self._early[dialog] = self._answer(sdp, self._known)
        return self._said

    def take_answer(self, sdp: bytes | None, dialog: str = "") -> None:
        """The peer answered our offer. Raises RemoteSipError where it cannot be used, or where no answer came
        (RFC 3261 13.2.1)."""
        offered, self._offered, self.offer = self._offered, None, None
        if dialog in self._early:
            self._agreed = self._early[dialog]
            return
        if offered is None or sdp is None:
            raise RemoteSipError("no answer to the offer", status_hint=488, reason="Not Acceptable Here")
        self._agreed = answer_to(offered, sdp)

    def answer_change(self, sdp: bytes | None, flow: Flow, dialog: str = "") -> bytes:
        """Our answer to a re-INVITE that came by this flow, or our offer where it brought none. Raises RemoteSipError
        to refuse it; then all stays as it was."""
        before, agreed, said = self.flow, self._agreed, self._said
        assert agreed is not None, "a leg that is up has media"
        self.flow, self.offer = flow, sdp
        # The codec stays, if the peer lets it: the other leg may have been given the same.
        codecs = (_OURS[agreed.codec],)
        try:
            if self.describe(codecs) != said:
                # Who only refreshes the session hears the same again (RFC 3264 8, RFC 4028 7.4); else the version says
                # that it is another.
                self.offer = sdp
                self._version += 1
                self.describe(codecs)
            return self._said
        except RemoteSipError:
            self.flow = before
            raise

    @property
    def changed(self) -> bool:
        """Whether what was agreed is other than what was told last."""
        return self._remote() != self._told

    def tell(self) -> RemoteMedia:
        """What was agreed, for those who send and hear."""
        self._told = self._remote()
        return self._told

    def _ours(self, codecs: tuple[Codec, ...]) -> Local:
        assert self.flow is not None, "a leg has its flow before it speaks of media"
        assert self.local is not None, "a leg has its port before it speaks of media"
        return Local(
            address=self.address(self.flow),
            port=self.local.port,
            session_id=self.number,
            version=self._version,
            codecs=tuple([_THEIRS[codec] for codec in codecs]),
        )

    def _remote(self) -> RemoteMedia:
        agreed, flow = self._agreed, self.flow
        assert agreed is not None, "told only once media is agreed"
        assert flow is not None, "a session has a flow"
        return RemoteMedia(
            address=agreed.address,
            port=agreed.port,
            flow_address=flow.remote.host,
            codec=_OURS[agreed.codec],
            payload_type=agreed.payload_type,
            dtmf_payload_type=agreed.dtmf_payload_type,
            direction=_DIRECTIONS[agreed.direction],
            rtcp_port=agreed.rtcp_port or None,
        )
