"""Two lines that stand for one another: whatever way one of them dies, the call goes out on the other, and the books
say so. Lines are phones by hand at addresses of their own, one of them SIPp."""

from __future__ import annotations

from collections.abc import Iterator
from socket import AF_INET, SOCK_DGRAM, socket

import pytest

from tests.support.live_centre import LiveCentre, running_centre
from tests.support.plain_phone import PlainPhone
from tests.support.plain_talk import Talk
from tests.support.ports import PortPool
from tests.support.sipp import Sipps

pytestmark = pytest.mark.integration

FIRST_HOST = "127.0.0.4"
SECOND_HOST = "127.0.0.5"

DIALPLAN = """
[context.from-trunk]
[context.agents]
[[context.agents.extension]]
number = "_9."
trunk_group = "out"
strip = 1
ring_timeout_s = 20
"""


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    directory = tmp_path_factory.mktemp("groups")
    (directory / "dialplan.toml").write_text(DIALPLAN)
    plan = {"file": str(directory / "dialplan.toml")}
    with running_centre(session_ports, directory, dialplan=plan, toll={"country": "49"}) as centre:
        yield centre


@pytest.fixture(scope="module")
def lines(centre: LiveCentre) -> tuple[PlainPhone, PlainPhone]:
    """The first and the second line of the group `out`."""
    return centre.phone("first", host=FIRST_HOST), centre.phone("second", host=SECOND_HOST)


@pytest.fixture(scope="module")
def alice(centre: LiveCentre) -> PlainPhone:
    return centre.agent("alice")


def wired(centre: LiveCentre, lines: tuple[PlainPhone, PlainPhone], **first: object) -> None:
    """Both lines are there, nothing is known of them, and the first has these settings."""
    settings = {"port": lines[0].port, "patience_s": 1.0, "circuit_after": 0, **first}
    centre.trunk("first", FIRST_HOST, **settings)
    centre.trunk("second", SECOND_HOST, port=lines[1].port)
    centre.engine.api.put("/api/v1/groups/out", {"members": ["first:1", "second:2"]})
    lines[0].behaviour = "answer"


def goes_out_on_the_second(centre: LiveCentre, alice: PlainPhone, second: PlainPhone) -> Talk:
    talk = alice.call("9030555")
    talk.wait(200, timeout=8)
    centre.hear_each_other(alice, second)
    assert talk.hang_up().status == 200
    return talk


def test_the_first_line_carries_the_call_while_it_can(
    centre: LiveCentre, lines: tuple[PlainPhone, PlainPhone], alice: PlainPhone
) -> None:
    wired(
        centre, lines, called_out=["e164:49"], caller_out=["replace:alice:+4930777"], headers_out=["header-add:X-A:7"]
    )
    talk = alice.call("9030555")
    talk.wait(200)
    centre.hear_each_other(alice, lines[0])
    assert talk.hang_up().status == 200
    cdr = centre.cdr(talk)
    assert (cdr["destination"], cdr["peer"], cdr["tried"]) == ("group:out/030555", "trunk:first", "")
    invite = lines[0].talk().invite
    assert invite is not None
    assert " sip:+4930555@" in invite.start
    assert "<sip:+4930777@" in invite["from"]
    assert invite["x-a"] == "7"


@pytest.mark.parametrize(("status", "tried"), [(503, "first 503"), (500, "first 500")])
def test_a_line_that_refuses_leaves_the_call_to_the_other(
    centre: LiveCentre, lines: tuple[PlainPhone, PlainPhone], alice: PlainPhone, status: int, tried: str
) -> None:
    wired(centre, lines)
    lines[0].behaviour = status
    cdr = centre.cdr(goes_out_on_the_second(centre, alice, lines[1]))
    assert (cdr["peer"], cdr["tried"], cdr["outcome"]) == ("trunk:second", tried, "success")


