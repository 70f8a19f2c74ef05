"""Agents, queues, memberships and trunks on disk.

Every change is one transaction, and what comes back is the same change for the running core (`Directory.apply`).
All methods wait for the database: call them in a thread. Trouble that may pass (disk full, locked) is Unavailable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from engine.calls.directory import Agent, AgentStatus, Directory, Drop, Entity, Member, Put, TrunkGroup
from engine.errors import AlreadyExists, InvalidRequest, NotFound
from engine.ids import AgentName
from engine.store.database import reading
from engine.store.entities import TABLES, Kind, build, defaults, from_row, key_of, kind_of, name_of, to_row
from engine.store.errors import translated
from engine.store.secrets import ha1_pair, new_secret
from engine.store.tables import agents, bindings, members
from engine.store.validation import validate

WriteMode = Literal["create", "replace", "update"]
"""create: AlreadyExists when it is there. update: NotFound when it is not, and fields not given stay. replace: made
or replaced; settings not given take their defaults, but an agent keeps its secrets and status."""

_ORDER: Final[dict[Kind, Any]] = {"member": members.c.position}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A SIP secret, to be shown once, and the change that makes it good."""

    secret: str
    change: Put


class DirectoryStore:
    """The store's side of `engine.calls.directory`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self) -> Directory:
        """Everything, as one consistent snapshot; members in the order in which they were added."""
        with translated(), reading(self._engine) as connection:
            found: list[Entity] = []
            for kind, table in TABLES.items():
                query = select(table).order_by(_ORDER.get(kind, table.columns[0]))
                found += [from_row(kind, dict(row)) for row in connection.execute(query).mappings()]
        return Directory.of(found)

    def get(self, kind: Kind, name: str) -> Entity:
        """One of them. Raises NotFound."""
        with translated(), reading(self._engine) as connection:
            return _wanted(connection, kind, name)

    def write(self, kind: Kind, name: str, values: Mapping[str, object], mode: WriteMode) -> Put:
        """Set these settings of what is called `name` (a member: "QUEUE/AGENT"); see WriteMode.

        Raises InvalidRequest, NotFound (also for a membership of nobody), AlreadyExists, Unavailable.
        """
        with translated(), self._engine.begin() as connection:
            old = _found(connection, kind, name)
            if mode == "create" and old is not None:
                raise AlreadyExists(f"{kind} {name!r} exists already")
            if mode == "update" and old is None:
                raise NotFound(f"no {kind} {name!r}")
            given = {**defaults(kind), **values} if mode == "replace" else values
            return _put(connection, build(kind, name, given, old), old)

    def put(self, entity: Entity) -> Put:
        """Add this or replace what has its name, with all its fields as they are."""
        with translated(), self._engine.begin() as connection:
            return _put(connection, entity, _found(connection, kind_of(entity), name_of(entity)))

    def drop(self, kind: Kind, name: str) -> Drop:
        """Remove it, and with an agent or queue its memberships. Raises NotFound, InvalidRequest for a trunk that a
        group names."""
        with translated(), self._engine.begin() as connection:
            entity = _wanted(connection, kind, name)
            if kind == "trunk":
                _must_be_in_no_group(connection, name)
            connection.execute(delete(TABLES[kind]).filter_by(**key_of(kind, name)))
            if kind == "agent":
                connection.execute(delete(bindings).where(bindings.c.agent == name))
            return Drop(entity=entity)

    def rotate_secret(self, agent: str, realm: str) -> NewSecret:
        """Make a new SIP secret for this agent and realm; the old one is void at once. Raises NotFound."""
        secret = new_secret()
        pair = ha1_pair(agent, realm, secret)
        with translated(), self._engine.begin() as connection:
            old = _wanted(connection, "agent", agent)
            assert isinstance(old, Agent)
            put = _put(connection, replace(old, ha1_md5=pair.md5, ha1_sha256=pair.sha256), old)
            connection.execute(update(agents).where(agents.c.name == agent).values(ha1_realm=realm))
            # A phone that knows the old secret only is nobody's; a running engine forgets it by itself.
            connection.execute(delete(bindings).where(bindings.c.agent == agent))
        return NewSecret(secret=secret, change=put)

    def agents_without_secret(self, realm: str) -> list[AgentName]:
        """Agents who cannot register: without a secret, or with one that was made for another realm."""
        query = select(agents.c.name).where((agents.c.ha1_realm != realm) | (agents.c.ha1_sha256 == ""))
        with translated(), reading(self._engine) as connection:
            names: Sequence[str] = connection.execute(query.order_by(agents.c.name)).scalars().all()
        return [AgentName(name) for name in names]

    def set_status(self, agent: str, status: AgentStatus, reason: str, since: float) -> Put:
        """Keep what a person chose, or what the engine chose for them. Raises NotFound, InvalidRequest."""
        with translated(), self._engine.begin() as connection:
            old = _wanted(connection, "agent", agent)
            assert isinstance(old, Agent)
            return _put(connection, replace(old, status=status, status_reason=reason, status_since=since), old)


def _found(connection: Connection, kind: Kind, name: str) -> Entity | None:
    query = select(TABLES[kind]).filter_by(**key_of(kind, name))
    row = connection.execute(query).mappings().first()
    return None if row is None else from_row(kind, dict(row))


def _wanted(connection: Connection, kind: Kind, name: str) -> Entity:
    entity = _found(connection, kind, name)
    if entity is None:
        raise NotFound(f"no {kind} {name!r}")
    return entity


def _must_be_in_no_group(connection: Connection, trunk: str) -> None:
    """Which line takes over a removed one's share is a person's choice, and a group must not be left empty."""
    groups = [from_row("group", dict(row)) for row in connection.execute(select(TABLES["group"])).mappings()]
    of = [g.name for g in groups if isinstance(g, TrunkGroup) and any(m.trunk == trunk for m in g.parsed())]
    if of:
        raise InvalidRequest(f"trunk {trunk!r} is in {', '.join(of)}; take it out of there first (trunk-group set)")


def _put(connection: Connection, entity: Entity, old: Entity | None) -> Put:
    validate(entity)
    kind = kind_of(entity)
    table = TABLES[kind]
    row = to_row(entity)
    if isinstance(entity, TrunkGroup):
        for member in entity.parsed():
            _wanted(connection, "trunk", member.trunk)
    if old is not None:
        connection.execute(update(table).filter_by(**key_of(kind, name_of(entity))).values(row))
        return Put(entity=entity)
    if isinstance(entity, Member):
        _wanted(connection, "queue", entity.queue)
        _wanted(connection, "agent", entity.agent)
        last: int = connection.execute(select(func.coalesce(func.max(members.c.position), 0))).scalar_one()
        row["position"] = last + 1
    connection.execute(insert(table).values(row))
    return Put(entity=entity)
