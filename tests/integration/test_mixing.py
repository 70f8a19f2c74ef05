"""Who hears whom, by tone: a conference of three, and a supervisor who listens, whispers and barges in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.humming import hear, hum
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.ports import PortPool
from tests.support.procs import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    with running_centre(session_ports, tmp_path_factory.mktemp("mixing")) as found:
        yield found


@pytest.mark.timing
def test_a_conference_of_three(centre: LiveCentre) -> None:
    phones = hum(centre.agent("anna"), centre.agent("bert"), centre.caller())
    talks = [phone.call("604") for phone in phones]
    for talk in talks:
        talk.wait(200)
    hear(phones, "bc", "ac", "ab")

    shown = centre.engine.api.get("/api/v1/conferences/demo")
    calls = {member["who"]: member["call"] for member in shown["members"]}
    assert calls.keys() == {"agent:anna", "agent:bert", "trunk:pbx"}
    centre.engine.command("conference", "mute", "demo", calls["agent:anna"])
    hear(phones, "bc", "c", "b")
    centre.engine.command("conference", "unmute", "demo", calls["agent:anna"])
    hear(phones, "bc", "ac", "ab")
    phones[1].voice.muted = True
    wait_until(lambda: bool(centre.engine.records("OneWayHeard")), timeout=5, what="one-way audio of a member")
    phones[1].voice.muted = False
    (told,) = centre.engine.records("OneWayHeard")
    assert (told["body"]["who"], told["body"]["way"], told["call"]) == ("agent:bert", "in", calls["agent:bert"])
    centre.engine.command("conference", "kick", "demo", calls["agent:bert"])
    talks[1].wait_bye()
    hear([phones[0], phones[2]], "c", "a")
    talks[0].hang_up()
    talks[2].hang_up()
    centre.at_rest()
    cdr = centre.cdr(talks[1])
    assert (cdr["destination"], cdr["reason"], cdr["ended_by"]) == ("conference:demo", "operator", "engine")


def passed_on(centre: LiveCentre) -> None:
    """Those who talk are passed on as before, and only the supervisor is mixed for. Media tells once a second."""

    def told() -> bool:
        media = centre.engine.api.get("/api/v1/media")
        return (media["relayed_edges"], media["mixed_legs"]) == (2, 1)

    wait_until(told, timeout=5, what="two who are passed on and one who is mixed for")


@pytest.mark.timing
def test_a_supervisor_listens_whispers_and_barges_in(centre: LiveCentre) -> None:
    caller, agent, boss = hum(centre.caller("5551001"), centre.agent("dora", "demo"), centre.agent("emil"))
    phones = [caller, agent, boss]
    talk = caller.call("600")
    talk.wait(200)
    agent.talk()
    wait_until(lambda: len(centre.engine.api.get("/api/v1/calls")["items"]) == 1, timeout=10, what="one call")
    (call,) = centre.engine.api.get("/api/v1/calls")["items"]
    assert "is called" in centre.engine.command("listen", call["call"], "--agent", "emil").stdout
    supervised = boss.talk()
    hear(phones, "b", "a", "ab")
    passed_on(centre)
    for mode, whom in (("whisper", ["b", "ac", "ab"]), ("barge", ["bc", "ac", "ab"]), ("listen", ["b", "a", "ab"])):
        assert (
            centre.engine.command(mode, call["call"], "--agent", "emil").stdout == f"emil: {mode} on {call['call']}\n"
        )
        hear(phones, *whom)
    passed_on(centre)
    (shown,) = centre.engine.api.get(f"/api/v1/calls/{call['call']}")["supervisors"]
    assert (shown["agent"], shown["mode"], shown["up"]) == ("emil", "listen", True)
    talk.hang_up()
    supervised.wait_bye()
    centre.at_rest()
    wait_until(
        lambda: any(cdr["call"] == shown["call"] for cdr in centre.engine.api.get("/api/v1/cdrs")["items"]),
        timeout=10,
        what="the supervisor's CDR",
    )
    cdr = centre.engine.api.get(f"/api/v1/cdrs/{shown['call']}")
    assert (cdr["origin"], cdr["destination"]) == ("agent:emil", f"listen:{call['call']}")
    assert (cdr["outcome"], cdr["reason"]) == ("success", "completed")
