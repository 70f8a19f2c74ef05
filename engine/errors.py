"""The error tree: every error says whose fault it is, in a code that API clients may rely on.

`code` is stable: operators' scripts match on it. Do not rename one; add a new one.
"""

from __future__ import annotations

from typing import ClassVar


class EngineError(Exception):
    """The root of every error that Hearthline raises on purpose."""

    code: ClassVar[str] = "engine_error"
    """Stable identifier, the same in the API, the logs and the exit message."""


class ConfigError(EngineError):
    """The operator's input (config, dialplan, command line) cannot be used; the message names file, key, what was
    found and what is allowed."""

    code: ClassVar[str] = "config_invalid"


class NotFound(EngineError):
    """A named thing (agent, queue, trunk, call) does not exist."""

    code: ClassVar[str] = "not_found"


class AlreadyExists(EngineError):
    """A thing of that name exists already."""

    code: ClassVar[str] = "already_exists"


class InvalidRequest(EngineError):
    """A command or API call that cannot be carried out as it was asked."""

    code: ClassVar[str] = "invalid_request"


class Unavailable(EngineError):
    """Something that the answer needs (media process, store, running engine) is not there now; later it may be."""

    code: ClassVar[str] = "unavailable"
