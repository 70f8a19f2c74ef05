from __future__ import annotations

import io
from pathlib import Path

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
            ["add", "pbx", "--host", "pbx example"],
            "invalid_request: trunk pbx: host 'pbx example' is neither an IP address nor a name",
        ),
        (["set", "pbx", "--port", "1"], "not_found: no trunk 'pbx'"),
        (["remove", "pbx"], "not_found: no trunk 'pbx'"),
    ],
)
def test_what_cannot_be_done_is_one_line(hearthline: CommandLine, words: list[str], error: str) -> None:
    assert hearthline.fails("trunk", *words).startswith(error)


def test_a_trunk_that_no_listener_leads_to_is_taken_with_a_warning(hearthline: CommandLine, database: Engine) -> None:
    done = hearthline.run("trunk", "add", "pbx", "--host", "192.0.2.1", "--transport", "tls")
    assert (done.status, done.out) == (0, "trunk pbx added\n")
    assert done.err.startswith("warning: trunk pbx: no listener speaks TLS")
    assert stored(database).transport == "tls"
    assert hearthline("trunk", "set", "pbx", "--transport", "tcp") == "trunk pbx changed\n"


def test_an_account_with_its_secret_from_a_file_or_standard_input(
    hearthline: CommandLine, database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("hush hush\n")
    words = ["--user", "4930555", "--auth-user", "acc", "--register", "--register-expires", "600", "--no-outbound"]
    hearthline("trunk", "add", "pbx", "--host", "sip.example.com", *words, "--secret-file", str(tmp_path / "secret"))
    found = stored(database)
    assert (found.secret, found.user, found.auth_user, found.registers, found.register_expires_s) == (
        "hush hush",
        "4930555",
        "acc",
        True,
        600,
    )
    monkeypatch.setattr("sys.stdin", io.StringIO("other\n"))
    hearthline("trunk", "set", "pbx", "--secret-file", "-", "--no-register")
    assert (stored(database).secret, stored(database).registers) == ("other", False)
    assert not stored(database).outbound
    for shown in (hearthline("trunk", "show", "pbx"), str(hearthline.json("trunk", "list"))):
        assert "other" not in shown
        assert "has_secret" in shown
    assert hearthline.fails("trunk", "set", "pbx", "--secret-file", str(tmp_path / "no")).startswith("invalid_request")


def test_rules_limits_and_lists_are_set_and_emptied(hearthline: CommandLine, database: Engine) -> None:
    words = [
        *("--called-out", "strip:1", "--called-out", "e164:49", "--caller-out", "anonymous", "--called-in", "strip:3"),
        *("--caller-in", "prefix:0", "--header-out", "header-add:X-A:1", "--codec", "PCMA", "--srtp", "off"),
        *("--max-calls", "9", "--max-in", "5", "--max-out", "4", "--cps-in", "3", "--cps-out", "2.5"),
        *("--destination", "+49", "--destination", "!0900", "--daily-spend", "20", "--trusted", "--redirects"),
        *("--down-after", "3", "--up-after", "4", "--circuit-after", "6", "--patience", "2", "--setup", "20"),
        *("--from-user", "acc", "--from-domain", "example.com"),
    ]
    hearthline("trunk", "add", "pbx", "--host", "192.0.2.1", *words)
    assert stored(database) == Trunk(
        name=PBX,
        host="192.0.2.1",
        called_out=("strip:1", "e164:49"),
        caller_out=("anonymous",),
        called_in=("strip:3",),
        caller_in=("prefix:0",),
        headers_out=("header-add:X-A:1",),
        codecs=("PCMA",),
        max_calls=9,
        max_in=5,
        max_out=4,
        cps_in=3,
        cps_out=2.5,
        destinations=("+49", "!0900"),
        daily_spend=20,
        trusted=True,
        redirects=True,
        down_after=3,
        up_after=4,
        circuit_after=6,
        patience_s=2,
        setup_s=20,
        from_user="acc",
        from_domain="example.com",
    )
    hearthline("trunk", "set", "pbx", "--called-out", "", "--destination", "", "--untrusted")
    found = stored(database)
    assert (found.called_out, found.destinations, found.trusted) == ((), (), False)
    assert found.caller_out == ("anonymous",)


def test_show_tells_every_setting_of_one(hearthline: CommandLine) -> None:
    hearthline("trunk", "add", "pbx", "--host", "192.0.2.1")
    lines = dict(line.split(maxsplit=1) for line in hearthline("trunk", "show", "pbx").splitlines())
    assert [lines[name].strip() for name in ("host", "patience_s", "has_secret")] == ["192.0.2.1", "4", "no"]
    assert hearthline.json("trunk", "show", "pbx")["max_calls"] == 0
    assert hearthline.fails("trunk", "show", "other") == "not_found: no trunk 'other'"


def test_groups_of_trunks(hearthline: CommandLine, database: Engine) -> None:
    hearthline("trunk", "add", "pbx", "--host", "192.0.2.1")
    assert hearthline.fails("trunk-group", "add", "out", "--member", "x") == "not_found: no trunk 'x'"
    assert hearthline("trunk-group", "add", "out", "--member", "pbx:1:5") == "group out added\n"
    assert hearthline.json("trunk-group", "list") == [{"name": "out", "members": ["pbx:1:5"]}]
    assert hearthline("trunk-group", "set", "out", "--member", "pbx") == "group out changed\n"
    assert hearthline("trunk-group", "remove", "out") == "group out removed\n"
    assert DirectoryStore(database).load().groups == {}
