"""What all sections of the configuration share: they are frozen, unknown keys are errors, addresses are checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from engine.net.listen import plain_host

Port = Annotated[int, Field(ge=1, le=65535)]
Dscp = Annotated[int, Field(ge=0, le=63)]
Playlist = str | Annotated[tuple[str, ...], Field(strict=False)]
"""A file, a list of files, or a directory."""


class Section(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def checked_ip(value: str, *, allow_empty: bool) -> str:
    """An IP address in its usual form. Raises ValueError that says what is wanted."""
    if value == "" and allow_empty:
        return value
    try:
        return plain_host(value)
    except ValueError as error:
        if "link-local" in str(error):
            raise
        raise ValueError("must be an IP address, such as 192.0.2.10") from None


def anchored_list(listed: Playlist, anchor: Callable[[str], str]) -> Playlist:
    """A path or several, made absolute."""
    return anchor(listed) if isinstance(listed, str) else tuple(map(anchor, listed))
