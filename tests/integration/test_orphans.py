"""Calls that go on through a restart of the control process, and how they end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.live_centre import LiveCentre
from tests.support.plain_phone import PlainPhone
from tests.support.plain_talk import Talk

pytestmark = pytest.mark.integration


def phases(centre: LiveCentre) -> list[tuple[str, str]]:
    return [(call["phase"], call["destination"]) for call in centre.engine.api.get("/api/v1/calls")["items"]]


def restarted(centre: LiveCentre, caller: PlainPhone, agent: PlainPhone) -> tuple[Talk, Talk]:
    """Caller and agent talk; the engine is killed and started again, and they talk on."""
    before = len(centre.engine.records("CallConnected"))
    talk, own = centre.connect(caller, agent)
    centre.until(lambda: len(centre.engine.records("CallConnected")) > before, "the call in the log")
    centre.engine.wait_for_binding(agent.user)
    centre.engine.process.kill()
    centre.hear_each_other(caller, agent)
    centre.engine.start()
    centre.hear_each_other(caller, agent)
    assert phases(centre) == [("orphan", "caller+agent")]
    return talk, own


def test_a_phone_hangs_up_and_what_else_it_says_is_put_off(centres: Callable[..., LiveCentre]) -> None:
    centre = centres(media={"processes": 2})
    with centre.agent("alice", "demo") as alice, centre.caller() as caller:
        talk, _ = restarted(centre, caller, alice)
        assert centre.engine.agent("alice")["state"] == "in_call", "nobody is offered to a phone that is still talking"
        assert talk.change("sendrecv").status == 500
        centre.hear_each_other(caller, alice)
        assert talk.hang_up().status == 200
        centre.no_legs()
        assert phases(centre) == []
        centre.engine.wait_for_state("alice", "idle")
        assert centre.cdr(talk)["reason"] == "engine_restart"
        alice.register()
        again, others = centre.connect(caller, alice)
        assert others.hang_up().status == 200
        again.wait_bye()
        alice.register(expires=0)


def test_a_side_that_falls_silent_ends_it_and_so_does_an_operator(centres: Callable[..., LiveCentre]) -> None:
    centre = centres(media={"orphan_silence_s": 1.5})
    with centre.agent("alice", "demo") as alice, centre.caller() as caller:
        restarted(centre, caller, alice)
        caller.voice.muted = True
        centre.no_legs(timeout=6)
        caller.voice.muted = False
        alice.register()
        restarted(centre, caller, alice)
        (call,) = centre.engine.api.get("/api/v1/calls")["items"]
        centre.engine.api.delete(f"/api/v1/calls/{call['call']}")
        centre.no_legs()
        alice.register(expires=0)
