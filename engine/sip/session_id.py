"""Session-ID: one name for a session from end to end, however many B2BUAs are between (RFC 7989).

Each end has a UUID; a message names its sender's first and, as `remote`, the one that was heard of the other end. We
are an end ourselves to whoever calls (music, announcements and queues answer before anybody else does), and stand for
the caller to whomever we call: there the caller's UUID is the local one.

A call that names none gets none: generating UUIDs for everybody would cost every message of every call a field, and
who wants them sends them. Ours are made from the injected id source.
"""

from __future__ import annotations

from hashlib import blake2s
from typing import Final

from engine.ids import IdSource

NIL: Final = "0" * 32
"""The UUID of an end that is not known yet (RFC 7989 5)."""

_HEX: Final = frozenset("0123456789abcdef")


def read_session_id(text: str | None) -> str:
    """The sender's UUID in a Session-ID field; empty where there is none, or none that can be used. Upper case and the
    hyphens of RFC 4122 are read too; RFC 7329 peers send no `remote`, which makes no difference here."""
    if not text:
        return ""
    local = text.partition(";")[0].strip(" \t").lower().replace("-", "")
    return local if len(local) == 32 and _HEX.issuperset(local) and local != NIL else ""


def new_session_id(ids: IdSource) -> str:
    """A UUID of our own, marked as random (RFC 4122 4.4)."""
    digits = blake2s(ids.token().encode(), digest_size=16).hexdigest()
    return f"{digits[:12]}4{digits[13:16]}a{digits[17:]}"


class SessionIds:
    """The two UUIDs of one dialog, from our side."""

    __slots__ = ("local", "remote")

    def __init__(self, local: str, remote: str = NIL) -> None:
        self.local = local
        self.remote = remote

    def hear(self, text: str | None) -> None:
        """A message of the peer came with this field; the last word counts (RFC 7989 6)."""
        if text is not None:
            self.remote = read_session_id(text) or self.remote

    def __str__(self) -> str:
        return f"{self.local};remote={self.remote}"
