"""SIP over TCP: a phone is reached over the connection that it registered by, and by its loss it is gone at once."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_centre import LiveCentre, running_centre
from tests.support.parts import require
from tests.support.plain_message import read, write
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.sipp import Sipps
from tests.support.softphone_process import start_phone

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def shared(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    directory = tmp_path_factory.mktemp("tcp")
    with running_centre(session_ports, directory, media={"dead_s": 2.0}) as centre:
        yield centre


@pytest.fixture
def centre(shared: LiveCentre) -> Iterator[LiveCentre]:
    yield shared
    for agent in shared.engine.api.get("/api/v1/agents")["items"]:
        shared.engine.api.delete(f"/api/v1/agents/{agent['name']}")
    shared.prove_a_call()
    shared.at_rest()


def waiting(centre: LiveCentre) -> list[str]:
    """Who is rung for the one caller in queue `demo`."""
    (caller,) = centre.engine.api.get("/api/v1/queues/demo")["callers"]
    return list(caller["ringing"])


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_real_phone_over_tcp_takes_a_call_and_makes_one(
    centre: LiveCentre, procs: Processes, ports: PortPool, tmp_path: Path, transport: str
) -> None:
    require("pjsua2")
    centre.add_agent("alice", "demo")
    secret = tmp_path / "secret"
    secret.write_text(centre.secret_of("alice"))
    alice = start_phone(
        *(procs, ports, "alice", "--server", centre.engine.server, "--user", "alice", "--transport", "tcp"),
        *("--password-file", str(secret), "--audio", "tone", "--auto-answer", "0"),
    )
    alice.wait_for("registered")
    caller = centre.caller(transport=transport)
    talk = caller.call("600")
    alice.wait_for("answered")
    wait_until(lambda: caller.voice.packets > 20, timeout=5, what="the agent's voice")
    assert talk.hang_up().status == 200
    alice.wait_for("ended")
    alice.tell("dial", uri=f"{centre.engine.server.replace('sip:', 'sip:601@')};transport=tcp")
    alice.wait_for("answered", count=2)
    alice.tell("hangup")
    alice.wait_for("ended", count=2)
    assert alice.quit() == 0
    assert centre.engine.agent("alice")["reachable"] is False, "it took leave"


@pytest.mark.timing(stall_ms=200)
def test_the_agent_is_unroutable_as_soon_as_the_connection_is_lost(centre: LiveCentre) -> None:
    alice = centre.agent("alice", "demo", transport="tcp")
    assert centre.engine.agent("alice")["reachable"] is True
    alice.vanish()
    wait_until(lambda: not centre.engine.agent("alice")["reachable"], timeout=1, what="the loss to be known")
    assert centre.engine.agent("alice")["state"] == "unreachable"
    talk = centre.caller().call("600")
    talk.wait(200)
    assert waiting(centre) == []
    assert talk.hang_up().status == 200


@pytest.mark.timing(stall_ms=200)
def test_a_phone_whose_connection_is_lost_while_it_rings_gives_way_to_the_next(centre: LiveCentre) -> None:
    alice = centre.agent("alice", "demo", transport="tcp")
    alice.behaviour = "ring"
    caller = centre.caller()
    talk = caller.call("600")
    alice.talk()
    assert waiting(centre) == ["alice"]
    bob = centre.agent("bob", "demo")
    alice.vanish()
    centre.hear_each_other(caller, bob, timeout=2)
    assert centre.engine.agent("alice")["status"] == "available", "the network's fault is no reason for a break"
    assert bob.talk().hang_up().status == 200
    talk.wait_bye()
    assert centre.cdr(talk)["agent"] == "bob"


@pytest.mark.timing(stall_ms=200)
def test_a_call_survives_the_loss_of_the_agents_connection_when_the_phone_comes_back(centre: LiveCentre) -> None:
    """The audio does not go by that connection. The phone registers again, is known by its instance (RFC 5626), and the
    call's BYE finds it."""
    alice, caller = centre.agent("alice", "demo", transport="tcp", instance="urn:uuid:1"), centre.caller()
    talk, other = centre.connect(caller, alice)
    alice.reconnect()
    wait_until(lambda: not centre.engine.agent("alice")["reachable"], timeout=2, what="the loss to be known")
    centre.hear_each_other(caller, alice)
    assert alice.register().status == 200
    assert talk.hang_up().status == 200
    other.wait_bye()
    assert centre.cdr(talk)["reason"] == "caller_hangup"


