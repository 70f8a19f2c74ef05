"""The running engine as the API sees it: `engine.api.ports.Centre`.

What is asked from memory is answered at once. What changes agents, queues or trunks is written to the store first, on a
thread of its own, and then handed to the core as one input, so that both always hold the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from engine.api.guard_views import GuardView
from engine.api.mixing_views import ConferenceView, SupervisorView
from engine.api.ports import Kind, Page, WriteMode
from engine.api.recording_views import RecordingView
from engine.api.trunk_views import GroupView
from engine.api.views import AgentView, CallView, EngineView, MediaView, MemberView, QueueView, StoreView, TrunkView
from engine.app import views
from engine.app.certificate_watch import CertificateWatch
from engine.app.core import Core
from engine.app.logs import note
from engine.app.media_views import media_view
from engine.app.queue_log_file import QueueLogFile
from engine.app.recording_files import recordings
from engine.app.trace_centre import TraceCentre
from engine.app.trunk_warnings import trunk_warnings
from engine.app.version import VERSION
from engine.calls.directory import AgentStatus, Change
from engine.calls.recordings import RecordingAction, RecordingState
from engine.calls.supervision import SupervisionMode
from engine.calls.trunk_watch import TrunkHealth
from engine.clock import Clock
from engine.errors import InvalidRequest, NotFound
from engine.ids import AgentName, CallId
from engine.metrics.metrics import MetricSet
from engine.net.driver import Driver
from engine.net.listen import Listen
from engine.store.directory_store import DirectoryStore
from engine.store.reader import CdrFilter, HistoryReader
from engine.store.writer import EventWriter, WriterHealth

_T = TypeVar("_T")

_LOOK_S: Final = 0.05
_LOOKS: Final = 100
"""So often who wants a call recorded looks whether its parties have answered: for 5 s."""


@dataclass(slots=True, kw_only=True)
class RunningCentre(TraceCentre):
    """See the module."""

    core: Core
    driver: Driver
    clock: Clock
    realm: str
    metrics: MetricSet
    certificates: CertificateWatch
    listeners: Sequence[Listen]
    writer: EventWriter
    history: HistoryReader
    directory_store: DirectoryStore
    store_thread: ThreadPoolExecutor
    queue_log_file: QueueLogFile
    last_seq: Callable[[], int]
    started: float
    """Seconds since the epoch."""
    draining: bool = False

    # --- from memory ---

    def engine(self) -> EngineView:
        state = self.writer.state()
        degraded = state.health is WriterHealth.DEGRADED
        reasons = []
        if self.draining:
            reasons.append("draining")
        if not self.core.media.ready():
            reasons.append("media down")
        if degraded:
            why = state.last_error or f"it has not answered for {state.oldest_s:.0f} s"
            reasons.append(f"store degraded: {state.pending} records wait for the disk: {why}")
        return EngineView(
            version=VERSION,
            started=self.started,
            draining=self.draining,
            reasons=tuple(reasons),
            last_seq=self.last_seq(),
            store=StoreView(
                degraded=degraded, pending=state.pending, oldest_s=state.oldest_s, last_error=state.last_error
            ),
        )

    def queues(self) -> Sequence[QueueView]:
        return list(views.queue_views(self.core, self.clock.monotonic()))

    def queue(self, name: str) -> QueueView:
        return _one(self.queues(), lambda view: view.name == name, f"queue {name!r}")

    def agents(self) -> Sequence[AgentView]:
        return list(views.agent_views(self.core, self.clock.monotonic()))

    def agent(self, name: str) -> AgentView:
        return _one(self.agents(), lambda view: view.name == name, f"agent {name!r}")

    def members(self) -> Sequence[MemberView]:
        return [member for queue in self.queues() for member in queue.members]

    def member(self, queue: str, agent: str) -> MemberView:
        return _one(self.queue(queue).members, lambda view: view.agent == agent, f"member {queue}/{agent}")

    def trunks(self) -> Sequence[TrunkView]:
        found = sorted(self.core.legs.trunks(), key=lambda health: health.trunk.name)
        return [self._trunk_view(health, self.clock.monotonic()) for health in found]

    def _trunk_view(self, health: TrunkHealth, now: float) -> TrunkView:
        calls, name = self.core.calls, health.trunk.name
        registration = self.core.legs.registrations.state(name)
        warnings = trunk_warnings(health.trunk, self.listeners)
        return views.trunk_view(health, calls.line(name), calls.spent(f"trunk:{name}", now), registration, warnings)

    def trunk(self, name: str) -> TrunkView:
        return _one(self.trunks(), lambda view: view.name == name, f"trunk {name!r}")

    def groups(self) -> Sequence[GroupView]:
        found = sorted(self.core.directory.groups.values(), key=lambda group: group.name)
        return [GroupView(name=group.name, members=group.members) for group in found]

    def group(self, name: str) -> GroupView:
        return _one(self.groups(), lambda view: view.name == name, f"group {name!r}")

    def calls(self) -> Sequence[CallView]:
        now = self.clock.monotonic()
        kept = self.core.calls.recordings
        orphans = (views.orphan_view(call, kept.state(CallId(call.call)), now) for call in self.core.orphans.calls())
        return [*orphans, *(views.call_view(call, now) for call in self.core.calls.snapshot())]

    def call(self, call: str) -> CallView:
        return _one(self.calls(), lambda view: view.call == call, f"live call {call!r}")

    def conferences(self) -> Sequence[ConferenceView]:
        return [self.conference(name) for name in self.core.calls.conferences.names()]

    def conference(self, name: str) -> ConferenceView:
        return views.conference_view(name, self.core.calls.conferences.members(name), self.clock.monotonic())

    def supervisors(self, call: str) -> Sequence[SupervisorView]:
        return self.call(call).supervisors

    def media(self) -> MediaView:
        return media_view(self.core.media)

    def guard(self) -> GuardView:
        return views.guard_view(self.core, self.clock.monotonic())

    def metrics_text(self) -> bytes:
        return self.metrics.render()

    # --- commands ---

    async def write(self, kind: Kind, name: str, values: Mapping[str, object], mode: WriteMode, by: str) -> None:
        put = await self._on_store(partial(self.directory_store.write, kind, name, values, mode))
        self._change(put, by)

    async def drop(self, kind: Kind, name: str, by: str) -> None:
        dropped = await self._on_store(partial(self.directory_store.drop, kind, name))
        self._change(dropped, by)

    async def rotate_secret(self, agent: str, by: str) -> str:
        made = await self._on_store(partial(self.directory_store.rotate_secret, agent, self.realm))
        self._change(made.change, by)
        return made.secret

    async def set_status(self, agent: str, status: AgentStatus, reason: str, by: str) -> None:
        name = AgentName(agent)
        if name not in self.core.directory.agents:
            raise NotFound(f"no agent {agent!r}")
        if len(reason) > 128 or not reason.isprintable():
            raise InvalidRequest("reason: at most 128 printable characters are allowed")
        if status is AgentStatus.LOGGED_OUT:
            self._run(lambda now: self.core.acd.log_out(name, reason, by, now))
        else:
            available = status is AgentStatus.AVAILABLE
            self._run(lambda now: self.core.acd.set_status(name, available, reason, by, now))

    async def hang_up(self, call: str, by: str) -> None:
        self._run(lambda now: self.core.hang_up(CallId(call), by, now))

    async def mute(self, conference: str, call: str, muted: bool, by: str) -> None:
        self._run(lambda now: self.core.calls.conferences.mute(conference, CallId(call), muted, now, by))

    async def kick(self, conference: str, call: str, by: str) -> None:
        self._run(lambda now: self.core.calls.conferences.kick(conference, CallId(call), now))

    async def supervise(self, call: str, agent: str, mode: SupervisionMode, by: str) -> None:
        supervisors, name = self.core.calls.supervisors, AgentName(agent)
        self._run(lambda now: supervisors.supervise(CallId(call), name, mode, now, by))

    async def dismiss(self, call: str, agent: str, by: str) -> None:
        self._run(lambda now: self.core.calls.supervisors.dismiss(CallId(call), AgentName(agent), now))

    async def record(self, call: str, action: RecordingAction, by: str) -> None:
        name, kept = CallId(call), self.core.calls.recordings
        self._run(lambda now: kept.act(name, action, by, now))
        if action is RecordingAction.START:
            await self._codecs_taken(name)

    async def _codecs_taken(self, call: CallId) -> None:
        """The parties of a call that is to be recorded are asked for another codec: say what came of it."""
        kept = self.core.calls.recordings
        for _ in range(_LOOKS):
            if kept.state(call) is not RecordingState.WAITING:
                break
            await asyncio.sleep(_LOOK_S)
        if refusal := kept.refusal(call):
            raise InvalidRequest(f"call {call} cannot be recorded: {refusal}")

    def reload(self) -> Mapping[str, float]:
        return self.certificates.reload()

    async def drain_media(self, plane: int, *, move: bool) -> int:
        if plane not in range(len(self.core.media.planes)):
            raise NotFound(f"no media process {plane}; they are numbered from 0")
        note("media_draining", plane=plane, move=move)
        self._run(lambda now: self.core.media.drain(plane, move=move))
        return self.core.media.planes[plane].load.legs

    async def unban(self, address: str, user: str, by: str) -> None:
        self.driver.command(lambda now: self.core.unban(address, user, by, now))

    # --- history ---

    async def recordings(self, limit: int, call: str) -> Sequence[RecordingView]:
        directory = Path(self.core.calls.recordings.rules.directory)
        found = await asyncio.get_running_loop().run_in_executor(
            None, partial(recordings, directory, limit=limit, of=call)
        )
        return [RecordingView(**asdict(file)) for file in found]

    async def cdrs(
        self,
        *,
        after: str | None,
        limit: int,
        queue: str | None,
        agent: str | None,
        direction: str | None,
        outcome: str | None,
        since: float | None,
        until: float | None,
    ) -> Page:
        wanted = CdrFilter(queue=queue, agent=agent, direction=direction, outcome=outcome, since=since, until=until)
        return await self.history.cdrs(after=after, limit=limit, wanted=wanted)

    async def cdr(self, call: str) -> str:
        return await self.history.cdr(call)

    async def events(self, *, after: int, limit: int, type_: str | None, call: str | None) -> Page:
        return await self.history.events(after=after, limit=limit, type_=type_, call=call)

    async def queue_log(self, limit: int) -> Sequence[str]:
        return self.queue_log_file.last(limit)

    # --- inside ---

    async def _on_store(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self.store_thread, work)

    def _change(self, change: Change, by: str) -> None:
        self.driver.command(lambda now: self.core.change_directory(change, by, now))

    def _run(self, carry_out: Callable[[float], _T]) -> _T:
        return self.driver.command(lambda now: self.core.command(carry_out, now))


_V = TypeVar("_V")


def _one(found: Sequence[_V], wanted: Callable[[_V], bool], what: str) -> _V:
    for view in found:
        if wanted(view):
            return view
    raise NotFound(f"no {what}")
