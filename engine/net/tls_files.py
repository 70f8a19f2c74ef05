"""Which files TLS needs, and whether they changed; nothing is read here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class ClientCertificates(StrEnum):
    """Whether who connects to us must show a certificate."""

    NONE = "none"
    OPTIONAL = "optional"
    """None is fine, a bad one is refused."""
    REQUIRED = "required"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Every file that TLS needs."""

    certificates: tuple[tuple[Path, Path], ...]
    """Certificate with its chain, and key; the first is for peers that ask for no name of ours."""
    client_certificates: ClientCertificates = ClientCertificates.NONE
    client_ca: Path | None = None
    """Authorities that vouch for who connects to us."""
    trust: Path | None = None
    """Authorities that vouch for whom we connect to; None: the system's."""

    def signature(self) -> tuple[tuple[int, int, int], ...]:
        """Another one as soon as a file was changed or replaced; costs one look at each, and reads none."""
        files = [file for pair in self.certificates for file in pair]
        files += [file for file in (self.client_ca, self.trust) if file is not None]
        return tuple(_mark(file) for file in files)


def _mark(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size
