from __future__ import annotations

import pytest

from engine.calls.directory import Agent, Directory, Trunk
from engine.calls.ports import AgentPhone, Destination, TrunkNumber
from engine.calls.sip_codecs import SipCodecs, allowed, codecs_beside, plan_of
from engine.ids import AgentName, TrunkName
from engine.sip.events import AgentPeer, TrunkPeer
from engine.sip.offer_answer import AudioCodec, Format, Offered, Passed

PCMU, PCMA, G722, L16_16K = AudioCodec.PCMU, AudioCodec.PCMA, AudioCodec.G722, AudioCodec.L16_16K
OPUS = Passed("opus", 48000, 2, "useinbandfec=1", 96, "opus/48000/2")
G729 = Passed("G729", 8000, 1, "annexb=no", 18, "g729/8000/1")
DEFAULT = ("G722", "PCMU", "PCMA", "any")


def beside(words: tuple[str, ...], *codecs: Format) -> tuple[Format, ...]:
    return codecs_beside(Offered(codecs, noise=False, ptime_ms=20), plan_of(words, ours_first=False))


def test_without_another_leg_all_that_can_be_decoded_is_offered_best_first() -> None:
    assert codecs_beside(None, plan_of(DEFAULT, ours_first=True)) == (G722, PCMU, PCMA)
    assert codecs_beside(None, plan_of(("opus", "PCMA", "CN"), ours_first=True)) == (PCMA,)


@pytest.mark.parametrize(
    ("theirs", "offered"),
    [
        ((PCMA, PCMU), (PCMU, PCMA)),
        ((PCMA,), (PCMA, PCMU)),
        ((PCMA, G722), (G722, PCMA, PCMU)),
        ((L16_16K, PCMU), (PCMU, G722, PCMA)),
        ((L16_16K,), (G722, PCMU, PCMA)),
        ((OPUS, PCMA), (PCMA, OPUS, PCMU)),
        ((OPUS, G729), (OPUS, G729)),
        ((OPUS,), (OPUS,)),
        ((), ()),
    ],
)
def test_what_the_other_leg_has_comes_first_and_no_wideband_beside_a_narrow_one(
    theirs: tuple[Format, ...], offered: tuple[Format, ...]
) -> None:
    assert beside(DEFAULT, *theirs) == offered


@pytest.mark.parametrize(
    ("words", "theirs", "offered"),
    [
        (("opus", "PCMU"), (PCMU, OPUS), (OPUS, PCMU)),
        (("any", "PCMU"), (PCMU, G729), (G729, PCMU)),
        (("PCMU", "opus"), (G729,), ()),
        (("PCMU", "opus"), (G729, PCMA), (PCMU,)),
        (("G729",), (G729, PCMA), (G729,)),
        (("G729",), (PCMA,), ()),
        (("G722",), (PCMA,), (G722,)),
    ],
)
def test_the_list_says_what_may_be_used_and_what_is_liked(
    words: tuple[str, ...], theirs: tuple[Format, ...], offered: tuple[Format, ...]
) -> None:
    assert beside(words, *theirs) == offered


def test_of_an_offer_only_what_the_list_has_is_allowed() -> None:
    offer = Offered((OPUS, G729, PCMA, G722), noise=True, ptime_ms=30)
    assert allowed(offer, plan_of(("PCMA", "opus"), ours_first=False)) == Offered((OPUS, PCMA), noise=True, ptime_ms=30)
    assert allowed(offer, plan_of(("any",), ours_first=False)).codecs == (OPUS, G729)


def test_a_list_is_read_once() -> None:
    assert plan_of(DEFAULT, ours_first=True) is plan_of(DEFAULT, ours_first=True)
    assert plan_of(DEFAULT, ours_first=True) is not plan_of(DEFAULT, ours_first=False)
    assert (plan_of(DEFAULT, ours_first=True).noise, plan_of(("CN", "PCMU"), ours_first=True).noise) == (False, True)


def test_each_leg_has_the_list_of_its_agent_or_trunk_or_else_the_engines() -> None:
    directory = Directory.of(
        [
            *(Agent(name=AgentName("anna")), Agent(name=AgentName("bert"), codecs=("PCMA",))),
            *(Trunk(name=TrunkName("pbx"), host="h"), Trunk(name=TrunkName("pstn"), host="h", codecs=("G729", "PCMU"))),
        ]
    )
    codecs = SipCodecs(directory, ("G722", "PCMU"))

    def to(destination: Destination) -> tuple[tuple[Format, ...], bool]:
        plan = codecs.of_destination(destination)
        return plan.decoded, plan.ours_first

    assert to(AgentPhone(agent=AgentName("anna"))) == ((G722, PCMU), True)
    assert to(AgentPhone(agent=AgentName("bert"))) == ((PCMA,), True)
    assert to(AgentPhone(agent=AgentName("nobody"))) == ((G722, PCMU), True)
    assert to(TrunkNumber(trunk=TrunkName("pbx"), number="1")) == ((G722, PCMU), False)
    assert to(TrunkNumber(trunk=TrunkName("pstn"), number="1")) == ((PCMU,), True)
    assert to(TrunkNumber(trunk=TrunkName("gone"), number="1")) == ((G722, PCMU), False)
    assert codecs.of_peer(AgentPeer(user="bert")) is codecs.of_destination(AgentPhone(agent=AgentName("bert")))
    assert codecs.of_peer(TrunkPeer(name="pstn")).place(G729) == 0
