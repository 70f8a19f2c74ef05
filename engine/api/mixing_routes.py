"""Conferences, and supervisors of live calls."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field

from engine.api.answers import show, show_all, who
from engine.api.mixing_views import ConferenceView, SupervisorView
from engine.api.models import Body, Items
from engine.api.ports import Centre
from engine.calls.supervision import SupervisionMode


class MemberChange(Body):
    muted: bool


class Supervise(Body):
    mode: SupervisionMode = Field(strict=False)
    """listen: hear both; whisper: and be heard by the call's agent; barge: and by the other side too."""


def conferences_router(centre: Centre) -> APIRouter:
    """Conferences that somebody is in."""
    router = APIRouter(prefix="/api/v1/conferences", tags=["conferences"])

    @router.get("", response_model=Items[ConferenceView])
    async def list_conferences() -> Response:
        """All conferences with their members."""
        return show_all(centre.conferences())

    @router.get("/{name}", response_model=ConferenceView)
    async def get_conference(name: str) -> Response:
        """One conference."""
        return show(centre.conference(name))

    @router.patch("/{name}/members/{call}", response_model=ConferenceView)
    async def change_member(name: str, call: str, body: MemberChange, request: Request) -> Response:
        """Mute a member, or let the others hear it again."""
        await centre.mute(name, call, body.muted, who(request))
        return show(centre.conference(name))

    @router.delete("/{name}/members/{call}", status_code=204)
    async def kick_member(name: str, call: str, request: Request) -> Response:
        """Put a member out: its call ends."""
        await centre.kick(name, call, who(request))
        return Response(status_code=204)

    return router


def supervisors_router(centre: Centre) -> APIRouter:
    """Who hears a live call besides those who talk in it."""
    router = APIRouter(prefix="/api/v1/calls/{call}/supervisors", tags=["calls"])

    @router.get("", response_model=Items[SupervisorView])
    async def list_supervisors(call: str) -> Response:
        """The supervisors of a call."""
        return show_all(centre.supervisors(call))

    @router.put("/{agent}", response_model=SupervisorView)
    async def supervise(call: str, agent: str, body: Supervise, request: Request) -> Response:
        """Call this agent's phone and let it hear the call; or change the mode of one that hears it."""
        await centre.supervise(call, agent, body.mode, who(request))
        found = next(each for each in centre.supervisors(call) if each.agent == agent)
        return show(found)

    @router.delete("/{agent}", status_code=204)
    async def dismiss(call: str, agent: str, request: Request) -> Response:
        """Hang up the supervisor's phone; the call goes on."""
        await centre.dismiss(call, agent, who(request))
        return Response(status_code=204)

    return router
