from __future__ import annotations

from softphone.model.intents import Dial, Verb
from softphone.sip import events
from softphone.sip.events import CallNumber
from tests.support.softphone_fakes import PhoneRig, ended, incoming

ONE = CallNumber(1)


def test_an_idle_phone_leaves_at_once() -> None:
    rig = PhoneRig()
    assert not rig.finished
    rig.do(Verb.QUIT)
    assert rig.finished


def test_leaving_waits_for_the_bye_and_the_unregistration() -> None:
    rig = PhoneRig(register=True)
    rig.happens(events.Registered(expires=60))
    rig.talk()
    rig.do(Verb.QUIT)
    assert [call[0] for call in rig.backend.asked[-2:]] == ["hangup", "unregister"]
    assert not rig.finished
    rig.happens(ended(1))
    assert not rig.finished
    rig.happens(events.Unregistered())
    assert rig.finished


def test_leaving_waits_three_seconds_at_most() -> None:
    rig = PhoneRig(register=True)
    rig.happens(events.Registered(expires=60))
    rig.talk()
    rig.do(Verb.QUIT)
    rig.passes(2.9)
    assert not rig.finished
    rig.passes(0.2)
    assert rig.finished


def test_a_registration_that_arrives_while_leaving_is_withdrawn() -> None:
    rig = PhoneRig(register=True)
    rig.do(Verb.QUIT)
    assert not rig.finished
    rig.happens(events.Registered(expires=60))
    assert rig.asked("unregister") == 1
    rig.happens(events.Unregistered())
    assert rig.finished


def test_asked_twice_the_phone_leaves_at_once() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.do(Verb.QUIT)
    rig.do(Verb.QUIT)
    assert rig.finished


def test_a_leaving_phone_takes_no_calls_and_no_commands() -> None:
    rig = PhoneRig(register=True, auto_answer_s=0.0)
    rig.happens(events.Registered(expires=60))
    rig.do(Verb.QUIT)
    rig.happens(incoming(1))
    assert rig.backend.asked[-1] == ("hangup", 1, 480)
    rig.do(Dial(uri="sip:100@pbx"))
    assert rig.asked("dial") == 0
    assert "about to end" in str(rig.said("error")[0].fields["message"])


def test_a_stack_that_refuses_to_hang_up_does_not_keep_the_phone_from_unregistering() -> None:
    rig = PhoneRig(register=True)
    rig.happens(events.Registered(expires=60))
    rig.talk()
    rig.backend.refuses.add("hangup")
    rig.do(Verb.QUIT)
    assert rig.asked("unregister") == 1
