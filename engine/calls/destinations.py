"""From a route to the behaviour that carries it out: the one place that knows all destinations."""

from __future__ import annotations

from engine.calls.announcement import Announcement
from engine.calls.call import Call
from engine.calls.conference import Conference
from engine.calls.destination import Destination
from engine.calls.direct import Direct, Target
from engine.calls.echo import Echo
from engine.calls.feature_code import FeatureCode
from engine.calls.outbound import Outbound
from engine.calls.ports import AgentPhone
from engine.calls.queued import Queued
from engine.calls.reject import Reject, by_dialplan, without_route
from engine.calls.routing import (
    NoRoute,
    Route,
    ToAgent,
    ToAnnouncement,
    ToConference,
    ToEcho,
    ToFeature,
    ToGroup,
    ToPlay,
    ToQueue,
    ToReject,
    ToTrunk,
)
from engine.speech.phrases import File


def destination_for(call: Call, route: Route) -> Destination:
    """The behaviour that this route asks for, of this call."""
    destination: Destination
    match route:
        case ToQueue(queue=queue):
            destination = Queued(call, queue)
        case ToEcho():
            destination = Echo(call)
        case ToConference(conference=conference):
            destination = Conference(call, conference)
        case ToAnnouncement(file=file):
            destination = Announcement(call, ToPlay(name=f"announcement:{file}", items=(File(path=file),)))
        case ToPlay():
            destination = Announcement(call, route)
        case ToReject(status=status, reason=reason):
            destination = Reject(call, by_dialplan(status), reason)
        case ToAgent(agent=agent, ring_timeout_s=timeout):
            destination = Direct(call, Target(destination=AgentPhone(agent=agent), ring_timeout_s=timeout))
        case ToTrunk() | ToGroup():
            destination = Outbound(call, route)
        case ToFeature(feature=feature, reason=reason):
            destination = FeatureCode(call, feature, reason)
        case NoRoute(forbidden=forbidden):
            destination = Reject(call, without_route(forbidden=forbidden))
    return destination
