"""What an agent, queue, member or trunk must look like before it is stored.

Every error names the thing, the field, what was found and what is allowed.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from engine.calls.directory import Agent, Entity, Member, Queue, Trunk
from engine.errors import InvalidRequest

_NAME: Final = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]*", re.ASCII)
TRANSPORTS: Final = ("udp", "tcp")

MAX_TEXT: Final = 128
MAX_PATH: Final = 1024
MAX_ADDRESSES: Final = 64


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
            _number(f"member {entity.queue}/{entity.agent}", "penalty", entity.penalty, 0, 1_000)
        case Trunk():
            _trunk(entity)


def check_name(what: str, field: str, name: str) -> None:
    """Raise InvalidRequest for a name that is not [a-z0-9._-]{1,64}: it stands in SIP addresses, labels and paths."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"{what}: {field} {name!r} is not allowed; use 1 to 64 of a-z 0-9 . _ -")


def _agent(agent: Agent) -> None:
    check_name("agent", "name", agent.name)
    what = f"agent {agent.name}"
    check_name(what, "context", agent.context)
    _text(what, "display", agent.display)
    _text(what, "status_reason", agent.status_reason)
    for field, value, length in (("ha1_md5", agent.ha1_md5, 32), ("ha1_sha256", agent.ha1_sha256, 64)):
        if len(value) not in {0, length} or not _HEX.fullmatch(value):
            raise InvalidRequest(f"{what}: {field} must be {length} characters of lower-case hex, or empty")


def _queue(queue: Queue) -> None:
    check_name("queue", "name", queue.name)
    what = f"queue {queue.name}"
    _number(what, "ring_timeout_s", queue.ring_timeout_s, 1, 600)
    _number(what, "retry_s", queue.retry_s, 0, 600)
    _number(what, "wrap_up_s", queue.wrap_up_s, 0, 3_600)
    _number(what, "max_wait_s", queue.max_wait_s, 0, 86_400)
    _number(what, "max_callers", queue.max_callers, 0, 100_000)
    _text(what, "music", queue.music, longest=MAX_PATH)


def _trunk(trunk: Trunk) -> None:
    check_name("trunk", "name", trunk.name)
    what = f"trunk {trunk.name}"
    check_name(what, "context", trunk.context)
    try:
        ipaddress.ip_address(trunk.host)
    except ValueError as error:
        raise InvalidRequest(f"{what}: host {trunk.host!r} is not an IP address such as 192.0.2.10") from error
    _number(what, "port", trunk.port, 1, 65_535)
    if trunk.transport not in TRANSPORTS:
        raise InvalidRequest(f"{what}: transport {trunk.transport!r} is not known; there are: {', '.join(TRANSPORTS)}")
    if len(trunk.addresses) > MAX_ADDRESSES:
        raise InvalidRequest(f"{what}: {len(trunk.addresses)} addresses are too many; at most {MAX_ADDRESSES}")
    for address in trunk.addresses:
        try:
            network = ipaddress.ip_network(address)
        except ValueError as error:
            raise InvalidRequest(
                f"{what}: addresses has {address!r}, which is neither an IP address nor a network such as 192.0.2.0/24"
            ) from error
        if network.prefixlen == 0:
            raise InvalidRequest(f"{what}: addresses has {address!r}, which would take everybody for this trunk")
    if trunk.ping_s != 0:
        _number(what, "ping_s", trunk.ping_s, 1, 3_600)


def _text(what: str, field: str, value: str, *, longest: int = MAX_TEXT) -> None:
    if len(value) > longest:
        raise InvalidRequest(f"{what}: {field} has {len(value)} characters; at most {longest} are allowed")
    if not value.isprintable():
        raise InvalidRequest(f"{what}: {field} {value!r} has characters that cannot be shown")


def _number(what: str, field: str, value: float, low: float, high: float) -> None:
    # Written so that not-a-number is out of range too.
    if not low <= value <= high:
        raise InvalidRequest(f"{what}: {field} {value} is out of range; allowed is {low} to {high}")
