"""Traces of whole calls: the core on the wire in memory, in virtual time."""

from __future__ import annotations

import pytest

from engine.app.call_traces import CallTraces
from engine.calls.events import Origin
from engine.calls.routing import Route, ToQueue
from engine.errors import InvalidRequest, NotFound
from engine.ids import CallId, LegId
from engine.sip.events import SessionId
from engine.sip.flow import Flow, Transport
from engine.sip.ladder import ladder
from engine.sip.recorder import Recorder, RecorderLimits
from tests.support.centre_rig import DEMO, ENGINE, CentreRig, ringing
from tests.support.sip_phone import SDP_ANSWER

FLOW = Flow(Transport.UDP, ENGINE, ENGINE)


def traces_of(rig: CentreRig) -> CallTraces:
    assert rig.core.traces is not None
    return rig.core.traces


def one_call(rig: CentreRig) -> str:
    """A caller talks to alice and hangs up; our name of the call."""
    rig.register(rig.alice)
    session = rig.call()
    rig.wire.run(0.5)
    rig.alice.endpoint.accept(ringing(rig.alice), SDP_ANSWER, now=rig.wire.now)
    rig.wire.run(0.5)
    rig.caller.endpoint.bye(session, now=rig.wire.now)
    rig.wire.run(1.0)
    return traces_of(rig).calls()[0].call


def test_a_queued_call_is_shown_with_both_legs_in_order() -> None:
    rig = CentreRig()
    name = one_call(rig)
    traces = traces_of(rig)
    (listed,) = traces.calls()
    assert (listed.origin, listed.caller, listed.called) == ("trunk:pbx", "5551000", "600")
    assert listed.ended.startswith("caller_hangup after ")
    assert listed.at is not None
    assert len(listed.legs) == 2
    found = traces.call(name)
    assert found.left == listed.legs[0]
    assert not found.cut
    sides = [
        ("A" if each.call_id == found.left else "B", each.way, each.title.partition(" (")[0]) for each in found.messages
    ]
    for side in "AB":
        own = [title for name, _, title in sides if name == side]
        assert own[0].startswith("INVITE")
        assert own[-2].startswith("BYE")
        assert own[-1] == "200 OK"
    assert sides.index(("B", "in", "200 OK")) < len(sides) - 1
    assert sides[0] == ("A", "in", f"INVITE {sides[0][2].split()[1]}")
    text = ladder(found.messages, left=found.left, ours=traces.ours)
    assert f"(here {ENGINE.host}:{ENGINE.port})" in text


def test_a_call_is_found_by_its_name_a_beginning_and_any_call_id() -> None:
    rig = CentreRig()
    name = one_call(rig)
    traces = traces_of(rig)
    whole = traces.call(name).messages
    for wanted in traces.calls()[0].legs:
        assert traces.call(wanted).messages == whole
    with pytest.raises(NotFound, match="no call 'nobody' among the last 1 that are kept"):
        traces.call("nobody")


def test_the_beginning_of_a_name_will_do_where_it_is_of_one_call() -> None:
    recorder = Recorder(RecorderLimits(), lambda: 0.0)
    traces = CallTraces(
        recorder, lambda session: f"leg{session}", lambda leg: CallId(f"call{leg}"), 9, lambda flow: ENGINE
    )
    for number in (11, 12, 23):
        traces.bound(LegId(str(number)), SessionId(number))
        recorder.note("out", FLOW, f"leg{number}", b"INVITE %d" % number)
    assert [each.call_id for each in traces.call("call2").messages] == ["leg23"]
    assert [each.call_id for each in traces.call("call12").messages] == ["leg12"]
    with pytest.raises(InvalidRequest, match="'call1' is the beginning of 2 calls"):
        traces.call("call1")
    with pytest.raises(NotFound):
        traces.call("cal")


def test_a_phone_that_is_tried_after_another_belongs_to_the_call() -> None:
    rig = CentreRig(ring_timeout_s=4.0)
    rig.register(rig.alice)
    rig.register(rig.bob)
    rig.call()
    rig.wire.run(12.0)
    (call,) = traces_of(rig).calls()
    assert len(call.legs) >= 3
    assert call.ended == ""
    remotes = {each.flow.remote for each in traces_of(rig).call(call.call).messages}
    assert remotes == {rig.caller.address, rig.alice.address, rig.bob.address}


def test_a_refused_call_can_be_looked_at() -> None:
    class Nowhere:
        def route(self, *, context: str, called: str, origin: Origin) -> Route:
            return ToQueue(queue=DEMO)

    rig = CentreRig(router=Nowhere())
    rig.lose_media()
    rig.call()
    (call,) = traces_of(rig).calls()
    titles = [each.title for each in traces_of(rig).call(call.call).messages]
    assert titles[0].startswith("INVITE")
    assert any(title.startswith("503") for title in titles)
    assert call.ended.startswith("media_lost")


def test_only_the_last_calls_are_kept_and_the_messages_of_others_go() -> None:
    rig = CentreRig(trace={"calls": 2})
    first = one_call(rig)
    legs = traces_of(rig).calls()[0].legs
    for _ in range(2):
        rig.call()
    assert len(traces_of(rig).calls()) == 2
    for wanted in (first, *legs):
        with pytest.raises(NotFound):
            traces_of(rig).call(wanted)


def test_messages_that_went_for_want_of_room_are_said_to_be_forgotten() -> None:
    rig = CentreRig()
    name = one_call(rig)
    traces = traces_of(rig)
    assert rig.core.endpoint.recorder is not None
    for leg in traces.calls()[0].legs:
        rig.core.endpoint.recorder.forget(leg)
    with pytest.raises(NotFound, match="are forgotten already"):
        traces.call(name)


def test_a_long_leg_says_that_its_beginning_may_be_missing() -> None:
    rig = CentreRig(trace={"messages": 4})
    found = traces_of(rig).call(one_call(rig))
    assert found.cut
    assert found.messages[-1].title.startswith("200 OK (BYE")


def test_an_agents_registrations_are_shown_failed_ones_too_without_secrets() -> None:
    rig = CentreRig()
    rig.register(rig.alice)
    rig.bob.password = "wrong"
    rig.bob.register(rig.wire.now)
    rig.wire.run(1.0)
    good, bad = traces_of(rig).agent("alice"), traces_of(rig).agent("bob")
    assert [each.title.partition(" (")[0] for each in good.messages][-1] == "200 OK"
    assert [each.title.partition(" (")[0] for each in bad.messages][-1] == "403 Forbidden"
    authorized = [each.data for each in good.messages if b"Authorization: Digest" in each.data]
    assert authorized
    assert all(b'response="**' in data for data in authorized)
    with pytest.raises(NotFound, match="no registration of 'carol' is kept"):
        traces_of(rig).agent("carol")
    assert {each.call_id for each in traces_of(rig).strangers().messages} == {bad.messages[0].call_id}


def test_a_lone_call_id_is_shown_too() -> None:
    rig = CentreRig()
    rig.bob.password = "wrong"
    rig.bob.register(rig.wire.now)
    rig.wire.run(1.0)
    call_id = traces_of(rig).strangers().messages[0].call_id
    found = traces_of(rig).call(call_id)
    assert found.left == call_id
    assert len(found.messages) == 4


def test_switched_off_nothing_is_kept() -> None:
    rig = CentreRig(trace={"enabled": False})
    rig.register(rig.alice)
    assert rig.core.traces is None
    assert rig.core.endpoint.recorder is None
