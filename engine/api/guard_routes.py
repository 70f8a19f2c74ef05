"""Bans: looked at and lifted."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from engine.api.answers import show, who
from engine.api.guard_views import GuardView
from engine.api.models import Unban
from engine.api.ports import Centre


def guard_router(centre: Centre) -> APIRouter:
    """Routes for those who watch over the network."""
    router = APIRouter(tags=["guard"])

    @router.get("/api/v1/guard", response_model=GuardView)
    async def guard() -> Response:
        """Who is banned, and how much was not let in."""
        return show(centre.guard())

    @router.post("/api/v1/guard/unban", status_code=204, response_class=Response)
    async def unban(wanted: Unban, request: Request) -> Response:
        """Lift a ban."""
        await centre.unban(wanted.address, wanted.user, who(request))
        return Response(status_code=204)

    return router
