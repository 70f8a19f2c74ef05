"""Trunks, their groups, and live calls."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from engine.api.answers import show, show_all, who
from engine.api.models import Items
from engine.api.ports import Centre
from engine.api.trunk_models import GroupSettings, NewGroup, NewTrunk, TrunkSettings
from engine.api.trunk_views import GroupView
from engine.api.views import CallView, TrunkView


def trunks_router(centre: Centre) -> APIRouter:
    """Lines to other PBXs and providers."""
    router = APIRouter(prefix="/api/v1/trunks", tags=["trunks"])

    @router.get("", response_model=Items[TrunkView])
    async def list_trunks() -> Response:
        """All trunks, and whether they answer."""
        return show_all(centre.trunks())

    @router.get("/{name}", response_model=TrunkView)
    async def get_trunk(name: str) -> Response:
        """One trunk."""
        return show(centre.trunk(name))

    @router.post("", status_code=201, response_model=TrunkView)
    async def add_trunk(body: NewTrunk, request: Request) -> Response:
        """Add a trunk."""
        await centre.write("trunk", body.name, body.given(), "create", who(request))
        return show(centre.trunk(body.name), status=201)

    @router.put("/{name}", response_model=TrunkView)
    async def put_trunk(name: str, body: TrunkSettings, request: Request) -> Response:
        """Make or replace a trunk; settings not given take their defaults."""
        await centre.write("trunk", name, body.given(), "replace", who(request))
        return show(centre.trunk(name))

    @router.patch("/{name}", response_model=TrunkView)
    async def change_trunk(name: str, body: TrunkSettings, request: Request) -> Response:
        """Change the settings that are given."""
        await centre.write("trunk", name, body.given(), "update", who(request))
        return show(centre.trunk(name))

    @router.delete("/{name}", status_code=204)
    async def remove_trunk(name: str, request: Request) -> Response:
        """Remove a trunk; its live calls go on."""
        await centre.drop("trunk", name, who(request))
        return Response(status_code=204)

    return router


def groups_router(centre: Centre) -> APIRouter:
    """Trunks that stand for one another."""
    router = APIRouter(prefix="/api/v1/groups", tags=["groups"])

    @router.get("", response_model=Items[GroupView])
    async def list_groups() -> Response:
        """All groups of trunks."""
        return show_all(centre.groups())

    @router.get("/{name}", response_model=GroupView)
    async def get_group(name: str) -> Response:
        """One group."""
        return show(centre.group(name))

    @router.post("", status_code=201, response_model=GroupView)
    async def add_group(body: NewGroup, request: Request) -> Response:
        """Add a group; its trunks must be there."""
        await centre.write("group", body.name, body.given(), "create", who(request))
        return show(centre.group(body.name), status=201)

    @router.put("/{name}", response_model=GroupView)
    async def put_group(name: str, body: GroupSettings, request: Request) -> Response:
        """Make or replace a group."""
        await centre.write("group", name, body.given(), "replace", who(request))
        return show(centre.group(name))

    @router.patch("/{name}", response_model=GroupView)
    async def change_group(name: str, body: GroupSettings, request: Request) -> Response:
        """Change the settings that are given."""
        await centre.write("group", name, body.given(), "update", who(request))
        return show(centre.group(name))

    @router.delete("/{name}", status_code=204)
    async def remove_group(name: str, request: Request) -> Response:
        """Remove a group; its trunks stay."""
        await centre.drop("group", name, who(request))
        return Response(status_code=204)

    return router


def calls_router(centre: Centre) -> APIRouter:
    """Calls that are up."""
    router = APIRouter(prefix="/api/v1/calls", tags=["calls"])

    @router.get("", response_model=Items[CallView])
    async def list_calls() -> Response:
        """All calls that are up or being set up."""
        return show_all(centre.calls())

    @router.get("/{call}", response_model=CallView)
    async def get_call(call: str) -> Response:
        """One call."""
        return show(centre.call(call))

    @router.delete("/{call}", status_code=204)
    async def hang_up(call: str, request: Request) -> Response:
        """End a call; its legs end a round trip later."""
        await centre.hang_up(call, who(request))
        return Response(status_code=204)

    return router
