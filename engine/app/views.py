"""How the core's own snapshots become what the API shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Final

from engine.acd import snapshot as acd
from engine.api.guard_views import BanView, GuardView
from engine.api.mixing_views import ConferenceMemberView, ConferenceView, SupervisorView
from engine.api.views import (
    AgentView,
    BindingView,
    CallerView,
    CallView,
    MemberView,
    QueueView,
    SoundView,
    TrunkView,
)
from engine.app.core import Core
from engine.app.orphans import OrphanCall
from engine.app.trunk_warnings import phone_warnings
from engine.calls.conferences import LiveMember
from engine.calls.lines import LineState
from engine.calls.sip_registrations import RegistrationState
from engine.calls.snapshot import LiveCall
from engine.calls.supervisors import LiveSupervisor
from engine.calls.trunk import Trunk
from engine.calls.trunk_records import CircuitState
from engine.calls.trunk_watch import TrunkHealth
from engine.sip.binding import Q_ONE, Binding

_TRUNK_SETTINGS: Final = tuple(field.name for field in fields(Trunk) if field.name != "secret")


def queue_views(core: Core, now: float) -> Iterator[QueueView]:
    """Every queue by name, with its settings, callers and members."""
    floor = core.acd.snapshot(now)
    states = {agent.name: agent.state.value for agent in floor.agents}
    for queue in sorted(floor.queues, key=lambda queue: queue.name):
        settings = core.directory.queues[queue.name]
        yield QueueView(
            name=queue.name,
            strategy=settings.strategy.value,
            ring_timeout_s=settings.ring_timeout_s,
            retry_s=settings.retry_s,
            wrap_up_s=settings.wrap_up_s,
            max_wait_s=settings.max_wait_s,
            max_callers=settings.max_callers,
            music=settings.music,
            rona_break=settings.rona_break,
            record=settings.record,
            callers=tuple(_caller(caller) for caller in queue.callers),
            members=tuple(
                MemberView(
                    queue=queue.name,
                    agent=member.agent,
                    penalty=member.penalty,
                    state=states.get(member.agent, ""),
                    resting=member.resting,
                )
                for member in queue.members
            ),
            idle=queue.idle,
            talking=queue.talking,
            counters=asdict(queue.counters),
        )


def _caller(caller: acd.CallerView) -> CallerView:
    return CallerView(
        call=caller.call,
        caller=caller.caller,
        display=caller.display,
        position=caller.position,
        waited_s=caller.waited_s,
        ringing=caller.ringing,
    )


def agent_views(core: Core, now: float) -> Iterator[AgentView]:
    """Every agent by name: settings, status and state."""
    for agent in sorted(core.acd.snapshot(now).agents, key=lambda agent: agent.name):
        settings, bindings = core.directory.agents[agent.name], core.endpoint.bindings(agent.name)
        yield AgentView(
            name=agent.name,
            display=agent.display,
            context=settings.context,
            status=agent.status.value,
            status_reason=agent.status_reason,
            status_since=agent.status_since,
            state=agent.state.value,
            state_for_s=agent.state_for_s,
            call=agent.call,
            queues=agent.queues,
            reachable=agent.reachable,
            contact=agent.contact,
            source=agent.source,
            user_agent=agent.user_agent,
            has_secret=bool(settings.ha1_sha256),
            destinations=settings.destinations,
            max_outbound=settings.max_outbound,
            daily_spend=settings.daily_spend,
            srtp=settings.srtp,
            codecs=settings.codecs,
            record=settings.record,
            spent_today=core.calls.spent(f"agent:{agent.name}", now),
            bindings=tuple(_binding(each, now) for each in bindings),
            warnings=phone_warnings(settings, [each.flow.transport for each in bindings]),
        )


def _binding(binding: Binding, now: float) -> BindingView:
    flow = binding.flow
    return BindingView(
        contact=str(binding.contact),
        source=f"{flow.remote.host}:{flow.remote.port}",
        transport=flow.transport.value,
        user_agent=binding.user_agent,
        expires_s=max(0.0, binding.expires_at - now),
        q=binding.q / Q_ONE,
        path=binding.path,
    )


def supervisor_view(supervisor: LiveSupervisor) -> SupervisorView:
    """One supervisor of a call."""
    return SupervisorView(agent=supervisor.agent, mode=supervisor.mode.value, call=supervisor.call, up=supervisor.up)


def conference_view(name: str, members: Sequence[LiveMember], now: float) -> ConferenceView:
    """One conference."""
    shown = tuple(
        ConferenceMemberView(
            call=member.call,
            who=member.who,
            caller=member.caller,
            caller_display=member.caller_display,
            muted=member.muted,
            holding=member.holding,
            joined_for_s=now - member.joined_at,
        )
        for member in members
    )
    return ConferenceView(name=name, members=shown)


def call_view(call: LiveCall, now: float) -> CallView:
    """One live call."""
    return CallView(
        call=call.call,
        direction=call.direction.value,
        phase=call.phase.value,
        origin=call.origin,
        caller=call.caller,
        caller_display=call.caller_display,
        called=call.called,
        destination=call.destination,
        queue=call.queue,
        agent=call.agent,
        ringing=call.ringing,
        age_s=now - call.started,
        answered_for_s=None if call.answered_at is None else now - call.answered_at,
        talking_for_s=None if call.connected_at is None else now - call.connected_at,
        caller_codec=call.caller_codec,
        peer_codec=call.peer_codec,
        session=call.session,
        diverted_from=call.diverted_from,
        supervisors=tuple(map(supervisor_view, call.supervisors)),
        sound=tuple([SoundView(**asdict(sound)) for sound in call.sound]),
        recording=call.recording,
    )


def orphan_view(call: OrphanCall, recording: str, now: float) -> CallView:
    """A call of the engine's process before this one, of which only the media is known."""
    return CallView(
        call=call.call,
        direction="",
        phase="orphan",
        origin="",
        caller="",
        caller_display="",
        called="",
        destination="+".join(call.roles),
        queue=None,
        agent=None,
        ringing=(),
        age_s=now - call.started,
        answered_for_s=None,
        talking_for_s=None,
        recording=recording,
    )


