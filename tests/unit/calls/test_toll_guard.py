from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Put, Trunk, TrunkGroup
from engine.calls.leg import LegState
from engine.calls.log import CallEnded
from engine.calls.ports import TrunkNumber
from engine.calls.prices import PriceList
from engine.calls.routing import ToAgent, ToGroup, ToQueue, ToTrunk
from engine.calls.toll_guard import TollGuard, TollNo, TollRules, TollYes
from engine.calls.toll_rules import Numbering
from engine.calls.trunk_records import CallRated, TollCutOff, TollRefusal, TollRefused, TrunkTried
from engine.ids import AgentName, GroupName, LegId, QueueName, TrunkName
from tests.support.call_rig import Rig, small_office

GERMANY = Numbering(country="49")
PRICES = PriceList.parse("+49, 0.60, 0.10\n+44, 6\n+4930, 0, 0", GERMANY)
A, B = (Trunk(name=TrunkName(name), host="192.0.2.1") for name in "ab")
OUT = TrunkGroup(name=GroupName("out"), members=("a:1", "b:2"))
ANNA = AgentName("anna")


class Office:
    """A rig whose calls to trunks are priced; `day` is what the calendar says."""

    def __init__(self, number: str = "0891", *, agent: dict[str, Any] | None = None, end_calls: bool = True) -> None:
        self.day, self.day_age_s = 1, 0.0
        rules = TollRules(
            numbering=GERMANY,
            prices=PRICES,
            end_calls=end_calls,
            today=lambda: self.day,
            day_age_s=lambda: self.day_age_s,
        )
        self.rig = Rig(ToTrunk(trunk=A.name, number=number, ring_timeout_s=60), toll=rules, more=(A, B, OUT))
        self.set_agent(**(agent or {}))

    def set_agent(self, **settings: Any) -> None:
        self._put(replace(self.rig.directory.agents[ANNA], **settings))

    def set_trunk(self, **settings: Any) -> None:
        self._put(replace(self.rig.directory.trunks[A.name], **settings))

    def _put(self, entity: Any) -> None:
        self.rig.directory.apply(Put(entity=entity))
        self.rig.manager.directory_changed(Put(entity=entity), self.rig.now)

    def dial(self, number: str | None = None, agent: str | None = "anna") -> LegId:
        if number is not None:
            self.rig.router.answer = ToTrunk(trunk=A.name, number=number, ring_timeout_s=60)
        return self.rig.call_in("9", agent=agent)

    def talk(self, number: str | None = None, agent: str | None = "anna") -> LegId:
        caller = self.dial(number, agent)
        far = self.rig.legs.placed()[-1]
        self.rig.legs.far_answer(far)
        self.rig.pump()
        self.rig.confirm(caller)
        return caller

    def hang_up(self, leg: LegId) -> None:
        self.rig.legs.far_hang_up(leg)
        self.rig.pump()

    def refused(self, leg: LegId) -> int | None:
        return self.rig.legs.legs[leg].refused_with

    def why(self) -> list[TollRefusal]:
        return [body.why for body in self.rig.bodies(TollRefused) if isinstance(body, TollRefused)]

    def spent(self, payer: str = "agent:anna") -> float:
        return self.rig.manager.spent(payer, self.rig.now)

    def all_spent(self) -> Mapping[str, float]:
        return self.rig.manager.all_spent(self.rig.now)


@pytest.mark.parametrize("number", ["0044201", "+44201", "00-44-201", "0088123"])
def test_no_agent_calls_abroad_without_leave(number: str) -> None:
    office = Office(number)
    leg = office.dial()
    assert office.refused(leg) == 403
    assert office.rig.legs.placed() == []
    assert office.why() == [TollRefusal.ABROAD]
    ended = office.rig.end()
    assert ended.cause == EndCause(outcome=Outcome.CLIENT, reason=Reason.TOLL_LIMIT, sip_code=403)
    office.rig.assert_clean()


@pytest.mark.parametrize(
    "number",
    [
        *("*31#0044201", "*670044201", "w0044201", "+49+44201", "*21*0044201#", "+490044201", "+4900044201"),
        *("*1110044201", "0-044201", "0.0.4.4201", "0_044201", "0x044201", "+49-0-044201"),
    ],
)
def test_nothing_hides_a_country_from_the_guard(number: str) -> None:
    office = Office(number)
    assert office.refused(office.dial()) == 403
    office.set_agent(destinations=("all",))
    assert office.refused(office.dial()) is None


