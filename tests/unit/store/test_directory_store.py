from __future__ import annotations

from dataclasses import fields

import pytest
from sqlalchemy import Engine, event, select

from engine.calls.directory import (
    Agent,
    AgentStatus,
    Directory,
    Drop,
    Entity,
    Member,
    Put,
    Queue,
    StrategyName,
    Trunk,
    TrunkGroup,
)
from engine.calls.trunk import GroupMember
from engine.errors import AlreadyExists, InvalidRequest, NotFound, Unavailable
from engine.ids import AgentName, GroupName, QueueName, TrunkName
from engine.store.directory_store import DirectoryStore
from engine.store.entities import CLASSES, SETTABLE, TABLES, Kind
from engine.store.secrets import ha1_pair
from engine.store.tables import agents, members

ANNA, BERT = AgentName("anna"), AgentName("bert")
SALES, HELP = QueueName("sales"), QueueName("help")
PBX = Trunk(name=TrunkName("pbx"), host="192.0.2.10", addresses=("192.0.2.0/24", "2001:db8::1"), match_port=True)

PROVIDER = Trunk(
    name=TrunkName("provider"),
    host="sip.example.com",
    port=0,
    transport="tls",
    user="4930555",
    auth_user="acc-1",
    secret="hush",
    registers=True,
    register_expires_s=600,
    outbound=False,
    from_user="4930555",
    from_domain="example.com",
    called_out=("e164:49",),
    caller_out=("anonymous",),
    called_in=("strip:3",),
    caller_in=("prefix:0",),
    headers_out=("header-add:X-Account:7",),
    trusted=True,
    redirects=True,
    codecs=("PCMA",),
    max_calls=30,
    max_in=20,
    max_out=10,
    cps_in=5.0,
    cps_out=2.5,
    destinations=("+49", "!0900"),
    daily_spend=100.0,
    ping_s=60.0,
    down_after=3,
    up_after=4,
    circuit_after=7,
    patience_s=2.0,
    setup_s=20.0,
    record=True,
)


@pytest.fixture
def store(database: Engine) -> DirectoryStore:
    return DirectoryStore(database)


def fill(store: DirectoryStore) -> list[Entity]:
    entities: list[Entity] = [
        Agent(
            name=ANNA, display="Anna B.", context="night", status=AgentStatus.BREAK, status_reason="lunch", record=True
        ),
        Agent(name=BERT),
        Queue(
            name=SALES, strategy=StrategyName.RINGALL, ring_timeout_s=7.5, max_callers=3, rona_break=False, record=True
        ),
        Queue(name=HELP),
        Member(queue=SALES, agent=BERT, penalty=2),
        Member(queue=SALES, agent=ANNA),
        PBX,
        PROVIDER,
        TrunkGroup(name=GroupName("out"), members=("provider:1:9", "pbx:2")),
    ]
    for entity in entities:
        assert store.put(entity) == Put(entity=entity)
    return entities


def test_what_is_put_is_loaded(store: DirectoryStore) -> None:
    entities = fill(store)
    assert store.load() == Directory.of(entities)
    assert list(store.load().members) == [(SALES, BERT), (SALES, ANNA)], "in the order of adding"


def test_members_keep_their_place_when_changed(store: DirectoryStore) -> None:
    fill(store)
    store.write("member", "sales/bert", {"penalty": 5}, "update")
    assert [(m.agent, m.penalty) for m in store.load().members.values()] == [(BERT, 5), (ANNA, 0)]


def test_dropping_takes_memberships_along(store: DirectoryStore) -> None:
    fill(store)
    assert store.drop("agent", "anna") == Drop(entity=store_agent())
    assert [m.agent for m in store.load().members.values()] == [BERT]
    store.drop("queue", "sales")
    loaded = store.load()
    assert (list(loaded.members), list(loaded.queues), list(loaded.agents)) == ([], [HELP], [BERT])
    store.drop("group", "out")
    store.drop("trunk", "pbx")
    store.drop("trunk", "provider")
    assert store.load().trunks == {}
    with pytest.raises(NotFound, match="no trunk 'pbx'"):
        store.drop("trunk", "pbx")


def store_agent() -> Agent:
    return Agent(
        name=ANNA, display="Anna B.", context="night", status=AgentStatus.BREAK, status_reason="lunch", record=True
    )


