"""The one place where Twisted's Deferreds become asyncio's futures; above `net` nobody sees a Deferred."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from twisted.internet.defer import Deferred

_T = TypeVar("_T")


def as_future(deferred: Deferred[_T]) -> asyncio.Future[_T]:
    """Something that a task on the reactor's own asyncio loop may await."""
    return deferred.asFuture(asyncio.get_running_loop())