def test_a_line_that_is_silent_leaves_it_after_its_patience(
    centre: LiveCentre, lines: tuple[PlainPhone, PlainPhone], alice: PlainPhone
) -> None:
    with socket(AF_INET, SOCK_DGRAM) as deaf:
        deaf.bind((FIRST_HOST, 0))
        wired(centre, lines, port=deaf.getsockname()[1])
        cdr = centre.cdr(goes_out_on_the_second(centre, alice, lines[1]))
    assert (cdr["peer"], cdr["tried"]) == ("trunk:second", "first silent")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_line_whose_port_is_shut_leaves_it_at_once(
    centre: LiveCentre, lines: tuple[PlainPhone, PlainPhone], alice: PlainPhone, transport: str
) -> None:
    wired(centre, lines, port=centre.port(), transport=transport)
    cdr = centre.cdr(goes_out_on_the_second(centre, alice, lines[1]))
    assert cdr["peer"] == "trunk:second"
    assert cdr["tried"].startswith("first ")


def test_a_person_who_is_busy_is_not_called_again_by_the_other_line(
    centre: LiveCentre, lines: tuple[PlainPhone, PlainPhone], alice: PlainPhone
) -> None:
    wired(centre, lines)
    before = sum(heard.method == "INVITE" for heard in lines[1].heard)
    lines[0].behaviour = 486
    talk = alice.call("9030555")
    assert talk.wait(486).status == 486
    assert sum(heard.method == "INVITE" for heard in lines[1].heard) == before


def test_what_a_line_may_have_is_kept_and_the_rest_goes_to_the_other(
    centre: LiveCentre, lines: tuple[PlainPhone, PlainPhone], alice: PlainPhone
) -> None:
    wired(centre, lines, max_out=1)
    bob = centre.agent("bob")
    first = bob.call("9030555")
    first.wait(200)
    assert centre.engine.api.get("/api/v1/trunks/first")["calls_out"] == 1
    cdr = centre.cdr(goes_out_on_the_second(centre, alice, lines[1]))
    assert cdr["tried"] == "first full"
    assert first.hang_up().status == 200
    wired(centre, lines, cps_out=1.0)
    for expected in ("trunk:first", "trunk:second"):
        talk = alice.call("9030555")
        talk.wait(200)
        assert talk.hang_up().status == 200
        assert centre.cdr(talk)["peer"] == expected


def test_a_line_that_fails_every_call_gets_none_for_a_while(
    centre: LiveCentre, lines: tuple[PlainPhone, PlainPhone], alice: PlainPhone
) -> None:
    wired(centre, lines, circuit_after=2)
    lines[0].behaviour = 503
    tried = [centre.cdr(goes_out_on_the_second(centre, alice, lines[1]))["tried"] for _ in range(3)]
    assert tried == ["first 503", "first 503", ""]
    shown = centre.engine.api.get("/api/v1/trunks/first")
    assert (shown["circuit"], shown["up"]) == ("open", True)
    assert "2 calls in a row failed" in shown["circuit_detail"]
    assert 'hearthline_trunk_circuit_open{trunk="first"} 1.0' in centre.engine.api.text("/metrics")


def test_sipp_as_the_line_that_lives(
    centre: LiveCentre, lines: tuple[PlainPhone, PlainPhone], alice: PlainPhone, sipps: Sipps
) -> None:
    wired(centre, lines)
    lines[0].behaviour = 503
    port = centre.port()
    run = sipps.start("uas_answer", local=(SECOND_HOST, port))
    centre.trunk("second", SECOND_HOST, port=port)
    talk = alice.call("9030555")
    talk.wait(200)
    assert talk.hang_up().status == 200
    assert run.wait().successful == 1


def test_no_agent_telephones_abroad_unless_he_may(
    centre: LiveCentre, lines: tuple[PlainPhone, PlainPhone], alice: PlainPhone
) -> None:
    wired(centre, lines)
    for number in ("90044201234", "9+44201234"):
        assert alice.call(number).wait(403).status == 403
    refused = 'hearthline_toll_refused_total{why="abroad"} 2.0'
    centre.until(lambda: refused in centre.engine.api.text("/metrics"), "two refusals in the metrics")
    centre.engine.api.patch("/api/v1/agents/alice", {"destinations": ["+44"]})
    try:
        talk = alice.call("90044201234")
        talk.wait(200)
        assert talk.hang_up().status == 200
    finally:
        centre.engine.api.patch("/api/v1/agents/alice", {"destinations": []})
