"""What was: CDRs, the event log, the queue_log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse, Response

from engine.api.answers import JSON, show_page
from engine.api.models import CdrRow, EventRow, PageOf
from engine.api.ports import Centre
from engine.calls.causes import Outcome
from engine.calls.log import CallDirection

Limit = Annotated[int, Query(ge=1, le=500, description="Rows of one page.")]


def history_router(centre: Centre) -> APIRouter:
    """Pages of history, read from the store."""
    router = APIRouter(prefix="/api/v1", tags=["history"])

    @router.get("/cdrs", response_model=PageOf[CdrRow])
    async def list_cdrs(
        after: str | None = None,
        limit: Limit = 100,
        queue: str | None = None,
        agent: str | None = None,
        direction: CallDirection | None = None,
        outcome: Outcome | None = None,
        since: Annotated[float | None, Query(description="Ended at or after this.")] = None,
        until: Annotated[float | None, Query(description="Ended before this.")] = None,
    ) -> Response:
        """Calls that are over, the last one first."""
        return show_page(
            await centre.cdrs(
                after=after,
                limit=limit,
                queue=queue,
                agent=agent,
                direction=direction,
                outcome=outcome,
                since=since,
                until=until,
            )
        )

    @router.get("/cdrs/{call}", response_model=CdrRow)
    async def get_cdr(call: str) -> Response:
        """The CDR of one call."""
        return Response(await centre.cdr(call), media_type=JSON)

    @router.get("/events", response_model=PageOf[EventRow])
    async def list_events(
        after: Annotated[int, Query(ge=0, lt=2**63, description="Records after this `seq`.")] = 0,
        limit: Limit = 100,
        type: Annotated[str | None, Query(description="Only this type, such as CallEnded.")] = None,
        call: str | None = None,
    ) -> Response:
        """The event log, in order."""
        return show_page(await centre.events(after=after, limit=limit, type_=type, call=call))

    @router.get("/queue-log", response_class=PlainTextResponse)
    async def queue_log(limit: Limit = 100) -> Response:
        """The last lines of the queue_log in app_queue's format, oldest first."""
        return PlainTextResponse("".join(f"{line}\n" for line in await centre.queue_log(limit)))

    return router
