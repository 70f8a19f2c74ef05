"""The engine of the media soak with everything that its calls need: queues, agents, trunks, conferences, prompts."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from engine.errors import EngineError
from tests.bench.soak_kit import OPAQUE, Kit, some_kit
from tests.bench.soak_station import Dialog, Missed, Station
from tests.bench.soak_voices import Voices
from tests.support.engine import Engine
from tests.support.plain_message import Heard
from tests.support.ports import PortPool
from tests.support.procs import Processes

TRUNKS: Final = {"pbx": "127.0.0.2", "vault": "127.0.0.4", "line": "127.0.0.5"}
"""One as most are, one that is encrypted, one whose keys are tones."""
AGENTS: Final = "127.0.0.3"
ROOMS: Final = 8
_ENCRYPTED: Final = 0.25
"""Of the agents."""
_STRAY_S: Final = 90.0
"""No call that came to a telephone lasts longer."""
_LOOK_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of one soak."""

    agents: int
    calls: int
    """Up at a time."""
    new_per_s: float
    processes: int = 2
    format: str = "flac"
    sealed: bool = True
    """Recordings are encrypted."""

    admission: bool = False
    """Whether calls are refused while media processes are busy. Off: this soak is of a load that must be carried, also
    beside others on the machine."""

    @property
    def talk_s(self) -> float:
        """How long people talk, so that as many are up as should be."""
        return 0.9 * self.calls / self.new_per_s

    @property
    def pairs(self) -> int:
        """Pairs of ports that the engine may need: two legs a call, and those that rest."""
        return int(4.5 * self.calls + 2 * 42 * self.new_per_s + 160)


class Town:
    """A running engine and its telephones."""

    def __init__(self, procs: Processes, ports: PortPool, directory: Path, size: Size, seed: int) -> None:
        self.size, self.chance = size, Random(seed)
        self.tapes = directory / "tapes"
        self.key = b64encode(self.chance.randbytes(32)).decode()
        rtp = ports.block(2 * size.pairs, even=True)
        plan, key = directory / "plan.toml", directory / "key"
        directory.mkdir(parents=True, exist_ok=True)
        self.numbers = {f"a{number:03}": f"1{number:03}" for number in range(size.agents)}
        """Of the agents."""
        plan.write_text(dialplan(self.numbers))
        key.write_text(self.key)
        key.chmod(0o600)
        recording: dict[str, object] = {"directory": str(self.tapes), "format": size.format, "beep_at_start": True}
        if size.sealed:
            recording["key_file"] = str(key)
        settings: dict[str, dict[str, object]] = {
            "guard": {"trusted": ["127.0.0.0/8"]},
            "media": {
                "processes": size.processes,
                "port_min": rtp.start,
                "port_max": rtp.stop - 2,
                "dead_s": 8.0,
                **({} if size.admission else {"busy_tick": 0.0, "busy_cpu": 0.0}),
                "codecs": ["G722", "PCMU", "PCMA", "L16/16000", "L16", "any"],
            },
            "recording": recording,
            "dialplan": {"file": str(plan)},
        }
        self.engine = Engine(procs, ports, directory / "engine", settings=settings)
        self.rtp = rtp
        self.voices = Voices(self.chance)
        server = "127.0.0.1", self.engine.sip_port
        self.agents = Station(AGENTS, ports.one(), server, self.voices)
        self.trunks = {name: Station(host, ports.one(), server, self.voices) for name, host in TRUNKS.items()}
        self.secrets: dict[str, str] = {}
        self.kits = {
            name: some_kit(self.chance, encrypted=self.chance.random() < _ENCRYPTED, opaque=True)
            for name in self.numbers
        }
        self.came: defaultdict[str, list[Dialog]] = defaultdict(list)
        """Calls that telephones got, by the number that called."""
        self.calls: dict[str, str] = {}
        """The engine's names of live calls, by the number that called; looked up once a second."""
        self.live = 0
        self._strays: set[asyncio.Task[None]] = set()
        for station in self.stations:
            station.taken = self._taken
        self._ends = {host: ports.block(count, even=True) for host, count in self._wanted().items()}

    @property
    def stations(self) -> list[Station]:
        return [self.agents, *self.trunks.values()]

    def _wanted(self) -> dict[str, int]:
        """Ports for the telephones' sound: what is up, and what has just been."""
        each = 2 * int(1.7 * self.size.calls + 8 * self.size.new_per_s)
        return {AGENTS: 2 * each, "127.0.0.2": 2 * each, "127.0.0.4": each, "127.0.0.5": each}

    async def open(self) -> None:
        """Start the engine, add everybody, register the agents."""
        await asyncio.to_thread(self._set_up)
        for host, ports in self._ends.items():
            self.voices.make(host, ports)
        for station in self.stations:
            await station.open()
        for name, secret in self.secrets.items():
            await self.agents.register(name, secret)

    def _set_up(self) -> None:
        self.engine.start(timeout=120.0)
        api = self.engine.api
        fast = {"wrap_up_s": 0, "rona_break": False, "ring_timeout_s": 4, "retry_s": 0}
        for queue, more in (("demo", {}), ("nobody", {}), ("taped", {"record": True})):
            api.put(f"/api/v1/queues/{queue}", {**fast, **more})
        for name, host in TRUNKS.items():
            more = {"pbx": {}, "vault": {"srtp": "required"}, "line": {"dtmf": "inband", "codecs": ["PCMU", "PCMA"]}}[
                name
            ]
            port = self.trunks[name].port
            api.put(f"/api/v1/trunks/{name}", {"host": host, "port": port, "ping_s": 0, "circuit_after": 0, **more})
        for name, kit in self.kits.items():
            api.put(f"/api/v1/agents/{name}", {"srtp": "required" if kit.suite else "off", "destinations": ["all"]})
            self.secrets[name] = api.post(f"/api/v1/agents/{name}/secret")["secret"]
            for queue in ("demo", "taped"):
                api.put(f"/api/v1/members/{queue}/{name}", {})

    def close(self) -> None:
        """The telephones are gone; the engine is not stopped."""
        for station in self.stations:
            station.close()
        self.voices.close()

    # --- telephones that are called ---

    def _taken(self, dialog: Dialog, heard: Heard) -> None:
        caller = heard["from"].split("sip:", 1)[-1].split("@", 1)[0]
        self.came[caller].append(dialog)
        if dialog.station is self.agents:
            dialog.kit = self.kits[dialog.user]
        else:
            encrypted = dialog.station is self.trunks["vault"]
            dialog.kit = some_kit(self.chance, encrypted=encrypted, opaque=True)
            if "opus" in heard.body.decode():
                dialog.kit = Kit(codings=OPAQUE, suite=dialog.kit.suite)
        task = asyncio.create_task(self._pick_up(dialog, caller))
        self._strays.add(task)
        task.add_done_callback(self._strays.discard)

    async def _pick_up(self, dialog: Dialog, caller: str) -> None:
        """Ring, and answer as people do; whoever calls and forgets is hung up in the end."""
        station, way = dialog.station, self.chance.random()
        try:
            await asyncio.sleep(0.02)
            station.ring(dialog)
            if way < 0.02:
                station.refuse(dialog, 486, "Busy Here")
                return
            await asyncio.sleep(self.chance.uniform(0.1, 1.5) if way < 0.96 else 6.0)
            if dialog.ended.is_set():
                return
            station.accept(dialog)
            await asyncio.wait_for(dialog.ended.wait(), _STRAY_S)
        except TimeoutError:
            station.counts["strays"] += 1
            await dialog.hang_up()
        except (Missed, IndexError) as missed:
            station.counts[f"called: {missed}"] += 1
            dialog.finish()
        finally:
            others = self.came[caller]
            others.remove(dialog)
            if not others:
                del self.came[caller]

    def partner(self, caller: str) -> Dialog | None:
        """Who talks to this caller, if anybody does."""
        return next((each for each in self.came.get(caller, ()) if each.end is not None and each.end.on_air), None)

    # --- the API ---

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> bool:
        """A request that may be refused, since the call may be over."""
        api = self.engine.api
        verbs: dict[str, Callable[[], Any]] = {
            "POST": lambda: api.post(path, body),
            "PUT": lambda: api.put(path, body or {}),
            "PATCH": lambda: api.patch(path, body or {}),
            "DELETE": lambda: api.delete(path),
        }
        try:
            await asyncio.to_thread(verbs[method])
        except (EngineError, OSError) as refused:
            self.agents.counts[f"API: {getattr(refused, 'code', type(refused).__name__)}"] += 1
            return False
        return True

    async def look(self) -> None:
        """Know the live calls, again and again."""
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                found = await asyncio.to_thread(lambda: self.engine.api.get("/api/v1/calls"))
            except (EngineError, OSError, json.JSONDecodeError):
                continue
            self.calls = {each["caller"]: each["call"] for each in found["items"]}
            self.live = len(found["items"])
            for station in self.stations:
                station.forget()


