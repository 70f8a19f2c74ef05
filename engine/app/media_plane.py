"""One media process, and one leg that lives there, as control knows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from engine.app.media_load import AdmissionRules, PlaneLoad
from engine.app.media_outbox import MediaOutbox
from engine.media.commands import Command, Connect, JoinConference, Play, SetRemote
from engine.media.events import Quality, Welcome


class MediaPlane:
    """One media process, as control knows it. Compared and hashed by identity."""

    def __init__(self, index: int, rules: AdmissionRules) -> None:
        self.index: Final = index
        self.outbox = MediaOutbox()
        self.load = PlaneLoad(rules)
        self.draining = False
        """It gets no new legs, and is to end when it has none."""

    @property
    def welcome(self) -> Welcome | None:
        """What it said of itself; None while there is none."""
        return self.outbox.welcome

    @property
    def takes_legs(self) -> bool:
        return self.outbox.ready() and not self.draining

    def send(self, command: Command) -> None:
        """Command it something; dropped while it is not there."""
        self.outbox.send(command)


@dataclass(slots=True, eq=False)
class PlacedLeg:
    """A leg, where it lives, and all that it was commanded: enough to put it up in another process."""

    name: str
    tag: str
    home: MediaPlane
    """The process that speaks to its peer: what it is to hear goes there."""
    ears: MediaPlane
    """The process in which its peer is heard: `home`, but for the moment between a move and the first packet."""
    remote: SetRemote | None = None
    playing: Play | None = None
    sources: dict[str, Connect] = field(default_factory=dict)
    """Whom it is to hear."""
    sinks: dict[str, None] = field(default_factory=dict)
    """Who is to hear it."""
    drawn: dict[str, tuple[MediaPlane, Connect]] = field(default_factory=dict)
    """The edges to it that a process was told, by whom they let it hear: himself, or who stands for him there."""
    homeless: bool = False
    """Its process was lost, and it is to be put up in another."""
    stays: bool = False
    """Its peer does not let it be moved."""
    seat: JoinConference | None = None
    """Its place in a conference."""
    closing: bool = False
    arrives: bool = False
    """It has moved, and is to be played what it was played before, and to sit where it sat, once its codec is known in
    its new place."""
    earlier: list[Quality] = field(default_factory=list)
    """What was measured where it lived before."""
