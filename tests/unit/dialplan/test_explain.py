from __future__ import annotations

from engine.calls.routing import ToConference
from engine.dialplan.explain import explain, nearest
from engine.dialplan.model import describe
from tests.support.dialplans import dialplan, extension

PLAN = dialplan(
    '[context.agents]\ninclude = ["outbound"]\n'
    + extension("agents", "_6XX", 'queue = "sales"')
    + extension("agents", "_6.", 'agent = "anna"')
    + extension("agents", "*12", 'feature = "break"\nreason = "lunch"')
    + extension("agents", "5", 'reject = {status = 486, reason = "Busy Here"}')
    + extension("agents", "4", 'announcement = "hi.wav"')
    + extension("outbound", "_X.", 'trunk = "isp"\nstrip = 1\nprefix = "00"')
    + extension("open", "3", "echo = true")
)


def test_every_context_and_candidate_is_shown_with_the_one_chosen() -> None:
    assert explain(PLAN, "agents", "6-00").splitlines() == [
        '"6-00" dialled in context "agents" of plan.toml:',
        '  context agents: _6XX -> queue "sales" (context.agents.extension[0])  [chosen]',
        '  context agents: _6. -> ring agent "anna" for 30 s (context.agents.extension[1])  [matches too, comes later]',
        (
            '  context outbound: _X. -> trunk "isp" (strip 1, prefix "00"), ring 60 s (context.outbound.extension[0])'
            "  [matches too, comes later]"
        ),
        '  result: queue "sales"',
    ]


def test_a_way_out_shows_the_number_and_who_may_not() -> None:
    assert explain(PLAN, "agents", "71").splitlines()[1:] == [
        "  context agents: nothing matches",
        (
            '  context outbound: _X. -> trunk "isp" (strip 1, prefix "00"), ring 60 s (context.outbound.extension[0])'
            "  [chosen]"
        ),
        '  result: trunk "isp" (strip 1, prefix "00"), ring 60 s',
        '  number on the trunk: "001"',
        "  from a trunk: forbidden (403), because context agents has trunk_to_trunk = false",
    ]


def test_a_group_of_trunks_in_words() -> None:
    plan = dialplan(extension("agents", "_0.", 'trunk_group = "out"\nprefix = "00"'))
    assert explain(plan, "agents", "030").splitlines()[2:4] == [
        '  result: trunk group "out" (strip 0, prefix "00"), ring 60 s',
        '  number on the trunk group: "00030"',
    ]


def test_the_other_actions_in_words() -> None:
    assert 'result: feature break with reason "lunch"\n  from a trunk: forbidden' in explain(PLAN, "agents", "*12")
    assert 'result: refuse with 486 "Busy Here"' in explain(PLAN, "agents", "5")
    assert "result: announcement /sounds/hi.wav" in explain(PLAN, "agents", "4")
    assert "result: echo test" in explain(PLAN, "open", "3")
    assert describe(ToConference(conference="team")) == 'conference "team"'


def test_nothing_found() -> None:
    assert explain(PLAN, "agents", "*13").splitlines()[-1] == (
        "  not found (404): nothing matches '*13' in agents, outbound; nearest: *12"
    )
    assert "there is no such context; there are: agents, outbound, open" in explain(PLAN, "nope", "1")


def test_a_big_dialplan_is_not_searched_for_near_numbers() -> None:
    many = dialplan("".join(extension("a", str(1000 + number), "echo = true") for number in range(301)))
    assert nearest(many, "a", "100").endswith("nearest: none")
