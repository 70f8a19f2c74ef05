"""What a dialplan file may say, and what it is told when it says something else."""

from __future__ import annotations

import pytest

from engine.calls.directory import Agent, Directory, Queue, Trunk
from engine.calls.routing import Feature, ToAgent, ToAnnouncement, ToConference, ToEcho, ToFeature, ToQueue, ToReject
from engine.dialplan.check import name_warnings
from engine.dialplan.model import Action, DialTrunk
from engine.errors import ConfigError
from engine.ids import AgentName, QueueName, TrunkName
from tests.support.dialplans import dialplan, extension


def faults(text: str) -> list[str]:
    """Every line of the error, without the file."""
    with pytest.raises(ConfigError) as caught:
        dialplan(text)
    lines = str(caught.value).split("\n")
    assert all(line.startswith("plan.toml: ") for line in lines)
    return [line.removeprefix("plan.toml: ") for line in lines]


def trunk(*, strip: int = 0, prefix: str = "", ring_timeout_s: float = 60) -> DialTrunk:
    return DialTrunk(trunk=TrunkName("pbx"), strip=strip, prefix=prefix, ring_timeout_s=ring_timeout_s)


def test_a_fault_in_one_extension_hides_none_in_the_next() -> None:
    both = extension("a", "600", 'queu = "sales"') + '\n[[context.a.extension]]\nnumber = "601"\necho = false\n'
    assert {line.split(":")[0] for line in faults(both)} >= {"context.a.extension[0]", "context.a.extension[1].echo"}


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ('queue = "sales"', ToQueue(queue=QueueName("sales"))),
        ("echo = true", ToEcho()),
        ('conference = "team-1"', ToConference(conference="team-1")),
        ('announcement = "hi.wav"', ToAnnouncement(file="/sounds/hi.wav")),
        ('reject = {status = 486, reason = "Busy Here"}', ToReject(status=486, reason="Busy Here")),
        ('agent = "anna"', ToAgent(agent=AgentName("anna"), ring_timeout_s=30)),
        ('agent = "anna"\nring_timeout_s = 12.5', ToAgent(agent=AgentName("anna"), ring_timeout_s=12.5)),
        ('trunk = "pbx"', trunk()),
        ('trunk = "pbx"\nstrip = 2\nprefix = "00"\nring_timeout_s = 5', trunk(strip=2, prefix="00", ring_timeout_s=5)),
        ('trunk = "pbx"\nstrip = 3\nprefix = "0"', trunk(strip=3, prefix="0")),
        ('feature = "available"', ToFeature(feature=Feature.AVAILABLE)),
        ('feature = "break"\nreason = "lunch"', ToFeature(feature=Feature.BREAK, reason="lunch")),
        ('feature = "break"', ToFeature(feature=Feature.BREAK)),
        ('feature = "status"', ToFeature(feature=Feature.STATUS)),
    ],
)
def test_every_action(text: str, action: Action) -> None:
    found = dialplan(extension("a", "600", text)).contexts["a"].exact["600"]
    assert found.action == action
    assert found.key == "context.a.extension[0]"


def test_patterns_are_kept_most_specific_first() -> None:
    text = "".join(extension("a", number, "echo = true") for number in ("_6.", "_6XX", "600", "_6NX"))
    context = dialplan(text).contexts["a"]
    assert [e.pattern.text for e in context.patterns] == ["_6NX", "_6XX", "_6."]
    assert list(context.exact) == ["600"]


