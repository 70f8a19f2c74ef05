"""History-Info: which addresses a request was sent to on its way (RFC 7044).

Entries are numbered as a tree: what an entry was sent on to is its number with one more level, "1", "1.1", "1.1.1".
We go on with a call as one more level below the last entry; an INVITE without History-Info gets none from us.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.sip.headers import NameAddr
from engine.sip.limits import MAX_HISTORY, MAX_HISTORY_LEVELS
from engine.sip.uri import SipUri

_DIGITS: Final = frozenset("0123456789.")


def retargeted(history: Sequence[NameAddr], user: str, host: str) -> tuple[NameAddr, ...]:
    """The entries, and one more for where the call goes now: its index is below that of the last entry, and `rc` says
    which entry was changed into it (RFC 7044 10.3). Entries without a usable index are left out."""
    entries = [each for each in history if _is_index(each.params.get("index"))]
    if not entries:
        return ()
    last = entries[-1].params["index"] or "1"
    own = NameAddr("", SipUri(user=user, host=host), {"index": f"{last}.1", "rc": last})
    return (*entries[-(MAX_HISTORY - 1) :], own)


def _is_index(text: str | None) -> bool:
    if not text or not _DIGITS.issuperset(text):
        return False
    levels = text.split(".")
    return len(levels) < MAX_HISTORY_LEVELS and all(levels)
