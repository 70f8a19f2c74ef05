"""The guard's section of the configuration: how much is heard from whom, and who is banned for how long."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

from pydantic import Field, field_validator, model_validator

from engine.app.config_section import Section
from engine.sip.guard_policy import SCANNERS

_SCANNER_LEAST: Final = 4


class GuardConfig(Section):
    enabled: bool = Field(True, description="Limit and ban as below; false hears everybody (a lab).")
    trusted: tuple[str, ...] = Field(
        (),
        strict=False,
        description="Addresses and networks that are neither limited nor banned: a proxy in front, a monitor. Trunks "
        "need not be named.",
    )
    unknown_per_s: float = Field(
        500.0, ge=1, le=100_000, description="Datagrams a second that are read of all unknown UDP sources together."
    )
    unknown_time: float = Field(
        0.1, gt=0, le=1, description="Share of the time that answering them may take; on a slow machine it comes first."
    )
    unknown_invites_per_s: float = Field(50.0, ge=0.1, le=100_000, description="Of these, INVITEs.")
    source_per_s: float = Field(
        20.0, ge=0.1, le=100_000, description="Requests a second of one unknown or merely proven source, by method."
    )
    known_per_s: float = Field(
        50.0,
        ge=1,
        le=100_000,
        description="Requests a second, by method, of one source where a phone is registered or somebody logged in; "
        "as much again for each user registered there. Beyond, 503.",
    )
    auth_failures: int = Field(
        10, ge=1, le=1000, description="Wrong passwords from one source in auth_window_s that ban it."
    )
    auth_window_s: float = Field(600.0, ge=1, le=86_400, description="Seconds in which they are counted.")
    user_failures: int = Field(
        60,
        ge=1,
        le=100_000,
        description="Wrong passwords for one user in an hour, from all sources, after which log-ins are let in only "
        "from where the user logged in before.",
    )
    ban_s: float = Field(60.0, ge=1, le=86_400, description="First ban; each further one is twice as long.")
    ban_max_s: float = Field(86_400.0, ge=1, le=31_536_000, description="Longest ban, and how long one is remembered.")
    scanners: tuple[str, ...] = Field(
        SCANNERS,
        strict=False,
        description="Strangers' requests with one of these in User-Agent or From get no answer.",
    )

    @field_validator("trusted")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                ip_network(each, strict=False)
            except ValueError:
                raise ValueError(f"must be addresses or networks, such as 192.0.2.0/24; found {each!r}") from None
        return value

    @field_validator("scanners")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(len(each) < _SCANNER_LEAST for each in value):
            raise ValueError(f"each must have at least {_SCANNER_LEAST} characters, or everybody would be one")
        return value

    @model_validator(mode="after")
    def _ban_times(self) -> GuardConfig:
        if self.ban_s > self.ban_max_s:
            raise ValueError(f"ban_s must not exceed ban_max_s; found {self.ban_s}, {self.ban_max_s}")
        return self
