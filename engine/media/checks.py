"""Commands whose fields have the types they declare: JSON that decodes may still say `"port": "five"`."""

from __future__ import annotations

import math
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Final, get_args, get_type_hints

from engine.media import commands
from engine.media.commands import Command

_FIELDS: Final[dict[type[Any], tuple[tuple[str, tuple[type[Any], ...]], ...]]] = {
    command: tuple(
        (field.name, get_args(hint) if isinstance(hint, UnionType) else (hint,))
        for field, hint in ((field, get_type_hints(command, vars(commands))[field.name]) for field in fields(command))
    )
    for command in get_args(Command)
}


def fault(command: Command) -> str | None:
    """What is wrong with a command's fields, or None. Whole numbers pass for floats; infinities do not."""
    for name, types in _FIELDS[type(command)]:
        value = getattr(command, name)
        if float in types and type(value) in (int, float):
            if not math.isfinite(value):
                return f"{name} is {value}"
        elif type(value) not in types:
            wanted = " or ".join("null" if kind is NoneType else kind.__name__ for kind in types)
            return f"{name} is {value!r}; it must be {wanted}"
    return None
