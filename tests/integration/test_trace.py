"""A real call is shown afterwards: both legs in order as text, and as a file that tshark reads."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_centre import LiveCentre, running_centre
from tests.support.ports import PortPool

pytestmark = pytest.mark.integration


@pytest.fixture
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    with running_centre(session_ports, tmp_path_factory.mktemp("trace")) as made:
        yield made
        made.at_rest()


def tshark(file: Path, *fields: str) -> list[list[str]]:
    """These fields of each packet that is taken for SIP; wrong checksums are an error."""
    wanted = [word for field in fields for word in ("-e", field)]
    checks = [word for kind in ("udp", "tcp", "ip") for word in ("-o", f"{kind}.check_checksum:TRUE")]
    command = ["tshark", "-r", str(file), *checks, "-Y", "sip", "-T", "fields", "-E", "separator=|", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [line.split("|") for line in done.stdout.splitlines()]


def test_a_call_is_shown_as_a_ladder_and_to_tshark(centre: LiveCentre, tmp_path: Path) -> None:
    agent, caller = centre.agent("alice", "demo"), centre.caller()
    talk, _ = centre.connect(caller, agent)
    assert talk.hang_up().status == 200
    cdr = centre.cdr(talk)
    command = centre.engine.command
    lines = command("trace", cdr["call"]).stdout.splitlines()
    rungs = [line for line in lines if "|" in line]
    left = [line.split("|")[1].strip("-<> ") for line in rungs]
    right = [line.split("|")[2].strip("-<> ") for line in rungs]
    assert next(word for word in left if word).startswith("INVITE")
    assert [word for word in left if word][-1].startswith("200 OK (BYE")
    assert next(word for word in right if word).startswith("INVITE")
    assert any(word.startswith("BYE") for word in right)
    assert left.index(next(word for word in left if word.startswith("INVITE"))) < right.index(
        next(word for word in right if word.startswith("INVITE"))
    )
    assert any("sendrecv" in line for line in rungs)
    assert command("trace", talk.call_id).stdout == command("trace", cdr["call"][:12]).stdout
    assert "    | INVITE sip:" in command("trace", cdr["call"], "--full").stdout
    assert cdr["call"] in command("trace", "--list").stdout
    file = tmp_path / "call.pcap"
    command("trace", cdr["call"], "--pcap", str(file))
    packets = tshark(file, "sip.Method", "sip.Status-Code", "sip.Call-ID", "udp.checksum.status", "ip.checksum.status")
    assert len(packets) == len(rungs), "every message is SIP to tshark"
    own = [packet[0] or packet[1] for packet in packets if packet[2] == talk.call_id]
    assert own[0] == "INVITE"
    assert own[-2:] == ["BYE", "200"]
    assert own.index("ACK") < own.index("BYE")
    assert {packet[2] for packet in packets} > {talk.call_id}
    assert {(packet[3], packet[4]) for packet in packets} == {("1", "1")}, "good checksums"


def test_registrations_and_strangers_are_shown_and_what_is_not_there_is_said(
    centre: LiveCentre, tmp_path: Path
) -> None:
    centre.agent("alice", "demo", transport="tcp")
    centre.stranger("mallory", password="x").register()
    command = centre.engine.command
    registered = command("trace", "--agent", "alice", "--full").stdout
    assert "REGISTER" in registered
    assert "TCP" in registered
    assert "200 OK (REGISTER" in registered
    file = tmp_path / "registered.pcap"
    command("trace", "--agent", "alice", "--pcap", str(file))
    packets = tshark(file, "sip.Method", "sip.Status-Code", "tcp.stream", "tcp.checksum.status", "tcp.analysis.flags")
    assert packets == [
        ["REGISTER", "", "0", "1", ""],
        ["", "401", "0", "1", ""],
        ["REGISTER", "", "0", "1", ""],
        ["", "200", "0", "1", ""],
    ]
    assert 'response="****' in registered
    assert "403 Forbidden" in command("trace", "--strangers").stdout
    page = centre.engine.api.text("/metrics")
    assert 'hearthline_sip_messages_total{code="request",direction="in",method="REGISTER",transport="TCP"}' in page
    refused = command("trace", "no-such-call", check=False)
    assert refused.returncode != 0
    assert "no call 'no-such-call' among the last" in refused.stderr
