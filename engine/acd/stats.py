"""What a queue counts since the engine started; for the API and the status command, not for reports (those fold the
event log)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.calls.log import QueueExit


@dataclass(slots=True, kw_only=True)
class QueueCounters:
    entered: int = 0
    connected: int = 0
    abandoned: int = 0
    """The caller hung up while waiting. Unlike app_queue's counter it does not hold those whom the queue let go."""
    timed_out: int = 0
    failed: int = 0
    """We ended the call while the caller waited: no media process, an operator's word, shutdown."""
    refused: int = 0
    """The queue was full: never entered."""
    offers: int = 0
    offers_untaken: int = 0
    hold_s: float = 0.0
    """app_queue's moving holdtime: (3 * old + new) / 4 on each answer, seconds."""

    def connect(self, waited_s: float) -> None:
        """Note a caller who got an agent after this wait."""
        self.connected += 1
        self.hold_s = (3.0 * self.hold_s + waited_s) / 4.0

    def leave(self, why: QueueExit) -> None:
        """Note a caller who went out without an agent."""
        match why:
            case QueueExit.ABANDONED:
                self.abandoned += 1
            case QueueExit.TIMEOUT:
                self.timed_out += 1
            case QueueExit.FULL:
                self.refused += 1
            case QueueExit.FAILED:
                self.failed += 1
            case QueueExit.QUEUE_REMOVED:
                pass  # the queue, and its counters with it, are going
