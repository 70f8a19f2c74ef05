"""A running engine on a hostile network: a guesser of passwords is not heard any more, until an operator says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.live_centre import STRANGER_HOST, LiveCentre, running_centre
from tests.support.plain_message import token
from tests.support.plain_phone import PlainPhone
from tests.support.ports import PortPool

pytestmark = pytest.mark.integration


@pytest.fixture
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    with running_centre(session_ports, tmp_path_factory.mktemp("guard"), guard={"auth_failures": 5}) as made:
        yield made
        made.prove_a_call()
        made.at_rest()


def silent(phone: PlainPhone) -> bool:
    """Whether nobody answers the phone within a second."""
    own, uri = f"<{phone.address_of_record}>", f"sip:{phone.server[0]}"
    fields = [("From", f"{own};tag={token('t')}"), ("To", own), ("Call-ID", token("o")), ("CSeq", "1 OPTIONS")]
    try:
        phone.ask("OPTIONS", uri, fields, timeout=1.0)
    except AssertionError:
        return True
    return False


def test_a_guesser_is_banned_and_an_operator_lifts_it(centre: LiveCentre) -> None:
    agent = centre.agent("alice", "demo")
    guesser = centre.stranger("alice", password="wrong")
    for _ in range(5):
        assert guesser.register().status == 403
    assert silent(guesser)
    (line,) = [line for line in centre.engine.process.lines() if "event=SourceBanned" in line]
    assert line.endswith(f"address={STRANGER_HOST} reason=auth_failures seconds=60 times=1")
    assert "level=warning" in line
    assert f"{STRANGER_HOST}" in centre.engine.command("guard", "list").stdout
    centre.until(lambda: centre.metric("hearthline_guard_bans") == 1, "the metric")
    assert agent.register().status == 200
    centre.engine.command("guard", "unban", STRANGER_HOST)
    assert guesser.register().status == 403
    assert centre.engine.api.get("/api/v1/guard")["bans"] == []
    centre.until(lambda: bool(centre.engine.records("BanLifted")), "the record")
    assert [record["body"]["by"] for record in centre.engine.records("BanLifted")] == ["cli"]
