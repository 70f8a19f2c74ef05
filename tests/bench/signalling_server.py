"""What the signalling benchmark needs of a server, so that the engine and its rival are measured by the same code."""

from __future__ import annotations

from typing import Final, Protocol

from tests.support.procs import Process

RTP_PORTS: Final = range(30_000, 32_768)
"""For either server, which never run at once: four a call, so 690 calls. Below Linux's ephemeral ports, and not where
tests look for free ones."""

QUEUE: Final = "bench"
RING_TIMEOUT_S: Final = 15
RETRY_S: Final = 1


def agent_names(count: int) -> list[str]:
    """The members of the queue."""
    return [f"agent{number}" for number in range(1, count + 1)]


class Server(Protocol):
    """A running engine or Asterisk with a queue and registered agents."""

    name: str

    @property
    def address(self) -> tuple[str, int]:
        """Where callers send to."""
        ...

    def start(self) -> None:
        """Start it with all agents reachable."""
        ...

    @property
    def process(self) -> Process:
        """The first of its processes, which the others descend from."""
        ...

    def cdrs(self) -> int:
        """How many calls stand on the disk."""
        ...

    def stop(self) -> None:
        """End it, and leave nothing behind."""
        ...