@pytest.mark.timing(stall_ms=200)
def test_a_caller_whose_connection_is_lost_before_the_answer_has_left(centre: LiveCentre) -> None:
    bob, other = centre.agent("bob", transport="tcp"), centre.agent("demo-agent")
    other.behaviour = "ring"
    talk = bob.call("100")
    ringing = other.talk()
    talk.wait(180)
    bob.vanish()
    wait_until(lambda: ringing.cancelled is not None, timeout=2, what="a CANCEL to the phone that rings")
    cdr = centre.cdr(talk)
    assert (cdr["outcome"], cdr["reason"], cdr["ended_by"]) == ("client", "abandoned", "caller")


def test_a_caller_who_is_gone_after_the_answer_is_known_by_his_silence(centre: LiveCentre) -> None:
    """A dialog is not bound to a connection: a trunk may go on by another one. That nothing is heard ends the call."""
    caller = centre.caller(transport="tcp")
    talk = caller.call("600")
    talk.wait(200)
    caller.vanish()
    cdr = centre.cdr(talk)
    assert (cdr["outcome"], cdr["reason"], cdr["ended_by"]) == ("client", "media_timeout", "engine")


def test_several_calls_share_a_connection(centre: LiveCentre) -> None:
    pbx = centre.caller(transport="tcp")
    talks = [pbx.call("601") for _ in range(5)]
    for talk in talks:
        talk.wait(200)
    for talk in talks:
        assert talk.hang_up().status == 200
    assert {centre.cdr(talk)["reason"] for talk in talks} == {"caller_hangup"}


def test_a_trunk_over_tcp_is_called_and_called_again_after_it_was_away(centre: LiveCentre, sipps: Sipps) -> None:
    """The engine opens the connection, keeps it, and makes another when the trunk was restarted."""
    place = ("127.0.0.8", centre.port())
    centre.trunk("asterisk", place[0], port=place[1], transport="tcp")
    alice = centre.agent("alice")
    for _ in range(2):
        pbx = sipps.start("uas_answer", local=place, transport="t1")
        talk = alice.call("9112")
        talk.wait(200)
        assert talk.hang_up().status == 200
        assert pbx.wait().successful == 1
        refused = alice.call("9112")
        wait_until(lambda refused=refused: refused.status > 401, timeout=5, what="a refusal while the trunk is away")
        assert refused.status in {480, 500}, "never 503, for the engine itself is well"
        assert centre.cdr(refused)["reason"] == "unreachable"


def test_a_call_whose_connection_is_gone_is_hung_up_by_another(centre: LiveCentre) -> None:
    caller = centre.caller(transport="tcp")
    talk = caller.call("601")
    talk.wait(200)
    caller.vanish()
    with socket.create_server((caller.host, caller.port)) as server:
        server.settimeout(15)
        # Nobody is heard any more, so that the engine ends the call.
        connection, _ = server.accept()
        with connection:
            connection.settimeout(5)
            bye = read(connection.recv(65535))
            assert (bye.start.split(" ")[0], bye["call-id"]) == ("BYE", talk.call_id)
            fields = [(name, bye[name.lower()]) for name in ("Via", "From", "To", "Call-ID", "CSeq")]
            connection.sendall(write("SIP/2.0 200 OK", fields))
    assert centre.cdr(talk)["reason"] == "media_timeout"
