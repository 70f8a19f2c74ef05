"""One call: the caller's leg, the far legs that its destination adds, and the one way in which it ends.

A `Call` keeps what is true of every call, whatever its destination: which legs there are, what they were told, who is
engaged by it, when it was answered and connected. `finish` is the only end, whoever causes it, and it works once:
first those outside are told (queue), then every leg goes, then the record `CallEnded` is written.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.decoding import Asked, CodecRefused
from engine.calls.destination import OVER, Destination
from engine.calls.events import FromAgent, LocalMedia, Moved, MoveRefused, Offered, Origin, Party, RemoteMedia
from engine.calls.final_status import refusal_status
from engine.calls.log import CallAnswered, CallConnected, CallDirection, CallEnded, CallHeld, CallResumed
from engine.calls.ports import TrunkNumber
from engine.calls.switchboard import CallLeg, Role, Switchboard
from engine.ids import AgentName, CallId, LegId, QueueName
from engine.media.commands import Codec, Play, Sound, StopPlay

if TYPE_CHECKING:
    from engine.calls.transfer import BlindTransfer

NO_PORT = EndCause(outcome=Outcome.SERVER, reason=Reason.NO_MEDIA_PORT, sip_code=503)
CANCELLED = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.CANCELLED, sip_code=487)
"""How a far leg ends that rings no longer."""
TRANSFERRED = EndCause(outcome=Outcome.SUCCESS, reason=Reason.TRANSFERRED, sip_code=200)
"""How a leg or call ends whose other side was put through to somebody else."""
ELSEWHERE = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.CANCELLED, sip_code=200)
"""Another phone took the call. The 200 makes this one not show it as missed (RFC 3326: "call completed elsewhere")."""

ENGINE = "engine"
"""`ended_by` of what no side of the call did."""


def who(origin: Origin) -> str:
    """The name of an origin in records: "agent:NAME" or "trunk:NAME"."""
    return f"agent:{origin.agent}" if isinstance(origin, FromAgent) else f"trunk:{origin.trunk}"


def _cancelled(cause: EndCause) -> EndCause:
    """How a far leg ends that rings no longer because the call ended with this; the caller's own cause is told on."""
    return CANCELLED if cause.q850 is None else replace(CANCELLED, q850=cause.q850)


