"""Every torture message of RFC 4475 and RFC 5118 at a running engine: over UDP and TCP, from a trunk and a stranger, as
it is and addressed to whom the engine serves. The outcome is what the RFC asks for, and then the next one is served.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import get_args

import pytest

from engine.sip.message import Request
from tests.support.dialplans import extension
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.ports import PortPool
from tests.support.torture_wire import TortureWire, Wire, addressed_to, made_unlike
from tests.torture.cases import Case, outcome
from tests.torture.octets import OCTETS
from tests.torture.rfc4475_odd import ODD
from tests.torture.rfc4475_refused import REFUSED
from tests.torture.rfc4475_valid import VALID
from tests.torture.rfc5118_cases import CASES as RFC5118

pytestmark = pytest.mark.integration

CASES = (*VALID, *ODD, *REFUSED, *RFC5118)
BY_NAME = {case.name: case for case in CASES}
SENT = [pytest.param(case.name, made_unlike(case.data, case.name), id=f"ours-{case.name}") for case in CASES]
SENT += [pytest.param(path.stem, path.read_bytes(), id=f"rfc-{path.stem}") for path in OCTETS]
REPEATED = {"ipv6-in-sdp", "mult-ip-in-sdp"}
"""RFC 5118 has three calls of one Call-ID and branch: only one of them can be sent as it is."""
SENDERS = ("trunk", "stranger")
OWNED = {"as it is": "", "queue": "600", "echo": "601", "agent": "100"}
"""To whom each is sent: to a number of the dialplan, the last that of an agent whose phone is busy."""

SPECIAL: dict[tuple[str, str], Sequence[int]] = {
    ("wsinv", ""): (481,),  # 3.1.1.1 has a To tag: it belongs to a dialog that is not there
    ("bext01", ""): (420,),  # 3.3.5: unknown option tags in Require
    ("invut", "trunk"): (415,),  # 3.3.6: a body of unknown type
    ("inv2543", "trunk"): (400,),  # 3.4.1: of RFC 2543; taken by those who want to, and a dialog needs a tag
    ("inv2543", "tcp"): (400,),  # and a stream needs its length
    ("mpart01", "trunk"): (415,),  # 3.1.1.11: no multipart for people to read
    ("mpart01", "stranger"): (401,),
    ("sdp01", "trunk"): (406,),  # 3.3.15: no answer of ours would be acceptable
}
"""What is not said by the method alone."""

PLAN = "[context.agents]\n[context.from-trunk]\n" + "".join(
    extension("from-trunk", *each)
    for each in (("600", 'queue = "demo"'), ("601", "echo = true"), ("100", 'agent = "demo-agent"'))
)

BY_METHOD: dict[str, Sequence[int]] = {"REGISTER": (401,), "OPTIONS": (200,), "BYE": (481,)}

_VIA_PORT = re.compile(rb"(?i)SIP\s*/\s*2\.0\s*/\s*\w+\s+[^;\s,]*[\]\w]:(\d{4,5})(?=[;\s,])")

TRUNK, STRANGER = (f"127.78.{os.getpid() % 250}.{n}" for n in (2, 3))
"""Addresses that no other run of the tests has, since answers go to port 5060 of them."""


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    directory = tmp_path_factory.mktemp("torture")
    (directory / "plan.toml").write_text(PLAN, encoding="utf-8")
    plan = {"file": str(directory / "plan.toml")}
    # So many odd messages at once are what the guard keeps out; here they are to be read.
    with running_centre(session_ports, directory, dialplan=plan, guard={"trusted": ["127.0.0.0/8"]}) as centre:
        centre.trunk("torture", TRUNK)
        centre.agent("demo-agent").behaviour = 486
        yield centre
        centre.prove_a_call()
        centre.at_rest()


@pytest.fixture(scope="module")
def wires(centre: LiveCentre) -> Iterator[dict[str, TortureWire]]:
    ports = {int(port) for param in SENT for port in _VIA_PORT.findall(param.values[1])}
    with TortureWire(TRUNK, centre.sip, ports) as trunk, TortureWire(STRANGER, centre.sip, ports) as stranger:
        yield {"trunk": trunk, "stranger": stranger}


def wanted(case: Case, data: bytes, sender: str, owned: str, wire: Wire) -> Sequence[int]:
    """The final statuses that are right; none where silence is."""
    unended = case.name == "clerr" or b"\r\n\r\n" not in data
    if data.startswith(b"SIP/2.0 ") or not case.answerable or (wire == "tcp" and unended):
        return ()  # a response to nothing, a request that nothing could be answered to, one that has not ended yet
    _, message = outcome(data)
    assert isinstance(message, Request)
    if case.refused is not None:
        # Who has to prove who he is is asked for that first (RFC 3261 8.2): what else is wrong needs no answer.
        asked = message.method == "REGISTER" or (message.method == "INVITE" and sender == "stranger")
        return (case.refused, 401) if asked else (case.refused,)
    special = SPECIAL.get((case.name, "")) or SPECIAL.get((case.name, sender)) or SPECIAL.get((case.name, wire))
    if special is not None:
        return special
    if message.method == "INVITE":
        return (401,) if sender == "stranger" else {"": (404,), "100": (486,)}.get(owned, (200, 488))
    return BY_METHOD.get(message.method, (405, 501))


@pytest.mark.parametrize(("name", "data"), SENT)
def test_torture(wires: dict[str, TortureWire], centre: LiveCentre, name: str, data: bytes) -> None:
    case = BY_NAME[name]
    wrong = []
    for number, (sender, addressed, wire) in enumerate(product(SENDERS, OWNED, get_args(Wire))):
        owned = OWNED[addressed]
        sent = addressed_to(data, f"sip:{owned}@127.0.0.1") if owned else data
        sent = made_unlike(sent, f"{name}{number}") if number or name in REPEATED else sent
        right = wanted(case, data, sender, owned, wire)
        came = wires[sender].try_out(sent, wire, right)
        more = name == "dblreq" and wire == "tcp"  # what follows is a message of its own there
        if (came[0] not in right or (len(came) > 1 and not more)) if right and came else (came or right):
            wrong.append(f"{sender}, {addressed}, {wire}: {came} came, {right or 'silence'} would be right")
    assert not wrong, "\n".join([*wrong, data.decode(errors="replace")])
