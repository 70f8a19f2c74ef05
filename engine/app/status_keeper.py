"""Keeps agents' statuses over a restart: what the log tells of them goes to the directory as well."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from engine.app.logs import note
from engine.calls.directory import Directory, Put
from engine.calls.journal import Record
from engine.calls.log import AgentStatusChanged
from engine.errors import EngineError
from engine.store.directory_store import DirectoryStore


class StatusKeeper:
    """Follows the records; writes on the thread given."""

    def __init__(self, directory: Directory, store: DirectoryStore, thread: ThreadPoolExecutor) -> None:
        self._directory = directory
        self._store = store
        self._thread = thread

    def observe(self, records: Sequence[Record]) -> None:
        """Keep what these records say of statuses."""
        for record in records:
            body = record.body
            if isinstance(body, AgentStatusChanged) and (agent := self._directory.agents.get(body.agent)) is not None:
                changed = replace(agent, status=body.status, status_reason=body.reason, status_since=record.wall)
                self._directory.apply(Put(entity=changed))
                self._thread.submit(self._write, body, record.wall)

    def _write(self, body: AgentStatusChanged, wall: float) -> None:
        try:
            self._store.set_status(body.agent, body.status, body.reason, wall)
        except EngineError as error:
            # The event log has it all the same; only a restart before the next change would forget it.
            note("status_not_kept", level=logging.WARNING, agent=body.agent, code=error.code, reason=str(error))
