"""The guard as the core shows it: whom it bans is logged and shown, and can be let in again."""

from __future__ import annotations

import pytest

from engine.api.guard_views import BanView
from engine.app.views import guard_view
from engine.calls.log import BanLifted, SourceBanned
from engine.errors import NotFound
from engine.sip.flow import Address, Flow, Transport
from tests.support.centre_rig import ENGINE, CentreRig
from tests.support.sip_raw import RawPeer

STRANGER = "198.51.100.7"


def scanned() -> tuple[CentreRig, float]:
    """A known scanner came by TCP, ten seconds ago."""
    rig = CentreRig()
    rig.wire.run(1.0)
    flow = Flow(Transport.TCP, ENGINE, Address(STRANGER, 40000), 7)
    request = RawPeer(STRANGER, rig.centre).request("OPTIONS", fields=[("User-Agent", "friendly-scanner")])
    rig.core.connection_opened(flow, rig.wire.now)
    rig.core.receive_stream(request.to_bytes(), flow, rig.wire.now)
    assert list(rig.core.take_closes()) == [flow]
    rig.wire.run(10.0)
    return rig, rig.wire.now


def test_a_ban_is_logged_once_and_shown_while_it_lasts() -> None:
    rig, now = scanned()
    banned = SourceBanned(address=STRANGER, user="", reason="scanner", seconds=60, times=1)
    assert rig.centre.bodies(SourceBanned) == [banned]
    view = guard_view(rig.core, now)
    assert view.enabled
    assert (view.dropped["scanner"], view.dropped["amplification"]) == (1, 0)
    (ban,) = view.bans
    assert ban == BanView(address=STRANGER, user="", reason="scanner", times=1, left_s=pytest.approx(50.0, abs=0.5))
    assert guard_view(rig.core, now + 60.0).bans == ()


def test_a_ban_that_is_lifted_is_logged_with_who_did_it() -> None:
    rig, now = scanned()
    rig.core.unban(STRANGER, "", "admin", now)
    assert guard_view(rig.core, now).bans == ()
    with pytest.raises(NotFound, match=f"{STRANGER} for user ann"):
        rig.core.unban(STRANGER, "ann", "admin", now)
    with pytest.raises(NotFound, match=STRANGER):
        rig.core.unban(STRANGER, "", "admin", now)
    rig.wire.run(0.0)
    assert rig.centre.bodies(BanLifted) == [BanLifted(address=STRANGER, user="", by="admin")]


def test_the_time_that_strangers_take_is_charged_to_them() -> None:
    rig = CentreRig()
    flow = Flow(Transport.UDP, ENGINE, Address(STRANGER, 5060))
    request = RawPeer(STRANGER, rig.centre).request("OPTIONS").to_bytes()
    assert rig.core.receive_datagram(request, flow, rig.wire.now)
    rig.core.stranger_took(1000.0)
    assert not rig.core.receive_datagram(request, flow, rig.wire.now)
