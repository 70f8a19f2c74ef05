"""What a call carries, through the calls layer: from leg to leg, and into records."""

from __future__ import annotations

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.events import NOTHING_CARRIED, Carried, Ended, FromAgent, FromTrunk, Party
from engine.calls.final_status import failure_cause
from engine.calls.leg import LegState
from engine.calls.log import CallCarried
from engine.calls.routing import ToAgent, ToEcho, ToQueue
from engine.ids import AgentName, QueueName, TrunkName
from tests.support.call_rig import Rig


def test_names_of_a_session_are_joined_where_the_caller_has_one() -> None:
    for name in ("ab30317f1a784dc48ff824d0d3715d86", ""):
        for route in (ToQueue(queue=QueueName("sales")), ToAgent(agent=AgentName("anna"), ring_timeout_s=9.0)):
            rig = Rig(route)
            carried = Carried(session=name, diverted_from="030333") if name else NOTHING_CARRIED
            caller = rig.legs.offer(FromTrunk(trunk=TrunkName("pbx")), "100", Party(number="1"), carried=carried)
            rig.pump()
            if isinstance(route, ToQueue):
                rig.confirm(caller)
                agent = rig.offered(list(rig.queues.waiting)[-1])
            else:
                (agent,) = rig.legs.placed()
            assert rig.legs.legs[agent].carried is carried
            rig.legs.far_answer(agent)
            rig.pump()
            assert rig.legs.joined == ([(caller, agent)] if name else [])
            told = rig.bodies(CallCarried)
            assert [(b.session, b.diverted_from) for b in told if isinstance(b, CallCarried)] == (
                [(name, "030333")] if name else []
            )
            (live,) = rig.manager.snapshot()
            assert (live.session, live.diverted_from) == (name, "030333" if name else "")


def test_an_agents_phone_cannot_take_another_name_than_the_operators() -> None:
    rig = Rig(ToEcho())
    rig.legs.offer(FromAgent(agent=AgentName("anna")), "100", Party(number="anna", display="The Boss"))
    rig.pump()
    (live,) = rig.manager.snapshot()
    assert live.caller_display == "Anna"


def test_the_networks_cause_goes_from_leg_to_leg() -> None:
    rig = Rig(ToAgent(agent=AgentName("anna"), ring_timeout_s=9.0))
    caller = rig.call_in()
    (agent,) = rig.legs.placed()
    rig.legs.events.append(Ended(leg=agent, cause=failure_cause(486, q850=17)))
    rig.legs.legs[agent].state = LegState.ENDED
    rig.pump()
    assert (rig.legs.legs[caller].refused_with, rig.legs.legs[caller].q850) == (486, 17)
    again = rig.call_in()
    far = rig.legs.placed()[-1]
    gone = EndCause(outcome=Outcome.CLIENT, reason=Reason.ABANDONED, sip_code=487, q850=26)
    rig.legs._end(again, gone)
    rig.pump()
    cause = rig.legs.legs[far].cause
    assert cause is not None
    assert (cause.reason, cause.q850) == (Reason.CANCELLED, 26)
