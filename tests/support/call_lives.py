"""Whole lives of calls through the core, one function each: made, lived and over, with the last timer rung."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.calls.events import Origin
from engine.calls.routing import NoRoute, Route, ToAgent, ToQueue
from engine.ids import AgentName
from engine.sip.events import SessionId
from engine.sip.uri import SipUri
from tests.support.centre_rig import DEMO, CentreRig, ringing
from tests.support.sip_phone import SDP, SDP_ANSWER, SipPhone, target

HELD = SDP.replace(b"m=audio 4000 RTP/AVP 0\r\n", b"m=audio 4000 RTP/AVP 0\r\na=sendonly\r\n")


class Extensions:
    """A Router: 600 is the queue, 700 rings Alice, 701 Bob; there is nothing else."""

    def route(self, *, context: str, called: str, origin: Origin) -> Route:
        if called == "600":
            return ToQueue(queue=DEMO)
        who = {"700": "alice", "701": "bob"}.get(called)
        if who is not None:
            return ToAgent(agent=AgentName(who), ring_timeout_s=20.0)
        return NoRoute(explanation="600, 700 and 701 are here")


def settle(rig: CentreRig) -> None:
    """Until the last timer of the call has rung: those of the agent's wrap-up and of finished transactions."""
    rig.wire.run(120.0)
    for station in (rig.caller, rig.alice, rig.bob):
        station.events.clear()
    rig.alice.calls.clear()
    rig.bob.calls.clear()
    rig.centre.records.clear()


def connected(rig: CentreRig) -> tuple[SessionId, SessionId, SipPhone]:
    """A caller and an agent talk: his session, hers and her phone."""
    caller = rig.call()
    rig.wire.run(1.0)
    agent = called(rig)
    rung = ringing(agent)
    agent.endpoint.progress(rung, 180, now=rig.wire.now)
    rig.wire.run(1.0)
    agent.endpoint.accept(rung, SDP_ANSWER, now=rig.wire.now)
    rig.wire.run(1.0)
    return caller, rung, agent


def called(rig: CentreRig) -> SipPhone:
    """Whose phone was called in this life."""
    return next(phone for phone in (rig.alice, rig.bob) if phone.calls)


def answered(rig: CentreRig) -> None:
    caller, _, _ = connected(rig)
    rig.caller.endpoint.bye(caller, now=rig.wire.now)


def ended_by_agent(rig: CentreRig) -> None:
    _, hers, agent = connected(rig)
    agent.endpoint.bye(hers, now=rig.wire.now)


def abandoned(rig: CentreRig) -> None:
    caller = rig.call()
    rig.wire.run(1.0)
    rig.caller.endpoint.bye(caller, now=rig.wire.now)


def cancelled(rig: CentreRig) -> None:
    caller = dial(rig, "700")
    rig.wire.run(1.0)
    rig.alice.endpoint.progress(ringing(rig.alice), 180, now=rig.wire.now)
    rig.wire.run(1.0)
    rig.caller.endpoint.cancel(caller, now=rig.wire.now)


def refused(rig: CentreRig) -> None:
    dial(rig, "999")


def busy(rig: CentreRig) -> None:
    caller = rig.call()
    rig.wire.run(1.0)
    agent = called(rig)
    agent.endpoint.reject(ringing(agent), 486, now=rig.wire.now)
    rig.wire.run(2.0)
    rig.caller.endpoint.bye(caller, now=rig.wire.now)


def unanswered(rig: CentreRig) -> None:
    """Nobody hears anybody for a while."""
    caller = rig.call()
    rig.wire.loss = 1.0
    rig.wire.run(200.0)
    rig.wire.loss = 0.0
    rig.caller.endpoint.bye(caller, now=rig.wire.now)
    for phone in (rig.alice, rig.bob):
        rig.register(phone)


def held(rig: CentreRig) -> None:
    caller, hers, agent = connected(rig)
    agent.endpoint.offer(hers, HELD, now=rig.wire.now)
    rig.wire.run(1.0)
    agent.endpoint.offer(hers, SDP, now=rig.wire.now)
    rig.wire.run(1.0)
    agent.endpoint.update(hers, HELD, now=rig.wire.now)
    rig.wire.run(1.0)
    rig.caller.endpoint.bye(caller, now=rig.wire.now)


def transferred(rig: CentreRig) -> None:
    caller, hers, agent = connected(rig)
    agent.endpoint.refer(
        hers, SipUri(user="701" if agent is rig.alice else "700", host=rig.centre.address.host), now=rig.wire.now
    )
    rig.wire.run(1.0)
    other = rig.bob if agent is rig.alice else rig.alice
    other.endpoint.accept(ringing(other), SDP_ANSWER, now=rig.wire.now)
    rig.wire.run(3.0)
    rig.caller.endpoint.bye(caller, now=rig.wire.now)


def refreshed(rig: CentreRig) -> None:
    """Long enough for session timers to refresh it."""
    caller, _, _ = connected(rig)
    rig.wire.run(2000.0)
    rig.caller.endpoint.bye(caller, now=rig.wire.now)


def rung_reliably(rig: CentreRig) -> None:
    """The caller asks for reliable provisional responses, and so does the engine's INVITE to Alice: PRACK both ways."""
    caller = dial(rig, "700", headers=[("Require", "100rel")])
    rig.wire.run(1.0)
    agent = called(rig)
    agent.endpoint.progress(ringing(agent), 183, sdp=SDP_ANSWER, now=rig.wire.now)
    rig.wire.run(1.0)
    agent.endpoint.accept(ringing(agent), SDP_ANSWER, now=rig.wire.now)
    rig.wire.run(1.0)
    rig.caller.endpoint.bye(caller, now=rig.wire.now)


def dial(rig: CentreRig, number: str, headers: Sequence[tuple[str, str]] = ()) -> SessionId:
    """The trunk calls a number."""
    whom = target(rig.caller, rig.centre, number)
    return rig.caller.endpoint.invite(whom, from_user="5551000", sdp=SDP, headers=headers, now=rig.wire.now)


LIVES: tuple[Callable[[CentreRig], None], ...] = (
    answered,
    ended_by_agent,
    abandoned,
    cancelled,
    refused,
    busy,
    unanswered,
    held,
    transferred,
    refreshed,
    rung_reliably,
)
