"""A call that is over is freed by reference counts alone: the engine collects garbage seldom."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count

import pytest

from engine.sip.flow import Address, Flow, Transport
from tests.support.call_lives import LIVES, Extensions, settle
from tests.support.centre_rig import ENGINE, TRUNK_HOST, CentreRig
from tests.support.plain_message import write
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


GOOD = write(
    "OPTIONS sip:600@192.0.2.1 SIP/2.0",
    [
        ("Via", "SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKone;rport"),
        ("From", "<sip:a@192.0.2.2>;tag=a"),
        ("To", "<sip:600@192.0.2.1>"),
        ("Call-ID", "one"),
        ("CSeq", "1 OPTIONS"),
    ],
)
VIDEO = GOOD.partition(b"Content-Length")[0].replace(b"OPTIONS", b"INVITE") + (
    b"Contact: <sip:a@192.0.2.2>\r\nContent-Type: application/sdp\r\nContent-Length: 77\r\n\r\n"
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=video 4 RTP/A"
    b"VP 96\r\n"
)
REFUSED = {
    "no Via": GOOD.replace(b"Via:", b"Vio:"),
    "start line": GOOD.replace(b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia"),
    "bare CR": GOOD.replace(b"<sip:a@", b"<sip:\ra@"),
    "no end": GOOD[:-2],
    "length": GOOD.replace(b"Content-Length: 0", b"Content-Length: 9"),
    "no length": GOOD.replace(b"Content-Length: 0", b"X: 0"),
    "too long": GOOD.replace(b"Content-Length: 0", b"Content-Length: 99999999"),
    "value": GOOD.replace(b"<sip:a@", b"<sip:a@@["),
    "video": VIDEO.replace(b"Content-Length: 77", b"Content-Length: %d" % len(VIDEO.partition(b"\r\n\r\n")[2])),
}


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_leaves_nothing_to_collect(data: bytes, transport: Transport) -> None:
    numbers = count(1)

    def life(rig: CentreRig) -> None:
        flow = Flow(Transport.UDP, ENGINE, Address(TRUNK_HOST, 5060))
        if transport is Transport.TCP:
            _, flow = rig.wire.connect(rig.caller, rig.centre)
        rig.centre.receive(data.replace(b"one", b"one%d" % next(numbers)), flow, rig.wire.now)
        settle(rig)
        if transport is Transport.TCP:
            with suppress(KeyError):  # the engine has closed it
                rig.wire.cut(flow)

    assert left_by(life, CentreRig()) == {}