def test_modes_of_writing(store: DirectoryStore) -> None:
    with pytest.raises(NotFound, match="no queue 'sales'"):
        store.write("queue", "sales", {}, "update")
    made = store.write("queue", "sales", {"retry_s": 1, "strategy": "ringall"}, "create")
    assert made == Put(entity=Queue(name=SALES, retry_s=1.0, strategy=StrategyName.RINGALL))
    with pytest.raises(AlreadyExists, match="queue 'sales' exists already"):
        store.write("queue", "sales", {}, "create")
    changed = store.write("queue", "sales", {"wrap_up_s": 0}, "update")
    assert changed == Put(entity=Queue(name=SALES, retry_s=1.0, strategy=StrategyName.RINGALL, wrap_up_s=0.0))
    assert store.write("queue", "sales", {"music": "x.wav"}, "replace") == Put(entity=Queue(name=SALES, music="x.wav"))
    assert store.write("queue", "help", {}, "replace") == Put(entity=Queue(name=HELP))
    assert store.get("queue", "sales") == Queue(name=SALES, music="x.wav")


def test_replacing_an_agent_keeps_secret_and_status(store: DirectoryStore) -> None:
    store.write("agent", "anna", {"display": "Anna"}, "create")
    secret = store.rotate_secret("anna", "hearthline").secret
    store.set_status("anna", AgentStatus.BREAK, "lunch", 5.0)
    replaced = store.write("agent", "anna", {"context": "night"}, "replace").entity
    assert isinstance(replaced, Agent)
    assert (replaced.display, replaced.context, replaced.status, replaced.status_reason) == (
        "",
        "night",
        AgentStatus.BREAK,
        "lunch",
    )
    assert replaced.ha1_sha256 == ha1_pair("anna", "hearthline", secret).sha256


def test_a_trunk_can_be_replaced_only_with_its_host(store: DirectoryStore) -> None:
    with pytest.raises(InvalidRequest, match="trunk pbx: host is needed"):
        store.write("trunk", "pbx", {"port": 5070}, "create")
    store.write("trunk", "pbx", {"host": "192.0.2.1", "addresses": ["192.0.2.7"]}, "replace")
    assert store.get("trunk", "pbx") == Trunk(name=TrunkName("pbx"), host="192.0.2.1", addresses=("192.0.2.7",))


def test_a_trunks_secret_stays_when_the_rest_is_replaced_and_is_in_no_error(store: DirectoryStore) -> None:
    store.put(PROVIDER)
    replaced = store.write("trunk", "provider", {"host": "192.0.2.1", "user": "x"}, "replace").entity
    assert replaced == Trunk(name=TrunkName("provider"), host="192.0.2.1", user="x", secret="hush")
    assert "hush" not in repr(replaced)
    for value in (["hush"], "hush" * 65, "hush\n"):
        with pytest.raises(InvalidRequest) as refused:
            store.write("trunk", "provider", {"secret": value}, "update")
        assert "hush" not in str(refused.value)


def test_a_group_has_trunks_that_are_there(store: DirectoryStore) -> None:
    store.put(PBX)
    with pytest.raises(NotFound, match="no trunk 'nowhere'"):
        store.write("group", "out", {"members": ["pbx", "nowhere"]}, "create")
    store.write("group", "out", {"members": ["pbx:2:5"]}, "create")
    (group,) = store.load().groups.values()
    assert group.parsed() == (GroupMember(trunk=PBX.name, priority=2, weight=5),)


def test_a_secret_is_shown_once_and_kept_as_ha1_only(store: DirectoryStore, database: Engine) -> None:
    store.put(Agent(name=ANNA))
    assert store.agents_without_secret("hearthline") == [ANNA]
    first = store.rotate_secret("anna", "hearthline")
    second = store.rotate_secret("anna", "hearthline")
    assert first.secret != second.secret
    pair = ha1_pair("anna", "hearthline", second.secret)
    assert second.change == Put(entity=Agent(name=ANNA, ha1_md5=pair.md5, ha1_sha256=pair.sha256))
    with database.connect() as connection:
        row = connection.execute(select(agents)).one()
    assert second.secret not in str(row)
    assert store.agents_without_secret("hearthline") == []
    assert store.agents_without_secret("another realm") == [ANNA]
    with pytest.raises(NotFound):
        store.rotate_secret("nobody", "hearthline")


def test_status_is_kept(store: DirectoryStore) -> None:
    store.put(Agent(name=ANNA))
    put = store.set_status("anna", AgentStatus.BREAK, "rona: no answer", 12.5)
    assert put.entity == store.load().agents[ANNA]
    assert store.load().agents[ANNA] == Agent(
        name=ANNA, status=AgentStatus.BREAK, status_reason="rona: no answer", status_since=12.5
    )


def test_a_trunk_stays_while_a_group_names_it(store: DirectoryStore) -> None:
    store.put(PBX)
    store.put(TrunkGroup(name=GroupName("out"), members=("pbx",)))
    with pytest.raises(InvalidRequest, match=r"'pbx' is in out; .*trunk-group set"):
        store.drop("trunk", "pbx")
    assert store.get("trunk", "pbx") == PBX
    store.drop("group", "out")
    store.drop("trunk", "pbx")
    with pytest.raises(NotFound):
        store.get("trunk", "pbx")


