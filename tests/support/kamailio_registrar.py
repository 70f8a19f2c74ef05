"""Kamailio as a provider's registrar that knows RFC 5626: it asks for a password, wants to hear the flow every few
seconds (Flow-Timer), answers CRLF and STUN on the SIP port, and sends calls by the flow that was registered."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.support.kamailio import modules, run
from tests.support.ports import PortPool
from tests.support.procs import Process, Processes

FLOW_TIMER_S = 5

_CONFIG = """\
#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
tcp_crlf_ping=yes
listen=udp:{host}:{port}
listen=tcp:{host}:{port}
mpath="{modules}"
loadmodule "outbound.so"
loadmodule "stun.so"
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "rr.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("outbound", "flow_token_secret", "of these tests alone")
modparam("registrar", "outbound_mode", 1)
modparam("registrar", "flow_timer", {flow_timer})
modparam("registrar", "received_avp", "$avp(received)")

request_route {{
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("provider", "{password}", "0")) {{
            www_challenge("provider", "1");
            exit;
        }}
        consume_credentials();
        force_rport();
        $avp(received) = "sip:" + $si + ":" + $sp + ";transport=" + $proto;
        save("location");
        exit;
    }}
    # How many contacts the user has, as the reason phrase.
    if (is_method("OPTIONS") && !is_present_hf("Route")) {{
        reg_fetch_contacts("location", "$ru", "callee");
        sl_send_reply("200", "$(ulc(callee=>count))");
        exit;
    }}
    if (loose_route()) {{
        t_relay();
        exit;
    }}
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (is_method("INVITE")) {{
        record_route();
        # Between us and the engine is a line that changes ports.
        add_local_rport();
        if (!lookup("location")) {{
            sl_send_reply("404", "Not Found");
            exit;
        }}
    }}
    t_relay();
}}
"""


class KamailioRegistrar:
    """One registrar at `host` for one account."""

    def __init__(self, procs: Processes, ports: PortPool, directory: Path, *, host: str, password: str) -> None:
        directory.mkdir(parents=True)
        self.host, self.port = host, ports.one()
        values = {"host": host, "port": self.port, "password": password, "modules": modules()}
        text = _CONFIG.format(**values, flow_timer=FLOW_TIMER_S)
        self.process: Process = run(procs, directory, text, (host, self.port))

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def contacts(self, user: str) -> int:
        """How many contacts the user has."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(5)
            asker.bind((self.host, 0))
            here = f"{self.host}:{asker.getsockname()[1]}"
            lines = [
                f"OPTIONS sip:{user}@{self.host}:{self.port} SIP/2.0",
                f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{here}",
                "Max-Forwards: 5",
                f"From: <sip:asker@{here}>;tag=a",
                f"To: <sip:{user}@{self.host}>",
                f"Call-ID: {here}",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ]
            asker.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), self.address)
            answer = asker.recv(65535).decode()
        number = answer.splitlines()[0].removeprefix("SIP/2.0 200 ")
        return int(number) if number.isdecimal() else 0

    def stop(self) -> int:
        return self.process.stop(timeout=8)
