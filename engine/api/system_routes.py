"""Health, readiness, metrics, and everything at once."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from engine.api.answers import show
from engine.api.models import Drain, Draining, Readiness, Reloaded
from engine.api.ports import Centre
from engine.api.views import MediaView, StatusView

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def system_router(centre: Centre) -> APIRouter:
    """Routes for those who watch over the engine."""
    router = APIRouter(tags=["system"])

    @router.get("/healthz", openapi_extra={"security": []})
    async def healthz() -> dict[str, str]:
        """Answers as long as the event loop turns."""
        return {"status": "ok"}

    @router.get(
        "/readyz", response_model=Readiness, responses={503: {"model": Readiness}}, openapi_extra={"security": []}
    )
    async def readyz() -> Response:
        """200 when the engine should get calls, else 503 with the reasons."""
        reasons = list(centre.engine().reasons)
        return JSONResponse({"ready": not reasons, "reasons": reasons}, status_code=503 if reasons else 200)

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """For Prometheus. Needs no token when asked from the loopback address."""
        return Response(centre.metrics_text(), headers={"Content-Type": METRICS_TYPE})

    @router.get("/api/v1/status", response_model=StatusView)
    async def status() -> Response:
        """Engine, queues, agents, calls, trunks and media at one instant."""
        return show(
            StatusView(
                engine=centre.engine(),
                queues=tuple(centre.queues()),
                agents=tuple(centre.agents()),
                calls=tuple(centre.calls()),
                trunks=tuple(centre.trunks()),
                media=centre.media(),
            )
        )

    @router.post("/api/v1/reload", response_model=Reloaded)
    async def reload() -> Response:
        """Take new certificates without touching a connection; 400 where one cannot be used, and nothing changes."""
        used = [{"file": file, "ends": ends} for file, ends in sorted(centre.reload().items())]
        return JSONResponse({"certificates": used})

    @router.get("/api/v1/media", response_model=MediaView)
    async def media() -> Response:
        """The media processes."""
        return show(centre.media())

    @router.post("/api/v1/media/{plane}/drain", response_model=Draining)
    async def drain(plane: int, wanted: Drain) -> Response:
        """Give a media process no new legs; it ends when it has none, and a fresh one comes in its place. With `move`
        the phones of its calls are asked (re-INVITE) to send to another one. 404 where there is none of that number."""
        return JSONResponse({"legs": await centre.drain_media(plane, move=wanted.move)})

    return router
