"""Kamailio in front of the engine, as an edge proxy: telephones speak to it, it speaks to the engine, and what the
engine sends to a telephone goes back through it by Path (RFC 3327) or by the route that it recorded (RFC 3261 16.6).
For telephones that ask for it, both name the flow that they came by (RFC 5626 5)."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.support.certificates import Issued
from tests.support.ports import PortPool
from tests.support.procs import Process, Processes, wait_until

_CONFIG = """\
#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
listen=udp:{host}:{port}
listen=tcp:{host}:{port}
{tls_listen}
mpath="{modules}"
# Before rr and path, which then ask it about flows.
loadmodule "outbound.so"
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "rr.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "path.so"
{tls_modules}
modparam("outbound", "flow_token_secret", "of these tests alone")
modparam("rr", "enable_double_rr", 1)
modparam("path", "use_received", {received})
modparam("tm", "fr_timer", 5000)

request_route {{
    if (!mf_process_maxfwd_header("10")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    # From the engine by Path: to the telephone that it registered by, and the answers' way back.
    if ($si == "{engine_host}" && $sp == {engine_port} && !has_totag()) {{
        loose_route();
        record_route();
        t_on_failure("FLOW");
        if (!t_relay_to("0x06")) send_reply("430", "Flow Failed");
        exit;
    }}
    # Within a dialog: where the Route says.
    if (loose_route()) {{
        t_relay();
        exit;
    }}
    if (is_method("ACK")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (is_method("REGISTER")) {{
        {path}
    }} else if (is_method("INVITE|SUBSCRIBE")) {{
        record_route();
    }}
    $du = "sip:{engine}";
    t_relay();
}}

# The flow to the telephone is gone (RFC 5626 5.3.1).
failure_route[FLOW] {{
    if (t_branch_timeout() || !t_branch_replied()) send_reply("430", "Flow Failed");
}}
"""

_TLS = """\
loadmodule "tls.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "{certificate}")
modparam("tls", "private_key", "{key}")
"""


class Kamailio:
    """One proxy before one engine. `address` (host:port) is where telephones register and call."""

    def __init__(
        self,
        procs: Processes,
        ports: PortPool,
        directory: Path,
        engine: tuple[str, int],
        *,
        host: str,
        own: Issued | None = None,
    ) -> None:
        """`host` is the address that it stands at: the one that the engine sees. With a certificate of its `own` it
        takes TLS at `tls_port`."""
        directory.mkdir(parents=True)
        self.host, self.port, self.tls_port = host, ports.one(), ports.one()
        text = _CONFIG.format(
            host=host,
            port=self.port,
            modules=modules(),
            engine=f"{engine[0]}:{engine[1]}",
            engine_host=engine[0],
            engine_port=engine[1],
            received=1,
            tls_listen="" if own is None else f"enable_tls=yes\nlisten=tls:{host}:{self.tls_port}",
            tls_modules="" if own is None else _TLS.format(certificate=own.certificate, key=own.key),
            path='if (!add_path_received()) { sl_send_reply("503", "No Path"); exit; }',
        )
        self.process: Process = run(procs, directory, text, (host, self.port))

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def stop(self) -> int:
        return self.process.stop(timeout=8)


def modules() -> Path:
    """Where Debian keeps its modules."""
    (found,) = Path("/usr/lib").glob("*/kamailio/modules")
    return found


def run(procs: Processes, directory: Path, text: str, address: tuple[str, int]) -> Process:
    """Start it with this configuration, in a directory that is there; return once it takes TCP connections there."""
    config = directory / "kamailio.cfg"
    config.write_text(text, encoding="utf-8")
    place = str(directory)
    command = ["kamailio", "-f", str(config), "-DD", "-E", "-m", "32", "-M", "4", "-Y", place, "-w", place]
    process = procs.start("kamailio", command, merge=True)

    def listens() -> bool:
        assert process.running, f"Kamailio ended:\n{process.tail()}"
        with socket.socket() as probe:
            return probe.connect_ex(address) == 0

    wait_until(listens, timeout=15, what="Kamailio to listen")
    return process