NUMBER = '[[context.a.extension]]\nnumber = "600"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no context; a dialplan needs at least one [context.NAME]"),
        ("context = 5", "context: found 5 (a whole number); allowed: a table, such as [context.NAME]"),
        ("[context]\na = 5", "context.a: found 5; allowed: a table, [context.a]"),
        ("[context.a]\n[contexts.b]", 'contexts: unknown key; allowed here: phrases, context; did you mean "context"?'),
        (
            "[context.a]\nincludes = []",
            (
                "context.a.includes: unknown key; allowed here: include, trunk_to_trunk, language, country, extension; "
                'did you mean "include"?'
            ),
        ),
        (
            '[context.a]\ninclude = "b"',
            "context.a.include: found 'b' (text); allowed: a list of texts, such as [\"outbound\"]",
        ),
        (
            "[context.a]\ninclude = [1]",
            'context.a.include: found [1]; allowed: a list of texts, such as ["outbound"]',
        ),
        (
            '[context.a]\ninclude = ["agent"]\n[context.agents]',
            'context.a.include[0]: found "agent"; contexts are: a, agents; did you mean "agents"?',
        ),
        (
            '[context.a]\ntrunk_to_trunk = "no"',
            "context.a.trunk_to_trunk: found 'no' (text); allowed: true or false",
        ),
        (
            "[context.a]\ntrunk_to_trunk = 0",
            "context.a.trunk_to_trunk: found 0 (a whole number); allowed: true or false",
        ),
        (
            "[context.a.extension]\nnumber = 6",
            "context.a.extension: found a table; allowed: tables in double brackets: [[...]]",
        ),
        ("[context.a]\nextension = [5]", "context.a.extension: allowed: tables in double brackets: [[...]]"),
        (
            "[[context.a.extension]]\necho = true",
            'context.a.extension[0].number: missing; needs a number ("600") or a pattern ("_6XX")',
        ),
        (
            "[[context.a.extension]]\nnumber = 600\necho = true",
            'context.a.extension[0].number: found 600 (a whole number); allowed: text in quotes, such as "600"',
        ),
        (
            extension("a", "6XX", "echo = true"),
            'context.a.extension[0].number: found "6XX"; a pattern begins with an underscore: write "_6XX"',
        ),
        (
            NUMBER,
            (
                "context.a.extension[0]: found none; needs exactly one of "
                "queue, echo, conference, announcement, play, reject, agent, trunk, trunk_group, feature"
            ),
        ),
        (
            NUMBER + 'echo = true\nqueue = "q"',
            (
                "context.a.extension[0]: found queue and echo; needs exactly one of "
                "queue, echo, conference, announcement, play, reject, agent, trunk, trunk_group, feature"
            ),
        ),
        (
            NUMBER + 'conference = "Team A"',
            'context.a.extension[0].conference: found "Team A"; allowed: a name of 1 to 64 of a-z 0-9 . _ -',
        ),
        (
            NUMBER + "echo = false",
            "context.a.extension[0].echo: found false; allowed: true (or leave the extension out)",
        ),
        (
            NUMBER + 'queue = ""',
            "context.a.extension[0].queue: found ''; allowed: text of at least one character and no control characters",
        ),
        (
            NUMBER + 'reject = {status = 486, reason = "Busy\\r\\nVia: x"}',
            (
                "context.a.extension[0].reject.reason: found 'Busy\\r\\nVia: x'; "
                "allowed: text of at least one character and no control characters"
            ),
        ),
        (
            NUMBER + 'trunk = "t"\nprefix = "0\\r\\n"',
            "context.a.extension[0].prefix: found '0\\r\\n'; allowed: text without control characters",
        ),
        (
            NUMBER + "reject = {status = 302, reason = 'x'}",
            "context.a.extension[0].reject.status: found 302; allowed: a whole number 400 to 699",
        ),
        (
            NUMBER + "reject = {status = 486}",
            (
                "context.a.extension[0].reject.reason: missing; reject needs both, such as "
                '{status = 486, reason = "Busy Here"}'
            ),
        ),
        (
            NUMBER + "reject = {status = true, reason = 'x'}",
            "context.a.extension[0].reject.status: found True (a boolean); allowed: a whole number 400 to 699",
        ),
        (
            NUMBER + "reject = {status = 486, reason = 'x', resaon = 'y'}",
            'context.a.extension[0].reject.resaon: unknown key; allowed here: status, reason; did you mean "reason"?',
        ),
        (
            NUMBER + 'feature = "brake"',
            "context.a.extension[0].feature: found 'brake'; allowed: available, break, status; did you mean \"break\"?",
        ),
        (
            NUMBER + 'feature = "status"\nreason = "x"',
            "context.a.extension[0].reason: has no meaning beside feature = 'status'; it goes with feature = 'break'",
        ),
        (
            NUMBER + 'queue = "q"\nring_timeout_s = 5',
            (
                "context.a.extension[0].ring_timeout_s: has no meaning beside queue; it goes with agent, trunk, "
                "trunk_group"
            ),
        ),
        (
            NUMBER + 'agent = "anna"\nring_timeout_s = 0.5',
            "context.a.extension[0].ring_timeout_s: found 0.5; allowed: a number of seconds 1 to 600",
        ),
        (
            NUMBER + 'trunk = "t"\nstrip = -1',
            "context.a.extension[0].strip: found -1; allowed: a whole number 0 to 32",
        ),
        (
            extension("a", "_9.", 'trunk = "t"\nstrip = 2'),
            "context.a.extension[0].strip: found 2; a number of 2 that matches would be left empty",
        ),
        (
            NUMBER + 'trunk = "t"\nstripp = 1',
            (
                "context.a.extension[0].stripp: unknown key; allowed here: "
                'number, trunk, strip, prefix, ring_timeout_s; did you mean "strip"?'
            ),
        ),
        (
            extension("a", "600", "echo = true") + extension("a", "6-00", "echo = true"),
            'context.a.extension[1].number: "600" is there already, as context.a.extension[0]',
        ),
        (
            extension("a", "_6XX", "echo = true") + extension("a", "_6xx", "echo = true"),
            'context.a.extension[1].number: "_6XX" is there already, as context.a.extension[0]',
        ),
        ('[context.a]\ninclude = ["a"]', "context.a.include: goes round in a circle: a -> a"),
        (
            '[context.x]\ninclude = ["b"]\n[context.b]\ninclude = ["c"]\n[context.c]\ninclude = ["b"]',
            "context.b.include: goes round in a circle: b -> c -> b",
        ),
    ],
)
def test_one_fault(text: str, fault: str) -> None:
    assert faults(text) == [fault]


