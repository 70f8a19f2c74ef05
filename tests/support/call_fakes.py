"""Stand-ins for everything around the calls layer, each of which keeps the contract that it stands for.

`FakeLegs` runs every leg through the real leg table, `FakeMedia` models ports, edges and players and refuses a command
about a leg that is not open, `FakeQueues` is a queue whose matcher is the test. `call_rig.Rig` joins them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import AgentStatus
from engine.calls.events import (
    NOTHING_CARRIED,
    Answered,
    Carried,
    Ended,
    KeyPressed,
    LegEvent,
    LocalMedia,
    Offered,
    Origin,
    Party,
    RemoteMedia,
    Ringing,
    TransferAsked,
    Updated,
)
from engine.calls.final_status import failure_cause
from engine.calls.leg import TABLE, LegAction, LegInput, LegState
from engine.calls.ports import (
    AgentStatusView,
    Destination,
    LeaveReason,
    MakeOffer,
    OfferResult,
    QueueEffect,
    ReleaseCaller,
    ReleaseReason,
    WithdrawOffer,
    WithdrawReason,
)
from engine.errors import NotFound
from engine.ids import AgentName, CallId, LegId, OfferId, QueueName, TransferId
from engine.media.commands import (
    CloseLeg,
    Codec,
    Command,
    Connect,
    Direction,
    Disconnect,
    DtmfDigit,
    LegClosed,
    LegFailed,
    LegOpened,
    MediaEvent,
    OpenLeg,
    Play,
    PlayFinished,
    Quality,
    RtpTimeout,
    SetRemote,
    Spares,
    StopPlay,
)

BYE = 200


class Numbers:
    """An IdSource that counts."""

    def __init__(self) -> None:
        self._n = 0

    def token(self) -> str:
        self._n += 1
        return f"id{self._n}"


@dataclass
class SetClock:
    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now


def remote(codec: Codec = Codec.PCMU, direction: Direction = Direction.SENDRECV, port: int = 4000) -> RemoteMedia:
    return RemoteMedia(
        address="192.0.2.1",
        port=port,
        flow_address="192.0.2.1",
        codec=codec,
        payload_type=0 if codec is Codec.PCMU else 8,
        dtmf_payload_type=101,
        direction=direction,
    )


@dataclass
class FakeLeg:
    state: LegState = LegState.IDLE
    incoming: bool = False
    destination: Destination | None = None
    caller: Party | None = None
    media: LocalMedia | None = None
    carried: Carried = NOTHING_CARRIED
    cause: EndCause | None = None
    """Why we ended it."""
    text: str = ""
    """What the person at the phone was told then."""
    refused_with: int | None = None
    q850: int | None = None
    retry_after_s: int | None = None


@dataclass
class FakeLegs:
    """LegPort. The far ends are moved by the test."""

    legs: dict[LegId, FakeLeg] = field(default_factory=dict)
    events: deque[LegEvent] = field(default_factory=deque)
    joined: list[tuple[LegId, LegId]] = field(default_factory=list)
    """Legs that were told each other's names of the session."""
    auto_end: bool = True
    """Whether the far side answers our hang-up or cancel at once."""
    counter: int = 0
    transfers: dict[TransferId, list[str | EndCause]] = field(default_factory=dict)
    """What was said of each transfer."""
    keys: list[tuple[LegId, str, int]] = field(default_factory=list)

    def _step(self, leg_id: LegId, happened: LegInput) -> LegAction | None:
        leg = self.legs[leg_id]
        transition = TABLE.get((leg.state, happened))
        if transition is None:
            return None
        leg.state = transition.state
        return transition.action

    def _end(self, leg_id: LegId, cause: EndCause, *, early: bool = False) -> None:
        if self._step(leg_id, LegInput.GONE) is not None:
            own = self.legs[leg_id].cause
            self.events.append(Ended(leg=leg_id, cause=own or cause, early=early))

    # LegPort

    def place(
        self,
        leg: LegId,
        destination: Destination,
        caller: Party,
        media: LocalMedia,
        now: float,
        *,
        carried: Carried = NOTHING_CARRIED,
    ) -> None:
        assert leg not in self.legs, "a leg is placed once"
        self.legs[leg] = FakeLeg(destination=destination, caller=caller, media=media, carried=carried)
        self._step(leg, LegInput.PLACE)

    def join(self, leg: LegId, other: LegId) -> None:
        self.joined.append((leg, other))

    def ring(self, leg: LegId, now: float) -> None:
        self._step(leg, LegInput.RING)

    def answer(self, leg: LegId, media: LocalMedia, now: float) -> None:
        if self._step(leg, LegInput.ANSWER) is not None:
            self.legs[leg].media = media

    def reject(
        self,
        leg: LegId,
        status: int,
        reason: str,
        now: float,
        *,
        retry_after_s: int | None = None,
        q850: int | None = None,
    ) -> None:
        assert 400 <= status <= 699
        if self._step(leg, LegInput.REJECT) is not None:
            self.legs[leg].refused_with = status
            self.legs[leg].q850 = q850
            self.legs[leg].retry_after_s = retry_after_s

    def end(self, leg: LegId, cause: EndCause, now: float, *, text: str = "") -> None:
        action = self._step(leg, LegInput.END)
        if action is None:
            return
        self.legs[leg].cause, self.legs[leg].text = cause, text
        if action is LegAction.SEND_REFUSAL_AND_TELL_ENDED:
            self.events.append(Ended(leg=leg, cause=cause))
        elif self.auto_end:
            self._end(leg, cause)

    def key(self, leg: LegId, digit: str, duration_ms: int, now: float) -> None:
        self.keys.append((leg, digit, duration_ms))

    # TransferPort

    def accept(self, transfer: TransferId, now: float) -> None:
        assert self.transfers[transfer] == []
        self.transfers[transfer].append("accepted")

    def refuse(self, transfer: TransferId, cause: EndCause, now: float) -> None:
        assert self.transfers[transfer] == []
        self.transfers[transfer].append(cause)

    def ringing(self, transfer: TransferId, now: float) -> None:
        assert self.transfers[transfer][0] == "accepted"
        self.transfers[transfer].append("ringing")

    def over(self, transfer: TransferId, cause: EndCause | None, now: float) -> None:
        said = self.transfers[transfer]
        assert said[0] == "accepted"
        assert said[-1] in ("accepted", "ringing"), "the last word is said once"
        said.append("done" if cause is None else cause)

    # what the far ends do

    def far_transfer(self, leg: LegId, number: str = "", *, to: LegId | None = None, lost: bool = False) -> TransferId:
        """Whoever is on the leg presses transfer: to a number, or to the other side of another leg of his."""
        transfer = TransferId(len(self.transfers) + 1)
        self.transfers[transfer] = []
        attended = to is not None or lost
        self.events.append(
            TransferAsked(leg=leg, transfer=transfer, number=number, replaces_asked=attended, replaces=to)
        )
        return transfer

    def far_key(self, leg: LegId, digit: str) -> None:
        self.events.append(KeyPressed(leg=leg, digit=digit, duration_ms=160))

    def offer(
        self,
        origin: Origin,
        called: str,
        caller: Party,
        replaces: LegId | None = None,
        *,
        carried: Carried = NOTHING_CARRIED,
    ) -> LegId:
        self.counter += 1
        leg = LegId(f"in{self.counter}")
        self.legs[leg] = FakeLeg(incoming=True)
        self._step(leg, LegInput.INCOMING)
        name = f"{leg}@test"
        self.events.append(
            Offered(
                leg=leg,
                origin=origin,
                called=called,
                caller=caller,
                protocol_id=name,
                replaces=replaces,
                carried=carried,
            )
        )
        return leg

    def far_ring(self, leg: LegId) -> None:
        if self._step(leg, LegInput.FAR_RINGING) is not None:
            self.events.append(Ringing(leg=leg))

    def far_answer(self, leg: LegId, codec: Codec = Codec.PCMU) -> None:
        if self._step(leg, LegInput.FAR_ANSWERED) is LegAction.TELL_ANSWERED:
            self.events.append(Answered(leg=leg, media=remote(codec)))

    def confirm(self, leg: LegId, codec: Codec = Codec.PCMU) -> None:
        if self._step(leg, LegInput.CONFIRMED) is not None:
            self.events.append(Answered(leg=leg, media=remote(codec)))

    def far_update(self, leg: LegId, direction: Direction) -> None:
        if self._step(leg, LegInput.CHANGED) is LegAction.TAKE_CHANGE:
            self.events.append(Updated(leg=leg, media=remote(direction=direction)))

    def far_fail(self, leg: LegId, status: int, *, timed_out: bool = False, early: bool = False) -> None:
        """The far side of a placed leg refuses, perhaps after it sent early media."""
        if self.legs[leg].state in (LegState.PLACING, LegState.RINGING):
            self._end(leg, failure_cause(status, timed_out=timed_out), early=early)

    def far_hang_up(self, leg: LegId) -> None:
        """The phone on this leg hangs up, or gives up calling, or is lost; whichever fits its state."""
        found = self.legs[leg]
        if found.incoming and found.state in (LegState.OFFERED, LegState.ALERTING):
            self._end(leg, EndCause(outcome=Outcome.CLIENT, reason=Reason.ABANDONED, sip_code=487))
        elif found.incoming:
            self._end(leg, EndCause(outcome=Outcome.SUCCESS, reason=Reason.CALLER_HANGUP, sip_code=BYE))
        elif found.state in (LegState.UP, LegState.ENDING):
            self._end(leg, EndCause(outcome=Outcome.SUCCESS, reason=Reason.AGENT_HANGUP, sip_code=BYE))
        else:
            self.far_fail(leg, 480)

    def far_end_done(self, leg: LegId) -> None:
        """The far side has answered our hang-up or cancel (`auto_end` off)."""
        if self.legs[leg].state is LegState.ENDING:
            self._end(leg, EndCause(outcome=Outcome.SERVER, reason=Reason.PROTOCOL))

    def placed(self, state: LegState | None = None) -> list[LegId]:
        return [leg for leg, f in self.legs.items() if not f.incoming and (state is None or f.state is state)]

    def left(self) -> list[LegId]:
        return [leg for leg, f in self.legs.items() if f.state is not LegState.ENDED]


