"""What the event packages tell: the state that the layer above gives, and the documents that it becomes.

message-summary is RFC 3842 (is there mail for this account), dialog is RFC 4235 (what an agent's phones are doing, for
the lamps beside the keys of other phones). A document is always the full state: watchers need nothing from before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol
from xml.sax.saxutils import escape, quoteattr

from engine.sip.uri import address_of
from engine.sip.visible import visible


class Package(StrEnum):
    """Events that can be subscribed to."""

    MESSAGE_SUMMARY = "message-summary"
    DIALOG = "dialog"


CONTENT_TYPES: Final = {
    Package.MESSAGE_SUMMARY: "application/simple-message-summary",
    Package.DIALOG: "application/dialog-info+xml",
}
ALLOW_EVENTS: Final = ", ".join(Package)


class DialogState(StrEnum):
    """RFC 4235 3.7.1, as far as a watcher can make use of it."""

    TRYING = "trying"
    EARLY = "early"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedDialog:
    """One call of a phone that is watched, seen from the phone."""

    id: str
    """The same as long as the call lasts; says nothing about it."""
    state: DialogState
    initiator: bool
    """The phone calls; else it is called."""
    remote_number: str = ""
    """Who is on the other side; empty where that is not to be known."""
    remote_display: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCounts:
    """Voice messages of an account."""

    new: int = 0
    old: int = 0
    urgent_new: int = 0
    urgent_old: int = 0


class StateSource(Protocol):
    """Knows the state that is subscribed to."""

    def may_watch(self, watcher: str, package: Package, resource: str) -> bool:
        """Whether this user may have the state of that one; False also where there is no such one."""
        ...

    def messages(self, resource: str) -> MessageCounts: ...

    def dialogs(self, resource: str) -> Sequence[WatchedDialog]: ...


class NothingToWatch:
    """The source of an endpoint that was given none."""

    def may_watch(self, watcher: str, package: Package, resource: str) -> bool:
        return False

    def messages(self, resource: str) -> MessageCounts:
        return MessageCounts()

    def dialogs(self, resource: str) -> Sequence[WatchedDialog]:
        return ()


def message_summary(counts: MessageCounts, *, resource: str, host: str) -> bytes:
    """RFC 3842 5.2."""
    waiting = "yes" if counts.new or counts.urgent_new else "no"
    voice = f"{counts.new}/{counts.old} ({counts.urgent_new}/{counts.urgent_old})"
    account = address_of("sip", resource, host)
    return f"Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\nVoice-Message: {voice}\r\n".encode()


def dialog_info(dialogs: Sequence[WatchedDialog], *, resource: str, host: str, version: int) -> bytes:
    """RFC 4235 4."""
    entity = quoteattr(address_of("sip", resource, host))
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}" state="full" entity={entity}>',
    ]
    for dialog in dialogs:
        direction = "initiator" if dialog.initiator else "recipient"
        lines.append(f'<dialog id={quoteattr(dialog.id)} direction="{direction}">')
        lines.append(f"<state>{dialog.state}</state>")
        if dialog.remote_number:
            display = f" display={_attribute(dialog.remote_display)}" if dialog.remote_display else ""
            uri = escape(visible(address_of("sip", dialog.remote_number, host)))
            lines.append(f"<remote><identity{display}>{uri}</identity></remote>")
        lines.append("</dialog>")
    lines.append("</dialog-info>\n")
    return "\n".join(lines).encode()


def _attribute(text: str) -> str:
    return quoteattr(visible(text))
