"""What other phones may see of an agent's: its calls and its voice messages (`engine.sip.event_state.StateSource`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from engine.calls.directory import Directory
from engine.calls.leg import LegState
from engine.calls.leg_book import LegBook
from engine.calls.ports import MailboxPort
from engine.ids import AgentName
from engine.sip.endpoint import Endpoint
from engine.sip.event_state import DialogState, MessageCounts, Package, WatchedDialog
from engine.sip.events import SessionId

_STATES: Final = {
    LegState.OFFERED: DialogState.TRYING,
    LegState.ALERTING: DialogState.EARLY,
    LegState.ANSWERING: DialogState.CONFIRMED,
    LegState.PLACING: DialogState.TRYING,
    LegState.RINGING: DialogState.EARLY,
    LegState.UP: DialogState.CONFIRMED,
    LegState.ENDING: DialogState.TERMINATED,
}


class SipWatch:
    """Answers from the legs that live now. An agent sees his own line, and the calls of those in his context."""

    def __init__(
        self, endpoint: Endpoint, book: LegBook[Any, SessionId], directory: Directory, mailboxes: MailboxPort
    ) -> None:
        self._endpoint = endpoint
        self._book = book
        self._directory = directory
        self._mailboxes = mailboxes
        book.watched = endpoint.serve_states(self)

    def may_watch(self, watcher: str, package: Package, resource: str) -> bool:
        agents = self._directory.agents
        own, wanted = agents.get(AgentName(watcher)), agents.get(AgentName(resource))
        if own is None or wanted is None:
            return False
        return own is wanted or (package is Package.DIALOG and own.context == wanted.context)

    def messages(self, resource: str) -> MessageCounts:
        new, old = self._mailboxes.waiting(AgentName(resource))
        return MessageCounts(new=new, old=old)

    def dialogs(self, resource: str) -> Sequence[WatchedDialog]:
        return [
            WatchedDialog(
                id=leg.id,
                state=_STATES[leg.state],
                initiator=leg.incoming,
                remote_number="" if leg.other is None else leg.other.number,
                remote_display="" if leg.other is None else leg.other.display,
            )
            for leg in self._book.of_agent(AgentName(resource))
            if leg.state in _STATES
        ]

    def tell(self, now: float) -> None:
        """Have those told whose lamps show what has changed since the last time."""
        touched = self._book.touched
        if touched:
            self._book.touched = {}
            for agent in touched:
                self._endpoint.state_changed(Package.DIALOG, agent, now=now)
