from __future__ import annotations

from engine.app.media_outbox import MediaOutbox
from engine.media.commands import CloseLeg, ListLegs, OpenLeg, Shutdown
from engine.media.events import LegOpened, Spares, Welcome

WELCOME = Welcome(version=1, pid=2, port_min=20002, port_max=29998, legs=0)


def test_commands_are_handed_out_once_and_in_order() -> None:
    outbox = MediaOutbox()
    outbox.opened(WELCOME)
    outbox.send(ListLegs())
    outbox.send(Shutdown())
    assert outbox.take() == [ListLegs(), Shutdown()]
    assert outbox.take() == []


def test_it_is_ready_while_there_is_a_process_and_forgets_what_was_meant_for_one_that_is_gone() -> None:
    outbox = MediaOutbox()
    assert (outbox.ready(), outbox.welcome) == (False, None)
    outbox.send(ListLegs())
    outbox.opened(WELCOME)
    assert (outbox.ready(), outbox.welcome, outbox.take()) == (True, WELCOME, [])
    outbox.send(ListLegs())
    outbox.closed()
    assert (outbox.ready(), outbox.welcome, outbox.take()) == (False, None, [])


# --- legs on spare pairs ---


def ready(*ports: int) -> MediaOutbox:
    outbox = MediaOutbox()
    outbox.opened(WELCOME)
    outbox.spares(Spares(ports=ports))
    return outbox


def test_a_leg_is_opened_on_a_spare_pair_and_answered_at_once() -> None:
    outbox = ready(30000, 30002)
    outbox.send(OpenLeg(leg="a", tag="t"))
    assert outbox.take_opened() == [LegOpened(leg="a", port=30000)]
    assert outbox.take_opened() == []


def test_to_open_it_waits_for_the_next_command_that_does_not_wait() -> None:
    outbox = ready(30000, 30002)
    outbox.send(OpenLeg(leg="a", tag="t"))
    outbox.send(OpenLeg(leg="b", tag="u"))
    assert outbox.take() == []
    outbox.send(CloseLeg(leg="a"))
    opened = [OpenLeg(leg="a", tag="t", port=30000), OpenLeg(leg="b", tag="u", port=30002)]
    assert outbox.take() == [*opened, CloseLeg(leg="a")]
    assert outbox.take() == []


def test_when_no_spare_pair_is_left_it_asks() -> None:
    outbox = ready()
    outbox.send(OpenLeg(leg="a", tag="t"))
    assert (outbox.take_opened(), outbox.take()) == ([], [OpenLeg(leg="a", tag="t")])


def test_a_spare_pair_that_was_given_in_answer_is_spare_no_longer() -> None:
    outbox = ready(30000, 30002)
    outbox.port_given(30000)
    outbox.port_given(40000)
    outbox.send(OpenLeg(leg="a", tag="t"))
    assert outbox.take_opened() == [LegOpened(leg="a", port=30002)]


def test_spare_pairs_go_with_their_process() -> None:
    outbox = ready(30000, 30002)
    outbox.send(OpenLeg(leg="a", tag="t"))
    outbox.closed()
    outbox.opened(WELCOME)
    assert outbox.take_opened() == []
    outbox.send(OpenLeg(leg="b", tag="t"))
    assert outbox.take_opened() == [], "what was spare in the last process is not in this one"
    assert outbox.take() == [OpenLeg(leg="b", tag="t")]
