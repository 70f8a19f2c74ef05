"""Everything audible of the phone in one place: bridge, rings, sound card and recording, begun and ended together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from softphone.audio.bridge import AudioBridge, RingPair
from softphone.audio.recorder import Recorder
from softphone.audio.stream import SoundCard, StallWatch
from softphone.errors import AudioDeviceError, AudioFileError

REOPEN_EVERY_S: Final = 5.0
"""Between attempts to get a lost sound card back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioReport:
    """Levels since the last report, and the health of the rings."""

    rx_dbfs: float
    tx_dbfs: float
    ring_fill_ms: float | None
    """Voice waiting for the loudspeaker; None without a sound card, where no ring is needed."""
    mic_fill_ms: float | None
    """Voice waiting for the network; None as above."""
    underruns: int
    """Reads of either ring since the call began that found too little."""
    overruns: int
    """Writes to either ring since the call began that had to drop."""


class Sound:
    """Owns the audio parts. All methods are called by the owner thread."""

    def __init__(
        self,
        bridge: AudioBridge,
        *,
        rings: RingPair | None = None,
        card: SoundCard | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._bridge = bridge
        self._rings = rings
        self._card = card
        self._recorder = recorder
        self._watch = StallWatch()
        self._reopen_at: float | None = None
        self._before_call = (0, 0)

    def open(self) -> None:
        """Start the sound card, if there is one; raises AudioDeviceError."""
        if self._card is not None:
            self._card.open()

    def close(self) -> None:
        """Stop the card and finish the recording."""
        if self._card is not None:
            self._card.close()
        self.call_ended()
        self._drain()
        if self._recorder is not None:
            self._recorder.close()

    def mute(self, muted: bool) -> None:
        """Switch the microphone, or what stands for it."""
        self._bridge.mute(muted)

    def call_began(self) -> None:
        """Audio begins to flow: trim what the rings gathered meanwhile, start the recording."""
        if self._rings is not None:
            self._rings.clear()
            self._before_call = (self._rings.underruns, self._rings.overruns)  # an idle ring overruns all the time
        self._bridge.take_levels()
        self._bridge.record(True)

    def call_ended(self) -> None:
        """Audio no longer flows; the next call begins unmuted."""
        self._bridge.record(False)
        self._bridge.mute(False)

    def report(self) -> AudioReport:
        """Return levels since the last report and the rings' state."""
        levels = self._bridge.take_levels()
        rings = self._rings
        microphone, speaker = (None, None) if rings is None else rings.fill_ms
        return AudioReport(
            rx_dbfs=levels.rx_dbfs,
            tx_dbfs=levels.tx_dbfs,
            ring_fill_ms=speaker,
            mic_fill_ms=microphone,
            underruns=0 if rings is None else rings.underruns - self._before_call[0],
            overruns=0 if rings is None else rings.overruns - self._before_call[1],
        )

    def service(self, now: float) -> list[str]:
        """Write the recording and look after the card; return what a person should be told, usually nothing."""
        return [*self._drain(), *self._look_after_card(now)]

    def _drain(self) -> list[str]:
        frames = self._bridge.take_recorded()
        if self._recorder is None:
            return []
        try:
            self._recorder.write(frames)
        except AudioFileError as error:
            return [str(error)]
        return []

    def _look_after_card(self, now: float) -> list[str]:
        if self._card is None:
            return []
        if self._reopen_at is not None:
            return self._reopen(self._card, now) if now >= self._reopen_at else []
        if self._watch.stalled(self._card.heartbeat(), now):
            self._reopen_at = now
            return ["the sound card has stopped; trying to open it again"]
        return []

    def _reopen(self, card: SoundCard, now: float) -> list[str]:
        try:
            card.reopen()
        except AudioDeviceError:
            self._reopen_at = now + REOPEN_EVERY_S
            return []
        self._reopen_at = None
        self._watch.reset()
        return ["the sound card works again"]
