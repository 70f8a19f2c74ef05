from __future__ import annotations

import pytest
from sqlalchemy import Engine

from engine.calls.directory import Trunk
from engine.ids import TrunkName
from engine.store.directory_store import DirectoryStore
from tests.support.command_line import CommandLine

PBX = TrunkName("pbx")


def stored(database: Engine) -> Trunk:
    return DirectoryStore(database).load().trunks[PBX]


def test_add_takes_every_setting(hearthline: CommandLine, database: Engine) -> None:
    words = [
        *("--host", "192.0.2.1", "--port", "5070", "--transport", "tcp"),
        *("--address", "192.0.2.2", "--address", "198.51.100.0/24"),
        *("--match-port", "--context", "office", "--ping", "0"),
    ]
    assert hearthline("trunk", "add", "pbx", *words) == "trunk pbx added\n"
    assert stored(database) == Trunk(
        name=PBX,
        host="192.0.2.1",
        port=5070,
        transport="tcp",
        addresses=("192.0.2.2", "198.51.100.0/24"),
        match_port=True,
        context="office",
        ping_s=0,
    )


def test_add_needs_only_the_host(hearthline: CommandLine, database: Engine) -> None:
    hearthline("trunk", "add", "pbx", "--host", "192.0.2.1")
    assert stored(database) == Trunk(name=PBX, host="192.0.2.1")


def test_add_without_a_host_says_what_is_missing(hearthline: CommandLine) -> None:
    done = hearthline.run("trunk", "add", "pbx")
    assert done.status == 2
    assert "--host" in done.err


def test_set_changes_what_is_given_and_leaves_the_rest(hearthline: CommandLine, database: Engine) -> None:
    hearthline("trunk", "add", "pbx", "--host", "192.0.2.1", "--address", "192.0.2.2", "--match-port")
    assert hearthline("trunk", "set", "pbx", "--port", "5070") == "trunk pbx changed\n"
    assert stored(database) == Trunk(name=PBX, host="192.0.2.1", port=5070, addresses=("192.0.2.2",), match_port=True)
    hearthline("trunk", "set", "pbx", "--address", "192.0.2.3", "--any-port", "--host", "192.0.2.9")
    assert stored(database) == Trunk(name=PBX, host="192.0.2.9", port=5070, addresses=("192.0.2.3",))


def test_list_shows_all_settings(hearthline: CommandLine) -> None:
    hearthline("trunk", "add", "pbx", "--host", "192.0.2.1", "--address", "192.0.2.2", "--match-port")
    head, row = hearthline("trunk", "list").splitlines()
    assert head.split() == ["name", "host", "port", "transport", "addresses", "match_port", "context", "ping_s"]
    assert row.split() == ["pbx", "192.0.2.1", "5060", "udp", "192.0.2.2", "yes", "from-trunk", "30"]
    assert hearthline.json("trunk", "list")[0]["addresses"] == ["192.0.2.2"]


def test_remove(hearthline: CommandLine, database: Engine) -> None:
    hearthline("trunk", "add", "pbx", "--host", "192.0.2.1")
    assert hearthline("trunk", "remove", "pbx") == "trunk pbx removed\n"
    assert DirectoryStore(database).load().trunks == {}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ["add", "pbx", "--host", "pbx.example"],
            "invalid_request: trunk pbx: host 'pbx.example' is not an IP address",
        ),
        (["set", "pbx", "--port", "1"], "not_found: no trunk 'pbx'"),
        (["remove", "pbx"], "not_found: no trunk 'pbx'"),
    ],
)
def test_what_cannot_be_done_is_one_line(hearthline: CommandLine, words: list[str], error: str) -> None:
    assert hearthline.fails("trunk", *words).startswith(error)
