"""A running engine as the API sees it, in memory: it keeps what is written and notes what it was told to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

from engine.api.guard_views import BanView, GuardView
from engine.api.mixing_views import ConferenceMemberView, ConferenceView, SupervisorView
from engine.api.ports import Kind, TraceOf, WriteMode
from engine.api.recording_views import RecordingView
from engine.api.trace_views import SipMessageView, TracedCallView, TraceView
from engine.api.trunk_views import GroupView
from engine.api.views import (
    AgentView,
    CallView,
    EngineView,
    MediaView,
    MemberView,
    QueueView,
    StoreView,
    TrunkView,
    View,
)
from engine.calls.directory import AgentStatus
from engine.calls.recordings import RecordingAction
from engine.calls.supervision import SupervisionMode
from engine.errors import AlreadyExists, EngineError, NotFound

V = TypeVar("V", bound=View)

RECORDING = RecordingView(
    path="2026/11/22/101500-c1.flac",
    recording="c1",
    state="finished",
    format="flac",
    encrypted=False,
    octets=4000,
    changed=1000.0,
)
SALES = QueueView(
    name="sales",
    strategy="longest-idle",
    ring_timeout_s=15.0,
    retry_s=5.0,
    wrap_up_s=10.0,
    max_wait_s=0.0,
    max_callers=0,
    music="",
    rona_break=True,
    callers=(),
    members=(),
    idle=0,
    talking=0,
    counters={"entered": 3, "hold_s": 1.5},
)
TEAM = ConferenceView(
    name="team",
    members=(
        ConferenceMemberView(
            call="c1",
            who="agent:anna",
            caller="anna",
            caller_display="",
            muted=False,
            holding=False,
            joined_for_s=2.0,
        ),
    ),
)
ANNA = AgentView(
    name="anna",
    display="",
    context="agents",
    status="available",
    status_reason="",
    status_since=0.0,
    state="idle",
    state_for_s=1.0,
    call=None,
    queues=("sales",),
    reachable=True,
    contact="sip:anna@192.0.2.1",
    source="192.0.2.1:5060",
    user_agent="phone",
    has_secret=True,
)
PBX = TrunkView(
    name="pbx",
    host="192.0.2.10",
    port=5060,
    transport="udp",
    tls_name="",
    addresses=(),
    match_port=False,
    context="from-trunk",
    ping_s=30.0,
    up=True,
    detail="2 ms",
)
OUT = GroupView(name="out", members=("pbx:1:1",))
ANNA_IN_SALES = MemberView(queue="sales", agent="anna", penalty=0, state="idle", resting=False)
CALL = CallView(
    call="c1",
    direction="inbound",
    phase="talking",
    origin="trunk:pbx",
    caller="+4930123",
    caller_display="",
    called="4000",
    destination="queue:sales",
    queue="sales",
    agent="anna",
    ringing=(),
    age_s=12.0,
    answered_for_s=11.0,
    talking_for_s=None,
)
MEDIA = MediaView(
    up=True,
    pid=4711,
    port_min=20002,
    port_max=29998,
    legs=2,
    relayed_edges=2,
    mixed_legs=0,
    lateness_p50_ms=0.1,
    lateness_p999_ms=0.9,
    lateness_max_ms=1.2,
    packets_received=10,
    packets_sent=10,
    ports_taken=0,
    cpu_s=0.5,
)
GUARD = GuardView(
    enabled=True,
    dropped={"unknown": 7},
    bans=(BanView(address="192.0.2.66", user="", reason="flood", times=2, left_s=60.0),),
)
TRACED = TracedCallView(
    call="c1", at=1_790_000_000.0, origin="trunk:pbx", caller="+4930123", called="4000", ended="", call_ids=("a", "b")
)
TRACE = TraceView(
    cut=False,
    messages=(
        SipMessageView(
            at=1_790_000_000.0,
            way="in",
            transport="UDP",
            local="192.0.2.1:5060",
            remote="192.0.2.10:5060",
            call_id="a",
            title="INVITE 1",
            sdp="",
            again=False,
            text="INVITE",
        ),
    ),
)
ENGINE = EngineView(
    version="1.2.3",
    started=1_790_000_000.0,
    draining=False,
    reasons=(),
    last_seq=41,
    store=StoreView(degraded=False, pending=0, oldest_s=0.0, last_error=""),
)
_BLANK: dict[Kind, View] = {"agent": ANNA, "queue": SALES, "trunk": PBX, "member": ANNA_IN_SALES, "group": OUT}


@dataclass(frozen=True, slots=True)
class FakePage:
    items: tuple[str, ...]
    next: str | None = None


@dataclass(slots=True)
class FakeCentre:
    """Fulfils `engine.api.ports.Centre`. With `trouble` set, every command and every read of history raises it."""

    things: dict[tuple[Kind, str], View] = field(
        default_factory=lambda: {
            ("agent", "anna"): ANNA,
            ("queue", "sales"): SALES,
            ("trunk", "pbx"): PBX,
            ("member", "sales/anna"): ANNA_IN_SALES,
            ("group", "out"): OUT,
        }
    )
    live: dict[str, CallView] = field(default_factory=lambda: {"c1": CALL})
    engine_view: EngineView = ENGINE
    done: list[tuple[object, ...]] = field(default_factory=list)
    asked: list[dict[str, object]] = field(default_factory=list)
    stored: list[tuple[int, str]] = field(default_factory=list)
    """Events in the store: number and JSON."""
    trouble: Exception | None = None

    def engine(self) -> EngineView:
        return self.engine_view

    def media(self) -> MediaView:
        return MEDIA

    def guard(self) -> GuardView:
        return GUARD

    def traced_calls(self) -> list[TracedCallView]:
        return [TRACED]

    async def trace(self, of: TraceOf, name: str) -> TraceView:
        self._traced(of, name)
        return TRACE

    async def trace_text(self, of: TraceOf, name: str, full: bool) -> str:
        self._traced(of, name)
        return f"ladder of {of} {name}{' in full' if full else ''}\n"

    async def trace_pcap(self, of: TraceOf, name: str) -> bytes:
        self._traced(of, name)
        return b"\xd4\xc3\xb2\xa1"

    def _traced(self, of: TraceOf, name: str) -> None:
        if (of, name) not in {("call", "c1"), ("call", "a/b@192.0.2.1"), ("agent", "anna"), ("strangers", "")}:
            raise NotFound(f"no {of} {name!r}")

    def metrics_text(self) -> bytes:
        return b"# TYPE hearthline_calls_active gauge\nhearthline_calls_active 1.0\n"

    def _all(self, kind: type[V]) -> list[V]:
        return [thing for thing in self.things.values() if isinstance(thing, kind)]

    def _one(self, kind: type[V], of: Kind, name: str) -> V:
        thing = self.things.get((of, name))
        if not isinstance(thing, kind):
            raise NotFound(f"no {of} {name!r}")
        return thing

    def queues(self) -> Sequence[QueueView]:
        return self._all(QueueView)

    def queue(self, name: str) -> QueueView:
        return self._one(QueueView, "queue", name)

    def agents(self) -> Sequence[AgentView]:
        return self._all(AgentView)

    def agent(self, name: str) -> AgentView:
        return self._one(AgentView, "agent", name)

    def members(self) -> Sequence[MemberView]:
        return self._all(MemberView)

    def member(self, queue: str, agent: str) -> MemberView:
        return self._one(MemberView, "member", f"{queue}/{agent}")

    def trunks(self) -> Sequence[TrunkView]:
        return self._all(TrunkView)

    def trunk(self, name: str) -> TrunkView:
        return self._one(TrunkView, "trunk", name)

    def groups(self) -> Sequence[GroupView]:
        return self._all(GroupView)

    def group(self, name: str) -> GroupView:
        return self._one(GroupView, "group", name)

    def calls(self) -> Sequence[CallView]:
        return list(self.live.values())

    def call(self, call: str) -> CallView:
        if call not in self.live:
            raise NotFound(f"no call {call!r}")
        return self.live[call]

    def conferences(self) -> Sequence[ConferenceView]:
        return [TEAM]

    def conference(self, name: str) -> ConferenceView:
        if name != TEAM.name:
            raise NotFound(f"nobody is in a conference {name!r}")
        return TEAM

    def supervisors(self, call: str) -> Sequence[SupervisorView]:
        return self.call(call).supervisors

    async def mute(self, conference: str, call: str, muted: bool, by: str) -> None:
        self._note("mute", self.conference(conference).name, call, muted, by)

    async def kick(self, conference: str, call: str, by: str) -> None:
        self._note("kick", self.conference(conference).name, call, by)

    async def supervise(self, call: str, agent: str, mode: SupervisionMode, by: str) -> None:
        self._note("supervise", call, agent, mode.value, by)
        shown = SupervisorView(agent=agent, mode=mode.value, call="s1", up=False)
        self.live[call] = replace(self.call(call), supervisors=(shown,))

    async def dismiss(self, call: str, agent: str, by: str) -> None:
        self._note("dismiss", self.call(call).call, agent, by)

    def _note(self, *what: object) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.done.append(what)

    async def write(self, kind: Kind, name: str, values: Mapping[str, object], mode: WriteMode, by: str) -> None:
        self._note("write", kind, name, dict(values), mode, by)
        old = self.things.get((kind, name))
        if mode == "create" and old is not None:
            raise AlreadyExists(f"{kind} {name!r} exists already")
        if mode == "update" and old is None:
            raise NotFound(f"no {kind} {name!r}")
        base = old if old is not None else _BLANK[kind]
        names = {f.name for f in fields(base)}
        key = dict(zip(("queue", "agent"), name.split("/"), strict=True)) if kind == "member" else {"name": name}
        plain = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        if plain.pop("secret", None):
            plain["has_secret"] = True
        assert plain.keys() <= names
        self.things[kind, name] = replace(base, **key, **plain)

    async def drop(self, kind: Kind, name: str, by: str) -> None:
        self._note("drop", kind, name, by)
        if self.things.pop((kind, name), None) is None:
            raise NotFound(f"no {kind} {name!r}")

    async def rotate_secret(self, agent: str, by: str) -> str:
        self._note("rotate_secret", agent, by)
        self.agent(agent)
        return f"secret-of-{agent}"

    async def set_status(self, agent: str, status: AgentStatus, reason: str, by: str) -> None:
        self._note("set_status", agent, status, reason, by)
        self.things["agent", agent] = replace(self.agent(agent), status=status.value, status_reason=reason)

    def reload(self) -> Mapping[str, float]:
        if self.trouble is not None:
            raise self.trouble
        return {"b.pem": 2.0, "a.pem": 1.0}

    async def hang_up(self, call: str, by: str) -> None:
        self._note("hang_up", self.call(call).call, by)

    async def drain_media(self, plane: int, *, move: bool) -> int:
        if plane:
            raise NotFound(f"no media process {plane}")
        self._note("drain_media", plane, move)
        return 2

    async def record(self, call: str, action: RecordingAction, by: str) -> None:
        self._note("record", self.call(call).call, action.value, by)

    async def recordings(self, limit: int, call: str) -> Sequence[RecordingView]:
        self._note("recordings", str(limit), call)
        return [RECORDING]

    async def unban(self, address: str, user: str, by: str) -> None:
        self._note("unban", address, user, by)
        if (address, user) not in {(ban.address, ban.user) for ban in GUARD.bans}:
            raise NotFound(f"no ban of {address}")

    async def cdrs(self, **query: object) -> FakePage:
        self._read("cdrs", query)
        return FakePage(('{"call":"c1"}', '{"call":"c0"}'), "5.0:c0")

    async def cdr(self, call: str) -> str:
        self._read("cdr", {"call": call})
        if call != "c1":
            raise NotFound(f"no CDR of call {call!r}")
        return '{"call":"c1"}'

    async def events(self, *, after: int, limit: int, type_: str | None, call: str | None) -> FakePage:
        self._read("events", {"after": after, "limit": limit, "type_": type_, "call": call})
        return FakePage(tuple(text for seq, text in self.stored if seq > after)[:limit])

    async def queue_log(self, limit: int) -> Sequence[str]:
        self._read("queue_log", {"limit": limit})
        return ["1790000000|NONE|NONE|NONE|QUEUESTART|", "1790000001|c1|sales|NONE|ENTERQUEUE||+4930123|1"]

    def _read(self, what: str, query: dict[str, object]) -> None:
        if isinstance(self.trouble, EngineError):
            raise self.trouble
        self.asked.append({"what": what, **query})
