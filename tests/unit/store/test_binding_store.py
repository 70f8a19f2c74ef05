from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine, text

from engine.calls.directory import Agent
from engine.ids import AgentName
from engine.store.binding_store import BindingStore, KeptBinding
from engine.store.database import open_database
from engine.store.directory_store import DirectoryStore
from engine.store.schema import SchemaState, check, upgrade

ANNA, BERT = AgentName("anna"), AgentName("bert")
ONE = KeptBinding(
    agent=ANNA,
    contact="sip:anna@10.0.0.1:5060",
    transport="UDP",
    local_host="192.0.2.9",
    local_port=5080,
    remote_host="192.0.2.1",
    remote_port=40000,
    expires=2000.5,
    registered=1000.25,
    user_agent="Phone/1",
    instance="<urn:uuid:1>",
    reg_id=2**31 - 1,
    q=500,
    path=("<sip:a;lr>", "<sip:b;lr>"),
    call_id="x@y",
    sequence=2**31 - 1,
)
TWO = replace(ONE, contact="sip:anna@10.0.0.2", instance=None, reg_id=None, path=())


def test_what_is_kept_comes_back_in_its_order(database: Engine) -> None:
    store = BindingStore(database)
    assert store.load() == []
    store.replace({ANNA: [TWO, ONE], BERT: [replace(ONE, agent=BERT)]})
    assert store.load() == [TWO, ONE, replace(ONE, agent=BERT)]


def test_an_agents_bindings_are_replaced_whole_and_others_stay(database: Engine) -> None:
    store = BindingStore(database)
    store.replace({ANNA: [ONE, TWO], BERT: [replace(ONE, agent=BERT)]})
    store.replace({ANNA: [TWO]})
    store.replace({})
    assert store.load() == [TWO, replace(ONE, agent=BERT)]
    store.replace({ANNA: [], AgentName("nobody"): []})
    assert store.load() == [replace(ONE, agent=BERT)]


def test_who_is_removed_or_gets_a_new_secret_is_nowhere(database: Engine) -> None:
    directory, store = DirectoryStore(database), BindingStore(database)
    for name in (ANNA, BERT, AgentName("cleo")):
        directory.put(Agent(name=name))
        store.replace({name: [replace(ONE, agent=name)]})
    directory.drop("agent", "anna")
    directory.rotate_secret("bert", "realm")
    assert [each.agent for each in store.load()] == ["cleo"]


def test_a_store_of_the_first_revision_keeps_what_it_has(url: str, tmp_path: Path) -> None:
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    from engine.store import schema  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    engine = open_database(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        names = "call, protocol_id, direction, origin, context, caller, caller_display, called, destination, peer"
        connection.execute(
            text(
                f"INSERT INTO cdrs ({names}, started, ended, waited_s, talked_s, total_s, outcome, reason, ended_by) "
                "VALUES ('c1', 'x', 'inbound', 'o', 'c', '1', '', '2', 'd', '', 1, 2, 0, 0, 1, 'success', 'r', 'x')"
            )
        )
    assert check(url) is SchemaState.OLDER
    upgrade(url)
    assert check(url) is SchemaState.OK
    with engine.connect() as connection:
        row = connection.execute(text("SELECT call, session, diverted_from, user_to_user, q850 FROM cdrs")).one()
    assert tuple(row) == ("c1", "", "", "", None)
    engine.dispose()
