from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.python import context
from twisted.python.log import ILogContext, callWithLogger

from engine.net.event_loop import LeanLoop


@pytest.fixture
def loop() -> Iterator[LeanLoop]:
    loop = LeanLoop()
    yield loop
    loop.close()


class Connection:
    """What Twisted calls in a log context that names it."""

    def logPrefix(self) -> str:
        return "a connection"


@pytest.mark.parametrize("with_logger", [True, False])
def test_readers_and_writers_are_called_with_their_arguments_and_no_log_context(
    loop: LeanLoop, with_logger: bool
) -> None:
    told: list[tuple[Any, ...]] = []

    def ready(*what: Any) -> None:
        told.append((*what, context.get(ILogContext).get("system")))
        if len(told) == 2:
            loop.stop()

    callback = (callWithLogger, Connection(), ready) if with_logger else (ready,)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        loop.add_reader(ours, *callback, "read", 1)
        loop.add_writer(theirs, *callback, "write", 2)
        loop.run_forever()
        loop.remove_reader(ours)
        loop.remove_writer(theirs)
    assert sorted(told) == [("read", 1, "-"), ("write", 2, "-")]
