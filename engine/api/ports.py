"""What the API asks of the running engine, as a protocol that `engine.app` implements.

All methods are called on the event loop. Those that are not `async` answer from memory at once; those that are may go
to the store, and do so off the loop. Names that do not exist raise NotFound, input that cannot be used InvalidRequest,
a store that cannot be written Unavailable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from engine.api.guard_views import GuardView
from engine.api.mixing_views import ConferenceView, SupervisorView
from engine.api.recording_views import RecordingView
from engine.api.trace_views import TracedCallView, TraceView
from engine.api.trunk_views import GroupView
from engine.api.views import AgentView, CallView, EngineView, MediaView, MemberView, QueueView, TrunkView
from engine.calls.directory import AgentStatus
from engine.calls.recordings import RecordingAction
from engine.calls.supervision import SupervisionMode

Kind = Literal["agent", "queue", "member", "trunk", "group"]
"""As in `DirectoryChanged.kind`; a member's name is "QUEUE/AGENT"."""

TraceOf = Literal["call", "agent", "strangers"]

WriteMode = Literal["create", "replace", "update"]
"""create: AlreadyExists when it is there. update: NotFound when it is not, what is not given stays. replace: made or
replaced; settings not given take their defaults, an agent keeps its secret and status."""


class Page(Protocol):
    """Some rows, each a JSON object as text, and where the next page begins."""

    @property
    def items(self) -> Sequence[str]: ...

    @property
    def next(self) -> str | None:
        """Give this as `after` to go on; None when there is no more now."""
        ...


class Centre(Protocol):
    """The running engine."""

    # --- from memory ---

    def engine(self) -> EngineView: ...

    def queues(self) -> Sequence[QueueView]: ...

    def queue(self, name: str) -> QueueView: ...

    def agents(self) -> Sequence[AgentView]: ...

    def agent(self, name: str) -> AgentView: ...

    def members(self) -> Sequence[MemberView]: ...

    def member(self, queue: str, agent: str) -> MemberView: ...

    def trunks(self) -> Sequence[TrunkView]: ...

    def trunk(self, name: str) -> TrunkView: ...

    def groups(self) -> Sequence[GroupView]: ...

    def group(self, name: str) -> GroupView: ...

    def calls(self) -> Sequence[CallView]: ...

    def call(self, call: str) -> CallView: ...

    def conferences(self) -> Sequence[ConferenceView]: ...

    def conference(self, name: str) -> ConferenceView: ...

    def supervisors(self, call: str) -> Sequence[SupervisorView]: ...

    def media(self) -> MediaView: ...

    def guard(self) -> GuardView: ...

    def traced_calls(self) -> Sequence[TracedCallView]:
        """The last calls whose SIP messages are kept. Raises Unavailable where none are, by configuration; so do the
        following."""
        ...

    async def trace(self, of: TraceOf, name: str) -> TraceView:
        """The SIP messages of a call (its name, the beginning of that, or a SIP Call-ID), of an agent's registrations,
        or of strangers (no name). Raises NotFound; so do the following."""
        ...

    async def trace_text(self, of: TraceOf, name: str, full: bool) -> str: ...

    async def trace_pcap(self, of: TraceOf, name: str) -> bytes: ...

    def metrics_text(self) -> bytes:
        """The page for Prometheus, text format 0.0.4."""
        ...

    # --- commands ---

    async def write(self, kind: Kind, name: str, values: Mapping[str, object], mode: WriteMode, by: str) -> None:
        """Store these settings and hand the change to the core; when it returns, both have it."""
        ...

    async def drop(self, kind: Kind, name: str, by: str) -> None:
        """Remove it, and with an agent or queue its memberships."""
        ...

    async def rotate_secret(self, agent: str, by: str) -> str:
        """Make a new SIP secret; the old one is void at once. What is returned is shown once and kept nowhere."""
        ...

    async def set_status(self, agent: str, status: AgentStatus, reason: str, by: str) -> None: ...

    async def hang_up(self, call: str, by: str) -> None:
        """End a call with Reason.OPERATOR. Returns once it was told to; the legs end a round trip later."""
        ...

    async def mute(self, conference: str, call: str, muted: bool, by: str) -> None:
        """Let the others in a conference hear a member no more, or again."""
        ...

    async def kick(self, conference: str, call: str, by: str) -> None:
        """End the call of a member of a conference."""
        ...

    async def supervise(self, call: str, agent: str, mode: SupervisionMode, by: str) -> None:
        """Let this agent hear a live call: its phone is called, or the mode changed where it hears the call already.
        Raises AlreadyExists where it supervises another one."""
        ...

    async def dismiss(self, call: str, agent: str, by: str) -> None:
        """Hang up the phone of a supervisor of a call."""
        ...

    async def record(self, call: str, action: RecordingAction, by: str) -> None:
        """Do this about the recording of a live call. Raises InvalidRequest where it cannot be."""
        ...

    def reload(self) -> Mapping[str, float]:
        """Take the certificates of TLS from their files anew; the end of each, in seconds since the epoch. Raises
        ConfigError where one cannot be used; those before stay then."""
        ...

    async def drain_media(self, plane: int, *, move: bool) -> int:
        """Give a media process no new legs; how many it has. Raises NotFound."""
        ...

    async def unban(self, address: str, user: str, by: str) -> None:
        """Lift a ban of an address, or of one user name there. Raises NotFound where there is none."""
        ...

    # --- history ---

    async def recordings(self, limit: int, call: str) -> Sequence[RecordingView]:
        """Files of recordings, the latest first; of one call, or of all ("")."""
        ...

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
        """CDRs that ended last first, at most `limit` (500)."""
        ...

    async def cdr(self, call: str) -> str:
        """One CDR as a JSON object."""
        ...

    async def events(self, *, after: int, limit: int, type_: str | None, call: str | None) -> Page:
        """Records of the log after number `after`, in order, at most `limit` (500)."""
        ...

    async def queue_log(self, limit: int) -> Sequence[str]:
        """The last lines of the queue_log, oldest first."""
        ...
