"""What can be seen of an endpoint from outside: counters, how much is held, and what passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from engine.sip.dialog import dialog_name
from engine.sip.events import SessionId
from engine.sip.flow import Transport
from engine.sip.invite_out import OutgoingSession
from engine.sip.outbox import Trace
from engine.sip.recorder import Recorder
from engine.sip.registrar import Registrar
from engine.sip.stack import Stack


class LiveCounts(NamedTuple):
    """What the endpoint holds; all zero when nothing is going on and the last timer rang."""

    transactions: int
    dialogs: int
    sessions: int
    bindings: int
    timers: int


class Watching:
    """A part of `Endpoint`, which has the stack and the registrar."""

    _stack: Stack
    _registrar: Registrar

    @property
    def counters(self) -> Counter[tuple[str, str, int | str, Transport]]:
        """Messages by ("in" | "out", method, status or "request", transport), repetitions of ours not counted."""
        return self._stack.outbox.counters

    @property
    def retransmissions(self) -> Counter[tuple[str, str, Transport]]:
        """Repeated messages by ("in" | "out", method, transport)."""
        return self._stack.outbox.retransmissions

    @property
    def dropped(self) -> int:
        """Messages that nobody waited for, and inputs that a transaction's state does not name."""
        return self._stack.transactions.dropped

    @property
    def drops(self) -> Counter[str]:
        """The same by reason (`engine.sip.drops`)."""
        return self._stack.transactions.drops

    @property
    def withheld(self) -> int:
        """Answers not given because they would have been larger than a forged address may bring forth."""
        return self._stack.withheld

    @property
    def trace(self) -> Trace | None:
        """Called with each message in and out; costs nothing where None."""
        return self._stack.outbox.trace

    @trace.setter
    def trace(self, trace: Trace | None) -> None:
        self._stack.outbox.trace = trace

    @property
    def recorder(self) -> Recorder | None:
        """Keeps what passes; nothing is kept where None."""
        return self._stack.outbox.recorder

    @recorder.setter
    def recorder(self, recorder: Recorder | None) -> None:
        self._stack.outbox.recorder = recorder

    def call_id(self, session: SessionId) -> str | None:
        """The Call-ID of a call of ours; None once it is over."""
        found = self._stack.sessions.get(session)
        return found.call_id if isinstance(found, OutgoingSession) else None

    def dialog_name_of(self, session: SessionId) -> str:
        """The name of the dialog of a call that stands (`dialog_name`); "" where it does not."""
        found = self._stack.sessions.get(session)
        dialog = None if found is None else found.dialog
        return "" if dialog is None else dialog_name(dialog.call_id, dialog.local_tag, dialog.remote_tag)

    @property
    def abandoned(self) -> Collection[str]:
        """Dialogs of a process before this one, whose calls go on without it: a BYE there is taken, and told
        (`AbandonedEnded`); all else is asked to come again later."""
        return self._stack.abandoned

    @abandoned.setter
    def abandoned(self, dialogs: Collection[str]) -> None:
        self._stack.abandoned = dialogs

    @property
    def connections(self) -> int:
        """Stream connections that stand."""
        return len(self._stack.outbox.streams)

    def live(self) -> LiveCounts:
        """How much is held now."""
        stack = self._stack
        return LiveCounts(
            transactions=len(stack.transactions),
            dialogs=len(stack.dialogs),
            sessions=len(stack.sessions),
            bindings=len(self._registrar),
            timers=len(stack.heap),
        )
