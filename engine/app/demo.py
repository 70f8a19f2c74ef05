"""`make run`: an agent's phone and a caller that keep the engine busy, so that a newcomer sees calls within a minute.

Both are the real softphone, in processes of their own; agent, queue and trunk are made with the same commands that an
operator uses, and shown as they are run.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shlex
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from engine.app.config import Config
from engine.app.share import shared_file
from engine.app.state import StateDir
from engine.errors import ConfigError, Unavailable
from engine.net.listen import printed
from engine.sip.flow import Address, Transport

_AGENT: Final = "demo-agent"
_TRUNK: Final = "demo-caller"
_QUEUE: Final = "demo"
_NUMBER: Final = "600"
_ANSWER_AFTER_S: Final = 1.5
_STAY_S: Final = (6.0, 10.0)
_PAUSE_S: Final = (2.0, 4.0)
_STOP_S: Final = 5.0


class Demo:
    """Sets up its agent, queue and trunk when it is made, before the engine starts; runs beside it."""

    def __init__(self, config: Config, config_file: Path | None) -> None:
        """Raises ConfigError without the softphone, Unavailable when a command fails."""
        if find_spec("pjsua2") is None:
            raise ConfigError("--demo needs the softphone: pip install 'hearthline[softphone]', or use `make run`")
        self.config_file = config_file
        listen = next((each for each in config.sip.listeners if each.transport is Transport.UDP), None)
        if listen is None:
            raise ConfigError("--demo needs a UDP listener; sip.listen has none")
        loopback = "::1" if ":" in listen.address else "127.0.0.1"
        self._host = loopback if ip_address(listen.address).is_unspecified else listen.address
        self._address = printed(Address(self._host, listen.port))
        self._caller_port = listen.port + 10
        self._config_option = [] if config_file is None else ["--config", str(config_file)]
        self._state = StateDir(config.state_dir)
        self._state.prepare()
        self._folder = config.state_dir / "demo"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._secret_file = self._folder / "agent-secret"
        self._phones: list[_Phone] = []
        self._ended = asyncio.Event()
        self._set_up()

    async def run(self, ready: Awaitable[None], *, say: Callable[[str], None]) -> None:
        """Start both phones and, once the engine is ready for calls, call again and again, until `stop`. Should one
        of them end before, `say` is told and the engine goes on without."""
        server = f"sip:{self._address}"
        voice = ["--audio", "file", "--file", str(shared_file("dialplans/sounds/announcement.wav"))]
        agent = await self._phone(
            "agent",
            *("--server", server, "--user", _AGENT, "--password-file", str(self._secret_file)),
            *("--auto-answer", str(_ANSWER_AFTER_S), *voice),
        )
        caller = await self._phone(
            "caller",
            *("--server", server, "--user", "5550100", "--no-register", "--local-port", str(self._caller_port)),
            *("--audio", "tone", "--tone-hz", "440"),
        )
        await asyncio.gather(
            self._watch(agent, "agent", say), self._watch(caller, "caller", say), self._call(caller, ready)
        )

    async def stop(self) -> None:
        """End both phones in good order."""
        self._ended.set()
        await asyncio.gather(*(phone.quit() for phone in self._phones))

    async def _phone(self, name: str, *options: str) -> _Phone:
        log = self._state.log_dir / f"demo-{name}.log"
        phone = await _Phone.start(log, *options)
        self._phones.append(phone)
        return phone

    async def _watch(self, phone: _Phone, name: str, say: Callable[[str], None]) -> None:
        status = await phone.follow()
        if not self._ended.is_set():
            self._ended.set()
            log = self._state.log_dir / f"demo-{name}.log"
            say(f"The demo is over: its {name} has ended with status {status}; {log} may say why.")

    async def _call(self, phone: _Phone, ready: Awaitable[None]) -> None:
        await phone.seen("ready")
        await ready
        while not self._ended.is_set():
            phone.command({"cmd": "dial", "uri": f"sip:{_NUMBER}@{self._address}"})
            await self._rest(random.uniform(*_STAY_S))
            phone.command({"cmd": "hangup"})
            await self._rest(random.uniform(*_PAUSE_S))

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return

    # --- set-up ---

    def _set_up(self) -> None:
        marker = self._folder / "caller"
        caller = f"{self._host} {self._caller_port}"
        if self._secret_file.exists() and marker.exists() and marker.read_text() == caller:
            return
        self._hearthline("queue", "add", _QUEUE, "--wrap-up", "2")
        answer = self._hearthline("agent", "add", _AGENT, "--queue", _QUEUE, "--display", "Demo agent", "--json")
        if answer is None:
            answer = self._hearthline("agent", "secret", _AGENT, "--json")
        assert answer is not None, "only `add` may find that something exists already"
        descriptor = os.open(self._secret_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(json.loads(answer)["secret"])
        place = ("--host", self._host, "--port", str(self._caller_port), "--match-port", "--ping", "0")
        if self._hearthline("trunk", "add", _TRUNK, *place) is None:
            self._hearthline("trunk", "set", _TRUNK, *place)
        marker.write_text(caller)

    def _hearthline(self, *words: str) -> str | None:
        """Run a command and show it; what it printed, or None when it says that the thing exists already."""
        print(f"$ hearthline {shlex.join(words)}", flush=True)
        command = [sys.executable, "-m", "engine", *words, *self._config_option]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
        if "already_exists" in done.stderr:
            return None
        raise Unavailable(f"`hearthline {' '.join(words)}` failed: {done.stderr.strip()}")


class _Phone:
    """One softphone process, commanded by JSON lines."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._seen: set[str] = set()
        self._news = asyncio.Condition()

    @classmethod
    async def start(cls, log: Path, *options: str) -> _Phone:
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "softphone", "--headless", *options),
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
                start_new_session=True,
            )
        return cls(process)

    async def follow(self) -> int:
        """Read what the phone says until it ends; its exit status."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            try:
                event: dict[str, Any] = json.loads(line)
            except ValueError:
                continue
            async with self._news:
                self._seen.add(str(event.get("event")))
                self._news.notify_all()
        async with self._news:
            self._seen.add("")
            self._news.notify_all()
        return await self._process.wait()

    async def seen(self, event: str) -> None:
        """Wait for an event, or for the end of the phone."""
        async with self._news:
            await self._news.wait_for(lambda: event in self._seen or "" in self._seen)

    def command(self, command: dict[str, str]) -> None:
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def quit(self) -> None:
        if self._process.returncode is None:
            self.command({"cmd": "quit"})
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_S)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
