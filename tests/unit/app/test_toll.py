from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.app.config import Config
from engine.app.config_toll import TollConfig
from engine.app.toll import midnight, spent_by, toll_rules
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.cdr import Cdr, CdrFold
from engine.calls.log import CallConnected, CallDirection, CallEnded, CallStarted
from engine.calls.prices import Price
from engine.calls.trunk_records import CallRated, TrunkFailure, TrunkTried
from engine.errors import ConfigError
from engine.ids import AgentName, CallId, LegId, TrunkName
from engine.store.reader import costs_since
from engine.store.sink import SqlSink
from tests.support.records import record

NOON = 1_700_000_000.0 + 12 * 3600 - 1_700_000_000.0 % 86400
"""Some noon, UTC."""


@dataclass
class Wall:
    at: float = NOON

    def wall(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return 0.0


def config(**toll: object) -> Config:
    return Config(toll=TollConfig.model_validate(toll))


def talk(call: str, *, started: float, seconds: float, per_minute: float = 0.6) -> Cdr:
    """A call of anna's on a trunk, which another trunk had failed before."""
    fold, name, peer = CdrFold(), CallId(call), LegId("far")
    bodies = [
        CallStarted(
            direction=CallDirection.OUTBOUND,
            leg=LegId("near"),
            origin="agent:anna",
            context="",
            called="0891",
            caller="anna",
            caller_display="",
            protocol_id="",
        ),
        TrunkTried(trunk=TrunkName("a"), why=TrunkFailure.STATUS, status=503),
        TrunkTried(trunk=TrunkName("c"), why=TrunkFailure.SILENT),
        CallConnected(leg=peer, peer="trunk:b"),
        CallRated(trunk=TrunkName("b"), agent=AgentName("anna"), per_call=0.1, per_minute=per_minute),
        CallEnded(
            cause=EndCause(outcome=Outcome.SUCCESS, reason=Reason.ENGINE_RESTART),
            ended_by="caller",
            waited_s=0,
            talked_s=seconds,
            total_s=seconds,
            queue=None,
            agent=AgentName("anna"),
        ),
    ]
    rows: list[Cdr] = []
    for seq, body in enumerate(bodies, 1):
        at = started + (seconds if isinstance(body, CallEnded) else 0)
        rows += fold.apply(record(seq, body)._replace(call=name, wall=at))
    return rows[0]


def test_a_cdr_knows_what_the_call_cost_and_which_trunks_did_not_carry_it() -> None:
    row = talk("c1", started=NOON, seconds=90)
    assert row.cost == pytest.approx(1.0)
    assert row.tried == "a 503, c silent"


def test_what_was_spent_today_is_told_from_the_cdrs(database: Engine) -> None:
    day = midnight(config(time_zone="UTC"), Wall())
    sink = SqlSink(database)
    rows = [
        talk("yesterday", started=day - 500, seconds=60),
        talk("over-midnight", started=day - 30, seconds=60),
        talk("today", started=day + 30, seconds=60),
    ]
    sink.write([], rows)
    sink.close()
    stored = costs_since(database, day)
    assert stored == {("agent:anna", "trunk:b"): pytest.approx(1.4)}
    cut_off = [talk("cut", started=day + 100, seconds=60), talk("long ago", started=day - 9000, seconds=60)]
    spent = spent_by(stored, cut_off, day)
    assert spent == {"agent:anna": pytest.approx(2.1), "trunk:b": pytest.approx(2.1)}


def test_the_day_begins_where_the_centre_is() -> None:
    wall = Wall()
    berlin = config(time_zone="Europe/Berlin")
    today = toll_rules(berlin, wall).today
    first = today()
    begun = midnight(berlin, wall)
    assert toll_rules(berlin, wall).day_age_s() == wall.at - begun
    assert 0 <= wall.at - begun < 86400
    wall.at = begun - 1
    assert today() == first - 1
    wall.at = begun + 86400 * 2
    assert today() == first + 2
    assert midnight(config(time_zone="UTC"), Wall()) == NOON - 12 * 3600


def test_rules_and_prices_are_read(tmp_path: Path) -> None:
    (tmp_path / "prices").write_text("0900, 2\n")
    settings = {"country": "49", "emergency": ["112"], "prices": str(tmp_path / "prices"), "end_calls": False}
    rules = toll_rules(config(**settings), Wall())
    assert rules.prices.price("+499001") == Price(per_minute=2)
    assert rules.numbering.emergency == {"112"}
    assert rules.end_calls is False


def test_prices_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"toll\.prices: .*none: No such file"):
        toll_rules(config(prices=str(tmp_path / "none")), Wall())
    (tmp_path / "bad").write_text("49\nx, 1\n")
    with pytest.raises(ConfigError, match=r"bad: line 1: found '49'") as refused:
        toll_rules(config(prices=str(tmp_path / "bad")), Wall())
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize(
    "toll", [{"time_zone": "Mars/Olympus"}, {"emergency": ["1x"]}, {"country": "0x"}, {"country": "1234"}]
)
def test_settings_that_cannot_be(toll: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        config(**toll)
