"""Two people on two legs: who hears whom, and what holding changes about it.

Neither side hears the other while one of them holds. A side that is held, and does not hold itself, hears music.
"""

from __future__ import annotations

from engine.calls.call import Call
from engine.calls.decoding import Asked, understand
from engine.calls.music import Music
from engine.calls.switchboard import CallLeg
from engine.media.commands import Connect, Disconnect


class Bridge:
    """The two edges between the legs of a call. `settle` brings them in line with what the legs' phones asked for."""

    def __init__(self, call: Call, far: CallLeg, music: Music) -> None:
        self._call = call
        self._far = far
        self._music = music
        self._linked = False

    @property
    def far(self) -> CallLeg:
        """The side that is not the call's caller."""
        return self._far

    def dissolve(self) -> None:
        """Neither hears the other any more, and nobody the music. The bridge is of no use after that."""
        caller, far = self._call.caller, self._far
        self._music.stop(caller)
        self._music.stop(far)
        if self._linked:
            self._linked = False
            for source, sink in ((caller.id, far.id), (far.id, caller.id)):
                self._call.board.media.send(Disconnect(source=source, sink=sink))
            self._call.parties_changed()

    @property
    def held(self) -> bool:
        """Whether one of the two holds the other."""
        return not self._linked

    def settle(self) -> None:
        """Both legs are up: connect, disconnect, play and stop what differs from how it should be."""
        a, b = self._call.caller, self._far
        talking = not (a.holding or b.holding)
        link = talking and understand(a, b)
        if link != self._linked:
            a.follows = b.follows = Asked.NO
        if talking and not link:
            self._bring_together(a, b)
        self._serenade(a, b)
        self._serenade(b, a)
        if link == self._linked:
            return
        self._linked = link
        for source, sink in ((a.id, b.id), (b.id, a.id)):
            edge = Connect(source=source, sink=sink) if link else Disconnect(source=source, sink=sink)
            self._call.board.media.send(edge)
        self._call.parties_changed()

    def _bring_together(self, a: CallLeg, b: CallLeg) -> None:
        """Ask for a codec by which the two understand each other; `settle` is called again when one is agreed."""
        decoding = self._call.board.decoding
        for leg, other in ((a, b), (b, a)):
            if decoding.need(leg) and leg.decodable is Asked.REFUSED:
                decoding.follow(other, leg)

    @property
    def parted(self) -> bool:
        """Whether the two have no codec in common, and there is nothing left to ask for."""
        a, b = self._call.caller, self._far
        if self._linked or a.holding or b.holding or understand(a, b):
            return False
        return Asked.YES not in (a.decodable, a.follows, b.decodable, b.follows)

    def _serenade(self, leg: CallLeg, other: CallLeg) -> None:
        if not other.holding or leg.holding:
            self._music.stop(leg)
        elif not leg.playing:
            self._music.start(leg)