def quality(leg: str) -> Quality:
    return Quality(
        leg=leg,
        packets_received=100,
        packets_sent=99,
        octets_received=16000,
        lost=1,
        jitter_ms=2.0,
        remote_lost=3,
        remote_jitter_ms=1.0,
        round_trip_ms=40.0,
        strangers=0,
        refused=0,
    )


@dataclass
class FakeMedia:
    """MediaPort: ports, edges and players as the media process would hold them."""

    ports: dict[str, int] = field(default_factory=dict)
    remotes: dict[str, SetRemote] = field(default_factory=dict)
    edges: set[tuple[str, str]] = field(default_factory=set)
    players: dict[str, Play] = field(default_factory=dict)
    events: deque[MediaEvent] = field(default_factory=deque)
    sent: list[Command] = field(default_factory=list)
    bad_files: set[str] = field(default_factory=set)
    spares: set[int] = field(default_factory=set)
    """Pairs that control was told of and has not used."""
    free_ports: int = 1000
    alive: bool = True
    held: bool = False
    """Do not answer OpenLeg until `release`."""
    waiting: deque[MediaEvent] = field(default_factory=deque)

    def ready(self) -> bool:
        return self.alive

    def send(self, command: Command) -> None:
        if not self.alive:
            return
        self.sent.append(command)
        match command:
            case OpenLeg(leg=leg, port=port):
                self._open(leg, port)
            case SetRemote(leg=leg):
                self._check(leg)
                self.remotes[leg] = command
            case Connect(source=source, sink=sink):
                self._check(source, sink)
                self.edges.add((source, sink))
            case Disconnect(source=source, sink=sink):
                self._check(source, sink)
                self.edges.discard((source, sink))
            case Play(leg=leg):
                self._check(leg)
                self._play(command)
            case StopPlay(leg=leg):
                self._check(leg)
                self.players.pop(leg, None)
            case CloseLeg(leg=leg):
                self._close(leg)
            case _:
                raise AssertionError(f"not for calls to send: {command}")

    def _check(self, *legs: str) -> None:
        for leg in legs:
            assert leg in self.ports, f"command about a leg that is not open: {leg}"

    def _reply(self, event: MediaEvent) -> None:
        (self.waiting if self.held else self.events).append(event)

    def _open(self, leg: str, port: int | None) -> None:
        assert leg not in self.ports, "a leg is opened once"
        if port is not None:
            self.spares.remove(port)
            self.ports[leg] = port
            return
        if len(self.ports) >= self.free_ports:
            self._reply(LegFailed(leg=leg, command="OpenLeg", reason="no port left"))
            return
        self.ports[leg] = 20000 + 2 * len(self.sent)
        self._reply(LegOpened(leg=leg, port=self.ports[leg]))

    def _play(self, play: Play) -> None:
        assert (play.file is None) != (play.tone is None)
        if play.file in self.bad_files:
            self._reply(LegFailed(leg=play.leg, command="Play", reason="unreadable"))
        else:
            self.players[play.leg] = play

    def _close(self, leg: str) -> None:
        if leg not in self.ports:
            self._reply(LegFailed(leg=leg, command="CloseLeg", reason="unknown leg"))
            return
        del self.ports[leg]
        self.remotes.pop(leg, None)
        self.players.pop(leg, None)
        self.edges = {edge for edge in self.edges if leg not in edge}
        self._reply(LegClosed(leg=leg, quality=quality(leg)))

    def release(self) -> None:
        self.held = False
        self.events.extend(self.waiting)
        self.waiting.clear()

    def finish_playing(self, leg: str) -> None:
        play = self.players.get(leg)
        if play is not None and not play.loop:
            del self.players[leg]
            self._reply(PlayFinished(leg=leg, player=play.player))

    def silence(self, leg: str) -> None:
        self._reply(RtpTimeout(leg=leg, silent_s=30.0))

    def digit(self, leg: str, digit: str) -> None:
        self._reply(DtmfDigit(leg=leg, digit=digit, duration_ms=120))

    def offer_spares(self, count: int) -> None:
        """Tell of so many pairs that legs may be opened on without a question."""
        ports = tuple(range(30000, 30000 + 2 * count, 2))
        self.spares.update(ports)
        self.events.append(Spares(ports=ports))

    def die(self) -> None:
        self.alive = False
        self.spares.clear()
        for table in (self.ports, self.remotes, self.players, self.edges, self.events, self.waiting):
            table.clear()

    def hears(self, sink: str) -> set[str]:
        """Whom this leg hears."""
        return {source for source, to in self.edges if to == sink}