@pytest.mark.parametrize(
    "number", ["*31#09001", "*6709001", "p09001", "+4909001", "+490900-1", "1209001", "+49-0-9001"]
)
def test_nothing_hides_a_forbidden_number(number: str) -> None:
    office = Office(number, agent={"destinations": ("!0900",)})
    office.set_trunk(called_out=("strip:2",) if number.startswith("12") else ())
    assert office.refused(office.dial()) == 403
    office.set_agent(destinations=("all",))
    assert office.refused(office.dial()) is None
    office.set_trunk(destinations=("!0900",))
    assert office.refused(office.dial()) is not None


@pytest.mark.parametrize("number", ["*31#0891", "*670891", "*21*0891#"])
def test_a_service_code_before_a_number_at_home_is_fine(number: str) -> None:
    office = Office(number)
    assert office.refused(office.dial()) is None
    office.set_agent(destinations=("*",))
    assert office.refused(office.dial()) is None


def test_no_zeros_before_a_country_hide_it_from_what_is_forbidden() -> None:
    office = Office(agent={"destinations": ("all", "!+44")})
    assert [office.refused(office.dial(number)) for number in ("+0044201", "00044201", "0033201")] == [403, 403, None]


@pytest.mark.parametrize("number", ["0891", "+49891", "0049891", "110", "1234", "*21#"])
def test_at_home_everything_goes_that_the_dialplan_lets(number: str) -> None:
    office = Office(number)
    assert office.refused(office.dial()) is None


def redirected(office: Office, number: str) -> bool:
    """Whether the trunk that was called last may send the call to this number."""
    line = office.rig.legs.legs[office.rig.legs.placed()[-1]].destination
    assert isinstance(line, TrunkNumber)
    assert line.may_redirect is not None
    may = line.may_redirect(number, office.rig.now)
    office.rig.pump()
    return may


def test_a_trunk_sends_a_call_to_no_number_that_may_not_be_called() -> None:
    office = Office(agent={"max_outbound": 1})
    office.dial("0891")
    assert not redirected(office, "0044201")
    assert not redirected(office, "+49 30;npdi")
    assert office.why() == [TollRefusal.ABROAD]
    assert redirected(office, "+49 (891) 2")
    office.set_agent(destinations=("all",), max_outbound=1)
    assert redirected(office, "0044201")
    office.dial("0892")
    assert office.why() == [TollRefusal.ABROAD, TollRefusal.CONCURRENCY]


def test_a_call_that_a_trunk_sent_elsewhere_costs_what_it_costs_there() -> None:
    office = Office(agent={"destinations": ("all",), "daily_spend": 5.0})
    caller = office.dial("0891")
    assert not redirected(office, "0044201")
    assert office.why() == [TollRefusal.BUDGET]
    office.set_agent(destinations=("all",), daily_spend=100.0)
    assert redirected(office, "0044201")
    office.rig.legs.far_answer(office.rig.legs.placed()[-1])
    office.rig.pump()
    office.rig.confirm(caller)
    office.rig.wait(60.0)
    office.hang_up(caller)
    assert office.spent() == pytest.approx(6.0)


def test_a_call_that_is_over_goes_nowhere() -> None:
    guard = TollGuard(Office().rig.directory, TollRules())
    verdict = guard.redirect(LegId("gone"), A, "0891", 1.0)
    assert isinstance(verdict, TollNo)


def test_a_list_allows_and_forbids() -> None:
    office = Office(agent={"destinations": ("+49", "+44", "!+4420", "!0900")})
    verdicts = [office.refused(office.dial(number)) for number in ("0891", "004421", "004420", "09001", "0033", "110")]
    assert verdicts == [None, None, 403, 403, 403, None]
    assert office.why() == [TollRefusal.DESTINATION] * 3


def test_a_trunk_whose_rules_make_a_foreign_number_is_no_way_round() -> None:
    office = Office("12004420")
    office.set_trunk(called_out=("strip:2",))
    assert office.refused(office.dial()) == 403
    office.set_trunk(called_out=("strip:2", "prefix:+49"))
    assert office.refused(office.dial("120891")) is None
    office.set_trunk(called_out=("e164:43",))
    assert office.refused(office.dial("01234")) is None, "the trunk's own country is not abroad"


def test_emergency_calls_are_never_refused() -> None:
    office = Office("112", agent={"destinations": ("!all",), "max_outbound": 1, "daily_spend": 0.01})
    office.set_trunk(destinations=("!all",), max_out=1, daily_spend=0.01)
    legs = [office.dial(), office.dial()]
    assert [office.refused(leg) for leg in legs] == [None, None]
    assert office.why() == []


