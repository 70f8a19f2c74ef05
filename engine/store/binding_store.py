"""Registrations on disk, so that agents can be reached as soon as a killed engine runs again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Engine, bindparam, delete, insert, select

from engine.ids import AgentName
from engine.store.database import reading
from engine.store.errors import translated
from engine.store.tables import bindings


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBinding:
    """One registration of an agent's phone, in plain values. Times are UTC seconds since the epoch."""

    agent: AgentName
    contact: str
    """SIP URI."""
    transport: str
    local_host: str
    """Our listener."""
    local_port: int
    remote_host: str
    remote_port: int
    expires: float
    registered: float
    user_agent: str
    instance: str | None
    reg_id: int | None
    q: int
    """Thousandths."""
    path: tuple[str, ...]
    call_id: str
    sequence: int


class BindingStore:
    """All methods wait for the database: call them in a thread, or before the loop runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self) -> list[KeptBinding]:
        """Everything, each agent's in the order in which they were kept. Raises Unavailable."""
        query = select(bindings).order_by(bindings.c.agent, bindings.c.position)
        with translated(), reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return [_of_row(dict(row)) for row in rows]

    def replace(self, by_agent: Mapping[AgentName, Sequence[KeptBinding]]) -> None:
        """Let these agents have these bindings and no others, in one transaction. Raises Unavailable."""
        if not by_agent:
            return
        gone = delete(bindings).where(bindings.c.agent == bindparam("gone"))
        rows = [_to_row(each, number) for kept in by_agent.values() for number, each in enumerate(kept)]
        with translated(), self._engine.begin() as connection:
            connection.execute(gone, [{"gone": agent} for agent in by_agent])
            if rows:
                connection.execute(insert(bindings), rows)


def _to_row(kept: KeptBinding, position: int) -> dict[str, object]:
    # A URI's user part may hold a NUL only escaped, and the rest was printable when it came: nothing here needs care.
    return {**asdict(kept), "path": json.dumps(kept.path), "position": position}


def _of_row(row: dict[str, object]) -> KeptBinding:
    del row["position"]
    return KeptBinding(**{**row, "path": tuple(json.loads(str(row["path"])))})  # type: ignore[arg-type]
