"""SIP messages that passed: of calls, of agents' registrations, of strangers. Each as JSON, as text and as pcap."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from engine.api.answers import show, show_all
from engine.api.models import Items
from engine.api.ports import Centre, TraceOf
from engine.api.trace_views import TracedCallView, TraceView

PCAP: Final = "application/vnd.tcpdump.pcap"


def trace_router(centre: Centre) -> APIRouter:
    """Routes for those who ask why. Digest responses and SRTP keys are masked in every form."""
    router = APIRouter(prefix="/api/v1", tags=["trace"])

    @router.get("/traces", response_model=Items[TracedCallView])
    async def traced_calls() -> Response:
        """The last calls whose messages are kept, the latest first."""
        return show_all(centre.traced_calls())

    # The longer paths stand first: a Call-ID may hold a slash, and would take what follows it along.
    for path, of in (("/calls/{name:path}", "call"), ("/agents/{name}", "agent"), ("/strangers", "strangers")):
        _add(router, centre, path, of)  # type: ignore[arg-type]
    return router


def _add(router: APIRouter, centre: Centre, path: str, of: TraceOf) -> None:
    @router.get(f"{path}/trace.txt", response_class=PlainTextResponse, name=f"{of}_trace_text")
    async def text(name: str = "", full: bool = False) -> Response:
        """Ladder text; with `full` the whole messages too."""
        return PlainTextResponse(await centre.trace_text(of, name, full))

    @router.get(f"{path}/trace.pcap", response_class=Response, name=f"{of}_trace_pcap")
    async def pcap(name: str = "") -> Response:
        """A file for Wireshark."""
        return Response(await centre.trace_pcap(of, name), media_type=PCAP)

    @router.get(f"{path}/trace", response_model=TraceView, name=f"{of}_trace")
    async def trace(name: str = "") -> Response:
        """Each message with its time, addresses and text."""
        return show(await centre.trace(of, name))