def test_an_agent_has_so_many_calls_on_trunks_and_a_second_try_is_not_a_second_call() -> None:
    office = Office(agent={"max_outbound": 1})
    office.rig.router.answer = ToGroup(group=OUT.name, number="0891", ring_timeout_s=60)
    first = office.dial()
    office.rig.legs.far_fail(office.rig.legs.placed()[-1], 503)
    office.rig.pump()
    assert office.refused(first) is None
    assert office.refused(office.dial()) == 403
    assert office.refused(office.dial(agent="bert")) is None
    assert office.why() == [TollRefusal.CONCURRENCY]
    office.hang_up(first)
    assert office.refused(office.dial()) is None


def test_one_call_that_ends_gives_back_one_place() -> None:
    office = Office(agent={"max_outbound": 2})
    first, second = office.dial(), office.dial()
    office.hang_up(first)
    assert office.refused(office.dial()) is None
    assert office.refused(office.dial()) == 403
    assert office.refused(second) is None


def test_what_a_call_costs_is_counted_while_it_is_up_and_kept_when_it_is_over() -> None:
    office = Office()
    leg = office.talk()
    assert office.rig.bodies(CallRated) == [CallRated(trunk=A.name, agent=ANNA, per_call=0.1, per_minute=0.6)]
    assert office.spent() == pytest.approx(0.1)
    office.rig.wait(30)
    assert (office.spent(), office.spent("trunk:a")) == (pytest.approx(0.4), pytest.approx(0.4))
    assert office.all_spent() == {"agent:anna": pytest.approx(0.4), "trunk:a": pytest.approx(0.4)}
    office.hang_up(leg)
    office.rig.wait(100)
    assert office.spent() == pytest.approx(0.4)
    assert office.all_spent() == {"agent:anna": pytest.approx(0.4), "trunk:a": pytest.approx(0.4)}
    assert office.spent("agent:bert") == 0
    office.rig.assert_clean()


def test_a_call_that_costs_nothing_leaves_no_record() -> None:
    office = Office("0301")
    office.talk()
    assert office.rig.bodies(CallRated) == []


def test_a_call_that_was_not_answered_costs_nothing() -> None:
    office = Office()
    leg = office.dial()
    office.rig.wait(20)
    office.hang_up(leg)
    assert office.spent() == 0


def test_a_call_that_would_pass_the_days_limit_is_refused() -> None:
    office = Office(agent={"daily_spend": 1.0})
    office.hang_up(office.talk())
    office.set_agent(daily_spend=0.75)
    assert office.refused(office.dial()) == 403, "0.10 is spent, and a minute costs 0.70"
    assert office.why() == [TollRefusal.BUDGET]
    office.set_agent(daily_spend=0.85)
    assert office.refused(office.dial()) is None


def test_a_number_without_a_price_is_refused_where_a_limit_must_be_kept() -> None:
    office = Office("12345", agent={"daily_spend": 10.0})
    assert office.refused(office.dial()) == 403
    assert office.why() == [TollRefusal.NO_PRICE]
    assert office.refused(office.dial(agent="bert")) is None, "who has no limit needs no price"


def test_a_call_ends_when_the_money_is_spent() -> None:
    office = Office(agent={"daily_spend": 1.3})
    leg = office.talk()
    office.rig.wait(119.5)
    assert office.rig.legs.legs[leg].state is LegState.UP
    office.rig.wait(1)
    assert office.rig.legs.legs[leg].state is LegState.ENDED
    (cut,) = office.rig.bodies(TollCutOff)
    assert cut == TollCutOff(origin="agent:anna", trunk=A.name, detail="the daily budget of agent anna is used up")
    assert office.rig.end().cause == EndCause(outcome=Outcome.CLIENT, reason=Reason.TOLL_LIMIT, sip_code=200)
    assert office.spent() == pytest.approx(1.3, abs=0.001)
    office.rig.assert_clean()


def test_two_calls_spend_twice_as_fast_and_both_end() -> None:
    office = Office(agent={"daily_spend": 1.4})
    legs = [office.talk(), office.talk()]
    office.rig.wait(59)
    assert [office.rig.legs.legs[leg].state for leg in legs] == [LegState.UP] * 2
    office.rig.wait(2)
    assert [office.rig.legs.legs[leg].state for leg in legs] == [LegState.ENDED] * 2
    assert len([body for body in office.rig.bodies() if isinstance(body, CallEnded)]) == 2


