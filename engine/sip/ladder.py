"""A trace as ladder text: the caller's side, the engine, everybody else, and time from top to bottom.

+0.000  |-- INVITE 1 ------------>|                         |  sendrecv PCMU,PCMA 192.0.2.2:4000
+0.001  |<- 100 Trying (INVITE 1) |                         |
+0.012  |                         |-- INVITE 1 ------------>|  sendrecv PCMU,PCMA 192.0.2.1:20002
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from engine.sip.flow import Address, Flow
from engine.sip.recorder import IN
from engine.sip.trace_text import Passed

LocalAddress = Callable[[Flow], Address]
"""Our address as a peer on the flow sees it; that of the flow may be 0.0.0.0."""

_WIDTH: Final = 34
"""Between two bars."""
_FIRST: Final = "A"


def ladder(messages: Sequence[Passed], *, left: str, ours: LocalAddress, full: bool = False) -> str:
    """The messages as text. `left` is the Call-ID of the caller's side; all others stand on the right. With `full` each
    message follows its line. Secrets are masked already (`trace_text`)."""
    if not messages:
        return "no messages\n"
    names = _parties(messages, left)
    started = messages[0].at
    lines = [f"{_clock(started)}; secrets are masked", ""]
    for call_id, name in names.items():
        own = [each for each in messages if each.call_id == call_id]
        ways = dict.fromkeys(f"{show(each.flow.remote)} {each.flow.transport}" for each in own)
        here = dict.fromkeys(show(ours(each.flow)) for each in own)
        lines.append(f"  {name}  {', '.join(ways)}  (here {', '.join(here)})  Call-ID {call_id}")
    lines += ["", f"{'':11}{_FIRST if left in names else '':<{_WIDTH + 1}}{'engine':<{_WIDTH + 1}}others"]
    for message in messages:
        lines.append(_line(message, message.at - started, left, names))
        if full:
            lines += ["", *_whole(message), ""]
    return "\n".join(lines) + "\n"


def show(address: Address) -> str:
    """host:port, with brackets where they are needed."""
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"


def _parties(messages: Sequence[Passed], left: str) -> Mapping[str, str]:
    """A name for each Call-ID, the caller's first."""
    ids = dict.fromkeys(each.call_id for each in messages)
    ordered = [each for each in ids if each == left] + [each for each in ids if each != left]
    start = 0 if left in ids else 1
    return {call_id: _name(number + start) for number, call_id in enumerate(ordered)}


def _name(number: int) -> str:
    return chr(ord(_FIRST) + number) if number < 26 else f"#{number}"


def _line(message: Passed, offset: float, left: str, names: Mapping[str, str]) -> str:
    caller = message.call_id == left
    arrow = _arrow(message, to_right=caller == (message.way == IN))
    gap = " " * _WIDTH
    rungs = f"|{arrow}|{gap}|" if caller else f"|{gap}|{arrow}|"
    # With one party on the right its name says nothing.
    name = "" if caller or len(names) < 3 else f" {names[message.call_id]}"
    return f"{f'+{offset:.3f}':>10} {rungs}{name}{f'  {message.sdp}' if message.sdp else ''}".rstrip()


def _arrow(message: Passed, *, to_right: bool) -> str:
    title = message.title + (" again" if message.again else "")
    room = _WIDTH - 6
    text = title if len(title) <= room else f"{title[: room - 2]}.."
    if to_right:
        return f"-- {text} ".ljust(_WIDTH - 1, "-") + ">"
    return "<" + f"- {text} ".ljust(_WIDTH - 1, "-")


def _whole(message: Passed) -> list[str]:
    text = message.data.decode(errors="replace").replace("\r\n", "\n").rstrip("\n")
    shown = "".join(char if char == "\n" or char.isprintable() else "?" for char in text)
    way = "from" if message.way == IN else "to"
    head = (
        f"{_clock(message.at)} {way} {show(message.flow.remote)} {message.flow.transport}, {len(message.data)} octets"
    )
    return [f"    {head}", *(f"    | {line}".rstrip() for line in shown.split("\n"))]


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}.{int(at * 1000) % 1000:03d} UTC"
