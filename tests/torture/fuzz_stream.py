"""`make fuzz`: one stream, guided by coverage. Cut into pieces of any size, it brings the same items as at once, and
breaks at the same place.

    python -m tests.torture.fuzz_stream [--seconds 600]

The first two bytes choose the pieces.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from engine.sip.message import Message
from engine.sip.parser import BrokenStream, Framed, KeepAlive, ParseError, StreamFramer
from tests.torture.guided import run
from tests.torture.seeds import message_seeds

_HEAD = 4096
_BODY = 8192


def seeds() -> list[bytes]:
    """One message or several, with keep-alives between them."""
    messages = message_seeds()
    joined = [one + b"\r\n\r\n" + other for one, other in zip(messages[::2], messages[1::2], strict=False)]
    return [bytes((number % 256, 7)) + data for number, data in enumerate((*messages, *joined))]


def fuzz(data: bytes) -> None:
    """One input."""
    choice, stream = data[:2], data[2:]
    whole, broke = _items([stream])
    pieces, also = _items(_cut(stream, random.Random(choice)))
    assert (pieces, also) == (whole, broke), f"{pieces}, {also} instead of {whole}, {broke}"


def _cut(stream: bytes, chance: random.Random) -> Iterable[bytes]:
    longest = chance.choice((1, 3, 20, 200))
    if len(stream) > 64 * longest:
        longest = len(stream) // 64 + 1
    at = 0
    while at < len(stream):
        step = chance.randint(1, longest)
        yield stream[at : at + step]
        at += step


def _items(pieces: Iterable[bytes]) -> tuple[list[object], str]:
    """What came, without pings and pongs: how many line ends make one depends on how they arrive."""
    framer = StreamFramer(max_head=_HEAD, max_body=_BODY)
    found: list[Framed] = []
    try:
        for piece in pieces:
            found += framer.feed(piece)
            assert framer.held <= _HEAD + _BODY + len(piece)
    except BrokenStream as error:
        found += error.items
        return _told(found), f"{error.status_hint} {error} {_told([error])}"
    return _told(found), f"holds {framer.held}"


def _told(items: Iterable[Framed]) -> list[object]:
    return [_plain(item) for item in items if not isinstance(item, KeepAlive)]


def _plain(item: Framed) -> object:
    if isinstance(item, ParseError):
        return (item.status_hint, str(item), _bytes(item.message))
    return item


def _bytes(message: Message | None) -> tuple[str, list[tuple[str, str]], bytes] | None:
    return None if message is None else (message.start_line, list(message.headers.items()), message.body)


if __name__ == "__main__":
    run("fuzz_stream")
