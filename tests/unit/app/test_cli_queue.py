from __future__ import annotations

import pytest
from sqlalchemy import Engine

from engine.calls.directory import Queue, StrategyName
from engine.ids import QueueName
from engine.store.directory_store import DirectoryStore
from tests.support.command_line import CommandLine

SALES = QueueName("sales")
EVERYTHING = [
    *("--strategy", "ringall"),
    *("--ring-timeout", "20"),
    *("--retry", "3"),
    *("--wrap-up", "4.5"),
    *("--max-wait", "600"),
    *("--max-callers", "7"),
    *("--music", "/srv/music.wav"),
    "--no-rona-break",
    "--record",
]
AS_TOLD = Queue(
    name=SALES,
    strategy=StrategyName.RINGALL,
    ring_timeout_s=20,
    retry_s=3,
    wrap_up_s=4.5,
    max_wait_s=600,
    max_callers=7,
    music="/srv/music.wav",
    rona_break=False,
    record=True,
)


def stored(database: Engine) -> Queue:
    return DirectoryStore(database).load().queues[SALES]


def test_add_takes_every_setting(hearthline: CommandLine, database: Engine) -> None:
    assert hearthline("queue", "add", "sales", *EVERYTHING) == "queue sales added\n"
    assert stored(database) == AS_TOLD


def test_add_alone_makes_a_queue_as_it_is_meant_to_be(hearthline: CommandLine, database: Engine) -> None:
    hearthline("queue", "add", "sales")
    assert stored(database) == Queue(name=SALES)


def test_set_changes_what_is_given_and_leaves_the_rest(hearthline: CommandLine, database: Engine) -> None:
    hearthline("queue", "add", "sales")
    assert hearthline("queue", "set", "sales", "--wrap-up", "0") == "queue sales changed\n"
    assert stored(database) == Queue(name=SALES, wrap_up_s=0)
    hearthline("queue", "set", "sales", *EVERYTHING)
    assert stored(database) == AS_TOLD
    hearthline("queue", "set", "sales", "--rona-break", "--music", "")
    assert (stored(database).rona_break, stored(database).music) == (True, "")


def test_list_shows_settings_and_members_with_their_penalty(hearthline: CommandLine) -> None:
    hearthline("queue", "add", "help")
    hearthline("queue", "add", "sales", *EVERYTHING)
    hearthline("agent", "add", "anna", "--queue", "sales")
    hearthline("agent", "add", "bert", "--queue", "sales:2")
    head, help_, sales = hearthline("queue", "list").splitlines()
    assert head.split()[:3] == ["name", "strategy", "ring_timeout_s"]
    assert help_.split() == ["help", "longest-idle", "15", "5", "10", "0", "0", "-"]
    assert sales.split() == ["sales", "ringall", "20", "3", "4.5", "600", "7", "anna,", "bert:2"]
    assert hearthline.json("queue", "list")[1]["members"] == ["anna", "bert:2"]


def test_remove_takes_the_memberships_with_it(hearthline: CommandLine, database: Engine) -> None:
    hearthline("queue", "add", "sales")
    hearthline("agent", "add", "anna", "--queue", "sales")
    assert hearthline("queue", "remove", "sales") == "queue sales removed\n"
    assert DirectoryStore(database).load().members == {}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["add", "sales"], "already_exists: queue 'sales' exists already"),
        (["add", "help", "--wrap-up", "-1"], "invalid_request: queue help: wrap_up_s -1.0 is out of range;"),
        (["set", "help"], "not_found: no queue 'help'"),
        (["remove", "help"], "not_found: no queue 'help'"),
    ],
)
def test_what_cannot_be_done_is_one_line(hearthline: CommandLine, words: list[str], error: str) -> None:
    hearthline("queue", "add", "sales")
    assert hearthline.fails("queue", *words).startswith(error)
