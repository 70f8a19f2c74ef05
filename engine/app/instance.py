"""What registrars know this installation by, over restarts (RFC 5626 4.1).

Every trunk has an instance of its own: two trunks may register one account at two servers of a provider, and the later
one must not take the place of the other.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid5

from engine.app.state import StateDir
from engine.ids import TrunkName

_SPACE = UUID("8b7c7f0e-52d4-4c0e-9d0a-6a3f3f1c5e21")
"""Of names of ours (RFC 9562 5.5)."""


def instances(state: StateDir) -> Callable[[TrunkName], str]:
    """The URN of each trunk, derived from what the state directory keeps for it."""
    ours = uuid5(_SPACE, state.secret("instance"))
    return lambda trunk: uuid5(ours, trunk).urn
