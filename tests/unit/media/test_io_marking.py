from __future__ import annotations

import socket
import struct

import pytest

from engine.media.io_marking import mark


@pytest.mark.parametrize(
    ("bind", "there", "level", "told", "option"),
    [
        ("127.0.0.1", "127.0.0.1", socket.IPPROTO_IP, socket.IP_RECVTOS, socket.IP_TOS),
        ("::1", "::1", socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, socket.IPV6_TCLASS),
        ("::", "127.0.0.1", socket.IPPROTO_IP, socket.IP_RECVTOS, socket.IP_TOS),
        ("::", "::1", socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, socket.IPV6_TCLASS),
    ],
)
@pytest.mark.parametrize("dscp", [46, 0])
def test_what_leaves_carries_it(bind: str, there: str, level: int, told: int, option: int, dscp: int) -> None:
    family = socket.AF_INET6 if ":" in there else socket.AF_INET
    with (
        socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET, socket.SOCK_DGRAM) as ours,
        socket.socket(family, socket.SOCK_DGRAM) as theirs,
    ):
        ours.bind((bind, 0))
        mark(ours, dscp)
        theirs.bind((there, 0))
        theirs.setsockopt(level, told, 1)
        theirs.settimeout(5)
        mapped = "::ffff:" if ":" in bind and ":" not in there else ""
        ours.sendto(b"x", (mapped + there, theirs.getsockname()[1]))
        _, extra, _, _ = theirs.recvmsg(16, 64)
    ((found_level, kind, data),) = extra
    assert (found_level, kind) == (level, option)
    assert (data[0] if len(data) == 1 else struct.unpack("i", data)[0]) == dscp << 2


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_mark_that_is_refused_is_passed_over(family: int) -> None:
    class Refusing(socket.socket):
        def setsockopt(self, *_: object) -> None:
            raise OSError("not here")

    with Refusing(family, socket.SOCK_DGRAM) as made:
        mark(made, 46)
