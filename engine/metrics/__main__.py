"""Prints the reference of all metrics."""

from __future__ import annotations

from engine.metrics.reference import reference

if __name__ == "__main__":
    print(reference(), end="")
