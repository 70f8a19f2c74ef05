"""Media processes of `fake_media` behind `MediaPlanes`, in virtual time: who hears whom is followed through spans."""

from __future__ import annotations

from engine.app.media_planes import MediaPlanes
from engine.media.commands import Codec, Connect, Direction, JoinConference, OpenLeg, SetRemote, SrtpKeys
from engine.media.events import Latched, MediaEvent, Welcome
from tests.support.fake_media import FakeMedia


class PlanesBench:
    """`told` is what calls would hear; `asked` whom they would ask to send to another port."""

    def __init__(
        self, count: int = 2, *, spares: int = 32, reestablish: bool = False, fake: type[FakeMedia] = FakeMedia
    ) -> None:
        self.now = 100.0
        self.media = MediaPlanes(count, reestablish=reestablish)
        self._fake = fake
        self.fakes = [fake() for _ in range(count)]
        self.told: list[MediaEvent] = []
        self.asked: list[tuple[str, int]] = []
        self._spares = spares
        for index in range(count):
            self.come(index)

    def come(self, index: int) -> None:
        """A media process comes, or another in its place."""
        fake = self.fakes[index] = self._fake()
        self.media.opened(index, Welcome(version=4, pid=index, port_min=20002, port_max=29998, legs=0))
        self.media.moves.look_for_homes()
        if self._spares:
            fake.offer_spares(self._spares)
        self.pump()

    def die(self, index: int) -> list[str]:
        self.fakes[index].die()
        gone = self.media.lost(index, self.now)
        self.pump()
        return gone

    def pump(self) -> None:
        """Carry commands and events until all is still."""
        busy = True
        while busy:
            self.told += self.media.take_events(self.now)
            self.asked += self.media.take_asked()
            busy = False
            for index, fake in enumerate(self.fakes):
                for command in self.media.take(index):
                    busy = True
                    fake.send(command)
                while fake.events:
                    busy = True
                    event = self.media.told(index, fake.events.popleft(), self.now)
                    if event is not None:
                        self.told.append(event)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        due = self.media.next_deadline()
        if due is not None and due <= self.now:
            self.media.handle_deadline(self.now)
        self.pump()

    # --- calls ---

    def leg(self, name: str, plane: int | None = None, *, srtp: SrtpKeys | None = None) -> None:
        """A leg that is up; in a certain process where that matters."""
        before = [each.draining for each in self.media.planes]
        for each in self.media.planes:
            each.draining = plane not in (None, each.index)
        self.media.open(OpenLeg(leg=name, tag=f"call-{name}:caller:1.000"))
        for each, draining in zip(self.media.planes, before, strict=True):
            each.draining = draining
        self.pump()
        self.media.send(remote(name, srtp=srtp))
        self.pump()

    def connect(self, one: str, other: str) -> None:
        """Let the two hear each other."""
        self.media.send(Connect(source=one, sink=other))
        self.media.send(Connect(source=other, sink=one))
        self.pump()

    def answer(self, *, index: int = -1, srtp: SrtpKeys | None = None) -> tuple[str, int]:
        """The peer who was asked agrees, and media hears of it as calls would tell it."""
        leg, port = self.asked[index]
        assert self.media.moves.answered(leg, port, self.now)
        self.media.send(remote(leg, port=6000, srtp=srtp))
        self.pump()
        return leg, port

    def latch(self, leg: str) -> None:
        """The first packet comes where the leg is spoken from."""
        home = self.home(leg)
        event = Latched(leg=leg, address="192.0.2.9", port=6000)
        self.fakes[home].events.append(event)
        self.pump()

    def sit(self, leg: str, *, speaks: bool = True, conference: str = "team") -> None:
        self.media.send(JoinConference(leg=leg, conference=conference, speaks=speaks))
        self.pump()

    # --- what has come of it ---

    def room(self, conference: str = "team") -> dict[str, bool]:
        """Who sits in a conference, in the one process that has it, and whether he is heard there."""
        rooms = [(index, room) for index, fake in enumerate(self.fakes) if (room := fake.conferences.get(conference))]
        assert len(rooms) <= 1, f"more than one conference: {rooms}"
        return {self._sitter(index, name): speaks for index, room in rooms for name, speaks in room.items()}

    def _sitter(self, hub: int, name: str) -> str:
        """Who sits there: himself, or on a chair, joined with its door at his home both ways."""
        if not name.endswith("chair"):
            return name
        member = name.partition("~")[0]
        home, door = next((fake, door) for fake in self.fakes for door in fake.ports if door == f"{name[:-5]}door")
        assert home is self.fakes[self.home(member)]
        assert {(member, door), (door, member)} <= home.edges
        chair, opposite = self.fakes[hub].remotes[name], home.remotes[door]
        assert (chair.port, opposite.port) == (home.ports[door], self.fakes[hub].ports[name])
        for told in (chair, opposite):
            assert (told.address, told.direction, told.srtp) == ("127.0.0.1", Direction.SENDRECV, None)
        return member

    def home(self, leg: str) -> int:
        """The last process in which the leg has been put up."""
        return self.media._legs[leg].home.index

    def places(self, leg: str) -> list[int]:
        """The processes in which a leg of this name is open."""
        return [index for index, fake in enumerate(self.fakes) if leg in fake.ports]

    def hears(self, leg: str) -> set[str]:
        """Whose voice reaches the leg's peer, and by the port to which he sends."""
        place = self.home(leg)
        return {self._voice(place, source) for source in self.fakes[place].hears(leg)}

    def _voice(self, place: int, source: str) -> str:
        """Whose voice an ear carries; any other leg's is its own."""
        if not source.endswith("e"):
            return source
        ear = self.fakes[place].remotes[source]
        assert (ear.address, ear.direction, ear.srtp) == ("127.0.0.1", Direction.RECVONLY, None)
        assert ear.dialog == "", "who hangs up is not told by legs of our own"
        for fake in self.fakes:
            for name, told in fake.remotes.items():
                mutual = told.port == self.fakes[place].ports[source] and fake.ports[name] == ear.port
                if mutual and name.endswith("m") and fake is not self.fakes[place]:
                    assert told.direction is Direction.SENDONLY
                    (voice,) = fake.hears(name)
                    return voice
        raise AssertionError(f"{source} is heard from nowhere")

    def own_legs(self) -> list[str]:
        """Mouths and ears that are open."""
        return [name for fake in self.fakes for name in fake.ports if "~" in name]

    def counted(self) -> list[int]:
        """Legs as control counts them; they must be those that are open."""
        counted = [plane.load.legs for plane in self.media.planes]
        assert counted == [len(fake.ports) for fake in self.fakes]
        return counted


def remote(leg: str, *, port: int = 5000, srtp: SrtpKeys | None = None, codec: Codec = Codec.PCMA) -> SetRemote:
    return SetRemote(
        leg=leg,
        address="192.0.2.9",
        port=port,
        flow_address="192.0.2.9",
        codec=codec,
        payload_type=8,
        dtmf_payload_type=96,
        heard_as=9,
        direction=Direction.SENDRECV,
        srtp=srtp,
        dialog=f"the dialog of {leg}",
    )


def apart(**options: int) -> PlanesBench:
    """Anna in process 0 and Bert in process 1 talk."""
    bench = PlanesBench(**options)
    bench.leg("anna", 0)
    bench.leg("bert", 1)
    bench.connect("anna", "bert")
    return bench


def hear_each_other(bench: PlanesBench, one: str = "anna", other: str = "bert") -> bool:
    return (bench.hears(one), bench.hears(other)) == ({other}, {one})
