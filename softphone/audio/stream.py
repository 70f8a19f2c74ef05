"""Joins the sound card to the rings: two raw PortAudio streams whose callbacks touch nothing but a ring.

`sounddevice` is imported only when a card is asked for, so that the phone runs without PortAudio on a machine that
has no sound. Two separate streams of 20 ms blocks, opened once: combined streams and other block sizes were seen to
run at wrong rates under PulseAudio.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np

from softphone.audio.bridge import FRAME_MS, RingPair
from softphone.errors import AudioDeviceError

STALL_S: Final = 2.0
"""No callback for this long means that the card is gone: they come every 20 ms."""


def load_sounddevice() -> Any:
    """Import `sounddevice`; raises AudioDeviceError with the command that brings what is missing."""
    try:
        import sounddevice  # noqa: PLC0415 - only when a sound card is asked for
    except ImportError as error:
        raise AudioDeviceError(
            "--audio device needs the Python package sounddevice: pip install 'hearthline[softphone]'"
        ) from error
    except OSError as error:
        hint = "sudo apt-get install libportaudio2" if sys.platform.startswith("linux") else "reinstall sounddevice"
        raise AudioDeviceError(
            f"--audio device needs the PortAudio library (libportaudio2), not found: {hint}"
        ) from error
    return sounddevice


class SoundCard:
    """The default microphone and loudspeaker of this process, mono, 16 bit, at the bridge's rate."""

    def __init__(self, rings: RingPair, *, rate: int, library: Any) -> None:
        """`library` is the sounddevice module, or something that looks like it."""
        self._rings = rings
        self._rate = rate
        self._library = library
        self._streams: list[Any] = []
        self._blocks_in = 0
        self._blocks_out = 0
        self.xruns = 0
        """Blocks that PortAudio marked as over- or underflown."""

    def open(self) -> None:
        """Start both streams; raises AudioDeviceError with what PortAudio says."""
        settings = {
            "samplerate": self._rate,
            "blocksize": self._rate * FRAME_MS // 1000,
            "channels": 1,
            "dtype": "int16",
            "latency": "low",
        }
        try:
            for kind, callback in (
                (self._library.RawInputStream, self._captured),
                (self._library.RawOutputStream, self._wanted),
            ):
                self._streams.append(kind(callback=callback, **settings))
            for stream in self._streams:
                stream.start()
        except (self._library.PortAudioError, ValueError) as error:
            self.close()
            raise AudioDeviceError(f"the sound card cannot be opened at {self._rate} Hz: {error}") from error

    def close(self) -> None:
        """Stop both streams; what PortAudio says about a card that is gone does not matter any more."""
        while self._streams:
            stream = self._streams.pop()
            try:
                stream.close(ignore_errors=True)
            except self._library.PortAudioError:
                continue

    def reopen(self) -> None:
        """Look for the devices anew and open the default ones; PortAudio sees no new device without this."""
        self.close()
        self._library._terminate()
        self._library._initialize()
        self.open()

    def heartbeat(self) -> tuple[int, int]:
        """Blocks captured and blocks played so far."""
        return self._blocks_in, self._blocks_out

    def _captured(self, indata: Any, frames: int, when: Any, status: Any) -> None:
        del frames, when
        self._rings.microphone.write(np.frombuffer(indata, dtype=np.int16))
        self._blocks_in += 1
        self.xruns += bool(status)

    def _wanted(self, outdata: Any, frames: int, when: Any, status: Any) -> None:
        del when
        outdata[:] = self._rings.speaker.read(frames).tobytes()
        self._blocks_out += 1
        self.xruns += bool(status)


class StallWatch:
    """Notices a card that has fallen silent: an unplugged headset need not raise an error anywhere."""

    def __init__(self) -> None:
        self._seen: tuple[int, int] | None = None
        self._moved_at = (0.0, 0.0)

    def stalled(self, heartbeat: tuple[int, int], now: float) -> bool:
        """Say whether either direction has stood still for STALL_S."""
        if self._seen is None:
            self._moved_at = (now, now)
        else:
            self._moved_at = (
                now if heartbeat[0] != self._seen[0] else self._moved_at[0],
                now if heartbeat[1] != self._seen[1] else self._moved_at[1],
            )
        self._seen = heartbeat
        return now - min(self._moved_at) >= STALL_S

    def reset(self) -> None:
        """Begin anew, as after reopening."""
        self._seen = None
