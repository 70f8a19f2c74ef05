"""Agents, queues, members, trunks and groups as rows of their tables, and as what a person may set of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from enum import Enum, StrEnum
from typing import Any, Final, Literal, get_type_hints

from sqlalchemy import Table

from engine.calls.directory import Agent, Entity, Member, Queue, Trunk, TrunkGroup
from engine.errors import InvalidRequest
from engine.ids import AgentName, GroupName, QueueName, TrunkName
from engine.store.tables import agents, members, queues, trunk_groups, trunks

Kind = Literal["agent", "queue", "member", "trunk", "group"]
"""As `DirectoryChanged.kind` has it."""

CLASSES: Final[dict[Kind, type[Agent] | type[Queue] | type[Member] | type[Trunk] | type[TrunkGroup]]] = {
    "agent": Agent,
    "queue": Queue,
    "member": Member,
    "trunk": Trunk,
    "group": TrunkGroup,
}
TABLES: Final[dict[Kind, Table]] = {
    "agent": agents,
    "queue": queues,
    "member": members,
    "trunk": trunks,
    "group": trunk_groups,
}

SECRET: Final = "secret"
"""The field that is written and never shown, in no error either."""

_KEYS: Final = {"name", "queue", "agent"}
_OWN: Final = {"ha1_md5", "ha1_sha256", "status", "status_reason", "status_since"}
"""Fields of an agent with ways of their own to change them; configuring the agent leaves them alone."""

_HINTS: Final = {kind: get_type_hints(cls) for kind, cls in CLASSES.items()}
SETTABLE: Final[dict[Kind, tuple[str, ...]]] = {
    kind: tuple(f.name for f in fields(cls) if f.name not in _OWN | _KEYS) for kind, cls in CLASSES.items()
}
"""What may be set, by kind."""


def kind_of(entity: Entity) -> Kind:
    match entity:
        case Agent():
            return "agent"
        case Queue():
            return "queue"
        case Member():
            return "member"
        case Trunk():
            return "trunk"
        case TrunkGroup():
            return "group"


def key_of(kind: Kind, name: str) -> dict[str, str]:
    """The key columns of what is called `name`; a member is called "QUEUE/AGENT". Raises InvalidRequest."""
    if kind != "member":
        return {"name": name}
    queue, slash, agent = name.partition("/")
    if not slash:
        raise InvalidRequest(f"a member is named QUEUE/AGENT, not {name!r}")
    return {"queue": queue, "agent": agent}


def name_of(entity: Entity) -> str:
    """What `key_of` takes."""
    return f"{entity.queue}/{entity.agent}" if isinstance(entity, Member) else entity.name


def to_row(entity: Entity) -> dict[str, Any]:
    """Columns by name; what the table has besides is left out."""
    return {field.name: _to_column(getattr(entity, field.name)) for field in fields(entity)}


def from_row(kind: Kind, row: Mapping[str, Any]) -> Entity:
    """The entity that `to_row` made the row of."""
    hints = _HINTS[kind]
    cls = CLASSES[kind]
    return cls(**{field.name: _from_column(hints[field.name], row[field.name]) for field in fields(cls)})


def build(kind: Kind, name: str, values: Mapping[str, object], base: Entity | None) -> Entity:
    """`base` (or, without one, the defaults) with these values. Raises InvalidRequest for an unknown field, a value of
    another type or a missing one."""
    checked = {field: _checked(kind, name, field, value) for field, value in values.items()}
    if base is not None:
        return replace(base, **checked)
    cls = CLASSES[kind]
    key: dict[str, Any] = dict(key_of(kind, name))
    for field in fields(cls):
        if field.default is MISSING and field.name not in checked and field.name not in key:
            raise InvalidRequest(f"{kind} {name}: {field.name} is needed")
    return cls(**key, **checked)


def defaults(kind: Kind) -> dict[str, Any]:
    """Every settable field that has a default, with it: what a full replacement sets where nothing was said. A secret,
    which nobody can read back, stays."""
    return {
        field.name: field.default
        for field in fields(CLASSES[kind])
        if field.name in SETTABLE[kind] and field.name != SECRET and field.default is not MISSING
    }


def _checked(kind: Kind, name: str, field: str, value: object) -> Any:
    if field not in SETTABLE[kind]:
        raise InvalidRequest(f"{kind} {name}: {field!r} cannot be set; there are: {', '.join(SETTABLE[kind])}")
    hint = _HINTS[kind][field]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        try:
            return hint(str(value))
        except ValueError as error:
            raise InvalidRequest(
                f"{kind} {name}: {field} {value!r} is not known; there are: {', '.join(hint)}"
            ) from error
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint == tuple[str, ...] and isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if hint in {str, int, float, bool} and type(value) is hint:
        return value
    wanted = "list of str" if hint == tuple[str, ...] else hint.__name__
    shown = "something else" if field == SECRET else repr(value)
    raise InvalidRequest(f"{kind} {name}: {field} must be {wanted}, not {shown}")


def _to_column(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    return json.dumps(value) if isinstance(value, tuple) else value


def _from_column(hint: Any, value: Any) -> Any:
    if hint == tuple[str, ...]:
        return tuple(json.loads(value))
    if hint in {AgentName, GroupName, QueueName, TrunkName}:
        return value
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint(value)
    return value