@dataclass
class FakeQueues:
    """QueuePort and AgentStatusPort; the test decides who is offered."""

    known: set[QueueName]
    capacity: int = 1000
    waiting: dict[CallId, QueueName] = field(default_factory=dict)
    talking: dict[CallId, AgentName] = field(default_factory=dict)
    offers: dict[OfferId, MakeOffer] = field(default_factory=dict)
    left_because: list[LeaveReason] = field(default_factory=list)
    rang: list[OfferId] = field(default_factory=list)
    failed: list[tuple[AgentName, OfferResult]] = field(default_factory=list)
    engaged: list[tuple[AgentName, CallId]] = field(default_factory=list)
    ever_engaged: list[AgentName] = field(default_factory=list)
    effects: list[QueueEffect] = field(default_factory=list)
    standing: dict[AgentName, AgentStatusView] = field(default_factory=dict)
    statuses: list[tuple[AgentName, bool, str, str]] = field(default_factory=list)
    counter: int = 0

    def has_room(self, queue: QueueName) -> bool:
        if queue not in self.known:
            raise NotFound(f"no queue {queue}")
        return len(self.waiting) < self.capacity

    def enter(self, call: CallId, queue: QueueName, caller: Party, now: float) -> None:
        assert call not in self.waiting
        assert call not in self.talking, "the ACD takes a call once"
        if queue not in self.known:
            raise NotFound(f"no queue {queue}")
        if len(self.waiting) >= self.capacity:
            self.effects.append(ReleaseCaller(call=call, reason=ReleaseReason.FULL))
            return
        self.waiting[call] = queue

    def leave(self, call: CallId, reason: LeaveReason, now: float) -> None:
        self.waiting.pop(call, None)
        self.left_because.append(reason)
        self._withdraw_all(call, WithdrawReason.CALLER_LEFT)

    def _withdraw_all(self, call: CallId, reason: WithdrawReason) -> None:
        for offer, made in tuple(self.offers.items()):
            if made.call == call:
                self.withdraw(offer, reason)

    def offer_ringing(self, offer: OfferId, now: float) -> None:
        self.rang.append(offer)

    def offer_answered(self, offer: OfferId, now: float) -> bool:
        made = self.offers.pop(offer, None)
        if made is None or made.call not in self.waiting:
            return False
        del self.waiting[made.call]
        self.talking[made.call] = made.agent
        self._withdraw_all(made.call, WithdrawReason.ANSWERED_ELSEWHERE)
        return True

    def offer_failed(self, offer: OfferId, result: OfferResult, now: float) -> None:
        made = self.offers.pop(offer, None)
        if made is not None:
            self.failed.append((made.agent, result))

    def talk_ended(self, call: CallId, now: float) -> None:
        del self.talking[call]

    def agent_engaged(self, agent: AgentName, call: CallId, now: float) -> None:
        assert (agent, call) not in self.engaged
        self.engaged.append((agent, call))
        self.ever_engaged.append(agent)

    def agent_released(self, agent: AgentName, call: CallId, now: float) -> None:
        self.engaged.remove((agent, call))

    def take_effects(self) -> list[QueueEffect]:
        taken, self.effects = self.effects, []
        return taken

    # AgentStatusPort

    def set_status(
        self, agent: AgentName, available: bool, reason: str, by: str, now: float, *, call: CallId | None = None
    ) -> None:
        self.statuses.append((agent, available, reason, by))

    def status(self, agent: AgentName) -> AgentStatusView:
        return self.standing.get(agent, AgentStatusView(status=AgentStatus.AVAILABLE))

    # the matcher's part, played by the test

    def make_offer(self, call: CallId, agent: str) -> OfferId:
        self.counter += 1
        offer = OfferId(f"offer{self.counter}")
        made = MakeOffer(offer=offer, call=call, queue=self.waiting[call], agent=AgentName(agent))
        self.offers[offer] = made
        self.effects.append(made)
        return offer

    def withdraw(self, offer: OfferId, reason: WithdrawReason) -> None:
        if self.offers.pop(offer, None) is not None:
            self.effects.append(WithdrawOffer(offer=offer, reason=reason))

    def let_go(self, call: CallId, reason: ReleaseReason) -> None:
        if self.waiting.pop(call, None) is not None:
            self._withdraw_all(call, WithdrawReason.QUEUE_TIMEOUT)
            self.effects.append(ReleaseCaller(call=call, reason=reason))
