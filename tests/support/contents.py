"""How much everything holds that can be reached from an object: containers by the path that leads to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from enum import Enum
from types import BuiltinMethodType, FunctionType, MethodType, ModuleType
from typing import Any

_LEAVES = (str, bytes, int, float, type(None), type, Enum, FunctionType, BuiltinMethodType, ModuleType)


def sizes(root: object, *, without: frozenset[str] = frozenset()) -> dict[str, int]:
    """The number of entries of each container that is reachable through attributes and entries, by path. A container
    within another has the path of all its siblings, and their sizes are added. Attributes of the names `without` are
    passed over."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    alive: list[object] = []
    waiting: list[tuple[str, object]] = [("", root)]
    while waiting:
        path, each = waiting.pop()
        if isinstance(each, _LEAVES) or id(each) in seen:
            continue
        seen.add(id(each))
        alive.append(each)
        if isinstance(each, dict | list | set | frozenset | deque | tuple):
            if not isinstance(each, tuple | frozenset):
                found[path] = found.get(path, 0) + len(each)
            entries = [*each.keys(), *each.values()] if isinstance(each, Mapping) else each
            waiting += [(f"{path}[]", entry) for entry in entries]
        else:
            waiting += [(f"{path}.{name}", value) for name, value in _attributes(each) if name not in without]
    return found


def _attributes(each: object) -> Iterator[tuple[str, Any]]:
    if isinstance(each, MethodType):
        yield "__self__", each.__self__
        return
    yield from getattr(each, "__dict__", {}).items()
    for kind in type(each).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            plain = f"_{kind.__name__.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name
            if hasattr(each, plain):
                yield plain, getattr(each, plain)
