"""What the person at the phone, or the window that stands for one, wants."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    """A wish that says everything by its name; the value is the command's word."""

    ANSWER = "answer"
    REJECT = "reject"
    HANGUP = "hangup"
    MUTE = "mute"
    UNMUTE = "unmute"
    HOLD = "hold"
    RESUME = "resume"
    REGISTER = "register"
    UNREGISTER = "unregister"
    STATUS = "status"
    QUIT = "quit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """Call somebody."""

    uri: str
    """A SIP address, or a bare number to be called at the phone's own domain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDigits:
    """Press keys during a call."""

    digits: str
    """Of 0-9, *, #, A-D."""


Intent = Verb | Dial | SendDigits
