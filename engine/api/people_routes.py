"""Agents, queues and who is a member where."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from engine.api.answers import show, show_all, who
from engine.api.models import (
    AgentSettings,
    CreatedAgent,
    Items,
    MemberSettings,
    NewAgent,
    NewMember,
    NewQueue,
    QueueSettings,
    Secret,
    StatusChange,
)
from engine.api.ports import Centre
from engine.api.views import AgentView, MemberView, QueueView


def agents_router(centre: Centre) -> APIRouter:
    """Agents: settings, status, secret."""
    router = APIRouter(prefix="/api/v1/agents", tags=["agents"])

    @router.get("", response_model=Items[AgentView])
    async def list_agents() -> Response:
        """All agents."""
        return show_all(centre.agents())

    @router.get("/{name}", response_model=AgentView)
    async def get_agent(name: str) -> Response:
        """One agent."""
        return show(centre.agent(name))

    @router.post("", status_code=201, response_model=CreatedAgent)
    async def add_agent(body: NewAgent, request: Request) -> Response:
        """Add an agent. The answer holds the phone's secret, which is shown only this once."""
        await centre.write("agent", body.name, body.given(), "create", who(request))
        secret = await centre.rotate_secret(body.name, who(request))
        agent = centre.agent(body.name)
        return Response(
            CreatedAgent(agent=agent, secret=secret).model_dump_json(), status_code=201, media_type="application/json"
        )

    @router.put("/{name}", response_model=AgentView)
    async def put_agent(name: str, body: AgentSettings, request: Request) -> Response:
        """Make or replace an agent; settings not given take their defaults, secret and status stay."""
        await centre.write("agent", name, body.given(), "replace", who(request))
        return show(centre.agent(name))

    @router.patch("/{name}", response_model=AgentView)
    async def change_agent(name: str, body: AgentSettings, request: Request) -> Response:
        """Change the settings that are given."""
        await centre.write("agent", name, body.given(), "update", who(request))
        return show(centre.agent(name))

    @router.delete("/{name}", status_code=204)
    async def remove_agent(name: str, request: Request) -> Response:
        """Remove an agent and its memberships."""
        await centre.drop("agent", name, who(request))
        return Response(status_code=204)

    @router.put("/{name}/status", response_model=AgentView)
    async def set_status(name: str, body: StatusChange, request: Request) -> Response:
        """Say that the agent is available, on a break, or logged out: gone home."""
        await centre.set_status(name, body.status, body.reason, who(request))
        return show(centre.agent(name))

    @router.post("/{name}/secret", response_model=Secret)
    async def rotate_secret(name: str, request: Request) -> Response:
        """Make a new secret for the agent's phone; the old one is void at once."""
        return JSONResponse({"agent": name, "secret": await centre.rotate_secret(name, who(request))})

    return router


def queues_router(centre: Centre) -> APIRouter:
    """Queues: settings and how they stand."""
    router = APIRouter(prefix="/api/v1/queues", tags=["queues"])

    @router.get("", response_model=Items[QueueView])
    async def list_queues() -> Response:
        """All queues, with who waits in them."""
        return show_all(centre.queues())

    @router.get("/{name}", response_model=QueueView)
    async def get_queue(name: str) -> Response:
        """One queue."""
        return show(centre.queue(name))

    @router.post("", status_code=201, response_model=QueueView)
    async def add_queue(body: NewQueue, request: Request) -> Response:
        """Add a queue."""
        await centre.write("queue", body.name, body.given(), "create", who(request))
        return show(centre.queue(body.name), status=201)

    @router.put("/{name}", response_model=QueueView)
    async def put_queue(name: str, body: QueueSettings, request: Request) -> Response:
        """Make or replace a queue; settings not given take their defaults, members stay."""
        await centre.write("queue", name, body.given(), "replace", who(request))
        return show(centre.queue(name))

    @router.patch("/{name}", response_model=QueueView)
    async def change_queue(name: str, body: QueueSettings, request: Request) -> Response:
        """Change the settings that are given."""
        await centre.write("queue", name, body.given(), "update", who(request))
        return show(centre.queue(name))

    @router.delete("/{name}", status_code=204)
    async def remove_queue(name: str, request: Request) -> Response:
        """Remove a queue, its memberships and whoever waits in it."""
        await centre.drop("queue", name, who(request))
        return Response(status_code=204)

    return router


def members_router(centre: Centre) -> APIRouter:
    """Memberships of agents in queues."""
    router = APIRouter(prefix="/api/v1/members", tags=["members"])

    @router.get("", response_model=Items[MemberView])
    async def list_members(queue: str | None = None, agent: str | None = None) -> Response:
        """All memberships, or those of a queue or an agent."""
        return show_all(
            [m for m in centre.members() if queue in {None, m.queue} and agent in {None, m.agent}],
        )

    @router.get("/{queue}/{agent}", response_model=MemberView)
    async def get_member(queue: str, agent: str) -> Response:
        """One membership."""
        return show(centre.member(queue, agent))

    @router.post("", status_code=201, response_model=MemberView)
    async def add_member(body: NewMember, request: Request) -> Response:
        """Make an agent a member of a queue."""
        await centre.write("member", f"{body.queue}/{body.agent}", body.given(), "create", who(request))
        return show(centre.member(body.queue, body.agent), status=201)

    @router.put("/{queue}/{agent}", response_model=MemberView)
    async def put_member(queue: str, agent: str, body: MemberSettings, request: Request) -> Response:
        """Make or replace a membership."""
        await centre.write("member", f"{queue}/{agent}", body.given(), "replace", who(request))
        return show(centre.member(queue, agent))

    @router.patch("/{queue}/{agent}", response_model=MemberView)
    async def change_member(queue: str, agent: str, body: MemberSettings, request: Request) -> Response:
        """Change the settings that are given."""
        await centre.write("member", f"{queue}/{agent}", body.given(), "update", who(request))
        return show(centre.member(queue, agent))

    @router.delete("/{queue}/{agent}", status_code=204)
    async def remove_member(queue: str, agent: str, request: Request) -> Response:
        """Take an agent out of a queue."""
        await centre.drop("member", f"{queue}/{agent}", who(request))
        return Response(status_code=204)

    return router
