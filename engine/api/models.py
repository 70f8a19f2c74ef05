"""What clients send, and the frames around what they get. Unknown fields are refused: a typing error must not pass as
"left as it was". Ranges are checked by the store, for the command line and the API alike."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from engine.api.views import AgentView
from engine.calls.directory import AgentStatus, StrategyName

T = TypeVar("T")


class Body(BaseModel):
    """Base of request bodies."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    @field_validator("*")
    @classmethod
    def _is_text(cls, value: object) -> object:
        """JSON can write half of a surrogate pair, which no database, log or file takes."""
        for each in value if isinstance(value, list) else (value,):
            if isinstance(each, str) and any("\ud800" <= character <= "\udfff" for character in each):
                raise ValueError("half of a surrogate pair is no character")
        return value

    def given(self) -> dict[str, object]:
        """The settings that were sent, but not the name of the thing."""
        return self.model_dump(exclude_unset=True, exclude={"name", "queue", "agent"})


class AgentSettings(Body):
    display: str = ""
    context: str = "agents"
    """Dialplan context that this agent's own calls enter."""
    destinations: list[str] = []
    """Numbers that this agent may call on trunks, by their beginnings: "0049", "+44", "all", with "!" before it to
    forbid; the longest that fits decides. Empty: whatever the context allows, except foreign countries."""
    max_outbound: int = 0
    """Calls of this agent on trunks at once; 0 means no bound."""
    daily_spend: float = 0.0
    """What this agent's calls on trunks may cost a day; 0 means no bound."""
    srtp: str = "off"
    """Whether the sound of the agent's phones is encrypted: "off", "optional", or "required"."""
    codecs: list[str] = []
    """Codecs that the agent's phones may have, best first, by the words of `media.codecs` in the configuration; empty:
    those."""
    record: bool = False
    """Record the calls of this agent."""


class NewAgent(AgentSettings):
    name: str
    """[a-z0-9._-]{1,64}; the user part that the phone registers."""


class QueueSettings(Body):
    strategy: StrategyName = Field(StrategyName.LONGEST_IDLE, strict=False)
    ring_timeout_s: float = 15.0
    """How long one offer rings before it counts as no answer; 1 to 600."""
    retry_s: float = 5.0
    """Rest after a round of offers that nobody took; 0 to 600."""
    wrap_up_s: float = 10.0
    """Time after a call in which the agent gets no new one; 0 to 3600."""
    max_wait_s: float = 0.0
    """After this wait the caller is let go; 0 means never."""
    max_callers: int = 0
    """Callers waiting at once; a further one is refused with 486. 0 means no bound."""
    music: str = ""
    """Music for those who wait: a name in `[sounds] music`, or a sound file; empty means the engine's own."""
    rona_break: bool = True
    """Set an agent who does not answer to a break."""
    record: bool = False
    """Record its calls, from the agent's answer on."""


class NewQueue(QueueSettings):
    name: str
    """[a-z0-9._-]{1,64}."""


class MemberSettings(Body):
    penalty: int = 0
    """0 to 1000; members with a lower penalty are asked first."""


class NewMember(MemberSettings):
    queue: str
    agent: str


class StatusChange(Body):
    status: AgentStatus = Field(strict=False)
    reason: str = Field("", max_length=128)
    """A person's word, such as "lunch"."""


class Unban(Body):
    address: str = Field(max_length=64)
    """As `GET /api/v1/guard` shows it."""
    user: str = Field("", max_length=64)
    """For a ban of one user name only."""


class Drain(Body):
    move: bool = False
    """Ask the phones of its calls to send to another media process."""


# --- answers ---


class Draining(BaseModel):
    legs: int
    """That it has still."""


class Certificate(BaseModel):
    file: str
    ends: float
    """Seconds since the epoch, UTC."""


class Reloaded(BaseModel):
    certificates: list[Certificate]
    """In use from now on."""


class Items(BaseModel, Generic[T]):
    """All of them."""

    items: list[T]


class PageOf(BaseModel, Generic[T]):
    """One page."""

    items: list[T]
    next: str | None = Field(description="Give this as `after` to go on; null when there is no more now.")


class CreatedAgent(BaseModel):
    agent: AgentView
    secret: str = Field(description="The phone's password. Shown now and never again.")


class Secret(BaseModel):
    agent: str
    secret: str = Field(description="The phone's password. Shown now and never again.")


class LegQuality(BaseModel):
    """What was measured on one leg."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    leg: str
    packets_received: int
    packets_sent: int
    lost: int
    jitter_ms: float
    remote_lost: int | None
    round_trip_ms: float | None
    codec: str = ""
    """What its sound was coded in at last: "PCMA", "G722", "opus"; empty in rows of earlier versions."""
    who: str = ""
    """"agent:NAME" or "trunk:NAME"."""
    discarded: int = 0
    """Packets that came too late to be played."""
    concealed_ms: int = 0
    """Sound that was made up for what did not come."""
    unauthentic: int = 0
    """Packets of an encrypted leg that were not the peer's."""
    mos: float | None = None
    """Mean opinion score of what was heard, by ITU-T G.107; null of a call too short."""
    mos_worst: float | None = None
    """Over some seconds."""
    level_dbm0: float | None = None
    """How loud the peer was at the end; null where its sound was not decoded."""
    one_way: str = ""
    """Ways in which nothing passed for a while: "in" (nothing was heard of the peer), "out" or "in out"."""


class CdrRow(BaseModel):
    """One call that is over."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    call: str
    protocol_id: str
    direction: str
    origin: str
    context: str
    caller: str
    caller_display: str
    called: str
    destination: str
    queue: str | None
    agent: str | None
    peer: str
    started: float
    answered: float | None
    connected: float | None
    ended: float
    waited_s: float
    talked_s: float
    total_s: float
    outcome: str
    """success, client, server, upstream, indeterminate: whose doing the end was."""
    reason: str
    sip_code: int | None
    ended_by: str
    caller_quality: LegQuality | None
    peer_quality: LegQuality | None
    tried: str = ""
    """Trunks that did not carry the call, in order, with why."""
    cost: float = 0.0
    """By the price list, on a trunk."""
    transferred_by: str = ""
    """Who put the call through to somebody else last: "agent:NAME" or "trunk:NAME"; empty where nobody did."""
    transferred_to: str = ""
    """Whereto: the number that was dialled, or with whom an attended transfer joined the caller."""
    session: str
    """Name of the session from end to end (SIP Session-ID), where the caller's side told one."""
    diverted_from: str
    """Number that forwarded the call last, where one did."""
    user_to_user: str
    q850: int | None
    """The end in the telephone network's words (ITU-T Q.850)."""
    recording: str = ""
    """Paths of the recordings, with commas between; empty where there are none."""
    recording_gaps: int = 0
    """Times that the disk did not take what was recorded."""
    recording_missed: str = ""
    """Why it is not recorded, or not whole, though it should be; empty where it is, or should not be."""


class EventRow(BaseModel):
    """One record of the event log."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    seq: int
    """Rises by one with every record."""
    schema_: int = Field(alias="schema")
    call: str | None
    wall: float
    mono: float
    type: str
    body: dict[str, object]
    """The fields of this type."""


class Readiness(BaseModel):
    ready: bool
    reasons: list[str]


class ErrorBody(BaseModel):
    code: str = Field(description="Stable: scripts may match on it.")
    message: str


class ErrorAnswer(BaseModel):
    """Every answer that is not a success has this form."""

    error: ErrorBody
