"""The SIP section of the configuration: where it listens, as whom, and with which certificates."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from engine.app.config_section import Dscp, Port, Section, checked_ip
from engine.net.listen import Listen, read_address, same_family
from engine.net.tls_files import ClientCertificates
from engine.sip.flow import Address, Transport
from engine.sip.identity import Reliable

_LAST_PORT = 65535


_EVERY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})


class ListenTransport(StrEnum):
    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class ListenConfig(Section):
    """One listener; a string such as "tls:[::]:5061" is short for one."""

    transport: ListenTransport = Field(ListenTransport.UDP, description="`udp`, `tcp` or `tls`.", strict=False)
    address: str = Field("", description="IPv4 or IPv6 address (`::` takes IPv6 only); empty: `sip.host`.")
    port: int = Field(0, ge=0, le=65535, description="Port; 0: `sip.port`, and one above it for `tls`.")
    advertise: str = Field(
        "",
        description="Address, or address:port, by which peers reach this listener (NAT); empty: `sip.advertise` where "
        "that is of the same family, else as routed.",
    )
    dscp: Dscp | None = Field(None, description="DSCP of what it sends; left out: `sip.dscp`.")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        transport, _, place = value.partition(":")
        if place.count(":") > 1 and not place.startswith("["):
            # Without brackets nobody can tell where the address ends and the port begins.
            raise ValueError(f"an IPv6 address needs brackets: {transport}:[2001:db8::1]:5060")
        address = read_address(place) if place else None
        return {"transport": transport} | ({} if address is None else {"address": address.host, "port": address.port})

    @field_validator("address")
    @classmethod
    def _address_is_ip(cls, value: str) -> str:
        return checked_ip(value, allow_empty=True)

    @field_validator("advertise")
    @classmethod
    def _advertise_is_address(cls, value: str) -> str:
        if value:
            _advertised(value)
        return value


def _advertised(value: str) -> Any:
    try:
        return read_address(value)
    except ValueError as error:
        if "link-local" in str(error):
            raise
        raise ValueError("must be an IP address, such as 192.0.2.10, or one with a port") from None


class CertificateConfig(Section):
    """One certificate of ours."""

    certificate: str = Field(description="PEM file: the certificate, then those of the authorities between.")
    key: str = Field(description="PEM file of its private key, without a pass phrase.")


class TlsConfig(Section):
    certificates: list[CertificateConfig] = Field(
        [],
        description="Ours, chosen by the name that a peer asks for (SNI) among the names in each; the first where none "
        "fits. None: the state directory's own, for trying things out. New files are taken without a restart.",
    )
    client_certificates: ClientCertificates = Field(
        ClientCertificates.NONE,
        description="Whether peers that connect must show one: `none`, `optional` (a bad one is refused), `required`.",
        strict=False,
    )
    client_ca: str = Field("", description="PEM file of the authorities that vouch for those.")
    trust: str = Field(
        "", description="PEM file of the authorities that vouch for trunks that we connect to; empty: the system's."
    )

    @model_validator(mode="after")
    def _clients_need_authorities(self) -> TlsConfig:
        if self.client_certificates is not ClientCertificates.NONE and not self.client_ca:
            raise ValueError(f"client_certificates = {self.client_certificates.value!r} needs client_ca")
        return self

    def anchored(self, anchor: Callable[[str], str]) -> TlsConfig:
        """With paths made absolute."""
        pairs = [
            pair.model_copy(update={"certificate": anchor(pair.certificate), "key": anchor(pair.key)})
            for pair in self.certificates
        ]
        return self.model_copy(
            update={"certificates": pairs, "client_ca": anchor(self.client_ca), "trust": anchor(self.trust)}
        )


def _server(text: str) -> Address:
    host, colon, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "53")
    host = host.removeprefix("[").removesuffix("]")
    if colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{text!r} has no port; write 192.0.2.53 or 192.0.2.53:5353")
    return Address(checked_ip(host, allow_empty=False), int(port))


class SipConfig(Section):
    host: str = Field("0.0.0.0", description="Address that SIP listens on, UDP and TCP.")
    port: Port = Field(5080, description="Port for both; 5060 is left to Asterisk on the same machine.")
    advertise: str = Field(
        "",
        description="Address to name in Via, Contact and SDP when peers see us by another one (NAT); empty: as routed.",
    )
    dscp: Dscp = Field(0, description="DSCP of SIP's packets: 24 is CS3, 40 is CS5; 0: none.")
    listen: list[ListenConfig] = Field(
        [],
        description="The listeners, in place of UDP and TCP on `host` and `port`, which are their defaults then. "
        'Tables as below, or strings: `["udp:0.0.0.0:5080", "tls:[::]:5061"]`.',
    )
    tls: TlsConfig = Field(TlsConfig(), description="Certificates and authorities.")
    realm: str = Field(
        "hearthline",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="Realm of digest authentication. Secrets are kept for one realm: changing it asks for new ones.",
    )
    registration_max_s: int = Field(3600, ge=60, le=86400, description="Longest registration that is granted.")
    registration_min_s: int = Field(30, ge=10, le=3600, description="Shortest one; less is answered with 423.")
    registration_nat_s: int = Field(
        90,
        ge=0,
        le=3600,
        description="Longest one of a phone behind NAT on UDP: its refreshes keep the way open; 0: no such bound.",
    )
    flow_timer_udp_s: int = Field(
        30,
        ge=2,
        le=3600,
        description="Within how many seconds a phone that keeps its flow alive (RFC 5626) is to be heard: Flow-Timer.",
    )
    flow_timer_stream_s: int = Field(120, ge=2, le=3600, description="The same over TCP and TLS.")
    service_route: str = Field(
        "",
        pattern=r"^(<sips?:[A-Za-z0-9.:\[\]@_;=-]{1,200};lr>)?$",
        description="Proxy that phones are to call through (Service-Route), as <sip:edge.example;lr>; empty: none.",
    )
    nonce_ttl_s: int = Field(300, ge=10, le=3600, description="Life of a digest nonce.")
    digest_algorithms: tuple[Literal["SHA-256", "MD5"], ...] = Field(
        ("SHA-256", "MD5"),
        min_length=1,
        strict=False,
        description="What phones may prove their password by, the preferred one first; only MD5 for phones that give "
        "up when they see SHA-256 (baresip before 1.1 and others that know RFC 2617 alone).",
    )
    server_name: str = Field(
        "Hearthline",
        pattern=r"^[A-Za-z0-9._/ -]{0,64}$",
        description="Server and User-Agent of our messages; empty sends neither. It names no version by default.",
    )
    reliable: Reliable = Field(
        Reliable.WHEN_REQUIRED,
        description="Provisional answers confirmed by PRACK (100rel): `never`, `when_required` by the peer, "
        "`when_supported` by it, or `always` (who cannot is refused).",
        strict=False,
    )
    session_expires_s: int = Field(
        1800,
        ge=0,
        le=86400,
        description="Session timer that calls ask for: one that nobody refreshed for so long ends. 0 asks for none.",
    )
    session_expires_min_s: int = Field(
        90, ge=90, le=86400, description="Shortest session timer that is taken from peers; less is answered with 422."
    )
    dns_servers: list[str] = Field(
        [], description="Name servers for trunks' names, as address or address:port; empty: those of /etc/resolv.conf."
    )
    failover_s: float = Field(
        4.0, ge=1, le=32, description="How long one of a name's servers may be silent before the next is tried."
    )
    dead_s: float = Field(
        30.0,
        ge=0,
        le=3600,
        description="How long a server that failed is tried last; its Retry-After goes before this.",
    )
    udp_max_request: int = Field(
        1300,
        ge=500,
        le=65000,
        description="Octets of a request that still go by UDP; a longer one goes to a trunk by TCP (RFC 3261 18.1.1), "
        "or by UDP where it refuses that.",
    )

    pass_headers: tuple[str, ...] = Field(
        (),
        max_length=16,
        strict=False,
        description='Header fields that go along from a caller to the next leg, as ["X-Customer"]; only X- ones.',
    )
    auto_answer: bool = Field(
        False, description="Ask agents' phones to answer a queue's call by themselves (Answer-Mode, Alert-Info)."
    )
    show_hidden_callers: bool = Field(
        False, description="Show agents the number of callers who hide it, where a trusted trunk tells it."
    )

    @field_validator("host")
    @classmethod
    def _host_is_ip(cls, value: str) -> str:
        return checked_ip(value, allow_empty=False)

    @field_validator("dns_servers")
    @classmethod
    def _servers_are_addresses(cls, value: list[str]) -> list[str]:
        for each in value:
            _server(each)
        return value

    @property
    def name_servers(self) -> list[Address]:
        """`dns_servers`, read."""
        return [_server(each) for each in self.dns_servers]

    @field_validator("advertise")
    @classmethod
    def _advertise_is_ip(cls, value: str) -> str:
        return checked_ip(value, allow_empty=True)

    @field_validator("pass_headers")
    @classmethod
    def _extra_headers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if re.fullmatch(r"[Xx]-[A-Za-z0-9-]{1,60}", name) is None:
                raise ValueError(f"{name!r} is no name of an X- header field, such as X-Customer")
        return value

    @model_validator(mode="after")
    def _registration_times(self) -> SipConfig:
        shortest, longest = self.registration_min_s, self.registration_max_s
        if self.session_expires_s and self.session_expires_s < self.session_expires_min_s:
            raise ValueError(
                f"session_expires_s must be 0 or at least session_expires_min_s; found {self.session_expires_s}, "
                f"{self.session_expires_min_s}"
            )
        if shortest > longest:
            raise ValueError(f"registration_min_s must not exceed registration_max_s; found {shortest}, {longest}")
        return self

    @model_validator(mode="after")
    def _listeners_differ(self) -> SipConfig:
        taken: dict[tuple[bool, bool, int], list[str]] = {}
        for each in self.listeners:
            addresses = taken.setdefault((each.transport is Transport.UDP, ":" in each.address, each.port), [])
            if each.address in addresses:
                raise ValueError(f"listen has {each} twice; TCP and TLS cannot share a port either")
            addresses.append(each.address)
            if len(addresses) > 1 and (every := _EVERY_ADDRESS.intersection(addresses)):
                raise ValueError(f"listen has {each} beside {min(every)}, which takes that port on every address")
        return self

    @property
    def listeners(self) -> tuple[Listen, ...]:
        """Every listener, with what it takes over from the section."""
        if self.listen:
            return tuple(self._listener(each) for each in self.listen)
        both = (ListenTransport.UDP, ListenTransport.TCP)
        return tuple(self._listener(ListenConfig(transport=transport)) for transport in both)

    def _listener(self, asked: ListenConfig) -> Listen:
        address = asked.address or self.host
        advertise = read_address(asked.advertise) if asked.advertise else None
        if advertise is None and self.advertise and same_family(address, self.advertise):
            advertise = read_address(self.advertise)
        above = self.port + 1 if self.port < _LAST_PORT else self.port
        return Listen(
            transport=Transport(asked.transport.upper()),
            address=address,
            port=asked.port or (above if asked.transport is ListenTransport.TLS else self.port),
            advertise=advertise,
            dscp=self.dscp if asked.dscp is None else asked.dscp,
        )
