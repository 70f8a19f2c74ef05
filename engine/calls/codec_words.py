"""The words by which an operator says which codecs a leg may have, best first: in the configuration, on a trunk, on an
agent.

A codec that we can decode is offered of our own accord. One that we cannot is offered and taken only where the other
leg of the call has it too; its place in the list says whether it is preferred to those that we decode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

DECODED: Final = ("PCMU", "PCMA", "G722", "L16", "L16/16000")
PASSED: Final = (
    *("opus", "G729", "G723", "G728", "GSM", "iLBC", "AMR", "AMR-WB", "EVS", "speex", "SILK", "G7221"),
    *("G726-16", "G726-24", "G726-32", "G726-40"),
)
SPELLED: Final = {word.lower(): word for word in PASSED}
"""Those again, by their names in small letters, as they are compared (SDP's names have no case)."""
ANY: Final = "any"
"""Every other codec that both legs of a call have."""
NOISE: Final = "CN"
"""Comfort noise is offered of our own accord; it is answered with to whoever offers it in any case."""
WORDS: Final = (*DECODED, *PASSED, ANY, NOISE)

DEFAULT: Final = ("G722", "PCMU", "PCMA", ANY)
"""What may be used where nothing else is said."""


def check_codecs(words: Sequence[str]) -> None:
    """Raise ValueError for a list that has an unknown word, one twice, or none that a telephone could use."""
    for word in words:
        if word not in WORDS:
            raise ValueError(f"codecs has {word!r}, which is not known; there are: {', '.join(WORDS)}")
    if len(set(words)) != len(words):
        raise ValueError("codecs names one more than once")
    if words and set(words) <= {NOISE}:
        raise ValueError("codecs has no codec, only comfort noise")