def test_a_call_that_ends_leaves_the_other_more_time() -> None:
    office = Office(agent={"daily_spend": 1.4})
    first, second = office.talk(), office.talk()
    office.rig.wait(30)
    office.hang_up(first)
    office.rig.wait(59)
    assert office.rig.legs.legs[second].state is LegState.UP
    office.rig.wait(2)
    assert office.rig.legs.legs[second].state is LegState.ENDED


def test_the_trunks_money_counts_whoever_calls_and_ends_all_calls_on_it() -> None:
    office = Office()
    office.set_trunk(daily_spend=1.4)
    legs = [office.talk(), office.talk(agent="bert")]
    assert office.refused(office.dial(agent="cleo")) is None
    office.rig.wait(61)
    assert [office.rig.legs.legs[leg].state for leg in legs] == [LegState.ENDED] * 2
    assert office.refused(office.dial(agent="cleo")) == 403


def test_where_calls_are_not_ended_only_new_ones_are_refused() -> None:
    office = Office(agent={"daily_spend": 0.75}, end_calls=False)
    leg = office.talk()
    office.rig.wait(600)
    assert office.rig.legs.legs[leg].state is LegState.UP
    assert office.refused(office.dial()) == 403
    assert office.rig.bodies(TollCutOff) == []


def test_a_limit_that_is_set_while_they_talk_counts_at_once() -> None:
    office = Office()
    leg = office.talk()
    office.rig.wait(60)
    office.set_agent(daily_spend=0.5)
    office.rig.wait(0.1)
    assert office.rig.legs.legs[leg].state is LegState.ENDED


def test_with_a_new_day_all_begin_anew_also_those_who_talk() -> None:
    office = Office(agent={"daily_spend": 1.3})
    leg = office.talk()
    office.rig.wait(100)
    office.day = 2
    assert office.refused(office.dial()) is None
    office.rig.wait(100)
    assert office.rig.legs.legs[leg].state is LegState.UP
    assert office.spent() == pytest.approx(1.0)
    office.rig.wait(35)
    assert office.rig.legs.legs[leg].state is LegState.ENDED


@pytest.mark.parametrize(("age", "spent"), [(40.0, 0.4), (0.0, 0.0), (500.0, 1.0)])
def test_what_was_talked_since_midnight_counts_also_where_nobody_asked_meanwhile(age: float, spent: float) -> None:
    office = Office(agent={"daily_spend": 10})
    office.talk()
    office.rig.wait(100)
    office.day, office.day_age_s = 2, age
    office.dial()
    assert office.spent() == pytest.approx(spent)


def test_whoever_asks_after_midnight_hears_of_the_new_day() -> None:
    office = Office(agent={"daily_spend": 10})
    office.talk()
    office.rig.wait(100)
    office.day, office.day_age_s = 2, 40.0
    assert office.spent() == pytest.approx(0.4)
    office.day, office.day_age_s = 3, 10.0
    assert office.all_spent()["agent:anna"] == pytest.approx(0.1)


def test_midnight_alone_saves_a_call_whose_money_would_be_spent() -> None:
    office = Office(agent={"daily_spend": 1.3})
    leg = office.talk()
    office.rig.wait(100)
    office.day = 2
    office.rig.wait(30)
    assert office.rig.legs.legs[leg].state is LegState.UP


def test_a_trunk_that_may_not_be_used_leaves_the_call_to_the_next_of_its_group() -> None:
    office = Office()
    office.set_trunk(destinations=("+4930",))
    office.rig.router.answer = ToGroup(group=OUT.name, number="0891", ring_timeout_s=60)
    assert office.refused(office.dial()) is None
    assert [(body.trunk, body.why) for body in office.rig.bodies(TrunkTried) if isinstance(body, TrunkTried)] == [
        ("a", "toll")
    ]
    assert office.why() == [TollRefusal.DESTINATION]


def test_an_agents_refusal_is_the_same_on_every_trunk() -> None:
    office = Office(agent={"destinations": ("!all",)})
    office.rig.router.answer = ToGroup(group=OUT.name, number="0891", ring_timeout_s=60)
    assert office.refused(office.dial()) == 403
    assert office.why() == [TollRefusal.DESTINATION], "told once"


def test_a_call_from_a_trunk_is_no_agents() -> None:
    office = Office("004420")
    assert office.refused(office.dial(agent=None)) is None
    office.set_trunk(destinations=("+49",))
    assert office.refused(office.dial(agent=None)) == 403


