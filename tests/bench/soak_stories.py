"""The calls of the media soak: who calls whom, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Final

from tests.bench.soak_features import FEATURES, Talk
from tests.bench.soak_kit import ONLY_OPAQUE, Kit, some_kit
from tests.bench.soak_station import Dialog, Missed, Station
from tests.bench.soak_town import ROOMS, Town

_LAST: Final = ("transfer, blind", "transfer, attended", "vanishes")


class Life:
    """Begins stories at a steady rate until told to stop; counts them."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.begun: Counter[str] = Counter()
        """By story and feature; a story of three callers counts once here ..."""
        self.missed: Counter[str] = Counter()
        self.calls = 0
        """... and as three calls here."""
        self.stretch = 1.0
        """Of every talk, so that as many calls are up as there should be."""
        self._numbers = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def talk_s(self) -> float:
        return self.town.size.talk_s * self.stretch

    @property
    def chance(self) -> Random:
        return self.town.chance

    async def go_on(self, seconds: float, *, times: float = 1.0) -> None:
        """Begin so many calls a second for so long; `times` as many, and as many up, as the town is meant for."""
        loop = asyncio.get_running_loop()
        began, first = loop.time(), self.calls
        calls = times * self.town.size.calls
        while (passed := loop.time() - began) < seconds:
            while self.calls - first < passed * times * self.town.size.new_per_s:
                names = [*STORIES]
                name = self.chance.choices(names, [STORIES[each][0] for each in names])[0]
                task = asyncio.create_task(self._tell(name))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                await asyncio.sleep(0)
            self.stretch += max(-0.002, min(0.002, (calls - self.town.live) / calls * 0.05))
            self.stretch = max(0.5, min(1.6, self.stretch))
            await asyncio.sleep(0.1)

    async def end(self, seconds: float) -> int:
        """Wait for the stories to end; how many did not."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        left = len(self._tasks)
        for task in list(self._tasks):
            task.cancel()
        return left

    async def _tell(self, name: str) -> None:
        self.begun[name] += 1
        try:
            await STORIES[name][1](self)
        except (Missed, IndexError) as missed:
            self.missed[f"{name}: {missed}"] += 1

    # --- parts of stories ---

    def number(self) -> str:
        """A caller's own, by which the call is known on the other side."""
        self._numbers += 1
        return str(4_000_000 + self._numbers)

    def from_a_trunk(self) -> tuple[Station, Kit]:
        name = self.chance.choices(("pbx", "vault", "line"), (65, 25, 10))[0]
        kit = some_kit(self.chance, encrypted=name == "vault", opaque=True)
        if name == "line":
            kit = replace(kit, events=False, codings=kit.codings[-1:])
        self._note(kit)
        return self.town.trunks[name], kit

    def _note(self, kit: Kit) -> None:
        """Count what telephones that call are like."""
        words = [f"kit: {kit.codings[0].name}", f"kit: {kit.ptime_ms} ms"]
        words += ["kit: DTX"] * kit.sparing + ["kit: NAT"] * kit.behind_nat + [f"kit: {kit.suite}"] * bool(kit.suite)
        words += (
            ["kit: loss"] * bool(kit.loss) + ["kit: reorder"] * bool(kit.swaps) + ["kit: jitter"] * bool(kit.jitter_ms)
        )
        self.begun.update(words)

    async def call(self, number: str) -> Dialog:
        """Somebody from outside calls."""
        station, kit = self.from_a_trunk()
        self.calls += 1
        return await station.call(self.number(), number, kit)

    async def call_as_agent(self, number: str) -> Dialog:
        town = self.town
        busy = town.calls.keys()
        user = self.chance.choice([each for each in town.numbers if each not in busy])
        self.calls += 1
        return await town.agents.call(user, number, town.kits[user], password=town.secrets[user])

    async def talk(self, caller: Dialog) -> None:
        """From the answer on: features by chance, and one of the two hangs up."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self.chance.uniform(0.5, 1.5) * self.talk_s
        called = await self._partner(caller)
        if called is not None:
            talk = Talk(self.town, caller, called)
            drawn = [each for each, (share, _) in FEATURES.items() if self.chance.random() < share]
            self.chance.shuffle(drawn)
            for name in sorted(drawn, key=lambda each: each in _LAST):
                await talk.pause(0.5, 3.0)
                if not talk.up:
                    break
                self.begun[name] += 1
                try:
                    await FEATURES[name][1](talk)
                except Missed as missed:
                    self.missed[f"{name}: {missed}"] += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(caller.ended.wait(), max(0.0, ends - loop.time()))
        if called is not None and not called.ended.is_set() and self.chance.random() < 0.4:
            await called.hang_up()
        await caller.hang_up()

    async def _partner(self, caller: Dialog) -> Dialog | None:
        for _ in range(100):
            found = self.town.partner(caller.user)
            if found is not None or caller.ended.is_set():
                return found
            await asyncio.sleep(0.1)
        return None


async def queue(life: Life) -> None:
    await life.talk(await life.call("600"))


async def taped_queue(life: Life) -> None:
    await life.talk(await life.call("620"))


async def direct(life: Life) -> None:
    """An agent calls a colleague."""
    await life.talk(await life.call_as_agent(life.chance.choice(list(life.town.numbers.values()))))


async def outbound(life: Life) -> None:
    """An agent calls somebody by a trunk."""
    await life.talk(await life.call_as_agent(f"{life.chance.choice('99987')}555{life.chance.randrange(10_000):04}"))


async def through(life: Life) -> None:
    """From trunk to trunk in a codec that nobody here decodes."""
    town = life.town
    life.calls += 1
    kit = Kit(codings=ONLY_OPAQUE, ptime_ms=life.chance.choice((20, 40, 60)), sparing=life.chance.random() < 0.5)
    caller = await town.trunks["pbx"].call(life.number(), f"9555{life.chance.randrange(10_000):04}", kit)
    await life.talk(caller)


async def waits_in_vain(life: Life) -> None:
    """Hears music in a queue without agents, and gives up."""
    caller = await life.call("610")
    await asyncio.sleep(life.chance.uniform(3.0, 1.5 * life.talk_s))
    await caller.hang_up()


async def gives_up(life: Life) -> None:
    """Hangs up while it rings."""
    station, kit = life.from_a_trunk()
    life.calls += 1
    dialog = station.dial(life.number(), life.chance.choice(["600", *life.town.numbers.values()]), kit)
    asked = asyncio.create_task(station.invite(dialog))
    await asyncio.sleep(life.chance.uniform(0.1, 1.2))
    if dialog.status == 0:
        station.cancel(dialog)
    try:
        await asked
    except Missed:
        return
    await dialog.hang_up()


async def alone(life: Life, number: str, seconds: float) -> None:
    """Hears himself or a prompt; some press keys at it."""
    caller = await life.call(number)
    ends = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < ends and not caller.ended.is_set():
        await asyncio.sleep(0.5)
        if life.chance.random() < 0.1 and caller.end is not None and caller.end.on_air:
            caller.end.press(life.chance.choice("0123456789*#"))
    await caller.hang_up()


async def echo(life: Life) -> None:
    await alone(life, "601", life.chance.uniform(0.5, 1.5) * life.talk_s)


async def prompt(life: Life) -> None:
    await alone(life, "602", min(12.0, life.talk_s))


async def menu(life: Life) -> None:
    """Hears a playlist over and over, presses a key amid it, and is led to the queue, the echo or music."""
    number = life.chance.choice(("605", "606"))
    caller = await life.call(number)
    try:
        await asyncio.sleep(life.chance.uniform(0.5, 5.0))
        digit = life.chance.choice("12" if number == "605" else "#5")
        if life.chance.random() < 0.3:
            await caller.info(digit)
        elif caller.end is not None and caller.end.on_air:
            caller.end.press(digit)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(caller.ended.wait(), life.talk_s)
    finally:
        await caller.hang_up()


async def refused(life: Life) -> None:
    """A number that is refused."""
    try:
        await life.call("603")
    except Missed:
        return


async def conference(life: Life) -> None:
    """Three to eight meet; some hold, are muted or put out."""
    room, town = life.chance.randrange(ROOMS), life.town
    members: list[Dialog] = []
    ends = asyncio.get_running_loop().time() + life.chance.uniform(0.6, 1.4) * life.talk_s
    try:
        for _ in range(life.chance.randrange(3, 9)):
            join = life.call if life.chance.random() < 0.6 else life.call_as_agent
            try:
                members.append(await join(f"70{room}"))
            except Missed as missed:
                life.missed[f"conference: {missed}"] += 1
        while asyncio.get_running_loop().time() < ends:
            await asyncio.sleep(life.chance.uniform(1.0, 4.0))
            one = life.chance.choice(members) if members else None
            if one is None or one.ended.is_set():
                continue
            await _in_conference(life, one, f"/api/v1/conferences/room{room}/members/{town.calls.get(one.user, '-')}")
    finally:
        for member in members:
            await member.hang_up()


async def _in_conference(life: Life, one: Dialog, path: str) -> None:
    way = life.chance.choice(("hold", "mute", "unmute", "kick", "keys", "nothing", "nothing"))
    life.begun[f"conference: {way}"] += 1
    match way:
        case "hold":
            await one.change("sendonly")
            await asyncio.sleep(1.0)
            if not one.ended.is_set():
                await one.change("sendrecv")
        case "mute" | "unmute":
            await life.town.ask("PATCH", path, {"muted": way == "mute"})
        case "kick":
            await life.town.ask("DELETE", path)
        case "keys" if one.end is not None and one.end.on_air:
            one.end.press(life.chance.choice("0123456789"))


async def feature_codes(life: Life) -> None:
    """An agent takes a break by telephone, and ends it."""
    for number in ("*12", "*11"):
        caller = await life.call_as_agent(number)
        await asyncio.sleep(1.0)
        await caller.hang_up()


STORIES: Final[dict[str, tuple[float, Callable[[Life], Awaitable[None]]]]] = {
    "queue": (40, queue),
    "queue, recorded": (5, taped_queue),
    "agent to agent": (14, direct),
    "agent to trunk": (14, outbound),
    "trunk to trunk, opaque": (4, through),
    "waits in vain": (5, waits_in_vain),
    "gives up ringing": (4, gives_up),
    "echo": (4, echo),
    "prompt": (2, prompt),
    "menu": (4, menu),
    "refused": (1, refused),
    "conference": (4, conference),
    "feature code": (1, feature_codes),
}
"""Shares by weight; a conference is several calls."""
