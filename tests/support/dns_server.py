"""A name server on the loopback address with a zone of the test's: `python -m tests.support.dns_server PORT ZONE`.

ZONE is JSON: {"name": [["SRV", 10, 1, 5060, "a.example"], ["A", "127.0.0.1"], ["NAPTR", 10, 10, "s", "SIP+D2U", "..."],
["CNAME", "..."]]}; every record lives for 60 s. Answers over UDP and TCP, and prints "ready" once it does.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.names import dns, server
from twisted.names.authority import FileAuthority

TTL_S = 60


_Authority: Any = FileAuthority
"""Untyped."""


class Zone(_Authority):  # type: ignore[misc]
    """Knows every name in it."""

    def loadFile(self, text: str) -> None:
        soa = dns.Record_SOA(mname=b"ns.example", rname=b"x.example", minimum=TTL_S, ttl=TTL_S)
        self.soa = b"example", soa
        zone = json.loads(text)
        self.records = {name.encode(): [_record(*each) for each in records] for name, records in zone.items()}
        self.records[b"example"] = [soa]


def _record(kind: str, *values: Any) -> Any:
    made = {
        "A": dns.Record_A,
        "AAAA": dns.Record_AAAA,
        "SRV": dns.Record_SRV,
        "CNAME": dns.Record_CNAME,
        "NAPTR": lambda *fields: dns.Record_NAPTR(*fields[:4], b"", fields[4]),
    }[kind]
    fields = [value.encode() if isinstance(value, str) and kind not in {"A", "AAAA"} else value for value in values]
    record = made(*fields)
    record.ttl = TTL_S
    return record


def main() -> None:
    port, zone = int(sys.argv[1]), sys.argv[2]
    reactor: Any = _reactor
    factory: Any = server.DNSServerFactory(authorities=[Zone(zone)])
    factory.noisy = False
    reactor.listenTCP(port, factory, interface="127.0.0.1")
    reactor.listenUDP(port, dns.DNSDatagramProtocol(factory), interface="127.0.0.1")
    print("ready", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
