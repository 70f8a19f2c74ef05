"""What may happen to two who talk, each by a chance of its own and counted."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from tests.bench.soak_station import Dialog, Missed
from tests.bench.soak_town import Town

STRANGER: Final = "127.0.0.66"


class Talk:
    """Two who talk: who called, and who answered."""

    def __init__(self, town: Town, caller: Dialog, called: Dialog) -> None:
        self.town, self.caller, self.called = town, caller, called

    @property
    def up(self) -> bool:
        return not (self.caller.ended.is_set() or self.called.ended.is_set())

    def one(self) -> Dialog:
        return self.town.chance.choice((self.caller, self.called))

    async def pause(self, least: float, most: float) -> None:
        await asyncio.sleep(self.town.chance.uniform(least, most))

    async def call_id(self) -> str:
        """The engine's name of the call, once it is known. Raises Missed."""
        for _ in range(25):
            found = self.town.calls.get(self.caller.user)
            if found is not None:
                return found
            await asyncio.sleep(0.2)
        raise Missed("a live call in the API")


async def keys(talk: Talk) -> None:
    """Keys as events or tones, as the telephone has them."""
    for _ in range(talk.town.chance.randrange(1, 5)):
        end = talk.one().end
        if end is not None and end.on_air:
            end.press(talk.town.chance.choice("0123456789*#"))
        await talk.pause(0.15, 0.5)


async def keys_by_info(talk: Talk) -> None:
    await talk.one().info(talk.town.chance.choice("0123456789"))


async def hold(talk: Talk) -> None:
    """Hold, and after a while resume; the other side hears music."""
    one = talk.one()
    await one.change(talk.town.chance.choice(("sendonly", "inactive")))
    await talk.pause(1.0, 4.0)
    if talk.up:
        await one.change("sendrecv")


async def moves(talk: Talk) -> None:
    """Sound comes from another port from now on, as a re-INVITE says."""
    await talk.one().change("sendrecv", moved=True)


async def falls_silent(talk: Talk) -> None:
    """No more packets from one side, long enough for the engine to ask where they are."""
    end = talk.one().end
    if end is not None:
        end.muted = True
        await talk.pause(3.5, 6.0)
        end.muted = False


async def strangers(talk: Talk) -> None:
    """Packets of somebody else at a leg's port."""
    one = talk.one()
    if one.end is None or one.end.agreed is None:
        return
    host, port = one.end.agreed.peer
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setblocking(False)
        stranger.bind((STRANGER, 0))
        for number in range(100):
            with suppress(OSError):
                header = struct.pack("!BBHII", 0x80, 0, number, number * 160, 99)
                stranger.sendto(header + b"\x99" * 160, (host, port + (number % 10 == 9)))
            if number % 10 == 0:
                await asyncio.sleep(0.05)
        with suppress(BlockingIOError, ConnectionRefusedError):
            while stranger.recv(2048):
                talk.town.agents.counts["packets to strangers"] += 1


async def record(talk: Talk) -> None:
    """Start, pause, resume and mostly stop a recording by the API."""
    call, chance = await talk.call_id(), talk.town.chance
    path = f"/api/v1/calls/{call}/recording"
    for action in ("start", "pause", "resume", "stop"):
        if not talk.up or (action == "stop" and chance.random() < 0.5):
            return
        await talk.town.ask("POST", path, {"action": action})
        await talk.pause(0.8, 3.0)


async def supervise(talk: Talk) -> None:
    """Another agent listens, whispers, barges in, and is gone."""
    call, town = await talk.call_id(), talk.town
    who = town.chance.choice([each for each in town.numbers if each != talk.called.user])
    path = f"/api/v1/calls/{call}/supervisors/{who}"
    for mode in ("listen", "whisper", "barge", "listen"):
        if not talk.up or not await town.ask("PUT", path, {"mode": mode}):
            return
        await talk.pause(0.8, 2.5)
    if town.chance.random() < 0.7:
        await town.ask("DELETE", path)


async def transfer_blind(talk: Talk) -> None:
    """The agent hands the caller on: to a colleague, the queue, a trunk, the echo."""
    town, agent = talk.town, talk.called
    if agent.station is not town.agents:
        return
    number = town.chance.choice(
        ["600", "601", "9555123", "8555123", *town.chance.sample(list(town.numbers.values()), 4)]
    )
    if await agent.transfer(number):
        await _until(lambda: agent.ended.is_set() or any("200" in each or " 4" in each for each in agent.notified), 9.0)
        if any("200" in each for each in agent.notified):
            await agent.hang_up()


async def transfer_attended(talk: Talk) -> None:
    """The agent holds the caller, asks a colleague, and joins the two."""
    town, agent = talk.town, talk.called
    if agent.station is not town.agents:
        return
    await agent.change("sendonly")
    colleague = town.chance.choice([each for each in town.numbers if each != agent.user])
    try:
        second = await town.agents.call(
            agent.user,
            town.numbers[colleague],
            town.kits[agent.user],
            password=town.secrets[agent.user],
            patience_s=8.0,
        )
    except Missed:
        if talk.up:
            await agent.change("sendrecv")
        return
    await talk.pause(0.5, 1.5)
    if talk.up and await agent.transfer(town.numbers[colleague], replaces=second):
        await _until(lambda: agent.ended.is_set() and second.ended.is_set(), 5.0)
    await second.hang_up()
    if agent.notified and any("200" in each for each in agent.notified):
        await agent.hang_up()


async def vanish(talk: Talk) -> None:
    """One side is gone in a moment; as a rule it comes back later and knows of no call."""
    town = talk.town
    now = asyncio.get_running_loop().time()
    talk.one().vanish(0.0 if town.size.calls > 50 and town.chance.random() < 0.3 else now + 4.0)


async def _until(condition: Callable[[], bool], seconds: float) -> None:
    for _ in range(int(seconds * 10)):
        if condition():
            return
        await asyncio.sleep(0.1)


FEATURES: Final[dict[str, tuple[float, Callable[[Talk], Awaitable[None]]]]] = {
    "keys": (0.25, keys),
    "keys by INFO": (0.08, keys_by_info),
    "hold": (0.15, hold),
    "moves to another port": (0.08, moves),
    "falls silent": (0.05, falls_silent),
    "strangers": (0.04, strangers),
    "recorded by API": (0.06, record),
    "supervised by API": (0.06, supervise),
    "transfer, blind": (0.06, transfer_blind),
    "transfer, attended": (0.05, transfer_attended),
    "vanishes": (0.02, vanish),
}
"""The share of talks in which each happens. Those that end a talk come last."""