def test_a_membership_of_nobody_is_refused(store: DirectoryStore) -> None:
    store.put(Queue(name=SALES))
    with pytest.raises(NotFound, match="no agent 'anna'"):
        store.write("member", "sales/anna", {}, "create")
    with pytest.raises(NotFound, match="no queue 'help'"):
        store.write("member", "help/anna", {}, "create")
    with pytest.raises(InvalidRequest, match="QUEUE/AGENT, not 'sales'"):
        store.write("member", "sales", {}, "create")


GOOD: dict[Kind, tuple[str, dict[str, object]]] = {
    "agent": ("anna", {}),
    "queue": ("sales", {}),
    "trunk": ("pbx", {"host": "192.0.2.10"}),
    "member": ("sales/anna", {}),
    "group": ("out", {"members": ["pbx"]}),
}


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        ("agent", {"context": "Bad Context"}, "context 'Bad Context' is not allowed"),
        ("agent", {"display": "x" * 129}, "display has 129 characters; at most 128"),
        ("agent", {"display": "a\r\nb"}, "characters that cannot be shown"),
        ("agent", {"ha1_md5": "0" * 32}, "'ha1_md5' cannot be set; there are: display, context"),
        ("agent", {"status": "break"}, "'status' cannot be set"),
        ("queue", {"name": "other"}, "'name' cannot be set"),
        ("queue", {"ring_timeout_s": 0}, "ring_timeout_s 0.0 is out of range; allowed is 1 to 600"),
        ("queue", {"ring_timeout_s": float("nan")}, "ring_timeout_s nan is out of range"),
        ("queue", {"retry_s": -1}, "retry_s -1.0 is out of range"),
        ("queue", {"wrap_up_s": 3601}, "wrap_up_s 3601.0 is out of range"),
        ("queue", {"max_wait_s": 86401}, "max_wait_s"),
        ("queue", {"max_callers": -1}, "max_callers -1 is out of range"),
        ("queue", {"max_callers": 1.5}, "max_callers must be int, not 1.5"),
        ("queue", {"rona_break": 1}, "rona_break must be bool, not 1"),
        ("queue", {"retry_s": True}, "retry_s must be float, not True"),
        ("queue", {"music": None}, "music must be str, not None"),
        ("queue", {"music": "x" * 1025}, "music has 1025 characters"),
        ("queue", {"strategy": "loudest"}, "strategy 'loudest' is not known; there are: longest-idle, ringall"),
        ("trunk", {"host": "pbx example"}, "host 'pbx example' is neither an IP address nor a name"),
        ("trunk", {"host": "192.0.2.300"}, "host '192.0.2.300' is neither"),
        ("trunk", {"port": 0}, "port 0 is out of range; allowed is 1 to 65535"),
        ("trunk", {"transport": "sctp"}, "transport 'sctp' is not known; there are: udp, tcp, tls"),
        ("trunk", {"addresses": ["192.0.2.1/24"]}, "addresses has '192.0.2.1/24'"),
        ("trunk", {"addresses": ["0.0.0.0/0"]}, "would take everybody for this trunk"),
        ("trunk", {"addresses": "192.0.2.1"}, "addresses must be list of str"),
        ("trunk", {"addresses": ["192.0.2.1"] * 65}, "65 addresses are too many"),
        ("trunk", {"ping_s": 0.5}, "ping_s 0.5 is out of range; allowed is 1 to 3600"),
        ("trunk", {"user": "a b"}, "user 'a b' may have letters, digits"),
        ("trunk", {"user": "x", "from_user": "a@b"}, "from_user 'a@b' may have"),
        ("trunk", {"registers": True}, "to register it needs a user"),
        ("trunk", {"secret": "hush"}, "a secret or auth_user needs a user"),
        ("trunk", {"user": "x", "secret": "a\r\nb"}, "the secret must be at most 256 printable characters"),
        ("trunk", {"from_domain": "a b"}, "from_domain 'a b' is neither"),
        ("trunk", {"register_expires_s": 5}, "register_expires_s 5 is out of range"),
        ("trunk", {"called_out": ["strip:x"]}, "called_out: 'strip:x': needs a whole number"),
        ("trunk", {"called_in": ["anonymous"]}, "called_in: 'anonymous' is for callers"),
        ("trunk", {"headers_out": ["header-add:Via:x"]}, "headers_out: the header 'Via' may not be changed"),
        (
            "trunk",
            {"codecs": ["PCNU"]},
            "trunk pbx: codecs has 'PCNU', which is not known; there are: PCMU, PCMA, G722",
        ),
        ("trunk", {"codecs": ["CN"]}, "codecs has no codec, only comfort noise"),
        ("agent", {"codecs": ["opus", "opus"]}, "codecs names one more than once"),
        ("trunk", {"codecs": ["PCMA", "PCMA"]}, "codecs names one more than once"),
        ("trunk", {"srtp": "dtls"}, "trunk pbx: srtp 'dtls' is not known; there are: off, optional, required"),
        ("agent", {"srtp": ""}, "srtp '' is not known"),
        ("trunk", {"dtmf": "4733"}, "trunk pbx: dtmf '4733' is not known; there are: auto, rfc4733, inband, info"),
        ("trunk", {"max_out": -1}, "max_out -1 is out of range"),
        ("trunk", {"cps_out": float("nan")}, "cps_out nan is out of range"),
        ("trunk", {"daily_spend": -1.0}, "daily_spend -1.0 is out of range"),
        ("trunk", {"down_after": 0}, "down_after 0 is out of range"),
        ("trunk", {"up_after": 21}, "up_after 21 is out of range"),
        ("trunk", {"patience_s": 0.0}, "patience_s 0.0 is out of range"),
        ("trunk", {"setup_s": 601.0}, "setup_s 601.0 is out of range"),
        ("trunk", {"destinations": ["+44x"]}, "destinations: '+44x' is no beginning of a number"),
        ("agent", {"destinations": [""]}, "destinations: '' is no beginning of a number"),
        ("agent", {"max_outbound": -1}, "max_outbound -1 is out of range"),
        ("group", {"members": []}, "0 members; needs 1 to 64"),
        ("group", {"members": ["pbx:a"]}, "members: 'pbx:a' is no member; write TRUNK"),
        ("group", {"members": ["pbx", "pbx:2"]}, "members has pbx more than once"),
        ("group", {"members": ["pbx:1001"]}, "member pbx: priority 1001 is out of range"),
        ("group", {"members": ["pbx:1:1001"]}, "member pbx: weight 1001 is out of range"),
        ("member", {"penalty": 1001}, "penalty 1001 is out of range"),
    ],
)
def test_what_cannot_be_used_is_refused_with_reason(
    store: DirectoryStore, kind: Kind, values: dict[str, object], said: str
) -> None:
    store.put(Agent(name=ANNA))
    store.put(Queue(name=SALES))
    store.put(PBX)
    before = store.load()
    name, good = GOOD[kind]
    with pytest.raises(InvalidRequest) as refused:
        store.write(kind, name, {**good, **values}, "replace")
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{kind} {name}: ")
    assert store.load() == before


