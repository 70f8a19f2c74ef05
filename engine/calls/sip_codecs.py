"""Which codecs a SIP leg is offered, and in which order: from the operator's list for it, and from what the other leg
of the call has.

One codec on both legs is best, because its packets need only be passed on. So those that the other leg has come first,
in the order of the list; then those that we decode and translate. Two things are left out: a codec that we cannot
decode, unless the other leg has it; and sound above 4 kHz, where the other leg has none that would fill it, because a
phone that likes it would have every packet translated for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from engine.calls.codec_words import ANY, DECODED, NOISE
from engine.calls.directory import Directory
from engine.calls.ports import AgentPhone, Destination
from engine.ids import AgentName, TrunkName
from engine.sip.events import AgentPeer, Peer
from engine.sip.offer_answer import AudioCodec, Format, Offered

_REMEMBERED: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CodecPlan:
    """A list of words (`codec_words`), read."""

    decoded: tuple[AudioCodec, ...]
    """Those of the list that we can decode, best first."""
    places: dict[str, int]
    """The place of each codec in the list, by its name (of one that we cannot decode: in small letters)."""
    any: int | None
    """The place of all that are not named."""
    noise: bool
    ours_first: bool
    """Whether the list's order decides on our answers; else the peer's order does."""

    def place(self, codec: Format) -> int | None:
        """Where in the list a codec stands; None where it may not be used."""
        if isinstance(codec, AudioCodec):
            return self.places.get(codec)
        return self.places.get(codec.encoding.lower(), self.any)


@lru_cache(maxsize=_REMEMBERED)
def plan_of(words: tuple[str, ...], *, ours_first: bool) -> CodecPlan:
    """One plan for each list, so that plans may be told apart by their identity."""
    return CodecPlan(
        decoded=tuple([AudioCodec(word) for word in words if word in DECODED]),
        places={word if word in DECODED else word.lower(): place for place, word in enumerate(words)},
        any=words.index(ANY) if ANY in words else None,
        noise=NOISE in words,
        ours_first=ours_first,
    )


class SipCodecs:
    """The plan of each leg: the list of its agent or trunk, else the engine's own. An agent's phone is taken in the
    first codec of the list that it has (wideband, by default); a trunk in the one that it likes best, unless it has a
    list of its own."""

    def __init__(self, directory: Directory, words: tuple[str, ...]) -> None:
        self._directory = directory
        self._words = words

    def of_peer(self, peer: Peer) -> CodecPlan:
        """For a leg that this peer has begun."""
        if isinstance(peer, AgentPeer):
            return self._of_agent(AgentName(peer.user))
        return self._of_trunk(TrunkName(peer.name))

    def of_destination(self, destination: Destination) -> CodecPlan:
        """For a leg that is placed to there."""
        if isinstance(destination, AgentPhone):
            return self._of_agent(destination.agent)
        return self._of_trunk(destination.trunk)

    def _of_agent(self, name: AgentName) -> CodecPlan:
        agent = self._directory.agents.get(name)
        return plan_of((agent.codecs if agent is not None else ()) or self._words, ours_first=True)

    def _of_trunk(self, name: TrunkName) -> CodecPlan:
        trunk = self._directory.trunks.get(name)
        own = () if trunk is None else trunk.codecs
        return plan_of(own or self._words, ours_first=bool(own))


@lru_cache(maxsize=_REMEMBERED)
def allowed(offered: Offered, plan: CodecPlan) -> Offered:
    """Of what a peer has offered, what may be used on its leg."""
    return offered._replace(codecs=tuple([codec for codec in offered.codecs if plan.place(codec) is not None]))


@lru_cache(maxsize=_REMEMBERED)
def codecs_beside(other: Offered | None, plan: CodecPlan) -> tuple[Format, ...]:
    """What a leg with this plan is offered, where the other leg has that; None where the other has said nothing. Empty:
    the two cannot have any sound in common."""
    if other is None:
        return plan.decoded
    places = {codec: place for codec in other.codecs if (place := plan.place(codec)) is not None}
    shared = sorted(places, key=places.__getitem__)
    if not any(isinstance(codec, AudioCodec) for codec in other.codecs):
        return tuple(shared)  # nothing of his can be translated
    wide = any(isinstance(codec, AudioCodec) and codec.wide for codec in other.codecs)
    ours = [codec for codec in plan.decoded if codec not in places]
    narrow = [codec for codec in ours if wide or not codec.wide]
    return (*shared, *(narrow if shared else narrow or ours))
