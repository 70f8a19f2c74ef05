"""What strangers, broken phones and line noise can do to a running engine: nothing. After each of these the engine
answers and the next call is served."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import psutil
import pytest

from tests.support.live_centre import LiveCentre, running_centre
from tests.support.plain_message import Heard, read, write
from tests.support.ports import PortPool
from tests.support.procs import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def shared(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    with running_centre(session_ports, tmp_path_factory.mktemp("bad")) as centre:
        yield centre


@pytest.fixture
def centre(shared: LiveCentre) -> Iterator[LiveCentre]:
    """The engine that all these tests share: after each it must serve the next call."""
    yield shared
    shared.prove_a_call()
    shared.at_rest()


def shape(heard: Heard) -> tuple[str, list[str]]:
    """What an attacker can compare: the status line and which fields there are."""
    return heard.start, [name for name, _ in heard.fields]


def tcp(centre: LiveCentre) -> socket.socket:
    made = socket.create_connection(centre.sip, timeout=5)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def until_closed(connection: socket.socket) -> bytes:
    """Everything that came until the other side closed."""
    data = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            data += chunk
    return data


def options(number: int = 1, *, via: str = "TCP", length: str = "0") -> bytes:
    host = "127.0.0.1:9"
    return (
        f"OPTIONS sip:{host} SIP/2.0\r\nVia: SIP/2.0/{via} {host};branch=z9hG4bKo{number};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:x@{host}>;tag=1\r\nTo: <sip:{host}>\r\nCall-ID: o{number}@{host}\r\n"
        f"CSeq: {number} OPTIONS\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


# --- who may what ---


def test_a_wrong_password_looks_the_same_whether_the_agent_exists_or_not(centre: LiveCentre) -> None:
    centre.agent("alice", register=False)
    answers = []
    for user in ("alice", "nobody"):
        stranger = centre.stranger(user, password="guess")
        uri = f"sip:{centre.sip[0]}"
        unproven = stranger.ask("REGISTER", uri, [*fields_of(user), ("CSeq", "1 REGISTER")])
        refused = stranger.register()
        talk = stranger.call("600")
        wait_until(lambda talk=talk: len(talk.responses) > 1, timeout=5, what="a second answer")
        assert (unproven.status, refused.status, talk.status) == (401, 403, 403)
        answers.append([shape(unproven), shape(refused), shape(talk.responses[-1])])
    assert answers[0] == answers[1]
    assert centre.engine.agent("alice")["reachable"] is False


def fields_of(user: str) -> list[tuple[str, str]]:
    who = f"<sip:{user}@127.0.0.1>"
    return [("From", f"{who};tag=f"), ("To", who), ("Call-ID", f"{user}-bare"), ("Contact", f"<sip:{user}@127.0.0.3>")]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_the_right_password_works_from_anywhere_and_not_for_another_name(centre: LiveCentre, algorithm: str) -> None:
    home = centre.agent("home", register=False, host="127.0.0.3")
    assert home.register(algorithm=algorithm).status == 200
    assert centre.engine.agent("home")["source"] == f"127.0.0.3:{home.port}"
    uri = f"sip:{centre.sip[0]}"
    asked = home.ask("REGISTER", uri, [*fields_of("alice"), ("CSeq", "1 REGISTER")])
    proof = home.proof(asked, "REGISTER", uri, algorithm)
    other = home.ask("REGISTER", uri, [*fields_of("alice"), ("CSeq", "2 REGISTER"), proof])
    assert other.status == 403, "the password of one agent registers no other"
    assert home.register(expires=0).status == 200
    assert centre.engine.agent("home")["reachable"] is False


def test_a_call_from_a_stranger_is_challenged_and_reaches_nothing(centre: LiveCentre) -> None:
    started = len(centre.engine.records("CallStarted"))
    for user in ("mallory", "5551000", "alice"):
        stranger = centre.stranger(user)
        talk = stranger.call("601")
        challenged = talk.wait(401)
        assert 'realm="hearthline"' in challenged["www-authenticate"]
        assert [each.status for each in talk.responses] == [401], "not even ringing"
        for method in ("BYE", "UPDATE", "INFO", "MESSAGE", "SUBSCRIBE", "REFER"):
            answer = stranger.ask(method, talk.target, [*fields_of(user), ("CSeq", f"7 {method}")])
            assert 400 <= answer.status < 500, answer.start
    assert len(centre.engine.records("CallStarted")) == started
    # Those of the calls before are closed within a second, and told once a second.
    centre.until(lambda: centre.engine.api.get("/api/v1/media")["legs"] == 0, "no leg")


def test_an_agent_without_a_phone_is_not_rung_until_there_is_one(centre: LiveCentre) -> None:
    centre.queue("later")
    centre.agent("late", "later", register=False)
    caller = centre.caller()
    # Queue `later` is not in the dialplan: it is reached by making it the one that 600 means.
    centre.engine.api.put("/api/v1/members/demo/late", {})
    talk = caller.call("600")
    talk.wait(200)
    (queue,) = [each for each in centre.engine.api.get("/api/v1/queues")["items"] if each["name"] == "demo"]
    assert [each["ringing"] for each in queue["callers"]] == [[]]
    phone = centre.agent("late")
    centre.hear_each_other(caller, phone)
    assert phone.talk().hang_up().status == 200
    talk.wait_bye()
    assert phone.register(expires=0).status == 200


# --- what comes on a stream ---


def test_garbage_on_a_stream_is_closed_and_costs_nothing(centre: LiveCentre) -> None:
    shapes = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 4 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00" * 4096 + b"\r\n\r\n",
        options(length="-1"),
        options(length="999999999"),
        options(length="7000000"),
        options().replace(b"Content-Length: 0\r\n", b""),
    ]
    for data in shapes:
        with tcp(centre) as connection:
            connection.sendall(data)
            answer = until_closed(connection)
            assert not answer or 400 <= read(answer).status < 600, answer[:80]


def test_an_endless_message_is_cut_off(centre: LiveCentre) -> None:
    before = psutil.Process(centre.engine.process.pid).memory_info().rss
    for piece in (b"A" * 65536, b"X-Long: " + b"y" * 65528, b"X: y\r\n" * 10000):
        with tcp(centre) as connection:
            connection.sendall(b"INVITE sip:600@127.0.0.1 SIP/2.0\r\n")
            sent = 0
            with pytest.raises((BrokenPipeError, ConnectionResetError)):  # noqa: PT012 - it is the loop that fails
                while sent < 64 << 20:
                    connection.sendall(piece)
                    sent += len(piece)
    assert psutil.Process(centre.engine.process.pid).memory_info().rss - before < 16 << 20


def test_a_message_in_single_octets_and_several_in_one_piece(centre: LiveCentre) -> None:
    with tcp(centre) as connection:
        for octet in options(1):
            connection.sendall(bytes([octet]))
        assert read(connection.recv(65536)).status == 200
        connection.sendall(options(2) + b"\r\n\r\n" + options(3) + options(4)[:100])
        time.sleep(0.05)
        connection.sendall(options(4)[100:])
        heard = b""
        while heard.count(b"OPTIONS\r\n") < 3:
            heard += connection.recv(65536)
        assert heard.count(b"SIP/2.0 200 OK") == 3


def test_half_a_message_and_gone(centre: LiveCentre) -> None:
    started = len(centre.engine.records("CallStarted"))
    invite = write(
        "INVITE sip:600@127.0.0.1 SIP/2.0",
        [("Via", "SIP/2.0/TCP 127.0.0.2:9;branch=z9hG4bKhalf"), *fields_of("half"), ("CSeq", "1 INVITE")],
        b"v=0\r\n" * 20,
    )
    for length in (10, len(invite) // 2, len(invite) - 1):
        with tcp(centre) as connection:
            connection.sendall(invite[:length])
    assert len(centre.engine.records("CallStarted")) == started


def test_connections_that_say_nothing_do_not_keep_the_others_out(centre: LiveCentre) -> None:
    """Slow loris: more connections than the process may have files, each with half a message."""
    process = psutil.Process(centre.engine.process.pid)
    limits = process.rlimit(psutil.RLIMIT_NOFILE)
    phone = centre.agent("alice", "demo", transport="tcp")
    process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + 120, limits[1]))
    try:
        with ExitStack() as held:
            idle = []
            for _ in range(200):
                connection = held.enter_context(socket.socket())
                connection.settimeout(5)
                with suppress(OSError):
                    connection.connect(centre.sip)
                    connection.sendall(options()[:40])
                idle.append(connection)
            centre.prove_a_call()
            assert centre.engine.api.get("/healthz") == {"status": "ok"}
            talk, _ = centre.connect(centre.caller(), phone)
            assert talk.hang_up().status == 200
            assert phone.probe().status == 200, "who has registered keeps the connection"
        wait_until(lambda: tcp_answers(centre), timeout=5, what="new connections")
    finally:
        process.rlimit(psutil.RLIMIT_NOFILE, limits)
    phone.vanish()


def tcp_answers(centre: LiveCentre) -> bool:
    with suppress(OSError), tcp(centre) as connection:
        connection.sendall(options())
        return connection.recv(65536).startswith(b"SIP/2.0 200")
    return False


def test_datagrams_of_nothing_and_of_everything(centre: LiveCentre) -> None:
    stranger = centre.stranger()
    for data in (b"", b"\r\n\r\n", b"\0", b"\xff" * 65000, b"INVITE", b"SIP/2.0 200 OK\r\n\r\n", options()[:60]):
        stranger.send(data)
    assert stranger.probe().status == 200
