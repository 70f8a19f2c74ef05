"""Whom a certificate speaks for, and whether that is who we wanted (RFC 5922 section 7).

A certificate names SIP domains as URIs (`sip:example.com`) or as DNS names in its subjectAltName; only where it has
no such list at all does the common name count (7.1). Names are compared whole and without regard to case: a wildcard
matches nothing (7.2), for whoever runs one host of a domain must not be taken for the domain. An IP address counts
where an address is what we were told to connect to, which the RFC leaves open.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.oid import NameOID

from engine.errors import EngineError
from engine.sip.uri import parse_uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """What a certificate says of its holder."""

    names: frozenset[str]
    """SIP domains and host names, lower case, without a closing dot."""
    addresses: frozenset[str]
    """IP addresses, in their usual form."""

    def prove(self, wanted: str) -> bool:
        """Whether the holder is the host, domain or IP address."""
        try:
            return str(ip_address(wanted)) in self.addresses
        except ValueError:
            return _plain(wanted) in self.names

    def __str__(self) -> str:
        return ", ".join(sorted(self.names) + sorted(self.addresses)) or "nobody"


NOBODY = Identities(names=frozenset(), addresses=frozenset())
"""Who shows no certificate."""


def identities(certificate: x509.Certificate) -> Identities:
    """Whom the certificate speaks for; nobody where its names cannot be read."""
    try:
        return _identities(certificate)
    except ValueError:
        return NOBODY


def _identities(certificate: x509.Certificate) -> Identities:
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Identities(names=_common_names(certificate), addresses=frozenset())
    domains = {
        domain for uri in alternatives.get_values_for_type(x509.UniformResourceIdentifier) if (domain := _domain(uri))
    }
    hosts = {_plain(name) for name in alternatives.get_values_for_type(x509.DNSName)}
    addresses = frozenset(str(address) for address in alternatives.get_values_for_type(x509.IPAddress))
    names = frozenset(name for name in domains | hosts if "*" not in name)
    return Identities(names=names, addresses=addresses)


def _domain(uri: str) -> str:
    """The host of a `sip:` or `sips:` URI that names a domain; empty for any other (one with a user part, say)."""
    if not uri.lower().startswith(("sip:", "sips:")):
        return ""
    try:
        parsed = parse_uri(uri)
    except EngineError:
        return ""
    return "" if parsed.user is not None else _plain(parsed.host)


def _common_names(certificate: x509.Certificate) -> frozenset[str]:
    found = (str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    return frozenset(_plain(name) for name in found if "*" not in name)


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")
