"""What was said of media on one SIP leg: offer and answer (RFC 3264), and the way by which the peer speaks to us.

For INVITEs with an offer and without (the answer then comes in the ACK), and for the peer's re-INVITEs, by which phones
hold, resume and move to another network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from engine.calls.codec_words import DEFAULT
from engine.calls.events import LocalMedia, RemoteMedia
from engine.calls.sip_codecs import CodecPlan, allowed, codecs_beside, plan_of
from engine.calls.sip_srtp import Octets, fresh_keys, media_keys
from engine.media.commands import Codec, Direction
from engine.sip.audio_stream import PTIME_MS
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.flow import Flow
from engine.sip.offer_answer import (
    Agreed,
    AudioCodec,
    Format,
    Local,
    NotAcceptable,
    Offered,
    Passed,
    answer_to,
    make_answer,
    make_offer,
    read_offer,
)
from engine.sip.sdes import Crypto, Srtp
from engine.sip.sdp import Direction as SipDirection
from engine.sip.sdp import SessionDescription, parse_sdp

_DEFAULT: Final = plan_of(DEFAULT, ours_first=False)
_CODECS: Final = {codec: Codec(codec.value) for codec in AudioCodec}
_DIRECTIONS: Final = {theirs: Direction(theirs.value) for theirs in SipDirection}
"""The stack's words and the media plane's for the same."""


class _Move(NamedTuple):
    """What we ask the peer for with an offer of our own that has no answer yet."""

    local: LocalMedia
    offered: Local
    said: bytes


@dataclass(slots=True, kw_only=True, eq=False)
class SipMedia:
    """See the module."""

    number: int
    """The session id of our descriptions (`o=`)."""
    address: Callable[[Flow], str]
    """The IP address that peers on a flow reach our media at."""
    octets: Octets
    """Where keys come from."""
    srtp: Srtp = Srtp.OFF
    insists: bool = False
    """The phone that is called has refused plain RTP with keys: it is offered RTP/SAVP."""
    dtmf: str = "rfc4733"
    """How keys come and go: one of `trunk.DTMF`."""
    codecs: CodecPlan = _DEFAULT
    """Which codecs may be used."""
    beside: Offered | None = None
    """What the other leg of the call has, which is best here too; None: whatever we can decode."""
    flow: Flow | None = None
    """The flow by which the peer's last offer, answer or ACK came; media may come from its address too (NAT)."""
    offer: bytes | None = None
    """The offer that waits for its answer: the peer's until we answer the call, else ours."""
    _read: SessionDescription | None = None
    """The same, where it was read before."""
    dialog: str = ""
    """The name of the dialog, once the leg is up."""
    local: LocalMedia | None = None
    _offered: Local | None = None
    """What our offer that waits for its answer says."""
    _agreed: Agreed | None = None
    _described: Passed | None = None
    """The codec that is only passed on, as we describe it on this leg: with the other leg's parameters."""
    _spoken_for: tuple[int, ...] = ()
    """Payload numbers that were said to mean it."""
    _told: RemoteMedia | None = None
    _keys: tuple[Crypto, ...] = ()
    """Ours, once there is need of any: the same in each of our descriptions, until the peer changes his."""
    _version: int = 0
    _said: bytes = b""
    """Our last description."""
    _early: dict[str, Agreed] = field(default_factory=dict)
    """What was agreed anew before the answer, by the place that the call was forked to."""
    _move: _Move | None = None

    def first_offer(self, flow: Flow) -> bytes:
        """Our offer to a phone that we call by this flow; what another phone was offered before is void, and its keys
        are nobody else's."""
        assert self.local is not None, "a leg has its port before it speaks of media"
        self.flow, self.offer, self._keys = flow, None, ()
        self._early.clear()
        return self.describe()

    @property
    def can_be_heard(self) -> bool:
        """Whether there is a codec that we can offer a phone."""
        return bool(codecs_beside(self.beside, self.codecs))

    def has(self, *, passed: bool) -> Offered | None:
        """What the other leg of the call had better have too: the codec that was agreed, else what the peer has offered
        and may use; None where neither is known. With `passed`, also an agreed codec that we cannot decode."""
        agreed = self._agreed
        if agreed is not None:
            if isinstance(agreed.codec, Passed) and not passed:
                return None
            return self._like(agreed)._replace(codecs=(agreed.codec,))
        try:
            theirs = self._theirs()
        except RemoteSipError:
            return None  # it is refused when it is to be answered
        found = None if theirs is None else read_offer(theirs)
        return None if found is None else allowed(found, self.codecs)

    def _theirs(self) -> SessionDescription | None:
        """The peer's offer that waits, read. Raises RemoteSipError."""
        if self._read is None and self.offer is not None:
            self._read = parse_sdp(self.offer)
        return self._read

    def describe(self) -> bytes:
        """Our answer to the offer that waits, or an offer of ours where none does. Raises RemoteSipError."""
        if self.offer is None:
            self._offered = self._ours(self._to_offer(), self._use_offered)
            self.offer = self._said = make_offer(self._offered)
            return self.offer
        best = () if self.beside is None else self.beside.codecs
        theirs, self.offer, self._read = self._theirs(), None, None
        assert theirs is not None, "an offer was read"
        self._said, self._agreed = self._answer(theirs, best)
        return self._said

    def _to_offer(self) -> tuple[Format, ...]:
        """The codecs of an offer of ours: that which is agreed first, if any."""
        agreed = self._agreed
        if agreed is None:
            return codecs_beside(self.beside, self.codecs)
        if self._described is not None:
            return self._described, *self.codecs.decoded
        return codecs_beside(self._like(agreed), self.codecs)

    def _in_use(self, agreed: Agreed) -> Format:
        """The codec that was agreed, as we describe it."""
        return agreed.codec if self._described is None else self._described

    def _like(self, agreed: Agreed) -> Offered:
        """More of what was agreed."""
        return Offered((self._in_use(agreed),), agreed.cn_payload_type is not None, agreed.ptime_ms)

    def _answer(self, offer: SessionDescription, best: tuple[Format, ...]) -> tuple[bytes, Agreed]:
        """With one of these codecs, if it can be."""
        best = tuple([codec for codec in best if self.codecs.place(codec) is not None])
        if best:
            try:
                said, agreed = make_answer(offer, self._ours(best, self.srtp))
            except NotAcceptable:
                pass  # better another codec, which the media process translates, than no call
            else:
                self._note(agreed, best)
                return said, agreed
        self._described = None
        return make_answer(offer, self._ours(self.codecs.decoded, self.srtp))

    def _note(self, agreed: Agreed, ours: tuple[Format, ...]) -> None:
        """Remember how we describe a codec that is only passed on."""
        codec = agreed.codec
        self._described = None
        if isinstance(codec, Passed):
            number = agreed.payload_type if agreed.heard_as is None else agreed.heard_as
            found = next(each for each in ours if isinstance(each, Passed) and each.key == codec.key)
            self._described = found._replace(number=number)

    def answer_early(self, sdp: bytes | None, flow: Flow, dialog: str) -> bytes:
        """Our answer to an offer that came before the call is answered, by one of the places that it was forked to.
        Raises RemoteSipError to refuse it."""
        assert sdp is not None, "before the call is answered nobody can be asked for an offer"
        self.flow = flow
        self._version += 1
        self._said, self._early[dialog] = self._answer(parse_sdp(sdp), ())
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
        self._note(self._agreed, offered.codecs)

    def answer_change(self, sdp: bytes | None, flow: Flow, dialog: str = "") -> bytes:
        """Our answer to a re-INVITE that came by this flow, or our offer where it brought none. Raises RemoteSipError
        to refuse it; then all stays as it was."""
        before, agreed, said = self.flow, self._agreed, self._said
        assert agreed is not None, "a leg that is up has media"
        described, self.flow, self.offer, self._read = self._described, flow, sdp, None
        # The codec stays, if the peer lets it: the other leg may have been given the same.
        beside, self.beside = self.beside, self._like(agreed)
        try:
            answer = self.describe()
            if self._agreed is not agreed and self._rekeyed(agreed):
                answer, self._keys = b"", ()
            if answer != said:
                # Who only refreshes the session hears the same again (RFC 3264 8, RFC 4028 7.4); else the version says
                # that it is another.
                self.offer = sdp
                self._version += 1
                self.describe()
            return self._said
        except RemoteSipError:
            self.flow, self._described = before, described
            raise
        finally:
            self.beside = beside

    # --- our own changes ---

    @property
    def moving(self) -> LocalMedia | None:
        """What our offer asks for that waits for its answer."""
        return None if self._move is None else self._move.local

    def ask(self, local: LocalMedia) -> bytes:
        """Our offer that the peer send there; all stays as it is until he has answered (RFC 3264 8). Asked again, the
        same in other words, for where the peer's own change came first. At another place of ours the keys are others
        too, for the numbers of packets begin anew (RFC 3711 3.2.3: a context is known by its address and port)."""
        agreed = self._agreed
        assert agreed is not None, "a leg that is up has media"
        assert self.local is not None, "a leg that is up has its port"
        keys = self._ready_keys()
        moves = local.elsewhere or (local.address, local.port) != (self.local.address, self.local.port)
        if moves and agreed.secured is not None:
            keys = fresh_keys(self.octets) if self._move is None else self._move.offered.crypto
        codecs = self._to_offer() if local.alike is None else codecs_beside(self.beside, self.codecs)
        if local.decoded:
            codecs = tuple([codec for codec in codecs if isinstance(codec, AudioCodec)])
            self._spoken_for = self._spoken_for or _numbers(agreed)
        if not codecs:
            raise LocalSipError("there is no codec that may be used and can be decoded")
        self._version += 1
        beside, self.beside = self.beside, self._like(agreed)
        offered = self._ours(codecs, self._use_offered, local, keys)
        self.beside = beside
        # The peer has heard of another version since: what comes next is yet another.
        self._said = b""
        self._move = _Move(local, offered, make_offer(offered))
        return self._move.said

    def move(self, sdp: bytes | None, flow: Flow | None) -> None:
        """The peer takes it, asked by this flow. Raises RemoteSipError where his answer cannot be used; then all stays
        as it was."""
        move, self._move = self._move, None
        assert move is not None, "nobody answers what was not asked"
        if sdp is None:
            raise RemoteSipError("no answer to the offer", status_hint=488, reason="Not Acceptable Here")
        self._agreed = answer_to(move.offered, sdp)
        self._note(self._agreed, move.offered.codecs)
        self.local, self._keys, self._said = move.local, move.offered.crypto, move.said
        self.flow = flow or self.flow

    def stay(self) -> None:
        """The peer does not take it."""
        self._move = None

    def _rekeyed(self, before: Agreed) -> bool:
        """Whether the peer has another key than before; then we have another too."""
        was, now = before.secured, self._agreed and self._agreed.secured
        return now is not None and (was is None or (was.suite, was.theirs) != (now.suite, now.theirs))

    @property
    def changed(self) -> bool:
        """Whether what was agreed is other than what was told last."""
        return self._remote() != self._told

    def tell(self) -> RemoteMedia:
        """What was agreed, for those who send and hear."""
        self._told = self._remote()
        return self._told

    def _ours(
        self,
        codecs: tuple[Format, ...],
        srtp: Srtp,
        local: LocalMedia | None = None,
        keys: tuple[Crypto, ...] | None = None,
    ) -> Local:
        """With these codecs at our place, or at another (`local`) with its keys."""
        local, beside = local or self.local, self.beside
        assert self.flow is not None, "a leg has its flow before it speaks of media"
        assert local is not None, "a leg has its port before it speaks of media"
        return Local(
            address=local.address or self.address(self.flow),
            port=local.port,
            session_id=self.number,
            version=self._version,
            codecs=codecs,
            srtp=srtp,
            crypto=self._ready_keys() if keys is None else keys,
            ours_first=self.codecs.ours_first,
            noise=self.codecs.noise or (beside is not None and beside.noise),
            ptime_ms=PTIME_MS if beside is None else beside.ptime_ms,
            spoken_for=self._spoken_for,
            events=self.dtmf in _WITH_EVENTS,
        )

    @property
    def _use_offered(self) -> Srtp:
        """Who has begun with RTP/SAVP, or insists on it, is offered nothing else."""
        secured = self._agreed and self._agreed.secured
        return Srtp.REQUIRED if self.insists or (secured is not None and secured.savp) else self.srtp

    def _ready_keys(self) -> tuple[Crypto, ...]:
        if self.srtp is not Srtp.OFF and not self._keys:
            self._keys = fresh_keys(self.octets)
        return self._keys

    def _as_tones(self, agreed: Agreed) -> bool:
        """Whether keys are tones in the sound."""
        decoded = isinstance(agreed.codec, AudioCodec)
        return agreed.dtmf_payload_type is None and decoded and self.dtmf in _WITH_TONES

    def _remote(self) -> RemoteMedia:
        agreed, flow = self._agreed, self.flow
        assert agreed is not None, "told only once media is agreed"
        assert flow is not None, "a session has a flow"
        codec = agreed.codec
        return RemoteMedia(
            address=agreed.address,
            port=agreed.port,
            flow_address=flow.remote.host,
            codec=_CODECS[codec] if isinstance(codec, AudioCodec) else Codec.OPAQUE,
            payload_type=agreed.payload_type,
            dtmf_payload_type=agreed.dtmf_payload_type,
            direction=_DIRECTIONS[agreed.direction],
            rtcp_port=agreed.rtcp_port or None,
            srtp=media_keys(agreed.secured),
            opaque="" if isinstance(codec, AudioCodec) else codec.key,
            clock_rate=codec.clock_rate,
            ptime_ms=agreed.ptime_ms,
            heard_as=agreed.heard_as,
            dtmf_heard_as=agreed.dtmf_heard_as,
            dtmf_clock_rate=agreed.dtmf_clock_rate,
            cn_payload_type=agreed.cn_payload_type,
            dialog=self.dialog,
            inband=self._as_tones(agreed),
        )


_WITH_EVENTS: Final = frozenset({"auto", "rfc4733"})
_WITH_TONES: Final = frozenset({"auto", "inband"})


def _numbers(agreed: Agreed) -> tuple[int, ...]:
    """The payload numbers of a codec that is only passed on, and of what goes with it."""
    if isinstance(agreed.codec, AudioCodec):
        return ()
    numbers = (agreed.payload_type, agreed.heard_as, agreed.dtmf_payload_type, agreed.dtmf_heard_as)
    return tuple([number for number in numbers if number is not None])