def test_an_action_misspelled_is_named() -> None:
    found = faults(NUMBER + 'queu = "q"')
    assert found[0].startswith("context.a.extension[0]: found none; needs exactly one of")
    assert found[1].startswith("context.a.extension[0].queu: unknown key")
    assert found[1].endswith('did you mean "queue"?')


def test_all_faults_are_told_at_once() -> None:
    text = "x = 1\n" + extension("a", "6XX", "echo = false") + extension("b", "7", 'queue = ""')
    assert [fault.split(":")[0] for fault in faults(text)] == [
        "x",
        "context.a.extension[0].number",
        "context.a.extension[0].echo",
        "context.b.extension[0].queue",
    ]


def test_a_context_may_be_included_twice_without_being_a_circle() -> None:
    plan = dialplan(
        '[context.a]\ninclude = ["b", "c"]\n[context.b]\ninclude = ["d"]\n[context.c]\ninclude = ["d"]\n[context.d]'
    )
    assert plan.contexts["a"].include == ("b", "c")


def test_names_that_the_store_does_not_have_are_warned_of() -> None:
    plan = dialplan(
        extension("agents", "1", 'queue = "sales"')
        + extension("agents", "2", 'queue = "other"')
        + extension("agents", "3", 'agent = "anna"')
        + extension("agents", "_9.", 'trunk = "pbx"')
    )
    directory = Directory.of(
        [
            Queue(name=QueueName("sales")),
            Agent(name=AgentName("ben"), context="nowhere"),
            Trunk(name=TrunkName("isp"), host="192.0.2.1", context="agents"),
        ]
    )
    assert name_warnings(plan, directory) == [
        "plan.toml: context.agents.extension[1].queue: no queue 'other' in the store; there are: sales",
        "plan.toml: context.agents.extension[2].agent: no agent 'anna' in the store; there are: ben",
        "plan.toml: context.agents.extension[3].trunk: no trunk 'pbx' in the store; there are: isp",
        "plan.toml: agent 'ben' enters context 'nowhere', which is not in the dialplan",
    ]
    plan = dialplan(extension("agents", "_0.", 'trunk_group = "out"'))
    assert name_warnings(plan, Directory()) == [
        "plan.toml: context.agents.extension[0].trunk_group: no trunk_group 'out' in the store; there are: none"
    ]
    assert name_warnings(dialplan(extension("agents", "1", "echo = true")), Directory()) == []
