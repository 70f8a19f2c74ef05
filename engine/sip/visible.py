"""Text as it leaves the stack for people, logs and records: what a caller calls itself, and what was dialled.

SIP lets both hold anything (`%0A` in a user part, U+2028 in a display name), and whoever writes them into a line of
text, or splits it there, would have to know every character that ends a line. So none of them gets that far.
"""

from __future__ import annotations

from engine.sip.names import refuse
from engine.sip.uri import SipUri


def visible(text: str) -> str:
    """The text without controls, line breaks of any kind and whatever else has no look of its own; what is white space
    of some kind is a blank."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char.isspace() else "" for char in text)


def dialled(uri: SipUri, realm: str) -> str:
    """The user part of a URI that somebody asks for. Raises RemoteSipError(404) for one with such characters: a number
    made of what is left of it is not what was dialled. The same for a tel number of elsewhere, which is no extension of
    ours; nor does a prefix that is its context make a global number of it, `911;phone-context=+1` (RFC 3966 5.1.5)."""
    number = uri.user or ""
    if uri.scheme == "tel" and number[:1] != "+":
        context = uri.params.get("phone-context")
        if context is not None and context.lower() != realm.lower():
            raise refuse(404, f"{number[:80]!r} is a number of {context[:80]!r}")
    if not number.isprintable():
        raise refuse(404, f"nobody is called {number[:80]!r}")
    return number
