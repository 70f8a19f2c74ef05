"""The `[recording]` section: what is recorded, in which form, and who is told of it."""

from __future__ import annotations

import shlex
from typing import Literal

from pydantic import Field, field_validator, model_validator

from engine.app.config_section import Section
from engine.media.commands import RecordingFormat


class RecordingConfig(Section):
    directory: str = Field(
        "", description="Where files go, by year, month and day; empty: `recordings` in the state directory."
    )
    everything: bool = Field(
        False,
        description="Record every call in which two people talk; else those of queues, agents and trunks with"
        " `--record`, and those that a person starts.",
    )
    mode: Literal["call", "leg"] = Field(
        "call",
        description="`call`: one stereo file, one side's voice left and the other's right. `leg`: a file for each leg,"
        " what it says left and what it hears right.",
    )
    format: RecordingFormat = Field(
        RecordingFormat.FLAC,
        description="`flac`, `opus` or `wav`. While a call runs its file is always a WAV.",
        strict=False,
    )
    key_file: str = Field(
        "",
        description="File with the key that recordings are encrypted with, 32 octets in Base64"
        " (`openssl rand -base64 32`); empty: not encrypted, or by `key_command`.",
    )
    key_command: str = Field("", description="Command that prints that key (a vault's client), in place of a file.")
    beep_at_start: bool = Field(False, description="Tell both sides by a beep when a recording begins.")
    beep_every_s: float = Field(0.0, ge=0, le=3600, description="And every so many seconds; 0: not.")
    beep_dbm0: float = Field(-20.0, ge=-60, le=0, description="How loud.")

    @field_validator("beep_every_s")
    @classmethod
    def _not_too_often(cls, value: float) -> float:
        if 0 < value < 2:
            raise ValueError("must be 0 or at least 2")
        return value

    @field_validator("key_command")
    @classmethod
    def _readable(cls, value: str) -> str:
        shlex.split(value)  # ValueError says what is wrong with its quotes
        return value

    @model_validator(mode="after")
    def _one_key(self) -> RecordingConfig:
        if self.key_file and self.key_command:
            raise ValueError("key_file and key_command: only one of them can be given")
        return self
