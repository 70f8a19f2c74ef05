"""How views and stored rows become HTTP answers, without a detour over Python's JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import TypeAdapter

from engine.api.ports import Page
from engine.api.views import View

JSON = "application/json"

CLI_AGENT = "hearthline-cli"
"""How our command line names itself in User-Agent."""


@cache
def _adapter(of: Any) -> TypeAdapter[Any]:
    return TypeAdapter(of)


def view_json(view: View) -> bytes:
    kind: Any = type(view)
    return _adapter(kind).dump_json(view)


def show(view: View, *, status: int = 200) -> Response:
    """One of them."""
    return Response(view_json(view), status_code=status, media_type=JSON)


def show_all(views: Sequence[View]) -> Response:
    """All of them, as {"items": [...]}."""
    return Response(b'{"items":[' + b",".join(map(view_json, views)) + b"]}", media_type=JSON)


def show_page(page: Page) -> Response:
    """One page of history, as {"items": [...], "next": ...}."""
    text = f'{{"items":[{",".join(page.items)}],"next":{json.dumps(page.next)}}}'
    return Response(text, media_type=JSON)


def who(request: Request) -> str:
    """Who commands, in the word of the event log: "cli" for our command line, else "api"."""
    return "cli" if request.headers.get("user-agent", "").startswith(CLI_AGENT) else "api"
