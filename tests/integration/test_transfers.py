"""Transfers by phones on real sockets: who hears whom afterwards, what the phone that asked is told, what is kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.live_centre import LiveCentre, running_centre
from tests.support.ports import PortPool

pytestmark = pytest.mark.integration

DIALPLAN = """
[context.from-trunk]
[[context.from-trunk.extension]]
number = "600"
queue = "demo"
[[context.from-trunk.extension]]
number = "601"
echo = true

[context.agents]
include = ["from-trunk"]
[[context.agents.extension]]
number = "201"
agent = "bob"
ring_timeout_s = 5
"""


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    directory = tmp_path_factory.mktemp("transfers")
    (directory / "dialplan.toml").write_text(DIALPLAN)
    with running_centre(session_ports, directory, dialplan={"file": str(directory / "dialplan.toml")}) as centre:
        yield centre


def queue_log(centre: LiveCentre) -> str:
    return (centre.engine.state / "log" / "queue_log").read_text()


def test_a_blind_transfer(centre: LiveCentre) -> None:
    centre.queue(wrap_up_s=60)
    with centre.agent("alice", "demo") as alice, centre.agent("bob") as bob, centre.caller() as caller:
        talk, own = centre.connect(caller, alice)
        assert own.transfer("999").status == 202
        own.wait_notified("SIP/2.0 404 Not Found")
        centre.hear_each_other(caller, alice)
        assert own.transfer("201").status == 202
        own.wait_notified("SIP/2.0 200 OK")
        own.wait_bye()
        centre.hear_each_other(caller, bob)
        centre.engine.wait_for_state("alice", "wrap_up")
        centre.engine.wait_for_state("bob", "in_call")
        assert bob.talk().invite is not None
        assert "5551000" in bob.talk().invite["from"]
        assert bob.talk().invite["referred-by"] == "<sip:alice@127.0.0.1>"
        assert bob.talk().hang_up().status == 200
        talk.wait_bye()
        row = centre.cdr(talk)
        assert (row["transferred_by"], row["transferred_to"], row["peer"]) == ("agent:alice", "201", "agent:bob")
        centre.until(lambda: "|demo|alice|BLINDTRANSFER|201|agents|" in queue_log(centre), "the line in queue_log")
        alice.register(expires=0)
    centre.no_legs()


def test_a_phone_that_is_busy_gives_the_caller_back(centre: LiveCentre) -> None:
    centre.queue(wrap_up_s=0)
    with centre.agent("carol", "demo") as carol, centre.agent("bob") as bob, centre.caller() as caller:
        bob.behaviour = 486
        talk, own = centre.connect(caller, carol)
        assert own.transfer("201").status == 202
        own.wait_notified("SIP/2.0 486 Busy Here")
        centre.hear_each_other(caller, carol)
        assert talk.hang_up().status == 200
        own.wait_bye()
        carol.register(expires=0)
    centre.no_legs()


def test_an_attended_transfer(centre: LiveCentre) -> None:
    with centre.agent("dora", "demo") as dora, centre.agent("bob") as bob, centre.caller() as caller:
        talk, own = centre.connect(caller, dora)
        second = dora.call("201")
        second.wait(200)
        assert own.transfer("201", replaces=second).status == 202
        own.wait_notified("SIP/2.0 200 OK")
        own.wait_bye()
        second.wait_bye()
        centre.hear_each_other(caller, bob)
        assert talk.hang_up().status == 200
        bob.talk().wait_bye()
        assert centre.cdr(talk)["transferred_to"] == "agent:bob"
        assert centre.cdr(second)["reason"] == "transferred"
        centre.until(lambda: "|demo|dora|ATTENDEDTRANSFER|BRIDGE|" in queue_log(centre), "the line in queue_log")
        dora.register(expires=0)
    centre.no_legs()


def test_strangers_transfer_nobody(centre: LiveCentre) -> None:
    with centre.stranger() as mallory:
        uri = f"sip:601@{centre.sip[0]}:{centre.sip[1]}"
        fields = [
            ("From", "<sip:mallory@127.0.0.1>;tag=m"),
            ("To", f"<{uri}>"),
            ("Call-ID", "mallory"),
            ("Refer-To", "<sip:900123@127.0.0.1>"),
            ("Contact", "<sip:mallory@127.0.0.3>"),
            ("Event", "presence"),
        ]
        for number, (method, status) in enumerate(
            {"REFER": 403, "PUBLISH": 405, "NOTIFY": 481, "SUBSCRIBE": 401, "MESSAGE": 401}.items(), 1
        ):
            heard = mallory.ask(method, uri, [*fields, ("CSeq", f"{number} {method}")])
            assert heard.status == status, method
    centre.prove_a_call()
