"""What is served within the dialog of a call beside the call itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from engine.sip import info, instant_message, refer, refer_out

if TYPE_CHECKING:
    from engine.sip.stack import InDialog

FEATURES: Final[Mapping[str, InDialog]] = {
    "REFER": refer.received,
    "SUBSCRIBE": refer.subscribe_received,
    "NOTIFY": refer_out.notify_received,
    "INFO": info.received,
    "MESSAGE": instant_message.received,
}
"""By method."""
