from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from engine.metrics.metrics import MetricSet
from engine.metrics.reference import reference


def test_the_page_is_what_prometheus_reads() -> None:
    metrics = MetricSet(version="1.2.3")
    families = {f.name: f for f in text_string_to_metric_families(metrics.render().decode())}
    (build,) = families["hearthline_build_info"].samples
    assert build.labels["version"] == "1.2.3"
    assert build.value == 1
    for declared in metrics.declared:
        name = declared.name.removesuffix("_total")
        assert families[name].type == declared.kind
        assert families[name].documentation == declared.help
    assert not [name for name in families if name.endswith("_created")]


def test_two_engines_in_one_process_do_not_share_a_number() -> None:
    one, other = MetricSet(version="1"), MetricSet(version="1")
    one.calls_active.set(5)
    assert b"hearthline_calls_active 5.0" in one.render()
    assert b"hearthline_calls_active 0.0" in other.render()


def test_every_name_is_ours_and_says_its_unit() -> None:
    for declared in MetricSet(version="1").declared:
        assert re.fullmatch(r"hearthline_[a-z_]+", declared.name)
        assert (declared.kind == "counter") == declared.name.endswith("_total")
        assert declared.kind != "histogram" or declared.name.endswith(("_seconds", "_ratio", "_mos"))
        assert declared.help.endswith(".")


def test_the_reference_has_a_row_for_each() -> None:
    text = reference()
    for declared in MetricSet(version="1").declared:
        assert f"| `{declared.name}` | {declared.kind} |" in text
