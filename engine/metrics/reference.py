"""The reference of all metrics as Markdown, for `docs/metrics.md`."""

from __future__ import annotations

from engine.metrics.metrics import MetricSet

_HEAD = """\
# Metrics reference

Written by `python -m engine.metrics`; a test keeps it equal to the code. Asked from the loopback address, `/metrics`
needs no token; from elsewhere it needs one, as the API does.

| Metric | Type | Labels | Meaning |
| --- | --- | --- | --- |
"""

_TAIL = """\

On Linux the standard `process_*` metrics of the control process come with them.
"""


def reference() -> str:
    """One row a metric, in the order of their declaration."""
    rows = (
        f"| `{m.name}` | {m.kind} | {', '.join(f'`{label}`' for label in m.labels)} | {m.help} |\n"
        for m in MetricSet(version="").declared
    )
    return _HEAD + "".join(rows).replace("|  |", "| |") + _TAIL
