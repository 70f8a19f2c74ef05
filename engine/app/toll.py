"""What this configuration says of calls that cost money, and what was spent today before this start."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.app.config import Config
from engine.calls.cdr import Cdr
from engine.calls.prices import PriceList
from engine.calls.toll_guard import TollRules
from engine.calls.toll_rules import Numbering
from engine.clock import Clock
from engine.errors import ConfigError


def toll_rules(config: Config, clock: Clock) -> TollRules:
    """The rules of the guard. Raises ConfigError for a list of prices that cannot be read."""
    numbering = Numbering(
        country=config.toll.country,
        international=config.toll.international_prefix,
        national=config.toll.national_prefix,
        emergency=frozenset(config.toll.emergency),
    )
    local = _local(config, clock)
    return TollRules(
        numbering=numbering,
        prices=price_list(config, numbering),
        end_calls=config.toll.end_calls,
        today=lambda: local().toordinal(),
        day_age_s=lambda: clock.wall() - midnight(config, clock),
    )


def price_list(config: Config, numbering: Numbering) -> PriceList:
    """The configured list, or one without prices. Raises ConfigError, one line a fault."""
    if not config.toll.prices:
        return PriceList()
    file = Path(config.toll.prices)
    try:
        return PriceList.parse(file.read_text(encoding="utf-8"), numbering)
    except OSError as error:
        raise ConfigError(f"toll.prices: {file}: {error.strerror}") from error
    except ValueError as error:
        faults = str(error).splitlines()
        raise ConfigError("\n".join(f"toll.prices: {file}: {fault}" for fault in faults)) from error


def midnight(config: Config, clock: Clock) -> float:
    """When this day began, seconds since the epoch."""
    return _local(config, clock)().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def spent_by(stored: Mapping[tuple[str, str], float], cut_off: Iterable[Cdr], since: float) -> dict[str, float]:
    """What each payer has spent since then: by the stored CDRs (summed by origin and peer), and by those of calls that
    a crash cut off, which are not stored yet."""
    spent: defaultdict[str, float] = defaultdict(float)
    sums = [*stored.items(), *(((cdr.origin, cdr.peer), cdr.cost) for cdr in cut_off if cdr.ended >= since)]
    for payers, cost in sums:
        for payer in payers:
            spent[payer] += cost
    return {payer: cost for payer, cost in spent.items() if payer and cost}


def _local(config: Config, clock: Clock) -> Callable[[], datetime]:
    zone = ZoneInfo(config.toll.time_zone) if config.toll.time_zone else None
    return lambda: datetime.fromtimestamp(clock.wall(), UTC).astimezone(zone)
