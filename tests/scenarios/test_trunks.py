"""Lines that come, change and go while the engine runs, as the metrics show them."""

from __future__ import annotations

from engine.calls.directory import Drop, Put, Trunk
from engine.ids import TrunkName
from engine.metrics.metrics import MetricSet
from engine.metrics.observers import MetricsObserver
from tests.support.centre_rig import CentreRig

LINE = Trunk(name=TrunkName("line"), host="192.0.2.99", ping_s=30)
UNASKED = Trunk(name=TrunkName("line"), host="192.0.2.99", ping_s=0)


def shown(rig: CentreRig) -> list[str]:
    """The series of the trunk, out of the whole log."""
    metrics = MetricSet(version="1")
    observer = MetricsObserver(metrics)
    observer.observe(rig.centre.records)
    return [
        line for line in metrics.render().decode().splitlines() if line.startswith('hearthline_trunk_up{trunk="line"')
    ]


def change(rig: CentreRig, made: Put | Drop, then_s: float) -> None:
    rig.core.change_directory(made, "api", rig.wire.now)
    rig.wire.run(then_s)


def test_a_trunk_that_wants_no_question_is_shown_up() -> None:
    rig = CentreRig()
    change(rig, Put(entity=UNASKED), 1)
    assert shown(rig) == ['hearthline_trunk_up{trunk="line"} 1.0']


def test_a_trunk_that_was_down_is_up_once_nobody_asks_and_is_forgotten_when_it_is_dropped() -> None:
    rig = CentreRig()
    change(rig, Put(entity=LINE), 0.01)
    assert shown(rig) == ['hearthline_trunk_up{trunk="line"} 0.0'], "shown before its first answer"
    rig.wire.run(60)
    assert shown(rig) == ['hearthline_trunk_up{trunk="line"} 0.0']
    change(rig, Put(entity=UNASKED), 1)
    assert shown(rig) == ['hearthline_trunk_up{trunk="line"} 1.0']
    change(rig, Drop(entity=UNASKED), 60)
    assert shown(rig) == []
