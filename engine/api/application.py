"""Puts the API together. No lifespan, no background tasks, no threads: everything happens on the engine's loop."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp

from engine.api import errors
from engine.api.auth import Guard, TokenBook
from engine.api.feed import FeedHub
from engine.api.feed_socket import feed_router
from engine.api.guard_routes import guard_router
from engine.api.history_routes import history_router
from engine.api.line_routes import calls_router, groups_router, trunks_router
from engine.api.mixing_routes import conferences_router, supervisors_router
from engine.api.models import ErrorAnswer
from engine.api.people_routes import agents_router, members_router, queues_router
from engine.api.ports import Centre
from engine.api.recording_routes import recordings_router
from engine.api.system_routes import system_router
from engine.api.trace_routes import trace_router

DESCRIPTION = """\
Watch and run a Hearthline engine. Every request but health needs `Authorization: Bearer TOKEN`, which
`hearthline token create NAME` makes. Every error has the form `{"error": {"code": "...", "message": "..."}}`; codes
stay the same for ever.
"""


def create_app(centre: Centre, *, tokens: TokenBook, hub: FeedHub, version: str) -> ASGIApp:
    """The API of this engine as an ASGI application, behind its guard."""
    return Guard(create_routes(centre, tokens=tokens, hub=hub, version=version), tokens=tokens)


def create_routes(centre: Centre, *, tokens: TokenBook, hub: FeedHub, version: str) -> FastAPI:
    """The same without the guard: what OpenAPI describes."""
    app = FastAPI(
        title="Hearthline",
        version=version,
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"model": ErrorAnswer}, "5XX": {"model": ErrorAnswer}},
    )
    errors.install(app)
    for router in (
        system_router(centre),
        queues_router(centre),
        agents_router(centre),
        members_router(centre),
        calls_router(centre),
        supervisors_router(centre),
        conferences_router(centre),
        recordings_router(centre),
        trunks_router(centre),
        groups_router(centre),
        guard_router(centre),
        trace_router(centre),
        history_router(centre),
        feed_router(centre, tokens, hub),
    ):
        app.include_router(router)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=version, description=DESCRIPTION, routes=app.routes)
            schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            schema["security"] = [{"token": []}]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app
