"""How many files, and with them connections, this process may have open."""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final

_ENOUGH: Final = 65_536


def allow_open_files() -> int:
    """Raise the soft limit, which is 1,024 on most systems for the sake of programs that use select(), as far as the
    hard one lets us, and return it. The media process inherits it: each of its legs has two sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(_ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS names no hard limit and yet refuses more than its kernel's.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
