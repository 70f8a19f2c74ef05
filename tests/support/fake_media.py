"""The media of a calls test: every command is checked and answered at once, or when the test says."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from engine.media.commands import (
    CloseLeg,
    Codec,
    Command,
    Connect,
    Disconnect,
    JoinConference,
    LeaveConference,
    OpenLeg,
    Play,
    Rebind,
    SendDtmf,
    SetRemote,
    StopPlay,
)
from engine.media.events import (
    DtmfDigit,
    LegClosed,
    LegFailed,
    LegOpened,
    MediaEvent,
    PlayFinished,
    Quality,
    RtpTimeout,
    Spares,
)
from tests.support.fake_recorder import FakeRecorder


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
    conferences: dict[str, dict[str, bool]] = field(default_factory=dict)
    """By name its members, and whether each is heard."""
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

    recorder: FakeRecorder = field(init=False)
    busy_with: str = ""
    """Why no new call should come."""
    rebound: list[str] = field(default_factory=list)
    """Legs that a second pair was asked for; the test answers."""
    beside: dict[str, str | None] = field(default_factory=dict)
    """Beside which leg each was opened."""

    def __post_init__(self) -> None:
        self.recorder = FakeRecorder(self._reply)

    def ready(self) -> bool:
        return self.alive

    def busy(self) -> str:
        return self.busy_with

    def open(self, command: OpenLeg, beside: str | None = None) -> None:
        if self.alive:
            self.beside[command.leg] = beside
        self.send(command)

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
                agreed = [self.remotes[leg] for leg in (source, sink) if leg in self.remotes]
                coded = [(each.codec, each.opaque) for each in agreed if each.codec is Codec.OPAQUE]
                assert len(coded) in (0, len(agreed)), "nobody can decode that"
                assert len(set(coded)) < 2, "nobody can decode these"
                self.edges.add((source, sink))
            case Disconnect(source=source, sink=sink):
                self._check(source, sink)
                self.edges.discard((source, sink))
            case JoinConference() | LeaveConference() | Rebind():
                self._send_seldom(command)
            case Play() | StopPlay() | SendDtmf():
                self._sound(command)
            case CloseLeg(leg=leg):
                self._close(leg)
            case _:
                self.recorder.obey(command, self.ports)

    def _send_seldom(self, command: JoinConference | LeaveConference | Rebind) -> None:
        match command:
            case Rebind(leg=leg):
                self._check(leg)
                self.rebound.append(leg)
            case JoinConference(leg=leg, conference=name, speaks=speaks):
                self._check(leg)
                assert self.remotes[leg].codec is not Codec.OPAQUE, "nobody can mix that"
                self.conferences.setdefault(name, {})[leg] = speaks
            case LeaveConference(leg=leg):
                self._check(leg)
                for members in self.conferences.values():
                    members.pop(leg, None)

    def _sound(self, command: Play | StopPlay | SendDtmf) -> None:
        self._check(command.leg)
        if isinstance(command, Play):
            self._play(command)
        elif isinstance(command, StopPlay) and command.digit:
            self.stop_by(command.leg, command.digit)
        elif isinstance(command, StopPlay):
            self.players.pop(command.leg, None)

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
        assert play.playlist, "there must be something to play"
        for sound in play.playlist:
            assert (sound.file != "") + (sound.tone is not None) + (sound.silence_ms > 0) == 1, sound
        assert play.leg not in self.remotes or self.remotes[play.leg].codec is not Codec.OPAQUE, (
            "nobody can encode that"
        )
        if all(sound.file in self.bad_files for sound in play.playlist):
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
        for members in self.conferences.values():
            members.pop(leg, None)
        self.edges = {edge for edge in self.edges if leg not in edge}
        self._reply(LegClosed(leg=leg, quality=quality(leg)))
        self.recorder.closed(self.ports)

    def release(self) -> None:
        self.held = False
        self.events.extend(self.waiting)
        self.waiting.clear()

    def finish_playing(self, leg: str) -> None:
        play = self.players.get(leg)
        if play is not None and not play.loop:
            del self.players[leg]
            self._reply(PlayFinished(leg=leg, player=play.player))

    def stop_by(self, leg: str, digit: str) -> None:
        """The leg's peer pressed a key, which ends what it is played if it is one of those."""
        play = self.players.get(leg)
        if play is not None and digit in play.stop_digits:
            del self.players[leg]
            self._reply(PlayFinished(leg=leg, player=play.player, digit=digit, played_ms=20))

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
