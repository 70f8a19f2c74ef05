"""The asyncio loop that Twisted's reactor runs on, without what Twisted adds to every event.

Twisted calls each reader and writer in a log context of its own (`twisted.python.log.callWithLogger`), so that its log
can say which protocol a line is from. We log through `logging`, which knows nothing of it; the contexts alone took a
tenth of the control process's time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVarTuple

from twisted.python.log import callWithLogger

_Args = TypeVarTuple("_Args")


class LeanLoop(asyncio.SelectorEventLoop):
    """Calls readers and writers directly."""

    def add_reader(self, fd: Any, callback: Callable[[*_Args], Any], *args: *_Args) -> None:
        super().add_reader(fd, *_without_context(callback, args))

    def add_writer(self, fd: Any, callback: Callable[[*_Args], Any], *args: *_Args) -> None:
        super().add_writer(fd, *_without_context(callback, args))


def _without_context(callback: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
    # callWithLogger(logger, function, *arguments)
    return args[1:] if callback is callWithLogger else (callback, *args)
