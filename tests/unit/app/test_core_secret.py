"""A new secret ends the registration of whoever proved the old one."""

from __future__ import annotations

from dataclasses import replace

from engine.calls.directory import Put
from engine.calls.log import AgentReachable, AgentUnreachable
from engine.ids import AgentName
from engine.sip.auth import ha1
from engine.sip.events import InviteReceived
from tests.support.centre_rig import REALM, CentreRig

ALICE = AgentName("alice")


def change(rig: CentreRig, **settings: str) -> None:
    agent = rig.core.directory.agents[ALICE]
    put = Put(entity=replace(agent, **settings))  # type: ignore[arg-type]  # all of these settings are text
    rig.core.change_directory(put, "test", rig.wire.now)


def new_secret(rig: CentreRig, password: str) -> None:
    change(rig, **{f"ha1_{key}": ha1("alice", REALM, password, name) for key, name in _ALGORITHMS.items()})


_ALGORITHMS = {"md5": "MD5", "sha256": "SHA-256"}


def test_a_phone_with_the_old_secret_is_rung_no_more() -> None:
    rig = CentreRig()
    rig.register(rig.alice)
    new_secret(rig, "another")
    rig.call()
    assert rig.alice.told(InviteReceived) == []
    assert len(rig.centre.bodies(AgentUnreachable)) == 1
    rig.alice.register(rig.wire.now)
    rig.wire.run(1.0)
    assert rig.alice.answers[-1].status in {401, 403}
    rig.alice.password = "another"
    rig.register(rig.alice)
    rig.wire.run(1.0)
    assert len(rig.alice.told(InviteReceived)) == 1


def test_one_changed_secret_of_two_is_enough() -> None:
    rig = CentreRig()
    rig.register(rig.alice)
    change(rig, ha1_sha256=ha1("alice", REALM, "another", "SHA-256"))
    assert rig.core.endpoint.bindings("alice") == ()


def test_other_settings_leave_the_registration() -> None:
    rig = CentreRig()
    rig.register(rig.alice)
    change(rig, display="Alice")
    assert len(rig.core.endpoint.bindings("alice")) == 1
    assert len(rig.centre.bodies(AgentReachable)) == 1
    assert rig.centre.bodies(AgentUnreachable) == []
