"""What calls cost: a list of prices by the beginning of the number, the longest that fits decides.

    # beginning, per minute, per call, name
    +49,      0.01
    +4915,    0.09, 0,    German mobile
    0900,     1.99, 0.50, premium rate

Beginnings are brought into the form of `toll_rules.Numbering`, as the numbers are. Amounts have the currency of the
limits, whatever that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Final

from engine.calls.toll_rules import Numbering, check_destination

MOST: Final = 200_000
"""Lines of a list; the longest that providers publish have some 60,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    per_minute: float
    per_call: float = 0.0

    def first_minute(self) -> float:
        """What a call costs at least that is worth making."""
        return self.per_call + self.per_minute

    def of(self, seconds: float) -> float:
        """What this long a talk costs, without `per_call`; to the second."""
        return self.per_minute * seconds / 60


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """See the module. An empty one knows no price of anything."""

    prices: Mapping[str, Price] = field(default_factory=dict)
    longest: int = 0

    @classmethod
    def parse(cls, text: str, numbering: Numbering) -> PriceList:
        """Read a list. Raises ValueError with one line per fault."""
        prices: dict[str, Price] = {}
        faults: list[str] = []
        for number, line in enumerate(text.splitlines(), 1):
            said = line.partition("#")[0].strip()
            if not said or len(faults) >= 10:
                continue
            try:
                beginning, price = _read(said)
                key = "" if beginning == "all" else numbering.canonical(beginning)
                if key in prices:
                    raise ValueError(f"{beginning} is there already")
                prices[key] = price
            except ValueError as error:
                faults.append(f"line {number}: {error}")
        if len(prices) > MOST:
            faults.append(f"{len(prices)} lines are too many; at most {MOST}")
        if faults:
            raise ValueError("\n".join(faults))
        return cls(prices=prices, longest=max(map(len, prices), default=0))

    def price(self, canonical: str) -> Price | None:
        """What this number costs; None where the list does not say."""
        for length in range(min(self.longest, len(canonical)), -1, -1):
            found = self.prices.get(canonical[:length])
            if found is not None:
                return found
        return None


def _read(line: str) -> tuple[str, Price]:
    beginning, *amounts = (part.strip() for part in line.split(",", 3))
    if not amounts or beginning.startswith("!"):
        raise ValueError(f"found {line!r}; needs a beginning, a price per minute, perhaps one per call, and a name")
    check_destination(beginning)
    numbers = [float(amount) for amount in amounts[:2]]
    if not all(isfinite(number) and number >= 0 for number in numbers):
        raise ValueError(f"found {line!r}; a price is 0 or more")
    return beginning, Price(per_minute=numbers[0], per_call=numbers[1] if len(numbers) > 1 else 0.0)
