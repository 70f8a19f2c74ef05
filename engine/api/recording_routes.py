"""Recordings: of live calls, and the files that there are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from engine.api.answers import show, show_all, who
from engine.api.models import Items
from engine.api.ports import Centre
from engine.api.recording_views import RecordingCommand, RecordingView
from engine.api.views import CallView


def recordings_router(centre: Centre) -> APIRouter:
    """Begin, pause and end recordings; find their files."""
    router = APIRouter(prefix="/api/v1", tags=["recordings"])

    @router.get("/recordings", response_model=Items[RecordingView])
    async def list_recordings(
        limit: Annotated[int, Query(ge=1, le=500, description="The latest so many.")] = 100,
        call: Annotated[str, Query(max_length=64, description="Only of this call.")] = "",
    ) -> Response:
        """Files of recordings, the latest first; what runs is among them."""
        return show_all(await centre.recordings(limit, call))

    @router.post("/calls/{call}/recording", response_model=CallView)
    async def record_call(call: str, body: RecordingCommand, request: Request) -> Response:
        """Start, pause, resume or stop the recording of a live call; the call as it stands then."""
        await centre.record(call, body.action, who(request))
        return show(centre.call(call))

    return router
