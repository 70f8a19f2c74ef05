from __future__ import annotations

from collections.abc import Mapping

import pytest
from sqlalchemy import Engine

from engine.app.config import Config
from engine.calls.directory import Agent, Directory, Member
from engine.ids import AgentName, QueueName
from engine.sip.auth import ha1
from engine.store.directory_store import DirectoryStore
from tests.support.command_line import CommandLine

ANNA = AgentName("anna")


def stored(database: Engine) -> Directory:
    return DirectoryStore(database).load()


def memberships(database: Engine) -> Mapping[QueueName, int]:
    return {member.queue: member.penalty for member in stored(database).members.values()}


def test_add_shows_the_secret_once_and_keeps_what_it_proves(
    hearthline: CommandLine, database: Engine, config: Config
) -> None:
    shown = hearthline("agent", "add", "anna", "--display", "Anna B.", "--context", "office").splitlines()
    assert shown[0].startswith("agent anna: SIP user anna, secret ")
    assert "cannot be shown again" in shown[1]
    secret = shown[0].rpartition(" ")[2]
    agent = stored(database).agents[ANNA]
    assert (agent.display, agent.context) == ("Anna B.", "office")
    assert agent.ha1_sha256 == ha1("anna", config.sip.realm, secret, "SHA-256")
    assert secret not in hearthline("agent", "list", "--json")


def test_what_an_agent_may_spend_and_call(hearthline: CommandLine, database: Engine) -> None:
    words = ["--destination", "+49", "--destination", "!0900", "--max-outbound", "2", "--daily-spend", "20"]
    words += ["--srtp", "required", "--codec", "G722", "--codec", "any"]
    hearthline("agent", "add", "anna", *words)
    agent = stored(database).agents[ANNA]
    assert (agent.destinations, agent.max_outbound, agent.daily_spend) == (("+49", "!0900"), 2, 20.0)
    hearthline("agent", "set", "anna", "--destination", "", "--max-outbound", "3")
    agent = stored(database).agents[ANNA]
    assert (agent.destinations, agent.max_outbound, agent.daily_spend) == ((), 3, 20.0)
    assert agent.srtp == "required"
    assert agent.codecs == ("G722", "any")


def test_secret_makes_a_new_one_that_voids_the_old(hearthline: CommandLine, database: Engine, config: Config) -> None:
    old = hearthline.json("agent", "add", "anna")
    new = hearthline.json("agent", "secret", "anna")
    assert old["agent"] == new["agent"] == "anna"
    assert old["secret"] != new["secret"]
    assert stored(database).agents[ANNA].ha1_md5 == ha1("anna", config.sip.realm, new["secret"], "MD5")


def test_queues_are_joined_with_their_penalty_and_left(hearthline: CommandLine, database: Engine) -> None:
    for queue in ("sales", "help", "night"):
        hearthline("queue", "add", queue)
    hearthline("agent", "add", "anna", "--queue", "sales", "--queue", "help:3")
    assert memberships(database) == {"sales": 0, "help": 3}
    assert hearthline("agent", "set", "anna", "--queue", "night", "--queue", "help", "--no-queue", "sales") == (
        "agent anna changed\n"
    )
    assert memberships(database) == {"help": 0, "night": 0}


def test_set_changes_what_is_given_and_leaves_the_rest(hearthline: CommandLine, database: Engine) -> None:
    hearthline("agent", "add", "anna", "--display", "Anna", "--context", "office")
    before = stored(database).agents[ANNA]
    hearthline("agent", "set", "anna", "--display", "Anna B.")
    after = stored(database).agents[ANNA]
    assert (after.display, after.context, after.ha1_md5) == ("Anna B.", "office", before.ha1_md5)


