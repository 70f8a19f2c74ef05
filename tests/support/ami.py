"""A small client of Asterisk's manager interface: actions with their answers, and the events that follow."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from tests.support.procs import WaitedInVain

_EVENT_LIMIT = 20_000
"""Oldest events are forgotten beyond this, so that a benchmark can leave the connection open."""


class AmiError(AssertionError):
    """Asterisk refused an action, or the connection ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmiEvent:
    """One event, or the answer to an action."""

    name: str
    """The event's name, empty for an answer."""
    fields: Mapping[str, str]
    """Header lines; of a repeated one, such as Output, the lines joined by newlines."""
    at: float
    """Asterisk's wall-clock time of the event, seconds since 1970; 0.0 for an answer."""


def parse(block: str) -> AmiEvent:
    """One message of the interface: `Key: value` lines."""
    fields: dict[str, str] = {}
    for line in block.split("\r\n"):
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        fields[key] = f"{fields[key]}\n{value}" if key in fields else value
    return AmiEvent(name=fields.get("Event", ""), fields=fields, at=float(fields.get("Timestamp") or 0.0))


class Ami:
    """A logged-in connection. Events are kept from the log-in on, and read while waiting for something."""

    def __init__(self, port: int, *, secret: str, user: str = "tests") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._buffer = b""
        self._next_action = 0
        self.events: list[AmiEvent] = []
        try:
            self._read_until(b"\r\n", deadline=time.monotonic() + 5)  # "Asterisk Call Manager/x.y.z"
            self.act("Login", {"Username": user, "Secret": secret})
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Ami:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def act(
        self,
        action: str,
        fields: Mapping[str, str] | None = None,
        *,
        action_id: str | None = None,
        variables: Mapping[str, str] | None = None,
        timeout: float = 20.0,
    ) -> AmiEvent:
        """Perform `action` and return its answer; later events carry `action_id` too.

        Raises `AmiError` when Asterisk answers with an error.
        """
        self._next_action += 1
        action_id = action_id or f"t{self._next_action}"
        lines = [f"Action: {action}", f"ActionID: {action_id}"]
        lines += [f"{key}: {value}" for key, value in (fields or {}).items()]
        lines += [f"Variable: {key}={value}" for key, value in (variables or {}).items()]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        deadline = time.monotonic() + timeout
        while True:
            message = self._read_message(deadline)
            if message is None:
                raise WaitedInVain(f"no answer to {action} within {timeout:g} s")
            if message.name:
                self._keep(message)
            elif message.fields.get("ActionID") == action_id:
                if message.fields.get("Response") == "Error":
                    raise AmiError(f"{action}: {message.fields.get('Message')}")
                return message

    def command(self, line: str) -> str:
        """What Asterisk's command line prints for `line`."""
        return self.act("Command", {"Command": line}).fields.get("Output", "")

    def wait_for(self, name: str, *, timeout: float = 20.0, since: int = 0, **fields: str) -> AmiEvent:
        """The first event `name` whose fields have these values, among those from index `since` of `events` on.

        Raises `WaitedInVain` with the last events' names after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        seen = since
        while True:
            for event in self.events[seen:]:
                if event.name == name and all(event.fields.get(key) == value for key, value in fields.items()):
                    return event
            seen = len(self.events)
            message = self._read_message(deadline)
            if message is None:
                last = " ".join(event.name for event in self.events[-20:])
                raise WaitedInVain(f"no event {name} {fields} within {timeout:g} s; the last were: {last}")
            if message.name:
                self._keep(message)
                seen = min(seen, len(self.events) - 1)

    def drain(self) -> list[AmiEvent]:
        """All events so far, with those that have arrived but not been read."""
        while (message := self._read_message(time.monotonic())) is not None:
            if message.name:
                self._keep(message)
        return self.events

    def _keep(self, event: AmiEvent) -> None:
        self.events.append(event)
        del self.events[:-_EVENT_LIMIT]

    def _read_message(self, deadline: float) -> AmiEvent | None:
        block = self._read_until(b"\r\n\r\n", deadline=deadline)
        return None if block is None else parse(block.decode(errors="replace"))

    def _read_until(self, end: bytes, *, deadline: float) -> bytes | None:
        while end not in self._buffer:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                return None
            if not data:
                raise AmiError("Asterisk closed the manager connection")
            self._buffer += data
        block, _, self._buffer = self._buffer.partition(end)
        return block
