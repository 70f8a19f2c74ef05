"""Why a call or leg ended: one value that feeds the CDR, the metric label, the log line and the API alike."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """Whose doing it was; five words, because a metric label must stay small."""

    SUCCESS = "success"
    """The people talked (or heard what they called for) and one of them hung up."""
    CLIENT = "client"
    """The caller's side: gave up, dialled a wrong number, was not allowed."""
    SERVER = "server"
    """Ours: no port, media process lost, shutting down, a defect."""
    UPSTREAM = "upstream"
    """The called side or the line to it: busy, no answer, unreachable, refused."""
    INDETERMINATE = "indeterminate"
    """Not known: restarted while the call was up, network gone on both sides."""


class Reason(StrEnum):
    """What happened, in words that stay the same for ever (CDR `end_reason`, API, logs)."""

    CALLER_HANGUP = "caller_hangup"
    """The caller's side hung up after having been connected to a person or to what was called."""
    AGENT_HANGUP = "agent_hangup"
    TRANSFERRED = "transferred"
    """The other side was put through to somebody else; of a call, that what was left of it lives on in another."""
    CALLED_HANGUP = "called_hangup"
    COMPLETED = "completed"
    """An announcement or other destination came to its end."""
    ABANDONED = "abandoned"
    """The caller hung up while waiting in a queue or while the called side rang."""
    QUEUE_TIMEOUT = "queue_timeout"
    QUEUE_EMPTY = "queue_empty"
    """Nobody could ever have answered (queue set to refuse callers then)."""
    QUEUE_FULL = "queue_full"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    CANCELLED = "cancelled"
    """We took the offer back: another agent answered, or the caller left."""
    NO_ROUTE = "no_route"
    """The dialplan has nothing for the number in that context."""
    LOOP = "loop"
    """The call came back to us again and again by another switch."""
    FORBIDDEN = "forbidden"
    DIALPLAN_REJECT = "dialplan_reject"
    NOT_ACCEPTABLE = "not_acceptable"
    """No codec in common."""
    ACK_TIMEOUT = "ack_timeout"
    DIALOG_GONE = "dialog_gone"
    SESSION_EXPIRED = "session_expired"
    """The peer stopped refreshing the call, as had been agreed (session timer): it is taken to be gone."""
    CONNECTION_LOST = "connection_lost"
    MEDIA_TIMEOUT = "media_timeout"
    """No RTP was heard from a leg for the configured time."""
    MEDIA_LOST = "media_lost"
    """The media process died."""
    NO_MEDIA_PORT = "no_media_port"
    MEDIA_BUSY = "media_busy"
    """The media processes had no time for another call; refused before the sound of others suffered."""
    TRUNK_FULL = "trunk_full"
    """The trunk has as many calls, or gets them as fast, as it may."""
    TOLL_LIMIT = "toll_limit"
    """Refused or ended by the guard against toll fraud."""
    STORE_FULL = "store_full"
    """Events wait in memory up to their bound (disk full); new calls are refused."""
    SHUTDOWN = "shutdown"
    DRAINING = "draining"
    ENGINE_RESTART = "engine_restart"
    """The engine was killed while the call was up; its end was written by the next start."""
    OPERATOR = "operator"
    """Ended by a person through API or command line."""
    PROTOCOL = "protocol"
    """The peer broke the protocol in a way that ended the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndCause:
    """Every leg and every call ends with exactly one."""

    outcome: Outcome
    reason: Reason
    sip_code: int | None = None
    """The final status that was sent or received, or 200 for a normal BYE; None where none was exchanged."""
    q850: int | None = None
    """The telephone network's own cause (ITU-T Q.850), where the peer told one; it is told to the other side."""
    retry_after_s: int | None = None
    """The peer refused, and does not want to be asked again for so long."""

    def __str__(self) -> str:
        code = "" if self.sip_code is None else f"/{self.sip_code}"
        return f"{self.outcome}/{self.reason}{code}"
