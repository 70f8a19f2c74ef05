"""Locates URIs with the real resolver: `python -m tests.support.dns_client PORT URI...` prints for each its hops, how
many answers the cache holds then, and whether the answer came within the call, as JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from twisted.internet import reactor as _reactor

from engine.net.resolver import NamesSource, Resolver
from engine.sip.flow import Address
from engine.sip.locating import Abilities, Located
from engine.sip.uri import parse_uri


def main() -> None:
    reactor: Any = _reactor
    source = NamesSource(reactor, [Address("127.0.0.1", int(sys.argv[1]))])
    resolver = Resolver(source, now=time.monotonic, random=lambda below: 0)
    left = sys.argv[2:]
    within = False

    def told(found: Located) -> None:
        hops = [f"{hop.transport} {hop.address.host}:{hop.address.port}" for hop in found.hops]
        print(json.dumps([hops, len(resolver), within]), flush=True)
        reactor.callLater(0, following)

    def following() -> None:
        nonlocal within
        if not left:
            reactor.stop()
            return
        within = True
        resolver.locate(parse_uri(left.pop(0)), Abilities(ipv6=True), told)
        within = False

    reactor.callWhenRunning(following)
    reactor.run()


if __name__ == "__main__":
    main()
