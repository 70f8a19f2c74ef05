from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from email.message import Message
from typing import Any

import pytest

from engine.api.answers import CLI_AGENT
from engine.api.client import USER_AGENT, ApiClient, ApiRefused, EngineNotRunning, direct_opener
from engine.errors import AlreadyExists, EngineError, InvalidRequest, NotFound, Unavailable


class Wire(urllib.request.HTTPHandler):
    """Answers instead of a network."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[urllib.request.Request] = []
        self.answer: tuple[int, bytes] | Exception = (200, b"{}")

    def http_open(self, req: urllib.request.Request) -> Any:
        self.asked.append(req)
        if isinstance(self.answer, Exception):
            raise self.answer
        status, body = self.answer
        response = urllib.request.addinfourl(io.BytesIO(body), Message(), req.full_url, status)  # type: ignore[attr-defined]
        response.msg = "reason"
        return response


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def client(wire: Wire) -> ApiClient:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), wire)
    return ApiClient("http://127.0.0.1:8080/", "hl_secret", opener=opener)


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert not any(isinstance(handler, urllib.request.ProxyHandler) for handler in direct_opener().handlers)
    assert any(isinstance(handler, urllib.request.ProxyHandler) for handler in urllib.request.build_opener().handlers)


def test_a_question_carries_token_name_and_query(wire: Wire, client: ApiClient) -> None:
    wire.answer = (200, b'{"items": []}')
    assert client.get("/api/v1/cdrs", limit=5, after=None, queue="a b&c") == {"items": []}
    (asked,) = wire.asked
    assert asked.full_url == "http://127.0.0.1:8080/api/v1/cdrs?limit=5&queue=a+b%26c"
    assert asked.get_header("Authorization") == "Bearer hl_secret"
    assert asked.get_header("User-agent") == USER_AGENT == CLI_AGENT


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_a_command_carries_json(wire: Wire, client: ApiClient, method: str) -> None:
    wire.answer = (201, b'{"name": "x"}')
    assert getattr(client, method)("/api/v1/queues", {"name": "x"}) == {"name": "x"}
    (asked,) = wire.asked
    assert asked.get_method() == method.upper()
    assert isinstance(asked.data, bytes)
    assert json.loads(asked.data) == {"name": "x"}
    assert asked.get_header("Content-type") == "application/json"


def test_a_removal_has_no_answer(wire: Wire, client: ApiClient) -> None:
    wire.answer = (204, b"")
    client.delete("/api/v1/agents/anna b")
    assert wire.asked[0].full_url.endswith("/agents/anna%20b")
    assert wire.asked[0].data is None


def test_text_stays_text(wire: Wire, client: ApiClient) -> None:
    wire.answer = (200, b"a|b\n")
    assert client.text("/api/v1/queue-log", limit=1) == "a|b\n"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "not_found", NotFound),
        (409, "already_exists", AlreadyExists),
        (400, "invalid_request", InvalidRequest),
        (503, "unavailable", Unavailable),
    ],
)
def test_errors_come_back_as_what_they_were(
    wire: Wire, client: ApiClient, status: int, code: str, kind: type[EngineError]
) -> None:
    wire.answer = (status, json.dumps({"error": {"code": code, "message": "no queue 'x'"}}).encode())
    with pytest.raises(kind) as refused:
        client.get("/api/v1/queues/x")
    assert type(refused.value) is kind
    assert str(refused.value) == "no queue 'x'"


def test_other_errors_keep_their_code_in_words(wire: Wire, client: ApiClient) -> None:
    wire.answer = (401, b'{"error": {"code": "unauthorized", "message": "this token is not good"}}')
    with pytest.raises(ApiRefused, match="unauthorized: this token is not good"):
        client.get("/api/v1/queues")


@pytest.mark.parametrize("body", [b"<html>Bad Gateway", b"[]", b'{"error": "x"}'])
def test_an_answer_from_somebody_else_is_recognised(wire: Wire, client: ApiClient, body: bytes) -> None:
    wire.answer = (502, body)
    with pytest.raises(ApiRefused, match="HTTP 502, and not from Hearthline"):
        client.get("/api/v1/queues")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (urllib.error.URLError(ConnectionRefusedError(111, "refused")), "start it with 'hearthline run'"),
        (urllib.error.URLError(TimeoutError("timed out")), "did not answer within 10 s"),
        (TimeoutError("timed out"), "did not answer within 10 s"),
        (urllib.error.URLError("no host given"), "cannot be asked: no host given"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset"),
    ],
)
def test_an_engine_that_is_not_there_is_said_so(wire: Wire, client: ApiClient, error: Exception, said: str) -> None:
    wire.answer = error
    with pytest.raises(EngineNotRunning) as refused:
        client.get("/api/v1/queues")
    assert said in str(refused.value)
    assert "http://127.0.0.1:8080" in str(refused.value)
    assert "hl_secret" not in str(refused.value)