def dialplan(numbers: dict[str, str]) -> str:
    """600 a queue, 610 one without agents, 620 one that is recorded, 601 echo, 602 a prompt, 605 and 606 playlists, 70X
    conferences, 1XXX agents, 9 8 7 and a number: the trunks."""
    lines = ["[context.from-trunk]", "trunk_to_trunk = true", 'include = ["inside", "outbound"]']
    lines += ["[context.agents]", 'include = ["inside", "outbound"]']
    for number, feature in (("*10", "status"), ("*11", "available"), ("*12", "break")):
        lines += ["[[context.agents.extension]]", f'number = "{number}"', f'feature = "{feature}"']
    actions = {"600": 'queue = "demo"', "610": 'queue = "nobody"', "620": 'queue = "taped"', "601": "echo = true"}
    actions |= {"602": f'announcement = "{_PROMPT}"', "603": 'reject = {status = 486, reason = "Busy Here"}'}
    actions |= {f"70{room}": f'conference = "room{room}"' for room in range(ROOMS)}
    actions |= {number: f'agent = "{name}"\nring_timeout_s = 5' for name, number in numbers.items()}
    items = f'["tone:special-information", "{_PROMPT}", "silence:700", "tone:congestion"]'
    actions["605"] = f'play = {items}\nloop = true\nfor_s = 40\ncountry = "de"\non_digit = {{1 = "600", 2 = "601"}}'
    actions["606"] = f'play = {items}\ngain_db = -6\nstop_digits = "#"\nthen = "610"'
    for number, action in actions.items():
        lines += ["[[context.inside.extension]]", f'number = "{number}"', action]
    for digit, trunk in ((9, "pbx"), (8, "vault"), (7, "line")):
        lines += ["[[context.outbound.extension]]", f'number = "_{digit}5X."', f'trunk = "{trunk}"', "strip = 1"]
        lines += ["ring_timeout_s = 5"]
    return "\n".join([*lines, ""])


_PROMPT: Final = str(Path(__file__).parents[2] / "dialplans" / "sounds" / "announcement.wav")
