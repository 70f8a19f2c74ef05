"""Print a state table as Markdown, so that the documents show the tables that run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def markdown(
    *,
    title: str,
    module: str,
    states: Sequence[str],
    inputs: Sequence[str],
    cells: Mapping[tuple[str, str], str],
) -> str:
    """A page with one row per input and one column per state; `cells` holds what is written at (state, input)."""
    lines = [
        f"# {title}",
        "",
        f"Printed by `python -m {module}`; the theory stands on top of that file. A cell names what is done and, after",
        "the arrow, the next state. An empty cell cannot happen: that input there is a defect and raises an error.",
        "",
        "| input \\ state | " + " | ".join(f"**{state}**" for state in states) + " |",
        "|---" * (len(states) + 1) + "|",
    ]
    lines += [
        f"| {given} | " + " | ".join(cells.get((state, given), "") for state in states) + " |" for given in inputs
    ]
    return "\n".join(lines) + "\n"
