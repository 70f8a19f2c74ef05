"""Why nothing came of a message or of another input of a transaction. A closed list: each is a label of a counter."""

from __future__ import annotations

from typing import Final

UNMATCHED: Final = "unmatched"
"""A response that no request of ours asked for, or not by that way (RFC 3261 8.1.3.3, 18.1.2)."""
UNEXPECTED: Final = "unexpected"
"""The transaction's state does not name the input: a response after the final one, an ACK too many."""
MALFORMED: Final = "malformed"
"""It could not be read, and was no request that could be answered."""
UNANSWERABLE: Final = "unanswerable"
"""A request that is refused, whose Via or other fields leave no way to say so."""

REASONS: Final = (UNMATCHED, UNEXPECTED, MALFORMED, UNANSWERABLE)
