"""What an agent, queue or member must look like before it is stored; `trunk_validation` has trunks and groups.

Every error names the thing, the field, what was found and what is allowed.
"""

from __future__ import annotations

import re
from typing import Final

from engine.calls.directory import Agent, Entity, Member, Queue, Trunk, TrunkGroup
from engine.errors import InvalidRequest
from engine.store.field_checks import check_name, number_between, plain_text
from engine.store.trunk_validation import (
    MAX_CALLS,
    MAX_SPEND,
    check_codec_words,
    check_destinations,
    check_group,
    check_srtp,
    check_trunk,
)

_HEX: Final = re.compile(r"[0-9a-f]*", re.ASCII)
MAX_PATH: Final = 1024


def validate(entity: Entity) -> None:
    """Raise InvalidRequest when this cannot be stored as it is."""
    match entity:
        case Agent():
            _agent(entity)
        case Queue():
            _queue(entity)
        case Member():
            check_name("member", "queue", entity.queue)
            check_name("member", "agent", entity.agent)
            number_between(f"member {entity.queue}/{entity.agent}", "penalty", entity.penalty, 0, 1_000)
        case Trunk():
            check_trunk(entity)
        case TrunkGroup():
            check_group(entity)


def _agent(agent: Agent) -> None:
    check_name("agent", "name", agent.name)
    what = f"agent {agent.name}"
    check_name(what, "context", agent.context)
    plain_text(what, "display", agent.display)
    plain_text(what, "status_reason", agent.status_reason)
    for field, value, length in (("ha1_md5", agent.ha1_md5, 32), ("ha1_sha256", agent.ha1_sha256, 64)):
        if len(value) not in {0, length} or not _HEX.fullmatch(value):
            raise InvalidRequest(f"{what}: {field} must be {length} characters of lower-case hex, or empty")
    check_destinations(what, agent.destinations)
    number_between(what, "max_outbound", agent.max_outbound, 0, MAX_CALLS)
    number_between(what, "daily_spend", agent.daily_spend, 0, MAX_SPEND)
    check_srtp(what, agent.srtp)
    check_codec_words(what, agent.codecs)


def _queue(queue: Queue) -> None:
    check_name("queue", "name", queue.name)
    what = f"queue {queue.name}"
    number_between(what, "ring_timeout_s", queue.ring_timeout_s, 1, 600)
    number_between(what, "retry_s", queue.retry_s, 0, 600)
    number_between(what, "wrap_up_s", queue.wrap_up_s, 0, 3_600)
    number_between(what, "max_wait_s", queue.max_wait_s, 0, 86_400)
    number_between(what, "max_callers", queue.max_callers, 0, 100_000)
    plain_text(what, "music", queue.music, longest=MAX_PATH)
