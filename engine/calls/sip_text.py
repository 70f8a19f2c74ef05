"""Texts to agents (RFC 3428): a MESSAGE that came is sent on to each of the agent's phones; the first that takes it
decides. Nothing is kept: an agent who cannot be reached gets none, and the sender is told so."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from engine.calls.directory import Directory
from engine.calls.events import TextRelayed
from engine.calls.leg_book import LegBook
from engine.ids import AgentName
from engine.sip.endpoint import Endpoint
from engine.sip.errors import LocalSipError
from engine.sip.events import MessageAnswered, MessageId, MessageReceived, SessionId


@dataclass(slots=True, eq=False)
class _Delivery:
    """One text on its way."""

    message: MessageId
    told: TextRelayed
    left: int
    """Phones that have not answered."""


class SipTexts:
    """See the module."""

    def __init__(self, endpoint: Endpoint, directory: Directory, book: LegBook[Any, SessionId]) -> None:
        self._endpoint = endpoint
        self._directory = directory
        self._book = book
        self._under_way: dict[MessageId, _Delivery] = {}

    def received(self, event: MessageReceived, now: float) -> None:
        """A text: refused with 404 where no such agent is, 480 where no phone is there."""
        to = AgentName(event.to_user)
        known = self._directory.agents.get(to)
        phones = () if known is None or event.within is not None else self._endpoint.bindings(to)
        delivery = _Delivery(event.message, TextRelayed(sender=event.from_user, to=to, size=len(event.text)), 0)
        for phone in phones:
            with suppress(LocalSipError):
                sent = self._endpoint.send_message(
                    self._endpoint.target_of(phone),
                    from_user=event.from_user,
                    from_display=event.from_display,
                    text=event.text,
                    now=now,
                )
                delivery.left += 1
                self._under_way[sent] = delivery
        if not delivery.left:
            self._answer(delivery, 404 if known is None and event.within is None else 480, now)

    def answered(self, event: MessageAnswered, now: float) -> None:
        """What a phone said to it."""
        delivery = self._under_way.pop(event.message, None)
        if delivery is None or delivery.left == 0:
            return
        delivery.left -= 1
        if event.status is not None and event.status < 300:
            delivery.left = 0
            self._answer(delivery, 200, now)
        elif delivery.left == 0:
            self._answer(delivery, 480, now)

    def _answer(self, delivery: _Delivery, status: int, now: float) -> None:
        with suppress(LocalSipError):
            self._endpoint.answer_message(delivery.message, status, now=now)
        told = delivery.told
        self._book.tell(TextRelayed(sender=told.sender, to=told.to, size=told.size, delivered=status == 200))
