"""Keeps registrations over a restart: what changed goes to the store once a second, and comes back at the next start.

A phone on UDP is called where it was heard of last, from the first moment on. One on a connection has lost that with
the process; it notices, comes back by itself, and is not kept. Times of the registrar are those of the monotonic clock,
which begins anew with the machine, and are kept as times of day.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from engine.app.core import Core
from engine.app.logs import note
from engine.clock import Clock
from engine.errors import EngineError
from engine.ids import AgentName
from engine.sip.binding import Binding
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.flow import Address, Flow, Transport
from engine.sip.uri import parse_uri
from engine.store.binding_store import BindingStore, KeptBinding

FlowBy = Callable[[Transport, Address, Address], Flow | None]
"""The flow from our listener at the first address to the second; None where nothing listens for it any more."""


class BindingKeeper:
    """Between the registrar and the store. `keep` and `restore` are called on the loop, writing is done on the thread
    given."""

    def __init__(self, core: Core, store: BindingStore, clock: Clock, thread: ThreadPoolExecutor) -> None:
        self._core = core
        self._store = store
        self._clock = clock
        self._thread = thread
        self._lock = Lock()
        self._unwritten: dict[AgentName, list[KeptBinding]] = {}
        """What waits for the thread, or could not be written."""

    def restore(self, flow_by: FlowBy) -> None:
        """Take up what the last process left, but for agents who are no more. Raises Unavailable."""
        kept = [each for each in self._store.load() if each.agent in self._core.directory.agents]
        wall, now = self._clock.wall(), self._clock.monotonic()
        found = [binding for each in kept if (binding := _restored(each, flow_by, now - wall)) is not None]
        self._core.command(lambda at: self._core.endpoint.restore_bindings(found, at), now)
        # Both what was taken up and what was passed over is written anew, so that the table holds what is.
        with self._lock:
            self._unwritten.update({each.agent: [] for each in kept})
        if found:
            held = sum(len(self._core.endpoint.bindings(agent)) for agent in {each.agent for each in kept})
            note("bindings_restored", phones=held, kept=len(kept))

    def keep(self) -> None:
        """Hand what changed since the last time to the thread."""
        changed = self._core.endpoint.changed_bindings()
        ahead = self._clock.wall() - self._clock.monotonic()
        with self._lock:
            self._unwritten.update(
                {AgentName(user): list(_kept(user, bindings, ahead)) for user, bindings in changed.items()}
            )
            waiting = bool(self._unwritten)
        if waiting:
            self._thread.submit(self._write)

    def _write(self) -> None:
        with self._lock:
            batch, self._unwritten = self._unwritten, {}
        try:
            self._store.replace(batch)
        except EngineError as error:
            # Tried again with the next second; a restart before that finds what was kept last.
            with self._lock:
                self._unwritten = {**batch, **self._unwritten}
            note("bindings_not_kept", level=logging.WARNING, agents=len(batch), code=error.code, reason=str(error))


def _kept(user: str, bindings: Iterable[Binding], ahead: float) -> Iterable[KeptBinding]:
    """`ahead` is what the time of day is more than the monotonic one."""
    for binding in bindings:
        if binding.outlives_us:
            flow = binding.flow
            yield KeptBinding(
                agent=AgentName(user),
                contact=str(binding.contact),
                transport=flow.transport.value,
                local_host=flow.local.host,
                local_port=flow.local.port,
                remote_host=flow.remote.host,
                remote_port=flow.remote.port,
                expires=binding.expires_at + ahead,
                registered=binding.registered_at + ahead,
                user_agent=binding.user_agent,
                instance=binding.instance,
                reg_id=binding.reg_id,
                q=binding.q,
                path=binding.path,
                call_id=binding.call_id,
                sequence=binding.sequence,
            )


def _restored(kept: KeptBinding, flow_by: FlowBy, behind: float) -> Binding | None:
    """The binding as it was, on the listener that we have now; None where there is none, or the row cannot be read."""
    try:
        contact, transport = parse_uri(kept.contact), Transport(kept.transport)
    except (RemoteSipError, LocalSipError, ValueError):
        return None
    local = Address(kept.local_host, kept.local_port)
    flow = flow_by(transport, local, Address(kept.remote_host, kept.remote_port))
    if flow is None:
        return None
    return Binding(
        user=kept.agent,
        contact=contact,
        flow=flow,
        expires_at=kept.expires + behind,
        user_agent=kept.user_agent,
        instance=kept.instance,
        registered_at=kept.registered + behind,
        reg_id=kept.reg_id,
        q=kept.q,
        path=kept.path,
        call_id=kept.call_id,
        sequence=kept.sequence,
    )
