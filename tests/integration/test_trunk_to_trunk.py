"""What a call from a trunk may reach: what its context includes, and no trunk unless that context says so.

This is the lock against those who would telephone at the house's cost, so it is tried in every way that a caller has.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.live_centre import LiveCentre, running_centre
from tests.support.plain_phone import PlainPhone
from tests.support.ports import PortPool

pytestmark = pytest.mark.integration

CARRIER_HOST = "127.0.0.4"
PARTNER_HOST = "127.0.0.5"
BRANCH_HOST = "127.0.0.6"

DIALPLAN = """
# Includes the way out, and does not allow it.
[context.from-trunk]
include = ["inside", "outbound"]

# Allows it.
[context.from-partner]
trunk_to_trunk = true
include = ["outbound"]

# Includes a context that allows it, which does not count: only where the call came in does.
[context.from-branch]
include = ["from-partner", "inside"]

[context.agents]
include = ["inside", "outbound"]

[[context.inside.extension]]
number = "601"
echo = true

[[context.inside.extension]]
number = "666"
reject = {status = 603, reason = "Never"}

[[context.outbound.extension]]
number = "_9."
trunk = "carrier"
strip = 1
ring_timeout_s = 3

[context.island]
[[context.island.extension]]
number = "777"
echo = true
"""

WAYS_OUT = ["9112", "90049301234", "9112;user=phone", "%39112", "9-112", "+9112", "9112%40elsewhere", "9*112#"]


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    directory = tmp_path_factory.mktemp("trunks")
    (directory / "dialplan.toml").write_text(DIALPLAN)
    plan = {"file": str(directory / "dialplan.toml")}
    with running_centre(session_ports, directory, dialplan=plan) as centre:
        centre.trunk("partner", PARTNER_HOST, context="from-partner")
        centre.trunk("branch", BRANCH_HOST, context="from-branch")
        yield centre


@pytest.fixture(scope="module")
def carrier(centre: LiveCentre) -> PlainPhone:
    """What stands at the far end of the trunk `carrier`, and answers."""
    phone = centre.phone("carrier", host=CARRIER_HOST)
    centre.trunk("carrier", CARRIER_HOST, port=phone.port)
    return phone


def calls_of(carrier: PlainPhone) -> int:
    return sum(heard.method == "INVITE" for heard in carrier.heard)


@pytest.mark.parametrize("number", WAYS_OUT)
@pytest.mark.parametrize("host", ["127.0.0.2", BRANCH_HOST])
def test_a_call_from_a_trunk_reaches_no_trunk(centre: LiveCentre, carrier: PlainPhone, host: str, number: str) -> None:
    before = calls_of(carrier)
    talk = centre.phone("5551000", host=host).call(number)
    centre.until(lambda: talk.status >= 300, "a refusal")
    assert talk.status in {403, 404}
    assert calls_of(carrier) == before


def test_where_the_context_allows_it_the_call_goes_out(centre: LiveCentre, carrier: PlainPhone) -> None:
    before = calls_of(carrier)
    caller = centre.phone("5552000", host=PARTNER_HOST)
    talk = caller.call("9112")
    talk.wait(200)
    centre.hear_each_other(caller, carrier)
    assert calls_of(carrier) == before + 1
    assert carrier.talk().invite is not None
    assert " sip:112@" in carrier.talk().invite.start  # type: ignore[union-attr]
    assert talk.hang_up().status == 200
    carrier.talk().wait_bye()
    assert (centre.cdr(talk)["direction"], centre.cdr(talk)["destination"]) == ("inbound", "trunk:carrier/112")


def test_an_agent_may_telephone_out(centre: LiveCentre, carrier: PlainPhone) -> None:
    alice = centre.agent("alice")
    talk = alice.call("9110")
    talk.wait(200)
    centre.hear_each_other(alice, carrier)
    assert centre.engine.agent("alice")["state"] not in {"idle", "unreachable"}
    assert talk.hang_up().status == 200
    cdr = centre.cdr(talk)
    assert (cdr["direction"], cdr["agent"], cdr["peer"]) == ("outbound", "alice", "trunk:carrier")


def test_a_carrier_that_refuses_is_heard_as_what_it_said(centre: LiveCentre, carrier: PlainPhone) -> None:
    carrier.behaviour = 486
    try:
        talk = centre.agent("bob").call("9111")
        assert talk.wait(486).status == 486
    finally:
        carrier.behaviour = "answer"
    assert (centre.cdr(talk)["outcome"], centre.cdr(talk)["reason"]) == ("upstream", "busy")


@pytest.mark.parametrize(("number", "status"), [("601", 200), ("666", 603), ("777", 404), ("", 404), ("x" * 300, 404)])
def test_a_context_reaches_what_it_includes_and_nothing_else(centre: LiveCentre, number: str, status: int) -> None:
    talk = centre.caller().call(number)
    centre.until(lambda: talk.status >= 200, "an answer")
    assert talk.status in ({status, 400, 484} if status == 404 else {status})
    if status == 200:
        assert talk.hang_up().status == 200


def test_a_trunk_that_is_removed_is_a_stranger_at_once(centre: LiveCentre) -> None:
    centre.trunk("brief", "127.0.0.7")
    guest = centre.phone("5553000", host="127.0.0.7")
    talk = guest.call("601")
    talk.wait(200)
    centre.engine.command("trunk", "remove", "brief")
    assert guest.call("601").wait(401).status == 401
    assert talk.hang_up().status == 200, "a call that stands may end"
