from __future__ import annotations

import pytest

from softphone.model.intents import Verb
from softphone.model.state import RegistrationStatus
from softphone.registration import Backoff, refresh_after
from softphone.sip import events
from tests.support.softphone_fakes import PhoneRig

FAILED = events.RegistrationFailed(code=408, reason="Request Timeout")
LOST = events.ConnectionLost(reason="TCP connection lost")


def registered_rig() -> PhoneRig:
    rig = PhoneRig(register=True)
    rig.happens(events.Registered(expires=60))
    return rig


def test_waits_double_up_to_a_minute_and_start_over_after_success() -> None:
    backoff = Backoff(lambda: 0.0)
    assert [backoff.after_failure(408) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.succeeded()
    assert backoff.after_failure(503) == 1


def test_waits_are_spread_so_that_phones_do_not_come_together() -> None:
    assert Backoff(lambda: 1.0).after_failure(408) == 0.75


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_refusal_is_not_repeated_every_second(code: int) -> None:
    assert Backoff(lambda: 0.0).after_failure(code) == 60


def test_the_phone_registers_at_start() -> None:
    rig = PhoneRig(register=True)
    assert rig.backend.asked == [("register",)]
    rig.happens(events.Registered(expires=60))
    assert [report.fields for report in rig.said("registered")] == [{"expires": 60}]


def test_a_phone_without_a_server_does_not() -> None:
    rig = PhoneRig()
    assert rig.backend.asked == []
    rig.do(Verb.REGISTER)
    assert rig.asked("register") == 0
    assert "--no-register" in str(rig.said("error")[0].fields["message"])


def test_a_refresh_is_worth_no_line_but_another_expiry_is() -> None:
    rig = registered_rig()
    rig.happens(events.Registered(expires=60))
    assert len(rig.said("registered")) == 1
    rig.happens(events.Registered(expires=30))
    assert len(rig.said("registered")) == 2


def test_a_lost_network_is_retried_until_it_is_back() -> None:
    rig = registered_rig()
    attempts = []
    for _ in range(4):
        rig.happens(FAILED)
        before = rig.now
        asked = rig.asked("register")
        while rig.asked("register") == asked:
            rig.passes(0.02)
        attempts.append(round(rig.now - before))
    assert attempts == [1, 2, 4, 8]
    assert [report.fields["retry_s"] for report in rig.said("registration_failed")] == [1.0, 2.0, 4.0, 8.0]
    rig.happens(events.Registered(expires=60))
    assert rig.core.state.registration.status is RegistrationStatus.REGISTERED
    rig.happens(FAILED)
    assert rig.said("registration_failed")[-1].fields["retry_s"] == 1.0


def test_eight_hours_without_a_server_neither_stop_nor_flood() -> None:
    rig = PhoneRig(register=True)
    for _ in range(8 * 60):
        rig.happens(FAILED)
        asked = rig.asked("register")
        rig.passes(61, step=1)
        assert rig.asked("register") == asked + 1


def test_a_lost_connection_registers_anew_at_once() -> None:
    rig = registered_rig()
    rig.happens(LOST)
    assert rig.core.state.registration.status is RegistrationStatus.FAILED
    assert [report.fields["code"] for report in rig.said("registration_failed")] == [503]
    rig.passes(1.1)
    assert rig.asked("register") == 2


def test_a_connection_lost_under_a_request_leaves_the_verdict_to_the_request() -> None:
    rig = PhoneRig(register=True)
    rig.happens(LOST)
    assert rig.core.state.registration.status is RegistrationStatus.PENDING
    rig.passes(5)
    assert rig.asked("register") == 1
    rig.happens(FAILED)
    rig.passes(1.1)
    assert rig.asked("register") == 2


def test_a_stack_that_cannot_even_send_is_retried() -> None:
    rig = registered_rig()
    rig.backend.refuses.add("register")
    rig.happens(FAILED)
    rig.passes(1.1)
    assert rig.said("registration_failed")[-1].fields["reason"] == "register: refused by the test"
    rig.backend.refuses.clear()
    rig.passes(2.1)
    assert rig.asked("register") == 3
    assert rig.core.state.registration.status is RegistrationStatus.PENDING


def test_unregister_ends_the_retries() -> None:
    rig = registered_rig()
    rig.happens(FAILED)
    rig.do(Verb.UNREGISTER)
    rig.passes(120, step=1)
    assert rig.asked("register") == 1
    assert rig.asked("unregister") == 0


def test_unregister_and_register_by_hand() -> None:
    rig = registered_rig()
    rig.do(Verb.UNREGISTER)
    assert rig.asked("unregister") == 1
    rig.happens(events.Unregistered())
    assert len(rig.said("unregistered")) == 1
    rig.do(Verb.REGISTER)
    assert rig.asked("register") == 2


def test_a_change_of_mind_waits_for_the_answer_under_way() -> None:
    rig = PhoneRig(register=True)
    rig.do(Verb.UNREGISTER)
    assert rig.asked("unregister") == 0
    rig.happens(events.Registered(expires=60))
    assert rig.asked("unregister") == 1
    rig.do(Verb.REGISTER)
    assert rig.asked("register") == 1
    rig.happens(events.Unregistered())
    assert rig.asked("register") == 2


def test_register_by_hand_does_not_wait_for_the_retry() -> None:
    rig = PhoneRig(register=True)
    rig.happens(events.RegistrationFailed(code=403, reason="Forbidden"))
    rig.do(Verb.REGISTER)
    assert rig.asked("register") == 2
    rig.happens(events.Registered(expires=600))
    rig.passes(61, step=1)
    assert rig.asked("register") == 2


@pytest.mark.parametrize(("expires", "seconds"), [(60, 40), (3600, 2400), (10, 4), (7, 1), (1, 1)])
def test_a_refresh_comes_in_time_and_before_the_stacks_own(expires: int, seconds: float) -> None:
    assert refresh_after(expires) == seconds


def test_the_registration_is_refreshed_again_and_again_without_a_line() -> None:
    rig = registered_rig()
    for count in range(2, 6):
        rig.passes(39.9)
        assert rig.asked("register") == count - 1
        rig.passes(0.2)
        assert rig.asked("register") == count
        assert rig.core.state.registration.status is RegistrationStatus.REGISTERED
        rig.happens(events.Registered(expires=60))
    assert len(rig.said("registered")) == 1


def test_a_refresh_that_fails_is_retried() -> None:
    rig = registered_rig()
    rig.passes(40.1)
    rig.happens(LOST, FAILED)
    assert [report.fields["code"] for report in rig.said("registration_failed")] == [408]
    rig.passes(1.1)
    assert rig.asked("register") == 3


def test_leaving_during_a_refresh_waits_for_its_answer() -> None:
    rig = registered_rig()
    rig.passes(40.1)
    rig.do(Verb.QUIT)
    assert (rig.asked("unregister"), rig.finished) == (0, False)
    rig.happens(events.Registered(expires=60))
    assert rig.asked("unregister") == 1
    rig.happens(events.Unregistered())
    assert rig.finished


def test_an_unregistered_phone_stays_so() -> None:
    rig = registered_rig()
    rig.do(Verb.UNREGISTER)
    rig.happens(events.Unregistered())
    rig.passes(300, step=1)
    assert rig.asked("register") == 1