class Call:
    """See the module. `destination` is set once, right after routing."""

    destination: Destination

    def __init__(
        self, board: Switchboard, offered: Offered, caller: Party, direction: CallDirection, now: float
    ) -> None:
        self.board = board
        self.id = CallId(board.ids.token())
        self.origin = offered.origin
        self.party = caller
        self.called = offered.called
        self.carried = offered.carried
        self.direction = direction
        self.caller = CallLeg(
            id=offered.leg,
            role=Role.CALLER,
            who=who(offered.origin),
            agent=offered.origin.agent if isinstance(offered.origin, FromAgent) else None,
            dialog=True,
        )
        self.far: dict[LegId, CallLeg] = {}
        self.beside = offered.replaces
        """A leg of another call, beside which the caller's belongs."""
        self.over = False
        self.steps = 0
        """Times that what the caller was played led on to another number."""
        self.started = now
        self.waiting_since: float | None = None
        """When the caller began to wait for a person; None where nobody is waited for."""
        self.answered_at: float | None = None
        self.connected_at: float | None = None
        self.queue: QueueName | None = None
        self.agent: AgentName | None = self.caller.agent if direction is CallDirection.OUTBOUND else None
        """The agent who talks, as the CDR names him."""
        self.attempt: BlindTransfer | None = None
        """The transfer that is being tried."""
        self.kept: tuple[Destination, ...] = ()
        """Destinations from before a transfer whose agent is still in the call."""
        self._engaged: list[AgentName] = []
        board.calls[self.id] = self
        board.owners[self.caller.id] = (self, self.caller)

    # --- what destinations do ---

    def open_caller(self, now: float) -> None:
        """Ask for the caller's port; `leg_opened` follows, or the end of the call. An agent's own phone is taken. A
        caller who was put through to here has all that already."""
        if self.caller.port is not None:
            self.destination.leg_opened(self.caller, now)
            return
        if self.caller.agent is not None:
            self.engage(self.caller.agent, now)
        self.board.open_media(self, self.caller)

    def add_far(self, role: Role, name: str, agent: AgentName | None) -> CallLeg:
        """A further leg, for which a port is asked; its destination places it when it has one."""
        leg = CallLeg(id=LegId(self.board.ids.token()), role=role, who=name, agent=agent, dialog=False)
        self.far[leg.id] = leg
        self.board.open_media(self, leg)
        return leg

    def engage(self, agent: AgentName, now: float) -> None:
        """The agent's phone is in this call without a queue's doing; undone by the end of the call."""
        self._engaged.append(agent)
        self.board.queues.agent_engaged(agent, self.id, now)

    @property
    def engaged(self) -> tuple[AgentName, ...]:
        """Agents whose phones are in this call without a queue's doing."""
        return tuple(self._engaged)

    def release(self, agent: AgentName, now: float) -> None:
        """The agent's phone is in this call no longer."""
        self._engaged.remove(agent)
        self.board.queues.agent_released(agent, self.id, now)

    def answer_caller(self, now: float, far: CallLeg | None = None) -> None:
        """Take the caller's leg, whose port is open; `caller_up` follows. With `far`, who has answered, in its codec if
        it can be; else in one that we can decode. A caller who was put through to here is taken by that."""
        if self.answered_at is not None:
            if self.attempt is not None:
                self.attempt.succeeded(now)
            self.destination.caller_up(now)
            return
        assert self.caller.port is not None, "a leg is answered when its port is known"
        self.caller.answered = True
        media = LocalMedia(port=self.caller.port, alike=None if far is None else far.id)
        self.board.legs.answer(self.caller.id, media, now)

    def name_session(self, far: CallLeg) -> None:
        """The far leg was answered: the caller's, where it has a name of the session, is told the far one's."""
        if self.carried.session:
            self.board.legs.join(self.caller.id, far.id)

    def connected(self, far: CallLeg, now: float) -> None:
        """Caller and this leg talk from now on."""
        if self.connected_at is None:
            self.connected_at = now
        if far.agent is not None:
            self.agent = far.agent
        self.board.log(self.id, CallConnected(leg=far.id, peer=far.who), now)
        self.board.recordings.connected(self, far, now)

    def parties_changed(self) -> None:
        """Who hears whom is another now: supervisors hear those who talk."""
        for supervision in self.board.supervised.get(self.id, ()):
            supervision.settle()

    def play(
        self,
        leg: CallLeg,
        player: str,
        *sounds: Sound,
        loop: bool = False,
        gain_db: float = 0.0,
        stop_digits: str = "",
    ) -> None:
        """Play sounds to a leg one after the other, instead of what it is played now; `player` is how PlayFinished will
        name it."""
        leg.playing = player
        command = Play(leg=leg.id, player=player, playlist=sounds, loop=loop, gain_db=gain_db, stop_digits=stop_digits)
        if self.board.decoding.need(leg):
            leg.awaits = command
        else:
            self.board.media.send(command)

    def stop_playing(self, leg: CallLeg) -> None:
        """Stop what the leg is played; nothing happens when that is nothing."""
        if leg.playing:
            leg.playing = ""
            if leg.awaits is None:
                self.board.media.send(StopPlay(leg=leg.id))
            leg.awaits = None

    def drop(self, leg: CallLeg, cause: EndCause, now: float, *, text: str = "") -> None:
        """End a far leg while the call goes on; nothing more is heard of it. `text` is for the person at its phone."""
        self.far.pop(leg.id, None)
        self.board.end_dialog(leg, cause, now, text=text)
        self.board.close_media(self.id, leg)
        self.board.forget(leg, now)

    # --- what happens to legs ---

    def leg_opened(self, leg: CallLeg, port: int, now: float) -> None:
        leg.port = port
        self.destination.leg_opened(leg, now)

    def leg_not_opened(self, leg: CallLeg, now: float) -> None:
        """The media process has no port for this leg."""
        leg.media = False
        if leg is self.caller:
            self.finish(NO_PORT, ENGINE, now)
        else:
            self.drop(leg, NO_PORT, now)
            self.destination.far_failed(leg, now)

    def leg_ringing(self, leg: CallLeg, now: float) -> None:
        if leg is not self.caller:
            self.destination.far_ringing(leg, now)
            if self.attempt is not None:
                self.attempt.ringing(now)

    def leg_answered(self, leg: CallLeg, remote: RemoteMedia, now: float) -> None:
        if leg is not self.caller:
            leg.answered = True
            self.destination.far_answered(leg, remote, now)
            return
        self.answered_at = now
        self.board.set_remote(leg, remote)
        self.board.log(self.id, CallAnswered(leg=leg.id), now)
        self.destination.caller_up(now)

    def leg_updated(self, leg: CallLeg, remote: RemoteMedia, now: float) -> None:
        """The peer changed its media: tell the media process, then whoever listens."""
        held = leg.holding
        self.board.set_remote(leg, remote)
        if self.connected_at is not None and leg.holding != held:
            self.board.log(self.id, CallHeld(leg=leg.id) if leg.holding else CallResumed(leg=leg.id), now)
        if leg.awaits is not None and remote.codec is not Codec.OPAQUE:
            self.board.media.send(leg.awaits)
            leg.awaits = None
            if self.attempt is not None:
                self.attempt.go_on(now)
        self.destination.media_changed(leg, now)
        self.board.recordings.media_changed(self, now)

    def leg_moved(self, leg: CallLeg, moved: Moved, now: float) -> None:
        """The peer took what it was asked for: another port of ours, or another codec."""
        leg.port = moved.local.port
        if moved.local.alike is not None:
            leg.follows = Asked.REFUSED
        self.leg_updated(leg, moved.remote, now)

    def leg_not_moved(self, leg: CallLeg, refused: MoveRefused, now: float) -> None:
        """The peer did not take the codec that it was asked for."""
        if refused.local.decoded and leg.decodable is Asked.YES and leg.remote is not None:
            leg.decodable = Asked.REFUSED
            told = CodecRefused(leg=leg.id, codec=leg.remote.codec_name, status=refused.status, reason=refused.reason)
            self.board.log(self.id, told, now)
            self.destination.undecodable(leg, now)
            self.board.recordings.media_changed(self, now)
            for supervision in tuple(self.board.supervised.get(self.id, ())):
                supervision.undecodable_call(now)
        elif refused.local.alike is not None:
            leg.follows = Asked.REFUSED
            self.destination.undecodable(leg, now)

    def leg_ended(self, leg: CallLeg, cause: EndCause, now: float) -> None:
        """The leg's dialog is over, by itself or by its peer."""
        leg.dialog = False
        if leg is self.caller:
            self.finish(self.destination.caller_gone(cause), leg.role, now)
        elif self.attempt is not None and leg is self.attempt.referrer:
            self.drop(leg, cause, now)
            self.attempt.referrer_gone(now)
        else:
            self.drop(leg, cause, now)
            self.destination.far_ended(leg, cause, now)

    # --- transfer ---

    def has_phone_of(self, agent: AgentName) -> bool:
        """Whether the agent is the caller, or the one who wants the caller transferred."""
        return agent == self.caller.agent or (self.attempt is not None and agent == self.attempt.referrer.agent)

    def turn_round(self, far: CallLeg) -> None:
        """Make this far leg the caller, and the caller a far leg."""
        before, self.caller = self.caller, far
        del self.far[far.id]
        self.far[before.id] = before
        self.party = self._party_of(far)

    def _party_of(self, leg: CallLeg) -> Party:
        if leg.party is not None:
            return leg.party
        if isinstance(leg.destination, TrunkNumber):
            return Party(number=leg.destination.number)
        known = None if leg.agent is None else self.board.directory.agents.get(leg.agent)
        return Party(number=leg.agent or "", display="" if known is None else known.display)

    def surrender(self, leg: CallLeg) -> None:
        """The leg goes on in another call; this one ends without it."""
        if leg is self.caller:
            leg.party = self.party
            self.caller = replace(leg, id=LegId(f"{leg.id}-gone"), dialog=False, media=False)
        else:
            leg.party = self._party_of(leg)
            del self.far[leg.id]

    def adopt(self, leg: CallLeg) -> None:
        """Take a leg that another call has surrendered, as a far one."""
        self.far[leg.id] = leg
        self.board.owners[leg.id] = (self, leg)

    def replace_leg(self, old: CallLeg, new: CallLeg, now: float) -> None:
        """Let a leg that another call has surrendered, and which is up, take the place of one of this call's."""
        new.role, new.destination, new.party = old.role, old.destination, old.party
        other = self.destination.unlink()
        self.stop_playing(old)
        if old is self.caller:
            self.caller = new
            self.board.owners[new.id] = (self, new)
        else:
            del self.far[old.id]
            self.adopt(new)
        talking = old.answered
        self.board.end_dialog(old, TRANSFERRED if talking else ELSEWHERE, now)
        self.board.close_media(self.id, old)
        self.board.forget(old, now)
        self.destination.replaced(old, new, now)
        if other is not None:
            self.destination.link(new if other is old else other)
            if other is old:
                self.connected(new, now)
        elif not talking and new.remote is not None:
            self.destination.far_answered(new, new.remote, now)

    # --- the end ---

    def unreached(self, cause: EndCause, ended_by: str, now: float) -> None:
        """The destination came to nothing: the end of the call, or of the attempt to transfer it there."""
        if self.attempt is not None:
            self.attempt.failed(cause, ended_by, now)
        else:
            self.finish(cause, ended_by, now)

    def finish(
        self, cause: EndCause, ended_by: str, now: float, *, text: str = "", retry_after_s: int | None = None
    ) -> None:
        """End the call with this cause; nothing happens when it has ended. `text` is said to the caller's phone;
        `retry_after_s` goes with the refusal of a caller who was not answered."""
        if self.over:
            return
        self.over = True
        self.board.recordings.ended(self.id)
        self.destination.closing(cause, ended_by, now)
        if self.attempt is not None:
            self.attempt.closing(cause, ended_by, now)
        for home in self.kept:
            home.closing(cause, ended_by, now)
        cause = self._end_caller(cause, now, text, retry_after_s)
        for leg in tuple(self.far.values()):
            self.drop(leg, cause if leg.answered else _cancelled(cause), now)
        self.board.close_media(self.id, self.caller)
        self.board.forget(self.caller, now)
        for agent in self._engaged:
            self.board.queues.agent_released(agent, self.id, now)
        self.board.timers.cancel(self.id)
        del self.board.calls[self.id]
        # What knows the call is let go, so that all of it is freed at once: garbage is collected seldom.
        self.destination, self.attempt, self.kept = OVER, None, ()
        self._log_end(cause, ended_by, now)
        for supervision in self.board.supervised.pop(self.id, ()):
            supervision.watched_ended(now)

    def _end_caller(self, cause: EndCause, now: float, text: str, retry_after_s: int | None) -> EndCause:
        """End the caller's dialog, if it lives, and give the cause the status that he saw."""
        if self.caller.answered:
            # Our answer may have come to nothing (no common codec, or his CANCEL crossed it): he saw the leg's own end.
            refused = not self.caller.dialog and (cause.sip_code or 0) >= 300
            if not refused and not 200 <= (cause.sip_code or 0) <= 299:
                cause = replace(cause, sip_code=200)
            self.board.end_dialog(self.caller, cause, now, text=text)
        elif self.caller.dialog:
            cause = replace(cause, sip_code=refusal_status(cause))
            assert cause.sip_code is not None
            if cause.sip_code == 503 and retry_after_s is None:
                retry_after_s = self.board.config.retry_after_s  # 503 is our own want: it is worth coming back
            self.board.refuse(self.caller, cause.sip_code, text, now, retry_after_s=retry_after_s, q850=cause.q850)
        return cause

    def _log_end(self, cause: EndCause, ended_by: str, now: float) -> None:
        talked = 0.0 if self.connected_at is None else now - self.connected_at
        waited = 0.0 if self.waiting_since is None else now - talked - self.waiting_since
        ended = CallEnded(
            cause=cause,
            ended_by=str(ended_by),
            waited_s=waited,
            talked_s=talked,
            total_s=now - self.started,
            queue=self.queue,
            agent=self.agent,
        )
        self.board.log(self.id, ended, now)
