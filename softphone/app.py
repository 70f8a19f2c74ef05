"""Puts the phone together, runs it on the calling thread, and takes it apart in the order that the SIP stack needs."""

from __future__ import annotations

import io
import queue
import random
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Final, TextIO

from softphone.audio.bridge import AudioBridge, RingPair
from softphone.audio.recorder import Recorder
from softphone.audio.sound import Sound
from softphone.audio.sources import Loop, Silence, Source, Tone, load_wav
from softphone.audio.stream import SoundCard, load_sounddevice
from softphone.console import Parse, parse_json, parse_words
from softphone.core import Core, Policy
from softphone.errors import CommandError, SoftphoneError
from softphone.model.intents import Verb
from softphone.options import AudioKind, AudioOptions, Options
from softphone.report import Emit, Report, as_json, as_words
from softphone.sip.backend import Backend
from softphone.sip.pjsua import PjsuaBackend
from softphone.stdio import LineReader, LineWriter

POLL_S: Final = 0.02
"""Longest time until a command is seen; as long as an audio frame, so nobody can tell."""
FINISH_S: Final = 1.0
"""Given to the last lines of output."""

Line = str | None
"""A line of input; None at its end."""


def run(options: Options, output: TextIO) -> int:
    """Run the phone until it is told to end; returns the exit status (0, or 1 if it could not start).

    `output` is where reports go. The caller must leave with `os._exit` afterwards: nothing of the SIP stack is safe to
    be destroyed by the interpreter.
    """
    inbox: queue.SimpleQueue[Line] = queue.SimpleQueue()
    terminal = sys.stdin is not None and sys.stdin.isatty()
    writer = LineWriter(output, as_words if terminal else as_json, gone=lambda: inbox.put(None))
    writer.start()
    try:
        sound, bridge = make_sound(options.audio)
        try:
            backend = PjsuaBackend(options.sip, bridge)
        except SoftphoneError:
            sound.close()
            raise
    except SoftphoneError as error:
        writer.emit(Report("error", {"code": error.code, "message": str(error)}))
        writer.finish(FINISH_S)
        print(f"hearthline-softphone: {error}", file=sys.stderr)
        return 1
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="backslashreplace")  # a stray byte is a bad command, not the end
        LineReader(sys.stdin, inbox.put).start()
    else:
        inbox.put(None)
    _end_on_signals(inbox)
    _serve(options, backend, sound, writer.emit, inbox, parse_words if terminal else parse_json)
    sound.close()
    backend.close()
    writer.emit(Report("bye"))
    writer.finish(FINISH_S)
    return 0


def _serve(
    options: Options, backend: Backend, sound: Sound, emit: Emit, inbox: queue.SimpleQueue[Line], parse: Parse
) -> None:
    policy = Policy(register=options.sip.register, auto_answer_s=options.auto_answer_s, report_s=options.report_s)
    core = Core(backend=backend, sound=sound, emit=emit, policy=policy, random=random.random)
    emit(Report("ready", {"address": backend.address, "user": options.sip.user, **_described(options)}))
    core.start(time.monotonic())
    while not core.finished(now := time.monotonic()):
        _take_commands(core, inbox, parse, now)
        core.tick(now)
        try:
            happened = backend.poll(POLL_S)
        except SoftphoneError as error:
            core.complain(error)
            continue
        now = time.monotonic()
        for event in happened:
            core.happened(event, now)


def _take_commands(core: Core, inbox: queue.SimpleQueue[Line], parse: Parse, now: float) -> None:
    while not inbox.empty():
        line = inbox.get()
        if line is None:
            core.intend(Verb.QUIT, now)
            continue
        try:
            intent = parse(line)
        except CommandError as error:
            core.complain(error)
            continue
        if intent is not None:
            core.intend(intent, now)


def _described(options: Options) -> dict[str, str | int]:
    sip = options.sip
    server = str(sip.server) if sip.register and sip.server else ""
    return {
        "server": server,
        "transport": sip.transport.value,
        "audio": options.audio.kind.value,
        "rate": options.audio.rate,
    }


def make_sound(options: AudioOptions) -> tuple[Sound, AudioBridge]:
    """Build and start the audio side; raises AudioFileError or AudioDeviceError."""
    rings: RingPair | None = None
    card: SoundCard | None = None
    recorder: Recorder | None = None
    if options.kind is AudioKind.DEVICE:
        rings = RingPair(rate=options.rate)
        card = SoundCard(rings, rate=options.rate, library=load_sounddevice())
    source = _source(options) if rings is None else rings.microphone
    if options.record_received is not None:
        recorder = Recorder(options.record_received, rate=options.rate)
    bridge = AudioBridge(
        rate=options.rate,
        source=source,
        sink=None if rings is None else rings.speaker,
        recorded=recorder is not None,
    )
    sound = Sound(bridge, rings=rings, card=card, recorder=recorder)
    sound.open()
    return sound, bridge


def _source(options: AudioOptions) -> Source:
    if options.kind is AudioKind.TONE:
        return Tone(hz=options.tone_hz, level_dbfs=options.tone_dbfs, rate=options.rate)
    if options.kind is AudioKind.FILE and options.file is not None:
        return Loop(load_wav(options.file, rate=options.rate))
    return Silence()


def _end_on_signals(inbox: queue.SimpleQueue[Line]) -> None:
    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        inbox.put(None)  # SimpleQueue.put is safe in a signal handler

    handler: Callable[[int, FrameType | None], None] = end
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)
