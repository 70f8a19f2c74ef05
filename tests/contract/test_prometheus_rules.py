"""The shipped Prometheus files: valid, about metrics that exist, and firing when they should."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from engine.acd.agent import AgentState
from engine.calls.causes import Outcome
from engine.metrics.metrics import MetricSet
from tests.support.parts import require

REPOSITORY = Path(__file__).resolve().parents[2]
PROMETHEUS = REPOSITORY / "config/prometheus"
RULES = PROMETHEUS / "hearthline.rules.yml"
RULE_TESTS = Path(__file__).resolve().parent / "prometheus/hearthline.rules.test.yml"

SELECTOR = re.compile(r"\b(?P<name>hearthline_\w+)(?:\{(?P<labels>[^}]*)\})?")
LABEL = re.compile(r'(?P<name>\w+)(?:=|!=|=~|!~)"(?P<value>[^"]*)"')
KNOWN_VALUES = {
    "state": {state.value for state in AgentState},
    "outcome": {outcome.value for outcome in Outcome},
    "direction": {"in", "out", "inbound", "outbound", "internal"},
    "quantile": {"0.5", "0.99", "0.999", "1"},
}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    require("promtool")
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)


def declared_series() -> dict[str, tuple[str, ...]]:
    """Every series name on the /metrics page, with its labels."""
    series: dict[str, tuple[str, ...]] = {}
    for metric in MetricSet(version="0").declared:
        endings = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        series |= {f"{metric.name}{ending}": (*metric.labels, "le") for ending in endings}
    return series


def selectors(file: Path) -> list[tuple[str, str]]:
    """Metric name and label matchers of each use in the file, expressions and test series alike."""
    text = "\n".join(line for line in file.read_text(encoding="utf-8").splitlines() if "name: " not in line)
    return [(match["name"], match["labels"] or "") for match in SELECTOR.finditer(text)]


def test_promtool_accepts_the_configuration_and_the_rules() -> None:
    done = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout


def test_each_alert_fires_when_it_should_and_not_otherwise() -> None:
    done = promtool("test", "rules", RULE_TESTS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_of_firing() -> None:
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8")))
    tests = RULE_TESTS.read_text(encoding="utf-8")
    firing = set(re.findall(r"alertname: (\w+)\n\s+exp_alerts:", tests))
    assert alerts == firing
    assert all(f"alertname: {alert} }}" in tests for alert in alerts), "and one of silence"


@pytest.mark.parametrize("file", [RULES, RULE_TESTS], ids=lambda file: file.name)
def test_rules_speak_of_metrics_and_labels_that_exist(file: Path) -> None:
    series = declared_series()
    used = selectors(file)
    assert used
    for name, labels in used:
        assert name in series, f"{file.name} uses {name}, which the engine does not export"
        for label in LABEL.finditer(labels):
            assert label["name"] in series[name], f"{name} has no label {label['name']}"
            known = KNOWN_VALUES.get(label["name"])
            assert known is None or label["value"] in known, f"{name} never has {label[0]}"