def test_list_shows_status_and_queues(hearthline: CommandLine) -> None:
    assert hearthline("agent", "list") == "none\n"
    hearthline("queue", "add", "sales")
    hearthline("agent", "add", "anna", "--queue", "sales")
    hearthline("agent", "add", "bert", "--display", "Bert")
    assert hearthline("agent", "status", "anna", "break", "lunch") == "agent anna is now break: lunch\n"
    head, anna, bert = hearthline("agent", "list").splitlines()
    assert head.split() == ["name", "display", "status", "status_reason", "context", "queues"]
    assert anna.split() == ["anna", "break", "lunch", "agents", "sales"]
    assert bert.split() == ["bert", "Bert", "available", "agents", "-"]
    entry, _ = hearthline.json("agent", "list")
    assert (entry["status"], entry["status_reason"], entry["queues"]) == ("break", "lunch", ["sales"])
    assert not [key for key in entry if "ha1" in key]


def test_a_status_is_kept_until_it_is_changed(hearthline: CommandLine, database: Engine) -> None:
    hearthline("agent", "add", "anna")
    hearthline("agent", "status", "anna", "break", "lunch")
    since = stored(database).agents[ANNA].status_since
    assert since > 1.7e9
    assert hearthline("agent", "status", "anna", "logged_out", "home") == "agent anna is now logged_out: home\n"
    assert "logged_out" in hearthline("agent", "list")
    assert hearthline("agent", "status", "anna", "available") == "agent anna is now available\n"
    agent = stored(database).agents[ANNA]
    assert (agent.status, agent.status_reason) == ("available", "")
    assert agent.status_since >= since


def test_remove_takes_the_memberships_with_it(hearthline: CommandLine, database: Engine) -> None:
    hearthline("queue", "add", "sales")
    hearthline("agent", "add", "anna", "--queue", "sales")
    assert hearthline("agent", "remove", "anna") == "agent anna removed\n"
    assert (stored(database).agents, stored(database).members) == ({}, {})


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["add", "Anna"], "invalid_request: agent: name 'Anna' is not allowed; use 1 to 64 of a-z 0-9 . _ -"),
        (["set", "bert", "--display", "x"], "not_found: no agent 'bert'"),
        (["remove", "bert"], "not_found: no agent 'bert'"),
        (["secret", "bert"], "not_found: no agent 'bert'"),
        (["status", "bert", "break"], "not_found: no agent 'bert'"),
        (
            ["status", "bert", "lunch"],
            "invalid_request: status 'lunch' is not known; allowed is available, break, logged_out",
        ),
        (["set", "bert", "--queue", "a:x"], "invalid_request: --queue 'a:x': the penalty 'x' is not a whole number"),
    ],
)
def test_what_cannot_be_done_is_one_line(hearthline: CommandLine, words: list[str], error: str) -> None:
    assert hearthline.fails("agent", *words) == error


def test_an_agent_is_added_whole_or_not_at_all(hearthline: CommandLine, database: Engine) -> None:
    hearthline("queue", "add", "sales")
    assert hearthline.fails("agent", "add", "anna", "--queue", "sales", "--queue", "slaes") == (
        "not_found: no queue 'slaes'"
    )
    assert stored(database).agents == {}
    assert hearthline.fails("agent", "add", "anna", "--queue", "sales:much").startswith("invalid_request: --queue")
    assert stored(database).agents == {}
    hearthline("agent", "add", "anna", "--queue", "sales")
    assert hearthline.fails("agent", "add", "anna") == "already_exists: agent 'anna' exists already"
    assert list(stored(database).members.values()) == [Member(queue=QueueName("sales"), agent=ANNA)]
    assert isinstance(stored(database).agents[ANNA], Agent)


def test_show_shows_one_agent(hearthline: CommandLine) -> None:
    hearthline("agent", "add", "anna", "--display", "Anna B.")
    hearthline("agent", "add", "bert")
    shown = hearthline("agent", "show", "anna")
    assert "Anna B." in shown
    assert "bert" not in shown
    assert "Phones: none" in shown
    assert hearthline.json("agent", "show", "bert")["name"] == "bert"
    assert "no agent 'zoe'" in hearthline.fails("agent", "show", "zoe")
