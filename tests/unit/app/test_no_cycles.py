"""A call that is over is freed by reference counts alone: the engine collects garbage seldom."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.call_lives import LIVES, Extensions, settle
from tests.support.centre_rig import CentreRig
from tests.support.sip_phone import SipPhone


def left_by(life: Callable[[CentreRig], None], rig: CentreRig) -> Counter[str]:
    """Types of the objects that only a collection frees after the call, the first of its kind not counted."""
    life(rig)
    settle(rig)
    gc.collect()
    flags = gc.get_debug()
    gc.disable()
    try:
        life(rig)
        settle(rig)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        return Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.garbage)
    finally:
        gc.set_debug(flags)
        gc.garbage.clear()
        gc.enable()


def on_connections(rig: CentreRig) -> None:
    """The phones speak by TCP."""
    for phone in (rig.alice, rig.bob):
        phone.flow, _ = rig.wire.connect(phone, rig.centre)


@pytest.mark.parametrize("streams", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
def test_a_call_leaves_nothing_to_collect(life: Callable[[CentreRig], None], streams: bool) -> None:
    rig = CentreRig(router=Extensions())
    if streams:
        on_connections(rig)
    for phone in (rig.alice, rig.bob):
        register(rig, phone)
    assert left_by(life, rig) == {}


def register(rig: CentreRig, phone: SipPhone) -> None:
    phone.expires = 3600
    rig.register(phone)
