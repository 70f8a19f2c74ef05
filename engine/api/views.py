"""What the API shows: plain values that the running engine fills in. The fields and their docs are the API's contract
(OpenAPI is made from them): add fields, do not rename or remove one.

Times of day are UTC seconds since the epoch; durations end in `_s` and are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.api.base_view import View
from engine.api.mixing_views import SupervisorView
from engine.api.trunk_views import TrunkView

__all__ = [
    "AgentView",
    "CallView",
    "CallerView",
    "EngineView",
    "MediaView",
    "MemberView",
    "PlaneView",
    "QueueView",
    "StatusView",
    "StoreView",
    "TrunkView",
    "View",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerView(View):
    """A caller who waits."""

    call: str
    caller: str
    display: str
    position: int
    """1 is next."""
    waited_s: float
    ringing: tuple[str, ...]
    """Agents who are being rung for this caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberView(View):
    """An agent in a queue."""

    queue: str
    agent: str
    penalty: int
    """Members with a lower penalty are asked first."""
    state: str
    """The agent's state."""
    resting: bool
    """Did not take an offer of this queue a moment ago; will be asked again soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView(View):
    """A queue: its settings and how it stands now."""

    name: str
    strategy: str
    ring_timeout_s: float
    retry_s: float
    wrap_up_s: float
    max_wait_s: float
    max_callers: int
    music: str
    rona_break: bool
    callers: tuple[CallerView, ...]
    """Who waits, next first."""
    members: tuple[MemberView, ...]
    idle: int
    """Members who could take a caller now."""
    talking: int
    """Calls of this queue that are up."""
    counters: Mapping[str, float]
    """Since the engine started: entered, connected, abandoned, ..."""
    record: bool = False
    """Its calls are recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingView(View):
    """A phone that is registered, by one of its ways."""

    contact: str
    source: str
    """"host:port" that the registration came from: where calls go."""
    transport: str
    user_agent: str
    expires_s: float
    """Until it is forgotten, where the phone does not come back."""
    q: float
    """The agent's preference, 0 to 1: greater ones ring first."""
    path: tuple[str, ...]
    """Proxies on the way to it, ours first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView(View):
    """An agent: settings, what the person chose, what the engine sees."""

    name: str
    display: str
    context: str
    status: str
    """Chosen: available, break, logged_out."""
    status_reason: str
    status_since: float
    """0 when it was never changed."""
    state: str
    """Seen: unreachable, idle, offered, ringing, in_call, wrap_up."""
    state_for_s: float
    call: str | None
    """The call that the agent is in, or that the phone rings for."""
    queues: tuple[str, ...]
    reachable: bool
    """A phone is registered."""
    contact: str
    source: str
    """"host:port" that the registration came from."""
    user_agent: str
    has_secret: bool
    """Without one no phone can register as this agent."""
    destinations: tuple[str, ...] = ()
    max_outbound: int = 0
    daily_spend: float = 0.0
    srtp: str = "off"
    codecs: tuple[str, ...] = ()
    record: bool = False
    spent_today: float = 0.0
    """What calls on trunks have cost today, by the price list."""
    bindings: tuple[BindingView, ...] = ()
    """Phones in the order in which they are called."""
    warnings: tuple[str, ...] = ()
    """What is wrong with the settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundView(View):
    """How one leg of a call sounds, as measured in the last seconds."""

    who: str
    """"agent:NAME" or "trunk:NAME"."""
    mos: float | None
    """Mean opinion score of what is heard of them (ITU-T G.107); null in the first seconds."""
    lost: int
    jitter_ms: float
    round_trip_ms: float | None
    level_dbm0: float | None
    """How loud they are; null where their sound is not decoded."""
    one_way: tuple[str, ...]
    """"in": nothing is heard of them now; "out": nothing reaches them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView(View):
    """A call that is up or being set up."""

    call: str
    direction: str
    phase: str
    """setup, waiting, ringing, talking, held, service; orphan: the engine was restarted during the call, and knows only
    that its people talk (`destination`: whose legs there are)."""
    origin: str
    """"agent:NAME" or "trunk:NAME"."""
    caller: str
    caller_display: str
    called: str
    destination: str
    """"queue:NAME", "echo", "announcement:FILE", "agent:NAME", "trunk:NAME/NUMBER", ..."""
    queue: str | None
    agent: str | None
    """The agent who talks, if any."""
    ringing: tuple[str, ...]
    """Who is being rung, as "agent:NAME" or "trunk:NAME"."""
    age_s: float
    answered_for_s: float | None
    """Since the caller's leg is up; null before."""
    talking_for_s: float | None
    """Since two people were put together; null before."""
    caller_codec: str = ""
    """What the caller's sound is coded in: "PCMA", "G722", "opus" (passed on undecoded); empty before the leg is up."""
    peer_codec: str = ""
    """The same of whoever talks to the caller."""
    session: str = ""
    """Name of the session from end to end (SIP Session-ID), where the caller's side told one."""
    diverted_from: str = ""
    """Number that forwarded the call last, where one did."""
    supervisors: tuple[SupervisorView, ...] = ()
    sound: tuple[SoundView, ...] = ()
    """Of each leg that is up."""
    recording: str = ""
    """"on", "paused", or "waiting" while its parties are asked for a codec that can be decoded; empty while it is not
    recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneView(View):
    """One media process, as it told about a second ago."""

    plane: int
    """Its number, from 0."""
    up: bool
    state: str
    """"ready", "down", "draining" (gets no new legs), or "busy: ..." with what it has too much of."""
    pid: int
    """0, like all the numbers, while none is connected."""
    port_min: int
    port_max: int
    legs: int
    relayed_edges: int
    mixed_legs: int
    tick_p50_ms: float
    tick_p99_ms: float
    """Processor time that a tick takes; there are 20 ms."""
    lateness_p50_ms: float
    lateness_p999_ms: float
    lateness_max_ms: float
    packets_received: int
    packets_sent: int
    ports_taken: int
    cpu_s: float
    cpu_share: float
    """Of one core, over the last seconds."""
    collections: int
    """Runs of the garbage collector while legs were open: none, unless something leaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaView(View):
    """The media processes together, as they told about a second ago: sums, and the worst of times."""

    up: bool
    """At least one is connected."""
    pid: int
    """Of the first that is connected; 0, like all the numbers, while none is."""
    port_min: int
    port_max: int
    legs: int
    relayed_edges: int
    mixed_legs: int
    lateness_p50_ms: float
    lateness_p999_ms: float
    lateness_max_ms: float
    packets_received: int
    packets_sent: int
    ports_taken: int
    """Ports of the range that other programs hold."""
    cpu_s: float
    planes: tuple[PlaneView, ...] = ()
    """Each of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreView(View):
    """How the event writer does."""

    degraded: bool
    pending: int
    """Records that wait for the disk."""
    oldest_s: float
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineView(View):
    """The engine itself."""

    version: str
    started: float
    draining: bool
    """Told to stop: takes no new calls, lets live ones go on."""
    reasons: tuple[str, ...]
    """Why it should get no calls now: "draining", "media down", "store degraded: ...". Empty when it is ready."""
    last_seq: int
    """Number of the last record of the event log."""
    store: StoreView


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView(View):
    """Everything at once, for `hearthline status` and wallboards."""

    engine: EngineView
    queues: tuple[QueueView, ...]
    agents: tuple[AgentView, ...]
    calls: tuple[CallView, ...]
    trunks: tuple[TrunkView, ...]
    media: MediaView
