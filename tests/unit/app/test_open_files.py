from __future__ import annotations

import resource

from engine.app.open_files import allow_open_files


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        assert allow_open_files() == min(65_536, before[1])
        assert allow_open_files() == min(65_536, before[1]), "once more changes nothing"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
