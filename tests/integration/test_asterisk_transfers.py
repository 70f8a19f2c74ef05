"""Asterisk 22 as the place where calls are transferred to, and what goes along with a call into it and out of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.asterisk import Asterisk, Asterisks
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.parts import require
from tests.support.pjsua_phone import PjsuaPhone
from tests.support.plain_phone import PlainPhone
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.tones import tone_dbfs

pytestmark = pytest.mark.integration

PLAN = """
[context.from-trunk]
trunk_to_trunk = true
[[context.from-trunk.extension]]
number = "600"
queue = "demo"
[[context.from-trunk.extension]]
number = "601"
echo = true
[[context.from-trunk.extension]]
number = "300"
agent = "alice"
[[context.from-trunk.extension]]
number = "777"
trunk = "asterisk"

[context.agents]
[[context.agents.extension]]
number = "_9."
trunk = "asterisk"
strip = 1
"""

MORE = """
[from-hearthline](+)
exten => 777,1,Log(NOTICE,caller ${CALLERID(num)} by ${REDIRECTING(from-num)})
 same => n,Log(NOTICE,history ${PJSIP_HEADER(read,History-Info)})
 same => n,Log(NOTICE,session ${PJSIP_HEADER(read,Session-ID)})
 same => n,Log(NOTICE,user ${PJSIP_HEADER(read,User-to-User)})
 same => n,Log(NOTICE,asserted ${PJSIP_HEADER(read,P-Asserted-Identity)})
 same => n,Answer()
 same => n,Echo()

[more]
exten => 888,1,Dial(PJSIP/300@hearthline,,b(more^add^1))
exten => add,1,Set(PJSIP_HEADER(add,Diversion)=<sip:4930777@pbx.example>\\;reason=no-answer)
 same => n,Set(PJSIP_HEADER(add,User-to-User)=0123abcd\\;encoding=hex)
 same => n,Set(PJSIP_HEADER(add,Session-ID)=ab30317f1a784dc48ff824d0d3715d86\\;remote=00000000000000000000000000000000)
 same => n,Return()
"""


@dataclass
class Both:
    centre: LiveCentre
    asterisk: Asterisk


@pytest.fixture(scope="module")
def both(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    require("asterisk")
    directory = tmp_path_factory.mktemp("asterisk_transfers")
    (directory / "plan.toml").write_text(PLAN)
    with (
        running_centre(session_ports, directory, dialplan={"file": str(directory / "plan.toml")}) as centre,
        Processes(directory / "pbx") as processes,
        Asterisks(processes, session_ports.share()) as asterisks,
    ):
        asterisk = asterisks.start(engine_port=centre.engine.sip_port, extra={"extensions_extra.conf": MORE})
        centre.trunk("pbx", "127.0.0.2", trusted=True)
        centre.trunk("asterisk", "127.0.0.1", port=asterisk.ports.sip, match_port=True, trusted=True)
        asterisk.wait_for_trunk()
        yield Both(centre, asterisk)
        centre.at_rest()


def hears_himself(phone: PlainPhone) -> None:
    """Through Asterisk's Echo()."""
    before = len(phone.voice.heard[phone.voice.mark])
    wait_until(
        lambda: len(phone.voice.heard[phone.voice.mark]) > before + 20, timeout=8, what=f"{phone.user}'s own voice"
    )


@pytest.mark.parametrize("kind", ["blind", "attended"])
def test_a_caller_is_transferred_into_asterisk(both: Both, kind: str) -> None:
    centre = both.centre
    with centre.agent(f"{kind}-agent", "demo", host="127.0.0.3") as agent, centre.caller() as caller:
        talk, own = centre.connect(caller, agent)
        if kind == "blind":
            assert own.transfer("9700").status == 202
        else:
            second = agent.call("9700")
            second.wait(200)
            hears_himself(agent)
            assert own.transfer("9700", replaces=second).status == 202
        own.wait_notified("SIP/2.0 200 OK")
        own.wait_bye()
        hears_himself(caller)
        assert talk.hang_up().status == 200
        centre.until(lambda: both.asterisk.channels() == [], "the end of Asterisk's channels")
        row = centre.cdr(talk)
        assert (row["transferred_by"], row["reason"]) == (f"agent:{kind}-agent", "caller_hangup")
        agent.register(expires=0)


def test_a_number_that_asterisk_has_not_leaves_the_call_with_the_agent(both: Both) -> None:
    centre = both.centre
    with centre.agent("stays", "demo", host="127.0.0.3") as agent, centre.caller() as caller:
        talk, own = centre.connect(caller, agent)
        assert own.transfer("9999999").status == 202
        own.wait_notified("SIP/2.0 404 Not Found")
        centre.hear_each_other(caller, agent)
        assert talk.hang_up().status == 200
        own.wait_bye()
        agent.register(expires=0)


