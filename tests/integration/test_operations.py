"""What an operator does: start, be told what is wrong, administer while calls go on, watch, back up, drain, stop."""

from __future__ import annotations

import json
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.support.engine import Engine
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.ports import PortPool
from tests.support.procs import Process, Processes, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def shared(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    with running_centre(session_ports, tmp_path_factory.mktemp("operations")) as centre:
        yield centre


@pytest.fixture
def centre(shared: LiveCentre) -> Iterator[LiveCentre]:
    yield shared
    shared.prove_a_call()
    shared.at_rest()


# --- what prevents a start is one clear line ---


def test_what_prevents_a_start_is_told_in_one_line_and_hurts_no_other_engine(
    centre: LiveCentre, engines: Callable[..., Engine], procs: Processes, ports: PortPool, tmp_path: Path
) -> None:
    """All at once, since each costs the start of a process."""
    running = centre.engine
    (tmp_path / "bad.toml").write_text('[context.agents]\n[[context.agents.extension]]\nnumber = "1"\nqueu = "demo"\n')
    announcing = '[context.agents]\n[[context.agents.extension]]\nnumber = "1"\nannouncement = "gone.wav"\n'
    (tmp_path / "announcing.toml").write_text(announcing)
    (tmp_path / "a-file").write_text("")
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    tcp = socket.socket()
    with udp, tcp:
        udp.bind(("127.0.0.1", ports.one()))
        tcp.bind(("127.0.0.1", ports.one()))
        tcp.listen()
        faults: dict[str, tuple[Mapping[str, Mapping[str, object]], str]] = {
            "state": ({"service": {"state_dir": str(running.state)}}, rf"in use .*process {running.process.pid}\b"),
            "udp": ({"sip": {"port": udp.getsockname()[1]}}, rf"sip: UDP 127.0.0.1:{udp.getsockname()[1]} "),
            "tcp": ({"sip": {"port": tcp.getsockname()[1]}}, rf"sip: TCP 127.0.0.1:{tcp.getsockname()[1]} "),
            "api": ({"api": {"port": running.api_port}}, rf"port {running.api_port} is in use.*api.port"),
            "key": ({"sip": {"prot": 5080}}, r"engine.toml: sip.prot: unknown key; allowed here: .*port"),
            "type": ({"media": {"dead_s": "long"}}, r"media.dead_s: found 'long'"),
            "music": ({"media": {"music": "gone.wav"}}, r"media.music: .*gone.wav cannot be read: No such file"),
            "plan": ({"dialplan": {"file": str(tmp_path / "none.toml")}}, r"none.toml: cannot be read"),
            "action": ({"dialplan": {"file": str(tmp_path / "bad.toml")}}, r"bad.toml: .*queu"),
            "wav": ({"dialplan": {"file": str(tmp_path / "announcing.toml")}}, r"announcing.toml: .*gone.wav"),
            "place": ({"service": {"state_dir": str(tmp_path / "a-file")}}, r"service.state_dir: .*writable"),
        }
        started = {name: start(procs, engines(name, **settings)) for name, (settings, _) in faults.items()}
        for name, (_, told) in faults.items():
            process = started[name]
            match = process.wait_for_line(told, timeout=60)
            assert match.string.startswith("hearthline: config_invalid: "), name
            assert process.wait() == 1, name
            assert "Traceback" not in process.text(), name
            assert len([line for line in process.lines() if line.startswith("hearthline: ")]) == 1, name
    assert running.process.running


def start(procs: Processes, engine: Engine) -> Process:
    command = [sys.executable, "-m", "engine", "run", "--config", str(engine.config)]
    return procs.start(engine.config.parent.name, command)


def test_a_store_of_a_newer_version_is_refused_and_an_rtp_port_that_is_taken_is_skipped(
    centres: Callable[..., LiveCentre], procs: Processes
) -> None:
    taken: list[socket.socket] = []
    made = centres("ports")
    made.prove_a_call()
    assert made.engine.stop() == 0
    for port in list(made.engine.rtp_ports)[4:12:2]:
        taken.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        taken[-1].bind(("127.0.0.1", port))
    made.engine.start()
    caller = made.caller()
    talks = [caller.call("601") for _ in range(8)]
    for talk in talks:
        talk.wait(200)
    for talk in talks:
        assert talk.hang_up().status == 200
    wait_until(lambda: made.metric("hearthline_ports_taken") == 4, timeout=3, what="the count of ports taken")
    log = (made.engine.state / "log" / "media.log").read_text()
    assert all(log.count(f"event=port_taken port={each.getsockname()[1]} ") == 1 for each in taken), "each is told once"
    assert made.engine.stop() == 0
    for each in taken:
        each.close()
    with closing(sqlite3.connect(made.engine.state / "hearthline.db")) as store, store:
        store.execute("UPDATE alembic_version SET version_num = '9999'")
    process = start(procs, made.engine)
    assert "newer" in process.wait_for_line(r"^hearthline: schema_mismatch: ", timeout=30).string
    assert process.wait() == 1
    refused = made.engine.command("db", "check", check=False)
    assert refused.returncode == 1
    assert "newer" in refused.stderr


# --- commands act on the running engine at once ---


def test_commands_act_on_the_running_engine(centre: LiveCentre) -> None:
    engine = centre.engine
    secret = engine.add_agent("cli-agent", "demo").read_text()
    phone = centre.phone("cli-agent", password=secret)
    assert phone.register().status == 200
    talk, _ = centre.connect(centre.caller(), phone)
    (shown,) = json.loads(engine.command("status", "--json").stdout)["calls"]
    assert (shown["agent"], shown["phase"], shown["queue"]) == ("cli-agent", "talking", "demo")
    assert "cli-agent" in engine.command("status").stdout
    assert "cli-agent" in engine.command("agent", "list").stdout
    engine.command("agent", "status", "cli-agent", "break", "lunch")
    assert engine.agent("cli-agent")["status_reason"] == "lunch"
    engine.command("queue", "set", "demo", "--ring-timeout", "7")
    assert engine.api.get("/api/v1/queues/demo")["ring_timeout_s"] == 7
    engine.command("agent", "secret", "cli-agent")
    assert engine.agent("cli-agent")["reachable"] is False, "who registered by the old secret is out"
    assert phone.register().status == 403
    assert talk.hang_up().status == 200
    engine.command("agent", "remove", "cli-agent")
    by = {
        record["body"]["by"] for record in engine.records("DirectoryChanged") if "cli-agent" in record["body"]["name"]
    }
    assert by == {"cli"}
    for words in (("agent", "remove", "nobody"), ("queue", "set", "none"), ("agent", "status", "nobody", "break")):
        failed = engine.command(*words, check=False)
        assert failed.returncode == 1
        assert failed.stderr.startswith("hearthline: not_found: ")
        assert failed.stderr.count("\n") == 1


def test_the_store_is_checked_and_backed_up_while_it_is_in_use(centre: LiveCentre, tmp_path: Path) -> None:
    engine = centre.engine
    centre.prove_a_call()
    centre.at_rest()
    assert "no fault" in engine.command("db", "check").stdout
    assert "up to date" in engine.command("db", "upgrade").stdout
    target = tmp_path / "backup.db"
    last = engine.api.get("/api/v1/status")["engine"]["last_seq"]
    engine.command("db", "backup", str(target))
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT max(seq) FROM events").fetchone()[0] >= last
        assert copy.execute("SELECT count(*) FROM cdrs").fetchone()[0] >= 1
    again = engine.command("db", "backup", str(target), check=False)
    assert again.returncode == 1
    assert str(target) in again.stderr


# --- who may ask ---


def ask(engine: Engine, path: str, *, token: str = "", method: str = "GET", body: bytes = b"", **fields: str) -> Any:
    """Status and JSON (or text) of an answer of the API."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    with closing(HTTPConnection("127.0.0.1", engine.api_port, timeout=5)) as connection:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    return answer.status, json.loads(text) if text.startswith("{") else text


def test_only_a_good_token_opens_the_api(centre: LiveCentre) -> None:
    engine = centre.engine
    token = engine.command("token", "create", "wallboard").stdout.strip()
    assert "wallboard" in engine.command("token", "list").stdout
    paths = ["queues", "agents", "calls", "cdrs", "events", "status", "media", "trunks", "queue-log", "members", "nope"]
    for path in paths:
        for wrong in ("", "wrong", token[:-1], token + "x"):
            status, said = ask(engine, f"/api/v1/{path}", token=wrong)
            assert (status, said["error"]["code"]) == (401, "unauthorized")
    assert ask(engine, "/docs")[0] == ask(engine, "/openapi.json")[0] == 401
    assert ask(engine, "/healthz") == (200, {"status": "ok"})
    assert ask(engine, "/readyz") == (200, {"ready": True, "reasons": []})
    assert "hearthline_build_info" in ask(engine, "/metrics")[1]
    assert ask(engine, "/metrics", X_Forwarded_For="192.0.2.1")[0] == 401, "a proxy asks for a stranger"
    wait_until(lambda: ask(engine, "/api/v1/queues", token=token)[0] == 200, timeout=5, what="the new token to work")
    assert ask(engine, "/api/v1/nope", token=token)[0] == 404
    secret = (engine.state / "secrets" / "api-token").read_text().strip()
    assert secret not in engine.process.text()
    assert token not in engine.process.text()
    assert (engine.state / "secrets" / "api-token").stat().st_mode & 0o077 == 0


def test_what_the_api_cannot_use_is_refused_in_its_one_form(centre: LiveCentre) -> None:
    engine = centre.engine
    token = (engine.state / "secrets" / "api-token").read_text().strip()
    wrong = [
        ("PUT", "/api/v1/queues/x", b"{", 400),
        ("PUT", "/api/v1/queues/x", b"[1]", 400),
        ("PUT", "/api/v1/queues/x", b'{"ring_timeout_s": "soon"}', 400),
        ("PUT", "/api/v1/queues/x", b'{"colour": "blue"}', 400),
        ("PUT", "/api/v1/queues/..%2f..", b"{}", 404),
        ("PUT", "/api/v1/agents/x%00y", b"{}", 400),
        ("POST", "/api/v1/trunks", b'{"name": "t", "host": "not an address"}', 400),
        ("PUT", "/api/v1/queues/x", b"{" + b" " * 70_000 + b"}", 413),
        ("PATCH", "/api/v1/agents/nobody", b"{}", 404),
        ("DELETE", "/api/v1/calls/none", b"", 404),
        ("BREW", "/api/v1/queues", b"", 405),
        ("GET", "/api/v1/events?after=-1", b"", 400),
        ("GET", "/api/v1/cdrs?limit=100000", b"", 400),
    ]
    for method, path, body, status in wrong:
        got, said = ask(engine, path, token=token, method=method, body=body, Content_Type="application/json")
        assert got == status, (method, path, got, said)
        assert set(said["error"]) == {"code", "message"}, said
    for garbage in (b"\x16\x03\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 100_000):
        with socket.create_connection(("127.0.0.1", engine.api_port), timeout=5) as connection:
            connection.sendall(garbage)


# --- the feed ---


def feed(engine: Engine, query: str = "", *, token: str | None = None) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return connect(f"ws://127.0.0.1:{engine.api_port}/api/v1/feed{query}", additional_headers=headers, proxy=None)


def until_ended(socket: Any) -> list[dict[str, Any]]:
    """Records of the feed up to the end of a call."""
    records: list[dict[str, Any]] = []
    while not any(record["type"] == "CallEnded" for record in records):
        message = json.loads(socket.recv(timeout=5))
        records += message.get("records", [])
    return records


def test_the_feed_tells_what_happens_in_order_and_what_happened_before(centre: LiveCentre) -> None:
    engine = centre.engine
    token = (engine.state / "secrets" / "api-token").read_text().strip()
    with feed(engine, token=token) as live, feed(engine) as browser:
        browser.send(json.dumps({"token": token}))
        hello = json.loads(live.recv(timeout=5))
        assert json.loads(browser.recv(timeout=5))["type"] == "hello"
        centre.prove_a_call()
        told = until_ended(live)
        assert until_ended(browser) == told
    assert [record["seq"] for record in told] == list(range(hello["last_seq"] + 1, hello["last_seq"] + 1 + len(told)))
    kinds = [record["type"] for record in told if record["call"]]
    assert kinds[:4] == ["CallStarted", "CallRouted", "CallAnswered", "CallEnded"]
    with feed(engine, "?since=0", token=token) as whole:
        assert json.loads(whole.recv(timeout=5))["since"] == 0
        first = json.loads(whole.recv(timeout=5))["records"]
    assert first[0]["seq"] == 1
    assert first[0]["type"] == "EngineStarted"


def test_the_feed_is_closed_to_who_has_no_token(centre: LiveCentre) -> None:
    with pytest.raises(InvalidStatus) as refused:
        feed(centre.engine, token="wrong")
    assert refused.value.response.status_code == 401
    for message, code in (('{"token": "wrong"}', 4401), ("hello", 4400), ('{"token": 7}', 4401), ("[]", 4400)):
        with feed(centre.engine) as stranger:
            stranger.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                stranger.recv(timeout=5)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code


# --- the end ---


def test_sigterm_lets_live_calls_end_and_takes_no_new_ones(centres: Callable[..., LiveCentre]) -> None:
    centre = centres()
    engine = centre.engine
    token = (engine.state / "secrets" / "api-token").read_text().strip()
    alice, caller = centre.agent("alice", "demo"), centre.caller()
    talk, _ = centre.connect(caller, alice)
    with feed(engine, token=token) as watcher:
        engine.process.send_signal(SIGTERM)
        wait_until(lambda: centre.not_ready() == ["draining"], timeout=3, what="readyz to say so")
        refused = centre.caller("5552000").call("601").wait(503)
        assert int(refused["retry-after"]) > 0
        assert alice.probe().status == 200
        centre.hear_each_other(caller, alice)
        assert engine.api.get("/api/v1/calls")["items"][0]["phase"] == "talking", "the API answers to the end"
        assert talk.hang_up().status == 200
        assert engine.process.wait(timeout=10) == 0
        with suppress(ConnectionClosed):
            # What was told before the end is read first.
            for _ in watcher:
                pass
        assert watcher.close_code == 1012
    assert reasons(engine) == ["draining", "caller_hangup"]
    assert centre.complaints() == []


def reasons(engine: Engine) -> list[str]:
    """Why calls ended, in the order of their ends; and that the engine stopped cleanly after all of them."""
    with closing(sqlite3.connect(engine.state / "hearthline.db")) as store:
        (last,) = store.execute("SELECT type FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        assert last == "EngineStopped"
        return [reason for (reason,) in store.execute("SELECT reason FROM cdrs ORDER BY ended")]


@pytest.mark.parametrize("second_signal", [True, False])
def test_a_drain_ends_at_a_second_signal_and_at_its_time(
    centres: Callable[..., LiveCentre], second_signal: bool
) -> None:
    centre = centres(service={"drain_s": 60.0 if second_signal else 0.5})
    caller = centre.caller()
    talk = caller.call("600")
    talk.wait(200)
    centre.engine.process.send_signal(SIGTERM)
    if second_signal:
        wait_until(lambda: centre.not_ready() == ["draining"], timeout=3, what="the drain")
        centre.engine.process.send_signal(SIGTERM)
    assert talk.wait_bye()["reason"]
    assert centre.engine.process.wait(timeout=8) == 0
    assert reasons(centre.engine) == ["shutdown"]


@pytest.mark.usefixtures("hang_ups_count")
def test_a_closed_terminal_ends_the_engine_as_sigterm_does(centres: Callable[..., LiveCentre]) -> None:
    centre = centres(service={"drain_s": 1.5})
    caller = centre.caller()
    talk = caller.call("600")
    talk.wait(200)
    for _ in range(2):
        # Shell and kernel may both send it.
        centre.engine.process.send_signal(SIGHUP)
        wait_until(lambda: centre.not_ready() == ["draining"], timeout=3, what="the drain")
    assert talk.wait_bye()["reason"]
    assert centre.engine.process.wait(timeout=8) == 0
    assert reasons(centre.engine) == ["shutdown"]


def test_a_media_process_of_its_own_outlives_every_restart_of_control(
    engines: Callable[..., Engine], ports: PortPool, procs: Processes
) -> None:
    """As systemd runs it: two units, `[media] spawn = false`."""
    engine = engines(media={"spawn": False})
    media = procs.start("media", [sys.executable, "-m", "engine", "media", "--config", str(engine.config)])
    centre = LiveCentre(engine, ports)
    engine.start()
    centre.trunk()
    centre.prove_a_call()
    assert engine.stop() == 0
    assert media.running
    engine.start()
    assert engine.api.get("/api/v1/media")["pid"] == media.pid
    centre.prove_a_call()
    media.send_signal(SIGTERM)
    assert media.wait() == 0
    wait_until(lambda: centre.not_ready() == ["media down"], timeout=3, what="the loss to be seen")
    assert psutil.Process(engine.process.pid).children() == [], "it is for the service manager to start another"
    engine.process.send_signal(SIGINT)
    assert engine.process.wait() == 0