def trunk_view(
    health: TrunkHealth,
    line: LineState | None = None,
    spent: float = 0.0,
    registration: RegistrationState | None = None,
    warnings: tuple[str, ...] = (),
) -> TrunkView:
    """One trunk, its health, its calls and what they have cost today, our registration there, and what is wrong with
    its settings."""
    trunk = health.trunk
    if health.up is None:
        detail = "not asked yet"
    elif health.up:
        detail = (
            "not asked (ping_s 0)" if health.round_trip_s is None else f"answers in {health.round_trip_s * 1e3:.0f} ms"
        )
    else:
        detail = "does not answer" if health.reason in ("", "no answer") else health.reason
    return TrunkView(
        **{name: getattr(trunk, name) for name in _TRUNK_SETTINGS},
        up=bool(health.up),
        detail=detail,
        has_secret=bool(trunk.secret),
        circuit=CircuitState.CLOSED.value if line is None else line.circuit.value,
        circuit_detail="" if line is None else line.detail,
        calls_in=0 if line is None else line.calls_in,
        calls_out=0 if line is None else line.calls_out,
        spent_today=spent,
        registered=None if registration is None else registration.registered,
        registration_detail="" if registration is None else registration.detail,
        warnings=warnings,
    )


def guard_view(core: Core, now: float) -> GuardView:
    """Whom the guard keeps out."""
    endpoint, guard = core.endpoint, core.endpoint.guard
    if guard is None:
        return GuardView(enabled=False, dropped={}, bans=())
    bans = tuple(
        BanView(address=ban.source, user=ban.user or "", reason=ban.reason, times=ban.times, left_s=ban.until - now)
        for ban in guard.bans(now)
    )
    return GuardView(enabled=True, dropped={**guard.dropped, "amplification": endpoint.withheld}, bans=bans)
