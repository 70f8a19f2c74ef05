"""The command line and an engine that runs: what is asked of it, over its API."""

from __future__ import annotations

import io
import json
import urllib.request
from email.message import Message
from typing import Any

import pytest

from engine.api.client import ApiClient
from engine.app import cli_reload
from engine.app.administration import OverApi
from engine.calls.directory import AgentStatus
from tests.support.command_line import CommandLine


class Engine(urllib.request.HTTPHandler):
    """Answers instead of an engine, and notes what it was asked."""

    def __init__(self, **answer: object) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, object]] = []
        self.answer = answer
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), self)
        self.client = ApiClient("http://127.0.0.1:8080", "hl_secret", opener=opener)

    def http_open(self, req: urllib.request.Request) -> Any:
        body = json.loads(req.data) if isinstance(req.data, bytes) else None
        self.asked.append((req.get_method(), req.selector, body))
        answer = io.BytesIO(json.dumps(self.answer).encode())
        response = urllib.request.addinfourl(answer, Message(), req.full_url, 200)  # type: ignore[attr-defined]
        response.msg = "OK"
        return response


def test_each_way_to_write_has_its_method_and_brings_back_what_is_hardly_meant() -> None:
    engine = Engine(warnings=["hardly meant"])
    over = OverApi(engine.client)
    assert over.write("queue", "sales", {"retry_s": 1}, "create") == ("hardly meant",)
    over.write("member", "sales/anna", {"penalty": 2}, "create")
    over.write("trunk", "pbx", {"port": 5070}, "update")
    over.write("agent", "anna", {"display": "Anna"}, "replace")
    assert engine.asked == [
        ("POST", "/api/v1/queues", {"name": "sales", "retry_s": 1}),
        ("POST", "/api/v1/members", {"queue": "sales", "agent": "anna", "penalty": 2}),
        ("PATCH", "/api/v1/trunks/pbx", {"port": 5070}),
        ("PUT", "/api/v1/agents/anna", {"display": "Anna"}),
    ]
    assert OverApi(Engine().client).write("queue", "sales", {}, "replace") == ()


def test_what_else_is_asked_of_a_running_engine() -> None:
    engine = Engine(items=[{"name": "anna"}], secret="new")
    over = OverApi(engine.client)
    assert over.all("agent") == [{"name": "anna"}]
    over.drop("member", "sales/anna")
    assert over.rotate_secret("anna") == "new"
    over.set_status("anna", AgentStatus.BREAK, "lunch")
    assert engine.asked == [
        ("GET", "/api/v1/agents", None),
        ("DELETE", "/api/v1/members/sales/anna", None),
        ("POST", "/api/v1/agents/anna/secret", None),
        ("PUT", "/api/v1/agents/anna/status", {"status": "break", "reason": "lunch"}),
    ]


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ([{"file": "a.pem", "ends": 86400.0 * 365}], "a.pem: good until 1971-01-01 00:00 UTC\n"),
        ([], "no listener speaks TLS; there is nothing to reload\n"),
    ],
)
def test_a_reload_tells_until_when_each_certificate_is_good(
    hearthline: CommandLine, monkeypatch: pytest.MonkeyPatch, found: list[dict[str, object]], shown: str
) -> None:
    engine = Engine(certificates=found)
    monkeypatch.setattr(cli_reload, "api_client", lambda config: engine.client)
    assert hearthline("reload") == shown
    assert hearthline.json("reload") == found
    assert engine.asked == [("POST", "/api/v1/reload", None)] * 2
