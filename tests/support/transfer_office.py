"""An office in which calls are transferred."""

from __future__ import annotations

from engine.calls.causes import EndCause
from engine.calls.cdr import Cdr, CdrFold
from engine.calls.routing import Feature, NoRoute, ToAgent, ToAnnouncement, ToFeature, ToQueue, ToReject, ToTrunk
from engine.ids import AgentName, LegId, QueueName, TransferId, TrunkName
from tests.support.call_rig import Rig

BERT = ToAgent(agent=AgentName("bert"), ring_timeout_s=20.0)


LINE = ToTrunk(trunk=TrunkName("pbx"), number="03049", ring_timeout_s=20.0)


def office() -> Rig:
    """A queue for everybody; 200 rings Bert, 0 goes out on the line, 300 is a queue, 400 an announcement."""
    rig = Rig()
    rig.router.by_number = {
        "200": BERT,
        "0": LINE,
        "300": ToQueue(queue=QueueName("sales")),
        "400": ToAnnouncement(file="/a.wav"),
        "404": NoRoute(explanation="nothing"),
        "403": NoRoute(explanation="not you", forbidden=True),
        "486": ToReject(status=486, reason="no"),
        "*1": ToFeature(feature=Feature.BREAK),
        "201": ToAgent(agent=AgentName("anna"), ring_timeout_s=20.0),
        "299": ToAgent(agent=AgentName("nobody"), ring_timeout_s=20.0),
    }
    return rig


def asked(rig: Rig, leg: LegId, number: str) -> tuple[TransferId, LegId]:
    """The leg's phone presses transfer; with the leg that is placed, or the last that was."""
    transfer = rig.legs.far_transfer(leg, number)
    rig.pump()
    return transfer, rig.legs.placed()[-1]


def said(rig: Rig, transfer: TransferId) -> list[object]:
    """What was said of it, causes by their status."""
    return [each.sip_code if isinstance(each, EndCause) else each for each in rig.legs.transfers[transfer]]


def rows(rig: Rig) -> list[Cdr]:
    fold = CdrFold()
    return [row for record in rig.records for row in fold.apply(record)]


def hang_up(rig: Rig, *legs: LegId) -> None:
    for leg in legs:
        rig.legs.far_hang_up(leg)
        rig.pump()
