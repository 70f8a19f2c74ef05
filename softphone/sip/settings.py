"""What the SIP stack is told at start."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Transport(StrEnum):
    """How SIP messages travel."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"

    @property
    def default_port(self) -> int:
        """Where a server listens that names no port (RFC 3261 18.2)."""
        return 5061 if self is Transport.TLS else 5060


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where the engine, or any SIP server, listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Srtp(StrEnum):
    """Whether sound is encrypted (RFC 4568), whoever calls."""

    OFF = "off"
    OPTIONAL = "optional"
    """Where the other side can do it."""
    MANDATORY = "mandatory"


class Codec(StrEnum):
    """What the phone can speak; wide-band sound only where it is asked for."""

    PCMU = "PCMU"
    PCMA = "PCMA"
    G722 = "G722"


@dataclass(frozen=True, slots=True, kw_only=True)
class SipSettings:
    """Fixed for the life of the process."""

    user: str
    domain: str
    """Right side of this phone's address."""
    server: Server | None
    """None: the phone calls addresses directly."""
    register: bool
    password: str | None = field(repr=False)
    transport: Transport
    trust: str = ""
    """Path of the certificates that may vouch for the server, over TLS."""
    srtp: Srtp = Srtp.OFF
    codecs: tuple[Codec, ...] = (Codec.PCMU, Codec.PCMA)
    """Best first; no other is used."""
    bind: str
    """Local address of SIP and RTP; empty: all of them."""
    local_port: int
    """0: any."""
    rtp_port: int
    """First of a range of RTP_PORTS ports; a taken one is skipped."""
    expires: int
    """Seconds that a registration is asked for."""
    rate: int
    """Samples a second of the audio bridge."""
    log_level: int
    """0 (silent) to 6 of the stack's own log, on standard error."""

    @property
    def identity(self) -> str:
        """This phone's own address."""
        return f"sip:{self.user}@{self.domain}"

    @property
    def _transport_parameter(self) -> str:
        return "" if self.transport is Transport.UDP else f";transport={self.transport}"

    @property
    def registrar(self) -> str:
        """Where REGISTER goes; empty when it is not wanted."""
        if self.server is None or not self.register:
            return ""
        return f"sip:{self.server}{self._transport_parameter}"

    @property
    def route(self) -> str:
        """Outbound proxy, needed only when the domain's name is not the server's; else empty."""
        if self.server is None or self.domain in (self.server.host, str(self.server)):
            return ""
        return f"<sip:{self.server}{self._transport_parameter};lr>"

    def address_of(self, dialled: str) -> str:
        """Complete what was dialled: a bare number or name is called at the server, or at the own domain."""
        if dialled.lower().startswith(("sip:", "sips:")):
            return dialled
        if "@" in dialled:
            return f"sip:{dialled}{self._transport_parameter}"
        host = self.domain if self.server is None or self.route else str(self.server)
        return f"sip:{dialled}@{host}{self._transport_parameter}"
