from __future__ import annotations

from engine.app.media_outbox import MediaOutbox
from engine.media.commands import ListLegs, Shutdown, Welcome

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
