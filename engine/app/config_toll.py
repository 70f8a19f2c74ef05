"""`[toll]` of the configuration: calls that cost money."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from engine.app.config_section import Section


class TollConfig(Section):
    country: str = Field(
        "",
        pattern=r"^[0-9]{0,3}$",
        description='Our country code, such as "49"; empty: every number with + or the international prefix is abroad.',
    )
    international_prefix: str = Field(
        "00", pattern=r"^[0-9]{0,5}$", description="What is dialled before a country code."
    )
    national_prefix: str = Field("0", pattern=r"^[0-9]{0,3}$", description="What is dialled before an area code.")
    emergency: tuple[str, ...] = Field(
        ("110", "112", "911", "999"),
        max_length=32,
        strict=False,
        description="Numbers that are never refused, whatever the limits.",
    )
    prices: str = Field(
        "", description="File of prices, a line each: beginning of the number, per minute, per call, name."
    )
    end_calls: bool = Field(
        True, description="End calls that are up when a daily limit is reached; false: only refuse new ones."
    )
    time_zone: str = Field(
        "", description='Where the day of daily limits begins, "Europe/Berlin"; empty: the machine\'s.'
    )

    @field_validator("emergency")
    @classmethod
    def _short_numbers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for number in value:
            if re.fullmatch(r"[0-9*#+]{2,16}", number) is None:
                raise ValueError(f"{number!r} is no number, such as 112")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            if value:
                ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("is no time zone, such as Europe/Berlin") from error
        return value
