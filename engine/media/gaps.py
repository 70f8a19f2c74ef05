"""What a recording has not got: sound that the disk would not take, kept as few long gaps rather than many chunks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.media.events import Gap

MAX_GAPS: Final = 100
"""Gaps that are listed; later ones count only in the sum."""


class Gaps:
    """The gaps of one recording, in octets of its sound; reported in seconds."""

    def __init__(self, octets_per_s: int) -> None:
        self._octets_per_s = octets_per_s
        self._done: list[Gap] = []
        self._begin = 0
        self._end = 0
        self._reason = ""
        self.lost = 0
        """Octets of all gaps together."""

    @property
    def open(self) -> bool:
        """Nothing has been kept since the last loss."""
        return bool(self._reason)

    def lose(self, at: int, octets: int, reason: str) -> Gap | None:
        """Octets `at` and so many on are lost. The gap, when it is one that begins."""
        self.lost += octets
        if self._reason and at == self._end:
            self._end += octets
            return None
        self.over()
        self._begin, self._end, self._reason = at, at + octets, reason
        return self._gap()

    def over(self) -> Gap | None:
        """Sound is kept again. The gap that has ended, if there was one."""
        if not self._reason:
            return None
        gap = self._gap()
        self._reason = ""
        if len(self._done) < MAX_GAPS:
            self._done.append(gap)
        return gap

    def _gap(self) -> Gap:
        return Gap(
            at_s=round(self._begin / self._octets_per_s, 3),
            seconds=round((self._end - self._begin) / self._octets_per_s, 3),
            reason=self._reason,
        )

    def all(self) -> list[Gap]:
        """Every gap, one that is still open too."""
        return [*self._done, self._gap()] if self._reason else list(self._done)


def comment(gaps: Iterable[Gap]) -> str:
    """What stands in the metadata of a file that has gaps; empty for one that has none."""
    found = [f"{gap.at_s:.2f}+{gap.seconds:.2f} s ({gap.reason})" for gap in gaps]
    return "Silence where sound was lost: " + ", ".join(found) if found else ""