@pytest.mark.parametrize("md5", ["0" * 31, "0" * 33, "g" * 32, "A" * 32])
def test_digests_that_would_let_nobody_in_are_refused(store: DirectoryStore, md5: str) -> None:
    with pytest.raises(InvalidRequest, match="ha1_md5 must be 32 characters of lower-case hex, or empty"):
        store.put(Agent(name=ANNA, ha1_md5=md5))


@pytest.mark.parametrize("name", ["", "Anna", "an na", "a/b", "a" * 65, "ä", "anna\n"])
@pytest.mark.parametrize("kind", ["agent", "queue", "trunk"])
def test_names_are_small_and_plain(store: DirectoryStore, kind: Kind, name: str) -> None:
    with pytest.raises(InvalidRequest, match="use 1 to 64 of a-z 0-9"):
        store.write(kind, name, GOOD[kind][1], "create")


def test_no_ping_is_allowed(store: DirectoryStore) -> None:
    put = store.write("trunk", "pbx", {"host": "192.0.2.10", "ping_s": 0}, "create")
    assert isinstance(put.entity, Trunk)
    assert put.entity.ping_s == 0.0


def test_a_full_disk_is_said_as_such(store: DirectoryStore, database: Engine) -> None:
    event.listen(database, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=1").close())

    def fill_up() -> None:
        for n in range(500):
            store.put(Agent(name=AgentName(f"agent{n}"), display="x" * 100))

    with pytest.raises(Unavailable, match="database or disk is full"):
        fill_up()


def test_the_tables_hold_every_field() -> None:
    extra = {"agent": {"ha1_realm"}, "member": {"position"}}
    for kind, cls in CLASSES.items():
        columns = {column.name for column in TABLES[kind].columns}
        assert columns == {field.name for field in fields(cls)} | extra.get(kind, set())
    assert SETTABLE["agent"] == (
        "display",
        "context",
        "destinations",
        "max_outbound",
        "daily_spend",
        "srtp",
        "codecs",
        "record",
    )
    assert members.c.position.nullable is False


@pytest.mark.parametrize("name", [".", ".."])
@pytest.mark.parametrize("kind", ["agent", "queue", "trunk", "group"])
def test_no_name_is_a_step_in_a_path(store: DirectoryStore, kind: Kind, name: str) -> None:
    store.write("trunk", "pbx", GOOD["trunk"][1], "create")
    with pytest.raises(InvalidRequest, match="step in the path"):
        store.write(kind, name, GOOD[kind][1], "create")
