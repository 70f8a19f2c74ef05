"""What can go wrong with the phone itself, as opposed to a call: each error says what to do about it."""

from __future__ import annotations

from typing import ClassVar


class SoftphoneError(Exception):
    """The phone cannot do what was asked; the text is one line meant for a person."""

    code: ClassVar[str] = "softphone_error"
    """Stable name for programs; never reworded."""


class AudioFileError(SoftphoneError):
    """A WAV file cannot be read or written."""

    code = "audio_file"


class AudioDeviceError(SoftphoneError):
    """The sound card or the library that reaches it is missing or refuses."""

    code = "audio_device"


class BackendError(SoftphoneError):
    """The SIP stack refused: a port is taken, an address is malformed, a call is gone."""

    code = "sip_backend"


class CommandError(SoftphoneError):
    """A line on standard input is not a command, or cannot be done now."""

    code = "command"
