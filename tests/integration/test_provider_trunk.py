"""A line to a provider as an operator sets it up, with Asterisk 22 as the provider: from `hearthline trunk add` to
`remove`. The stack alone against the same Asterisk is in test_provider.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.asterisk import Asterisk, Asterisks
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.tones import dominant_frequency

pytestmark = pytest.mark.integration

PLAN = """
[context.from-provider]
[[context.from-provider.extension]]
number = "4711"
echo = true

[context.agents]
[[context.agents.extension]]
number = "_9."
trunk = "provider"
strip = 1
"""
PJSIP = """
[4711]
type = aor
max_contacts = 1
remove_existing = yes

[4711]
type = auth
auth_type = userpass
username = 4711
password = hush hush

[4711]
type = endpoint
transport = hearthline-udp
context = from-4711
disallow = all
allow = ulaw
auth = 4711
aors = 4711
"""
DIALPLAN = """
[from-4711]
exten => 100,1,Answer()
 same => n,Echo()
"""


@dataclass
class Line:
    """Both ends."""

    centre: LiveCentre
    provider: Asterisk
    directory: Path

    def add(self, secret: str) -> None:
        file = self.directory / "secret"
        file.write_text(f"{secret}\n")
        self.centre.engine.command(
            *("trunk", "add", "provider", "--host", "127.0.0.1", "--port", str(self.provider.ports.sip)),
            *("--match-port", "--user", "4711", "--from-user", "4711", "--secret-file", str(file), "--register"),
            *("--context", "from-provider", "--codec", "PCMU"),
        )

    def remove(self) -> None:
        self.centre.engine.command("trunk", "remove", "provider")

    def registered(self) -> bool:
        """Whether the provider knows where we are."""
        return "4711/sip:" in self.provider.ami.command("pjsip show contacts")

    def told(self) -> str:
        """What the engine says of the registration."""
        shown = self.centre.engine.api.get("/api/v1/trunks/provider")
        return f"{shown['registered']} {shown['registration_detail']}"


@pytest.fixture(scope="module")
def line(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    require("asterisk")
    directory = tmp_path_factory.mktemp("provider_trunk")
    (directory / "plan.toml").write_text(PLAN)
    extra = {"pjsip_extra.conf": PJSIP, "extensions_extra.conf": DIALPLAN}
    with (
        running_centre(session_ports, directory, dialplan={"file": str(directory / "plan.toml")}) as centre,
        Processes(directory / "provider") as processes,
        Asterisks(processes, session_ports.share()) as asterisks,
    ):
        # Its own trunk leads elsewhere: it knows us by the account alone.
        provider = asterisks.start(engine_port=centre.port(), name="provider", extra=extra)
        yield Line(centre, provider, directory)
        centre.at_rest()


def test_a_provider_is_registered_at_called_by_calls_and_left(line: Line) -> None:
    centre, provider = line.centre, line.provider
    line.add("hush hush")
    centre.until(lambda: line.told().startswith("True for "), "the registration")
    assert line.registered()

    call = provider.originate("PJSIP/4711", exten="tone", caller_id="Caller <5551000>")
    call.wait_answered()
    assert centre.engine.api.get("/api/v1/trunks/provider")["calls_in"] == 1
    centre.until(
        lambda: 'hearthline_trunk_calls{direction="in",trunk="provider"} 1.0' in centre.engine.api.text("/metrics"),
        "the metric",
    )
    call.hang_up()
    came = centre.engine.wait_for_cdrs(1)[0]
    assert (came["direction"], came["caller"], came["called"]) == ("inbound", "5551000", "4711")
    assert came["destination"] == "echo"
    assert dominant_frequency(call.heard()) == pytest.approx(1000, abs=20)

    with centre.agent("alice", host="127.0.0.3") as alice:
        talk = alice.call("9100")
        talk.wait(200)
        heard = alice.voice.heard[alice.voice.mark]
        wait_until(lambda: len(heard) > 20, timeout=8, what="her own voice")
        assert talk.hang_up().status == 200
        assert centre.cdr(talk)["peer"] == "trunk:provider"
        alice.register(expires=0)

    line.remove()
    centre.until(lambda: not line.registered(), "the provider to forget us")


def test_a_wrong_password_is_shown_and_the_right_one_tried_as_soon_as_it_is_set(line: Line) -> None:
    line.add("wrong")
    line.centre.until(lambda: line.told() == "False 401 Unauthorized", "a refusal")
    assert not line.registered()
    (line.directory / "secret").write_text("hush hush")
    line.centre.engine.command("trunk", "set", "provider", "--secret-file", str(line.directory / "secret"))
    line.centre.until(lambda: line.told().startswith("True for "), "the registration")
    assert line.registered()
    line.centre.engine.command("trunk", "set", "provider", "--no-register")
    wait_until(lambda: not line.registered(), timeout=5, what="the provider to forget us")
    line.remove()


def test_a_trunk_that_no_listener_leads_to_is_added_with_a_warning(line: Line) -> None:
    command = line.centre.engine.command
    done = command("trunk", "add", "far", "--host", "127.0.0.9", "--transport", "tls", "--ping", "0")
    assert done.stdout == "trunk far added\n"
    assert done.stderr.startswith("warning: trunk far: no listener speaks TLS")
    (warning,) = line.centre.engine.api.get("/api/v1/trunks/far")["warnings"]
    assert "Add one to sip.listen" in warning
    command("trunk", "remove", "far")
