"""The media of a calls test: every command is checked and answered at once, or when the test says."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from engine.media.commands import (
    CloseLeg,
    Command,
    Connect,
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
