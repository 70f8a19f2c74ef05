from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping

import pytest

from engine.api.auth import MAX_BODY, MISS_RELOAD_S, RELOAD_S, TokenBook, bearer
from engine.errors import Unavailable
from tests.unit.api.conftest import TOKEN, Rig

LOOPBACK = [("127.0.0.1", 5), ("127.8.0.1", 5), ("::1", 5), ("::ffff:127.0.0.1", 5)]


@pytest.mark.parametrize(
    "token", [None, "", "hl_bad", TOKEN + "x", TOKEN[:-1], "\N{PILE OF POO}".encode().decode("latin-1")]
)
@pytest.mark.parametrize(
    "path", ["/api/v1/queues", "/api/v1/openapi.json", "/api/v1/cdrs", "/metrics", "/nowhere", "/docs", "/healthz/x"]
)
def test_nothing_is_told_without_a_good_token(rig: Rig, path: str, token: str | None) -> None:
    headers = None if token is None else {"Authorization": f"Bearer {token}".encode("latin-1")}
    answer = rig.ask("GET", path, token=None, headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthorized"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert rig.centre.asked == []


def test_every_known_token_is_good(rig: Rig) -> None:
    for token in (TOKEN, "hl_other"):
        assert rig.ask("GET", "/api/v1/queues", token=token).status_code == 200


def test_a_command_without_token_is_not_even_read(rig: Rig) -> None:
    assert rig.ask("POST", "/api/v1/queues", token=None, content=b"{nope").status_code == 401
    assert rig.centre.done == []


@pytest.mark.parametrize("client", LOOPBACK)
def test_metrics_need_no_token_on_this_machine(rig: Rig, client: tuple[str, int]) -> None:
    assert rig.ask("GET", "/metrics", token=None, client=client).status_code == 200
    assert rig.ask("GET", "/api/v1/queues", token=None, client=client).status_code == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_a_proxy_on_this_machine_does_not_open_metrics_to_everybody(rig: Rig, header: str) -> None:
    answer = rig.ask("GET", "/metrics", token=None, client=("127.0.0.1", 5), headers={header: "127.0.0.1"})
    assert answer.status_code == 401


@pytest.mark.parametrize("client", [("192.0.2.1", 5), ("::ffff:192.0.2.1", 5), ("testclient", 5)])
def test_strangers_are_not_this_machine(rig: Rig, client: tuple[str, int]) -> None:
    assert rig.ask("GET", "/metrics", token=None, client=client).status_code == 401


def test_no_token_is_logged(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    rig.ask("GET", "/api/v1/queues", token="hl_leaky")
    rig.centre.trouble = RuntimeError("defect")
    rig.ask("PATCH", "/api/v1/queues/sales", json={})
    assert "hl_" not in caplog.text


def test_bodies_are_bounded(rig: Rig) -> None:
    big = b'{"name":"' + b"x" * MAX_BODY + b'"}'
    assert rig.error("POST", "/api/v1/queues", content=big)[:2] == (413, "too_large")

    async def drip() -> object:
        yield b"{}"

    assert rig.error("POST", "/api/v1/queues", content=drip())[:2] == (411, "length_required")
    assert rig.error("POST", "/api/v1/queues", content=b"", headers={"Content-Length": "-1"})[:2] == (413, "too_large")


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", None), ("Bearer", None), ("", None), (None, None)],
)
def test_bearer(header: str | None, token: str | None) -> None:
    assert bearer(header) == token


class Book:
    """A token book, its clock and what the store holds."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.reads = 0
        self.stored: dict[str, str] = {}
        self.broken = False
        self.book = TokenBook(self.load, monotonic=lambda: self.now)

    async def load(self) -> Mapping[str, str]:
        self.reads += 1
        if self.broken:
            raise Unavailable("disk on fire")
        return dict(self.stored)

    def add(self, token: str) -> None:
        self.stored[hashlib.sha256(token.encode()).hexdigest()] = token


def test_a_token_made_by_another_process_works_soon(rig: Rig) -> None:
    held = Book()
    assert rig.run(held.book.name_of("new")) is None
    held.add("new")
    assert rig.run(held.book.name_of("new")) is None, "guessing must not cost a read each"
    assert held.reads == 1
    held.now += MISS_RELOAD_S + 0.1
    assert rig.run(held.book.name_of("new")) == "new"
    for _ in range(5):
        rig.run(held.book.name_of("new"))
    assert held.reads == 2, "a good token costs no read"


def test_a_revoked_token_stops_working_soon(rig: Rig) -> None:
    held = Book()
    held.add("old")
    assert rig.run(held.book.name_of("old")) == "old"
    held.stored.clear()
    held.now += RELOAD_S + 0.1
    assert rig.run(held.book.name_of("old")) is None


def test_a_broken_store_locks_nobody_out(rig: Rig) -> None:
    held = Book()
    held.add("old")
    held.broken = True
    assert rig.run(held.book.name_of("old")) is None
    held.broken = False
    assert rig.run(held.book.name_of("old")) == "old"
    held.broken = True
    held.now += RELOAD_S + 0.1
    assert rig.run(held.book.name_of("old")) == "old"
