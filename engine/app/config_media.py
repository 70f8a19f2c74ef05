"""The `[media]` section: where sound comes in and goes out, and on how many cores."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from engine.app.config_section import Dscp, Playlist, Section, checked_ip
from engine.calls.codec_words import DEFAULT, check_codecs

RtpPort = Annotated[int, Field(ge=1024, le=65535)]
Core = Annotated[int, Field(ge=0, le=1023)]
Share = Annotated[float, Field(ge=0, le=1)]

PORTS_EACH = 8
"""Least pairs that a media process needs."""


class OnLoss(StrEnum):
    """What becomes of calls whose media process is lost."""

    END = "end"
    REESTABLISH = "reestablish"


class MediaConfig(Section):
    spawn: bool = Field(
        True, description="Start the media processes; false when systemd runs `hearthline media` as a unit of its own."
    )
    processes: int = Field(
        1,
        ge=1,
        le=64,
        description="Media processes, one for each core that sound may take; calls are placed by load.",
    )
    cores: tuple[Core, ...] = Field(
        (),
        description="Cores of the machine (from 0) that the media processes are bound to, in turns; empty: any core.",
    )
    realtime: bool = Field(
        False,
        description="Run media processes by real-time priority, their memory locked; takes `CAP_SYS_NICE` and"
        " `CAP_IPC_LOCK` (or limits), as the systemd unit tells. What is not allowed is logged and left out.",
    )
    on_loss: OnLoss = Field(
        OnLoss.END,
        description="What becomes of calls whose media process is lost: `end`, or `reestablish`: their phones are asked"
        " (re-INVITE) to send to another one, or to the one that comes in its place.",
        strict=False,
    )
    orphan_silence_s: float = Field(
        10.0,
        ge=1,
        le=3600,
        description="After a restart of the engine, calls from before it go on by themselves; they end when one side"
        " has sent nothing for so long, or hangs up.",
    )
    orphan_max_s: float = Field(14_400.0, ge=1, le=604_800, description="Such a call lasts no longer than this.")
    busy_tick: Share = Field(
        0.6,
        description="Share of the 20 ms of a tick (99th percentile, where the median is above a third of it) from which"
        " on a media process gets no new calls; when all are so, callers from trunks are refused with 503. 0: not"
        " looked at, nor how late ticks begin.",
    )
    busy_cpu: Share = Field(0.85, description="The same, of a core's time that the process takes. 0: not looked at.")
    host: str = Field(
        "0.0.0.0",
        description="Address that RTP sockets are bound to; `::` takes IPv6 and IPv4, and is needed for IPv6.",
    )
    port_min: RtpPort = Field(20002, description="First RTP port (even). Clear of Asterisk's 10000-20000.")
    port_max: RtpPort = Field(29998, description="Last RTP port (even); its RTCP is one above.")
    dscp: Dscp = Field(46, description="DSCP of sound: 46 is EF, that of voice (RFC 4594); 0: none.")
    dead_s: float = Field(60.0, ge=2, le=3600, description="Neither RTP nor RTCP from a leg for so long ends its call.")
    codecs: tuple[str, ...] = Field(
        DEFAULT,
        description="Codecs of agents and trunks that have no list of their own, best first: "
        "`PCMU`, `PCMA`, `G722`, `L16` and `L16/16000` are decoded; others (`opus`, `G729` ..., `any`) are passed on "
        "between two legs that both have them; `CN` offers comfort noise.",
        strict=False,
    )
    music: Playlist = Field(
        "",
        description="Music for callers who wait: a file (WAV, FLAC, Ogg), a list of files, or a directory, whose files"
        " are played in the order of their names; empty: what comes with Hearthline.",
    )

    @field_validator("host")
    @classmethod
    def _host_ischecked_ip(cls, value: str) -> str:
        return checked_ip(value, allow_empty=False)

    @field_validator("codecs")
    @classmethod
    def _codecs_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        check_codecs(value)
        if not value:
            raise ValueError("codecs is empty; leave it out for the default")
        return value

    @model_validator(mode="after")
    def _range(self) -> MediaConfig:
        if self.port_min % 2 or self.port_max % 2 or self.port_min > self.port_max:
            raise ValueError(f"port_min and port_max must be even and in order; found {self.port_min}, {self.port_max}")
        pairs = (self.port_max - self.port_min) // 2 + 1
        if self.processes > 1 and pairs < self.processes * PORTS_EACH:
            raise ValueError(
                f"port_min to port_max hold {pairs} pairs of ports; {self.processes} processes need"
                f" {self.processes * PORTS_EACH} at least"
            )
        return self

    def ports_of(self, plane: int) -> tuple[int, int]:
        """First and last RTP port of the media process of this number: its share of the range."""
        pairs = (self.port_max - self.port_min) // 2 + 1
        first, after = (pairs * number // self.processes for number in (plane, plane + 1))
        return self.port_min + 2 * first, self.port_min + 2 * after - 2

    @property
    def own_address(self) -> str:
        """Where one of our sockets reaches another of this machine."""
        return "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host

    def core_of(self, plane: int) -> int | None:
        """The core that the media process of this number is bound to; None: any."""
        return self.cores[plane % len(self.cores)] if self.cores else None