def test_what_was_spent_before_this_start_is_remembered() -> None:
    office = Office(agent={"daily_spend": 1.0})
    toll = TollGuard(office.rig.directory, TollRules(numbering=GERMANY, prices=PRICES))
    toll.recall({"agent:anna": 0.5})
    assert toll.spent("agent:anna", 0) == 0.5
    judged = toll.judge("agent:anna", A, "0891", "0891", 0)
    assert isinstance(judged, TollNo)
    assert isinstance(toll.judge("agent:bert", A, "0891", "0891", 0), TollYes)


def test_what_was_never_begun_ends_without_a_trace() -> None:
    toll = TollGuard(Rig().directory, TollRules())
    toll.ended(LegId("c"), 0)
    assert toll.connected(LegId("c"), 0) is None
    assert toll.next_deadline() is None


# --- transfers ---


def test_a_transfer_abroad_is_judged_by_whoever_asks_for_it() -> None:
    office = Office()
    rig = office.rig
    rig.router.answer = ToQueue(queue=QueueName("sales"))
    _, anna, _ = rig.talking()
    rig.router.answer = ToTrunk(trunk=A.name, number="004420", ring_timeout_s=20)
    rig.legs.far_transfer(anna, "9004420")
    rig.pump()
    assert office.why() == [TollRefusal.ABROAD]
    assert [body.origin for body in rig.bodies(TollRefused) if isinstance(body, TollRefused)] == ["agent:anna"]
    assert rig.legs.legs[anna].state is LegState.UP, "the two talk on"


def test_who_transfers_pays_and_keeps_paying() -> None:
    office = Office(agent={"daily_spend": 1.3})
    rig = office.rig
    rig.router.answer = ToQueue(queue=QueueName("sales"))
    caller, anna, _ = rig.talking()
    rig.router.answer = ToTrunk(trunk=A.name, number="0891", ring_timeout_s=20)
    rig.legs.far_transfer(anna, "90891")
    rig.pump()
    line = rig.legs.placed()[-1]
    rig.legs.far_answer(line)
    rig.pump()
    assert rig.legs.legs[anna].state is LegState.ENDED
    assert rig.manager.line(A.name).calls_out == 1
    rig.wait(60)
    assert office.spent() == pytest.approx(0.7)
    rig.wait(61)
    assert rig.legs.legs[caller].state is LegState.ENDED, "the money is spent"
    assert rig.manager.line(A.name).calls_out == 0


def test_a_call_outside_costs_on_when_the_agent_has_put_it_through() -> None:
    office = Office()
    rig = office.rig
    anna = office.talk()
    line = rig.legs.placed()[-1]
    rig.router.answer = ToAgent(agent=AgentName("bert"), ring_timeout_s=20)
    rig.legs.far_transfer(anna, "200")
    rig.pump()
    rig.legs.far_answer(rig.legs.placed()[-1])
    rig.pump()
    assert rig.legs.legs[anna].state is LegState.ENDED
    rig.wait(60)
    assert office.spent() == pytest.approx(0.7)
    assert rig.manager.line(A.name).calls_out == 1
    rig.legs.far_hang_up(line)
    rig.pump()
    assert rig.manager.line(A.name).calls_out == 0
    rig.wait(60)
    assert office.spent() == pytest.approx(0.7)


def test_an_emergency_number_is_known_in_every_form() -> None:
    numbering = Numbering(country="49", emergency=frozenset({"+49116117"}))
    guard = TollGuard(small_office(), TollRules(numbering=numbering, prices=PRICES))
    for number in ("+49116117", "0049116117", "0116117"):
        assert guard.judge("agent:anna", A, number, number, 0.0) == TollYes(emergency=True)


def test_of_a_call_that_ends_after_midnight_the_new_day_pays_its_own_part() -> None:
    office = Office(agent={"daily_spend": 10})
    leg = office.talk()
    office.rig.wait(100)
    office.day, office.day_age_s = 2, 40.0
    office.hang_up(leg)
    assert office.spent() == pytest.approx(0.4)


@pytest.mark.parametrize("ask", [lambda office: office.spent(), lambda office: office.all_spent().get("agent:anna", 0)])
def test_nobody_has_spent_anything_after_midnight_though_nobody_calls(ask: Callable[[Office], float]) -> None:
    office = Office(agent={"daily_spend": 10})
    leg = office.talk()
    office.rig.wait(100)
    office.hang_up(leg)
    assert ask(office) == pytest.approx(1.1)
    office.day = 2
    assert ask(office) == 0.0