def test_what_a_caller_brings_along_reaches_asterisk(both: Both) -> None:
    with both.centre.caller() as caller:
        caller.extra_fields = [
            ("P-Asserted-Identity", '"Anne" <sip:4930555@example.test>'),
            ("Diversion", "<sip:4930777@example.test>;reason=no-answer"),
            ("History-Info", "<sip:4930777@example.test>;index=1"),
            ("Session-ID", "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000"),
            ("User-to-User", "0123abcd;encoding=hex"),
        ]
        talk = caller.call("777")
        talk.wait(200)
        hears_himself(caller)
        assert talk.hang_up().status == 200
    log = both.asterisk.log()
    for said in (
        "caller 4930555 by 4930777",
        "history <sip:4930777@example.test>;index=1, <sip:777@127.0.0.1>;index=1.1;rc=1",
        "session ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000",
        "user 0123abcd;encoding=hex",
        'asserted "Anne" <sip:4930555@example.test>',
    ):
        assert said in log, said


def test_what_asterisk_brings_along_reaches_an_agent(both: Both) -> None:
    with both.centre.agent("alice", host="127.0.0.3") as alice:
        call = both.asterisk.originate("Local/888@more/n", exten="silence")
        call.wait_answered()
        invite = alice.talk().invite
        assert invite is not None
        assert "4930777" in invite["diversion"]
        assert invite["user-to-user"] == "0123abcd;encoding=hex"
        assert invite["session-id"].startswith("ab30317f1a784dc48ff824d0d3715d86;remote=")
        assert alice.talk().hang_up().status == 200
        alice.register(expires=0)
    both.centre.until(lambda: both.asterisk.channels() == [], "the end of Asterisk's channels")


@pytest.mark.parametrize("kind", ["blind", "attended"])
def test_pjsip_transfers_a_caller_of_asterisk_into_asterisk(
    both: Both, procs: Processes, ports: PortPool, kind: str
) -> None:
    """Both parties that stay are Asterisk's: a caller who records, and the tone of 702."""
    require("pjsua2")
    centre = both.centre
    agent = PjsuaPhone(centre, procs, ports, f"{kind}-pjsip")
    call = both.asterisk.originate("PJSIP/600@hearthline", exten="silence")
    call.wait_answered()
    agent.told("up 0")
    if kind == "blind":
        agent.transfer("9702")
    else:
        agent.call("9702")
        agent.told("up 1")
        agent.join()
        agent.told("down 1")
    agent.told("transfer 200")
    agent.told("down 0")
    assert agent.quit() == 0, "it is not needed any more"
    recording = call.recording.with_name(f"{call.recording.name}-heard.wav")
    before = recording.stat().st_size
    centre.until(lambda: recording.stat().st_size > before + 16_000, "a second of sound")
    assert len(both.asterisk.channels()) == 2
    assert call.hang_up().fields["Cause"] == "16"
    centre.until(lambda: both.asterisk.channels() == [], "the end of Asterisk's channels")
    heard = call.heard()
    # 0 dBm0 where nothing is missing; a machine that is busy loses packets.
    assert tone_dbfs(heard.between(heard.seconds - 0.6, heard.seconds - 0.1), 1004) > -20
    told = f"agent:{agent.name}", "trunk:asterisk", "caller_hangup"
    keys = "transferred_by", "origin", "reason"

    def written() -> bool:
        return told in [tuple(row[key] for key in keys) for row in centre.engine.api.get("/api/v1/cdrs")["items"]]

    centre.until(written, f"the CDR {told}")


def test_pjsip_transfers_whom_it_called_in_asterisk(both: Both, procs: Processes, ports: PortPool) -> None:
    require("pjsua2")
    centre = both.centre
    agent = PjsuaPhone(centre, procs, ports, "calls-pjsip")
    agent.call("9700")
    agent.told("up 0")
    agent.transfer("9702")
    agent.told("transfer 200")
    agent.told("down 0")

    def tones() -> list[str]:
        return [line.split("!", 1)[0] for line in both.asterisk.channel_lines() if "!Milliwatt!" in line]

    centre.until(lambda: len(tones()) == 1, "the tone, which begins after the answer")
    assert any("!Echo!" in line for line in both.asterisk.channel_lines())
    both.asterisk.ami.act("Hangup", {"Channel": tones()[0], "Cause": "16"})
    centre.until(lambda: both.asterisk.channels() == [], "the other's end")
    assert agent.quit() == 0
