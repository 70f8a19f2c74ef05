"""What the API asks of the running engine and has it do."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.app.version import VERSION
from engine.calls.directory import AgentStatus
from engine.calls.log import AgentStatusChanged, AgentUnreachable, BanLifted, CallEnded, DirectoryChanged
from engine.errors import AlreadyExists, InvalidRequest, NotFound
from engine.ids import AgentName, QueueName
from engine.sip.auth import ha1
from engine.sip.events import InviteReceived
from engine.sip.flow import Address, Flow, Transport
from engine.store.sink import SqlSink
from engine.store.writer import WriterHealth
from tests.support.centre_rig import ENGINE, REALM
from tests.support.records import cdrs_of, queue_call
from tests.support.running_centre import HEALTHY, CentreBench
from tests.support.sip_raw import RawPeer

ALICE = AgentName("alice")


@pytest.fixture
def bench(database: Engine, tmp_path: Path) -> Iterator[CentreBench]:
    bench = CentreBench(database, tmp_path)
    yield bench
    bench.history.close()


def logged(bench: CentreBench, kind: type) -> list[object]:
    bench.rig.wire.run(0.0)
    return list(bench.rig.centre.bodies(kind))


def test_an_engine_that_is_ready_has_no_reason_not_to_be(bench: CentreBench) -> None:
    engine = bench.centre.engine()
    assert (engine.version, engine.started, engine.draining, engine.reasons) == (VERSION, 1_700_000_000.0, False, ())
    assert engine.last_seq == bench.rig.core.journal.last_seq > 0
    assert engine.store.degraded is False


def test_every_reason_against_new_calls_is_named(bench: CentreBench) -> None:
    bench.centre.draining = True
    bench.rig.core.media_lost("gone", bench.rig.wire.now)
    bench.writer.is_in = replace(
        HEALTHY, health=WriterHealth.DEGRADED, pending=7, oldest_s=12.0, last_error="disk is full"
    )
    engine = bench.centre.engine()
    assert engine.draining
    assert engine.reasons == (
        "draining",
        "media down",
        "store degraded: 7 records wait for the disk: disk is full",
    )
    assert (engine.store.degraded, engine.store.pending, engine.store.oldest_s) == (True, 7, 12.0)
    assert engine.store.last_error == "disk is full"


def test_a_disk_that_hangs_is_told_by_its_silence(bench: CentreBench) -> None:
    bench.writer.is_in = replace(HEALTHY, health=WriterHealth.DEGRADED, pending=7, oldest_s=12.3)
    assert bench.centre.engine().reasons == (
        "store degraded: 7 records wait for the disk: it has not answered for 12 s",
    )


def test_each_is_found_by_its_name(bench: CentreBench) -> None:
    centre = bench.centre
    bench.rig.call()
    (call,) = centre.calls()
    assert centre.queue("demo") == centre.queues()[0]
    assert [centre.agent("alice"), centre.agent("bob")] == centre.agents()
    assert centre.trunk("pbx") == centre.trunks()[0]
    assert centre.call(call.call).call == call.call
    assert [centre.member("demo", "alice"), centre.member("demo", "bob")] == centre.members()


def test_a_trunk_that_no_listener_leads_to_is_shown_with_a_warning(bench: CentreBench) -> None:
    assert bench.centre.trunk("pbx").warnings == ()
    bench.run(bench.centre.write("trunk", "far", {"host": "2001:db8::1", "ping_s": 0.0}, "create", "test"))
    (warning,) = bench.centre.trunk("far").warnings
    assert warning.startswith("trunk far: no listener speaks UDP over IPv6")


def test_all_are_listed_by_name_whenever_they_came(bench: CentreBench) -> None:
    for kind, names in {"queue": ("a", "z"), "agent": ("aaron", "zoe"), "trunk": ("a", "z")}.items():
        for name in reversed(names):
            values = {"host": "192.0.2.1", "ping_s": 0.0} if kind == "trunk" else {}
            bench.run(bench.centre.write(kind, name, values, "create", "test"))  # type: ignore[arg-type]
    assert [queue.name for queue in bench.centre.queues()] == ["a", "demo", "z"]
    assert [agent.name for agent in bench.centre.agents()] == ["aaron", "alice", "bob", "zoe"]
    assert [trunk.name for trunk in bench.centre.trunks()] == ["a", "pbx", "z"]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda centre: centre.queue("x"), "no queue 'x'"),
        (lambda centre: centre.agent("x"), "no agent 'x'"),
        (lambda centre: centre.trunk("x"), "no trunk 'x'"),
        (lambda centre: centre.call("x"), "no live call 'x'"),
        (lambda centre: centre.member("demo", "x"), "no member demo/x"),
        (lambda centre: centre.member("x", "alice"), "no queue 'x'"),
    ],
)
def test_what_is_not_there_is_not_found(bench: CentreBench, ask: Callable[..., object], message: str) -> None:
    with pytest.raises(NotFound) as caught:
        ask(bench.centre)
    assert str(caught.value) == message


def test_metrics_are_in_the_text_format(bench: CentreBench) -> None:
    assert b"# TYPE hearthline_calls_total counter" in bench.centre.metrics_text()


# --- changes ---


def test_what_is_written_is_in_the_store_and_in_the_core(bench: CentreBench) -> None:
    bench.run(bench.centre.write("queue", "night", {"wrap_up_s": 3.0}, "create", "token:crm"))
    assert bench.stored().queues[QueueName("night")].wrap_up_s == 3.0
    assert bench.centre.queue("night").wrap_up_s == 3.0
    (told,) = logged(bench, DirectoryChanged)
    assert (told.action, told.kind, told.name, told.by) == ("put", "queue", "night", "token:crm")  # type: ignore[attr-defined]


def test_what_the_store_refuses_the_core_never_sees(bench: CentreBench) -> None:
    with pytest.raises(AlreadyExists):
        bench.run(bench.centre.write("queue", "demo", {}, "create", "test"))
    with pytest.raises(NotFound):
        bench.run(bench.centre.write("queue", "x", {}, "update", "test"))
    with pytest.raises(InvalidRequest):
        bench.run(bench.centre.write("queue", "demo", {"wrap_up_s": -1.0}, "update", "test"))
    with pytest.raises(NotFound):
        bench.run(bench.centre.drop("agent", "x", "test"))
    assert bench.centre.queue("demo").wrap_up_s == 5.0
    assert logged(bench, DirectoryChanged) == []


def test_what_is_dropped_is_gone_from_both(bench: CentreBench) -> None:
    bench.run(bench.centre.drop("member", "demo/bob", "test"))
    bench.run(bench.centre.drop("agent", "alice", "test"))
    assert list(bench.stored().agents) == ["bob"]
    assert bench.stored().members == {}
    assert bench.centre.members() == []
    assert [(told.kind, told.name) for told in logged(bench, DirectoryChanged)] == [  # type: ignore[attr-defined]
        ("member", "demo/bob"),
        ("agent", "alice"),
    ]


def test_a_new_secret_is_good_at_once_and_the_old_one_void(bench: CentreBench) -> None:
    bench.rig.register(bench.rig.alice)
    secret = bench.run(bench.centre.rotate_secret("alice", "test"))
    assert len(logged(bench, AgentUnreachable)) == 1
    assert bench.stored().agents[ALICE].ha1_sha256 == ha1("alice", REALM, secret, "SHA-256")
    bench.rig.alice.password = secret
    bench.rig.register(bench.rig.alice)
    with pytest.raises(NotFound):
        bench.run(bench.centre.rotate_secret("x", "test"))


def test_who_goes_home_is_logged_out_until_back(bench: CentreBench) -> None:
    bench.rig.register(bench.rig.alice)
    bench.run(bench.centre.set_status("alice", AgentStatus.LOGGED_OUT, "home", "cli"))
    view = bench.centre.agent("alice")
    assert (view.status, view.status_reason) == ("logged_out", "home")
    bench.rig.call()
    assert bench.rig.alice.told(InviteReceived) == []
    bench.run(bench.centre.set_status("alice", AgentStatus.AVAILABLE, "", "cli"))
    bench.rig.wire.run(0.5)
    assert len(bench.rig.alice.told(InviteReceived)) == 1


def test_a_status_is_set_with_who_did_it(bench: CentreBench) -> None:
    bench.run(bench.centre.set_status("alice", AgentStatus.BREAK, "lunch", "token:crm"))
    bench.run(bench.centre.set_status("alice", AgentStatus.AVAILABLE, "", "token:crm"))
    told = [body for body in logged(bench, AgentStatusChanged) if isinstance(body, AgentStatusChanged)]
    assert [(body.agent, body.status, body.reason, body.by) for body in told] == [
        ("alice", AgentStatus.BREAK, "lunch", "token:crm"),
        ("alice", AgentStatus.AVAILABLE, "", "token:crm"),
    ]


@pytest.mark.parametrize(
    ("agent", "reason", "error"),
    [
        ("x", "", "no agent 'x'"),
        ("alice", "x" * 129, "reason: at most 128 printable characters are allowed"),
        ("alice", "a\nb", "reason: at most 128 printable characters are allowed"),
    ],
)
def test_a_status_that_cannot_be_is_refused(bench: CentreBench, agent: str, reason: str, error: str) -> None:
    with pytest.raises((NotFound, InvalidRequest)) as caught:
        bench.run(bench.centre.set_status(agent, AgentStatus.BREAK, reason, "test"))
    assert str(caught.value) == error
    assert logged(bench, AgentStatusChanged) == []


def test_a_call_is_hung_up(bench: CentreBench) -> None:
    bench.rig.call()
    (call,) = bench.centre.calls()
    bench.run(bench.centre.hang_up(call.call, "token:crm"))
    bench.rig.wire.run(1.0)
    assert len(logged(bench, CallEnded)) == 1
    assert bench.centre.calls() == []
    with pytest.raises(NotFound):
        bench.run(bench.centre.hang_up(call.call, "token:crm"))


# --- history ---


def ask(bench: CentreBench, question: Awaitable[object]) -> list[str]:
    async def asked() -> object:
        return await question

    return [json.loads(item)["call"] for item in bench.run(asked()).items]  # type: ignore[attr-defined]


def test_history_is_asked_with_every_filter(bench: CentreBench, database: Engine) -> None:
    first, second = queue_call("c1"), queue_call("c2", first=21)
    SqlSink(database).write([*first, *second], [*cdrs_of(first), *cdrs_of(second)])
    ended = [json.loads(bench.run(bench.centre.cdr(call)))["ended"] for call in ("c1", "c2")]
    nothing = dict.fromkeys(("queue", "agent", "direction", "outcome", "since", "until"))

    def cdrs(after: str | None = None, limit: int = 10, **wanted: object) -> list[str]:
        return ask(bench, bench.centre.cdrs(after=after, limit=limit, **{**nothing, **wanted}))  # type: ignore[arg-type]

    assert cdrs() == ["c2", "c1"]
    assert cdrs(limit=1) == ["c2"]
    assert cdrs(after=f"{ended[1]!r}:c2") == ["c1"]
    assert cdrs(since=ended[1]) == ["c2"]
    assert cdrs(until=ended[1]) == ["c1"]
    for name, there in {"queue": "sales", "agent": "anna", "direction": "inbound", "outcome": "success"}.items():
        assert len(cdrs(**{name: there})) == 2
        assert cdrs(**{name: "other"}) == []

    def events(after: int = 0, limit: int = 100, type_: str | None = None, call: str | None = None) -> list[str]:
        return ask(bench, bench.centre.events(after=after, limit=limit, type_=type_, call=call))

    assert len(events()) == 24
    assert events(limit=2) == ["c1", "c1"]
    assert set(events(after=12)) == {"c2"}
    assert events(type_="CallStarted") == ["c1", "c2"]
    assert set(events(call="c2")) == {"c2"}


def test_the_queue_log_is_told_from_memory(bench: CentreBench) -> None:
    bench.queue_log.observe(queue_call("c1"))
    lines = bench.run(bench.centre.queue_log(2))
    assert [line.split("|")[4] for line in lines] == ["CONNECT", "COMPLETECALLER"]


def test_groups_are_shown_with_their_members(bench: CentreBench) -> None:
    for name in ("z", "a"):
        bench.run(bench.centre.write("group", name, {"members": ["pbx:1"]}, "create", "test"))
    assert [(group.name, tuple(group.members)) for group in bench.centre.groups()] == [
        ("a", ("pbx:1",)),
        ("z", ("pbx:1",)),
    ]
    assert bench.centre.group("z") == bench.centre.groups()[1]
    with pytest.raises(NotFound, match="no group 'x'"):
        bench.centre.group("x")


def test_who_is_banned_is_shown_and_let_in_again(bench: CentreBench) -> None:
    core, wire = bench.rig.core, bench.rig.wire
    flow = Flow(Transport.TCP, ENGINE, Address("198.51.100.7", 40000), 7)
    scanner = RawPeer("198.51.100.7", bench.rig.centre).request("OPTIONS", fields=[("User-Agent", "friendly-scanner")])
    core.connection_opened(flow, wire.now)
    core.receive_stream(scanner.to_bytes(), flow, wire.now)
    assert list(core.take_closes()) == [flow]
    wire.run(10.0)
    assert [(ban.address, round(ban.left_s)) for ban in bench.centre.guard().bans] == [("198.51.100.7", 50)]
    bench.run(bench.centre.unban("198.51.100.7", "", "token:crm"))
    assert bench.centre.guard().bans == ()
    assert logged(bench, BanLifted) == [BanLifted(address="198.51.100.7", user="", by="token:crm")]
    with pytest.raises(NotFound, match=r"198\.51\.100\.7"):
        bench.run(bench.centre.unban("198.51.100.7", "", "token:crm"))


def test_a_reload_tells_until_when_each_certificate_is_good(bench: CentreBench) -> None:
    assert bench.centre.reload() == {"a.pem": 1.0}
