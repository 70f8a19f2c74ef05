"""A certificate and its key, read from their files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from engine.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate of ours with its key."""

    file: Path
    key: PrivateKeyTypes
    chain: tuple[x509.Certificate, ...]
    """Ours first."""

    @property
    def own(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def ends(self) -> float:
        """When it stops being good, in seconds since the epoch."""
        return self.own.not_valid_after_utc.timestamp()


def load_authorities(file: Path) -> list[x509.Certificate]:
    """The certificates in a file, at least one. Raises ConfigError that names it and what is wrong with it."""
    try:
        return x509.load_pem_x509_certificates(_read(file))
    except ValueError as error:
        raise ConfigError(f"{file}: is no certificate in PEM form: {error}") from error


def load_pair(certificate_file: Path, key_file: Path) -> Pair:
    """Read both. Raises ConfigError that names the file and what is wrong with it."""
    chain = load_authorities(certificate_file)
    try:
        key = load_pem_private_key(_read(key_file), password=None)
    except TypeError as error:
        raise ConfigError(f"{key_file}: the key has a pass phrase; store it without one, mode 0600") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{key_file}: is no private key in PEM form") from error
    if _public(key.public_key()) != _public(chain[0].public_key()):
        raise ConfigError(f"{key_file}: is not the key of {certificate_file}; the pair must be replaced together")
    return Pair(file=certificate_file, key=key, chain=tuple(chain))


def _public(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
