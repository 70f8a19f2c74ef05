"""Commands whose fields have the types they declare: JSON that decodes may still say `"port": "five"`."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from types import GenericAlias, NoneType, UnionType
from typing import Any, Final, get_args, get_type_hints

from engine.media import commands
from engine.media.commands import Command

_FIELDS: Final[dict[type[Any], tuple[tuple[str, tuple[Any, ...]], ...]]] = {}


def _note(cls: type[Any]) -> None:
    """Note what the fields of a command may be, and of what stands within it."""
    hints = get_type_hints(cls, vars(commands))
    found = []
    for field in fields(cls):
        hint = hints[field.name]
        types = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        found.append((field.name, types))
        for each in types:
            inner = get_args(each)[0] if isinstance(each, GenericAlias) else each
            if is_dataclass(inner) and isinstance(inner, type) and inner not in _FIELDS:
                _note(inner)
    _FIELDS[cls] = tuple(found)


for _command in get_args(Command):
    _note(_command)


def fault(command: Command) -> str | None:
    """What is wrong with a command's fields, or None. Whole numbers pass for floats; infinities do not."""
    return _fault(command, "")


def _fault(value: Any, within: str) -> str | None:
    for name, types in _FIELDS[type(value)]:
        wrong = _wrong(getattr(value, name), types, f"{within}{name}")
        if wrong is not None:
            return wrong
    return None


def _wrong(value: Any, types: tuple[Any, ...], name: str) -> str | None:
    kind = type(value)
    if float in types and kind in (int, float):
        return None if math.isfinite(value) else f"{name} is {value}"
    if kind in types:
        return _fault(value, f"{name}.") if kind in _FIELDS else None
    if kind is tuple and isinstance(types[0], GenericAlias):
        each = get_args(types[0])[:1]
        return next((wrong for at, one in enumerate(value) if (wrong := _wrong(one, each, f"{name}[{at}]"))), None)
    wanted = " or ".join("null" if kind is NoneType else getattr(kind, "__name__", str(kind)) for kind in types)
    return f"{name} is {value!r}; it must be {wanted}"
