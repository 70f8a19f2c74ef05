"""What the operator may grant the media process: to run before all others, on a core of its own, its memory locked.

Sound is due every 20 ms. Without any grant a niceness of -10 is tried, for the process and for its session: Linux
shares the time between sessions first (sched_autogroup, sched(7)), and a niceness counts only within one. With
`realtime` the process asks for the scheduling class SCHED_RR (it runs whenever it has something to do; the kernel keeps
a twentieth of the time for others, sched(7)), and that its memory is never written out (mlockall(2)), with pages locked
when they are first touched. What the machine does not grant is told in the log, with what would grant it, and the
process goes on without.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import resource
import sys
from typing import Final

from engine.log_format import pairs

log = logging.getLogger(__name__)

NICENESS: Final = -10
PRIORITY: Final = 10
"""Of real time, from 1 to 99: above all that is usual, below the kernel's own threads for interrupts (50)."""

_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_CAP_IPC_LOCK: Final = 14


def come_first(*, realtime: bool, core: int | None) -> None:
    """Ask for all that was configured; say in the log what was granted and what was not."""
    if core is not None:
        _keep_to(core)
    if realtime:
        _run_first()
        _stay_in_memory()
    elif os.getpriority(os.PRIO_PROCESS, 0) == 0:  # a niceness that was chosen is kept
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
            if os.getsid(0) == os.getpid():  # else it is the session of who started us
                set_session_niceness("self", NICENESS)


def set_session_niceness(process: int | str, niceness: int) -> None:
    """Have the whole session of a process be so nice to others; nothing where the kernel has no such groups, or does
    not allow it."""
    with contextlib.suppress(OSError), open(f"/proc/{process}/autogroup", "w", encoding="ascii") as group:
        group.write(str(niceness))


def _keep_to(core: int) -> None:
    if sys.platform != "linux":
        log.warning("core_not_taken", extra=pairs(core=core, reason="only Linux binds processes to cores"))
        return
    try:
        os.sched_setaffinity(0, {core})
    except OSError as error:
        advice = f"this machine has {os.cpu_count()}, numbered from 0; check [media] cores and the unit's CPUAffinity"
        log.warning("core_not_taken", extra=pairs(core=core, reason=error.strerror or str(error), advice=advice))
        return
    log.info("core_taken", extra=pairs(core=core))


def _run_first() -> None:
    if sys.platform != "linux":
        log.warning("no_real_time", extra=pairs(reason="only Linux is known for it"))
        return
    try:
        # Not for threads and children, which write and convert recordings: they are to give way to the sound.
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
    except OSError as error:
        advice = f"grant CAP_SYS_NICE, or a limit: LimitRTPRIO={PRIORITY} and RestrictRealtime=no in the unit"
        log.warning("no_real_time", extra=pairs(reason=error.strerror or str(error), advice=advice))
        return
    log.info("real_time", extra=pairs(policy="rr", priority=PRIORITY))


def _stay_in_memory() -> None:
    if sys.platform != "linux":
        log.warning("memory_not_locked", extra=pairs(reason="only Linux is known for it"))
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit != resource.RLIM_INFINITY and not _has(_CAP_IPC_LOCK):
        # Locked up to a limit, the process would be refused the memory of its next legs.
        reason = f"the limit is {limit} octets, and must be none"
        log.warning("memory_not_locked", extra=pairs(reason=reason, advice=_UNLIMIT))
        return
    library = ctypes.CDLL(None, use_errno=True)
    if library.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) != 0:
        reason = os.strerror(ctypes.get_errno())
        log.warning("memory_not_locked", extra=pairs(reason=reason, advice=_UNLIMIT))
        return
    log.info("memory_locked")


_UNLIMIT: Final = "grant CAP_IPC_LOCK, or LimitMEMLOCK=infinity in the unit"


def _has(capability: int) -> bool:
    """Whether the process has it in effect (capabilities(7)); no where that cannot be found out."""
    with contextlib.suppress(OSError, ValueError), open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> capability & 1)
    return False
