"""What `hearthline run --demo` shows on the terminal: the life of each call in one line that grows as it goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final, TextIO

from engine.calls.journal import Record
from engine.calls.log import (
    AgentReachable,
    AgentStatusChanged,
    AgentUnreachable,
    CallConnected,
    CallEnded,
    CallerConnected,
    CallerQueued,
    CallHeld,
    CallResumed,
    CallRouted,
    CallStarted,
    CallTransferred,
    LogBody,
    OfferEnded,
    OfferMade,
    OfferOutcome,
    TransferFailed,
    TransferStarted,
)
from engine.ids import CallId

_HANDLED_ELSEWHERE: Final = ("queue:",)


def _started(body: CallStarted) -> str:
    return f"{body.caller or 'anonymous'} calls {body.called}"


def _routed(body: CallRouted) -> str:
    return "" if body.destination.startswith(_HANDLED_ELSEWHERE) else body.destination


def _queued(body: CallerQueued) -> str:
    return f"waits in {body.queue} as number {body.position}"


def _offered(body: OfferMade) -> str:
    return f"rings {body.agent}"


def _offer_ended(body: OfferEnded) -> str:
    return "" if body.outcome is OfferOutcome.ANSWERED else f"{body.agent}: {body.outcome.replace('_', ' ')}"


def _connected(body: CallerConnected) -> str:
    return f"talks to {body.agent} after {body.waited_s:.1f} s"


def _ended(body: CallEnded) -> str:
    return f"{body.cause.reason.replace('_', ' ')} after {body.talked_s:.1f} s of talk"


_PHRASES: Final[dict[type[LogBody], Callable[..., str]]] = {
    CallStarted: _started,
    CallRouted: _routed,
    CallerQueued: _queued,
    OfferMade: _offered,
    OfferEnded: _offer_ended,
    CallerConnected: _connected,
    CallConnected: lambda body: "" if body.peer.startswith("agent:") else f"talks to {body.peer}",
    CallHeld: lambda body: "held",
    TransferStarted: lambda body: f"{body.by} transfers to {body.to}",
    CallTransferred: lambda body: f"put through to {body.to}",
    TransferFailed: lambda body: f"not put through to {body.to}: {body.cause.reason.replace('_', ' ')}",
    CallResumed: lambda body: "resumed",
    CallEnded: _ended,
}

_NOTICES: Final[dict[type[LogBody], Callable[..., str]]] = {
    AgentReachable: lambda body: f"{body.agent} is registered from {body.source}",
    AgentUnreachable: lambda body: f"{body.agent} cannot be reached ({body.reason})",
    AgentStatusChanged: lambda body: f"{body.agent} is now {body.status}" + (f": {body.reason}" if body.reason else ""),
}


class CallConsole:
    """Follows the records and writes; a line that another call interrupts is begun again, whole. A terminal that is
    gone (OSError) is written to in vain: the engine then drains, and its calls go on."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Without a stream it is standard output."""
        self._stream = sys.stdout if stream is None else stream
        self._lines: dict[CallId, str] = {}
        self._open: CallId | None = None

    def observe(self, records: Sequence[Record]) -> None:
        """Show what these records say."""
        with suppress(OSError):
            for record in records:
                self._show(record)
            self._stream.flush()

    def say(self, text: str) -> None:
        """Write a line of its own."""
        with suppress(OSError):
            self._say(text)
            self._stream.flush()

    def _show(self, record: Record) -> None:
        if phrase := _NOTICES.get(type(record.body)):
            self._say(f"{_clock(record)}  {phrase(record.body)}")
        elif record.call is not None and (phrase := _PHRASES.get(type(record.body))):
            self._grow(record.call, phrase(record.body), record)

    def _say(self, text: str) -> None:
        self._break_line()
        self._stream.write(text + "\n")

    def _grow(self, call: CallId, phrase: str, record: Record) -> None:
        if not phrase:
            return
        before = self._lines.get(call)
        if before is None:
            self._break_line()
            line = f"{_clock(record)}  {phrase}"
            self._stream.write(line)
        else:
            line = f"{before} · {phrase}"
            if self._open == call:
                self._stream.write(line[len(before) :])
            else:
                self._break_line()
                self._stream.write(line)
        self._lines[call] = line
        self._open = call
        if isinstance(record.body, CallEnded):
            del self._lines[call]
            self._break_line()

    def _break_line(self) -> None:
        if self._open is not None:
            self._stream.write("\n")
            self._open = None


def _clock(record: Record) -> str:
    return f"{datetime.fromtimestamp(record.wall).astimezone():%H:%M:%S}"
