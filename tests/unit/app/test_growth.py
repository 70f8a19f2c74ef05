"""Nothing is kept per call for longer than its transactions need."""

from __future__ import annotations

from tests.support.call_lives import LIVES, Extensions, refreshed, settle, unanswered
from tests.support.centre_rig import CentreRig
from tests.support.contents import sizes

CALLS = 450
_SHORT = tuple(life for life in LIVES if life not in (refreshed, unanswered))
_HISTORY = frozenset({"recorder", "traces", "bound"})
"""What is kept on purpose, up to a bound of its own: the last calls' messages and where they are told."""


def test_after_hundreds_of_calls_everything_holds_as_much_as_before() -> None:
    rig = CentreRig(router=Extensions())
    for phone in (rig.alice, rig.bob):
        phone.expires = 3600
    for _ in range(3):
        live(rig, len(_SHORT))
    before = sizes(rig.core, without=_HISTORY)
    live(rig, CALLS)
    after = sizes(rig.core, without=_HISTORY)
    grown = {path: (before.get(path, 0), size) for path, size in after.items() if size > before.get(path, 0)}
    assert grown == {}


def live(rig: CentreRig, calls: int) -> None:
    """So many calls, of each kind in turn."""
    for number in range(calls):
        if number % len(_SHORT) == 0:
            for phone in (rig.alice, rig.bob):
                rig.register(phone)
        _SHORT[number % len(_SHORT)](rig)
        settle(rig)
        rig.wire.log.clear()
