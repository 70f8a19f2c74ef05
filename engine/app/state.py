"""The state directory: secrets, a development certificate, the lock that keeps a second engine out.

Made on first start with mode 0700; every secret in it is a file of its own with mode 0600, never in git, never logged.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.app.private_dir import make_private
from engine.errors import ConfigError

_SOCKET_PATH_BOUND: Final = 97
"""Bytes of a Unix socket's path: 104 on macOS, 108 on Linux, less a suffix and a number."""


@dataclass(frozen=True, slots=True)
class StateDir:
    """Where everything of one engine stands on disk."""

    path: Path

    @property
    def api_token_file(self) -> Path:
        return self.path / "secrets" / "api-token"

    @property
    def media_socket(self) -> Path:
        """The first media process's Unix socket; where its path would be too long, in a directory that `prepare` makes
        in the user's run-time directory or in /tmp."""
        inside = self.path / "media.sock"
        if len(os.fsencode(inside)) <= _SOCKET_PATH_BOUND:
            return inside
        digest = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
        base = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")
        return base / f"hearthline-{os.geteuid()}-{digest}" / inside.name

    def media_socket_of(self, plane: int) -> Path:
        """The Unix socket of the media process of this number."""
        socket = self.media_socket
        return socket if plane == 0 else socket.with_stem(f"{socket.stem}-{plane}")

    @property
    def certificate_files(self) -> tuple[Path, Path]:
        """The certificate that `prepare` makes, and its key."""
        return self.path / "dev-certificate.pem", self.path / "secrets" / "dev-certificate.key"

    @property
    def log_dir(self) -> Path:
        return self.path / "log"

    def secret(self, name: str) -> str:
        """A secret of this directory; made when it is not there yet."""
        file = self.path / "secrets" / name
        if not file.exists():
            _write_private(file, secrets.token_urlsafe(32).encode())
        return file.read_text(encoding="ascii").strip()

    def prepare(self) -> None:
        """Make what is missing. Raises ConfigError where the directory cannot be made or written, or the one for the
        socket is not ours alone."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.path / "secrets").mkdir(mode=0o700, exist_ok=True)
            self.log_dir.mkdir(mode=0o700, exist_ok=True)
            for name in ("api-token", "media", "nonce", "instance"):
                self.secret(name)
            self._certificate()
        except OSError as error:
            raise ConfigError(f"service.state_dir: {error.filename}: {error.strerror}; it must be writable") from error
        if self.media_socket.parent != self.path:
            make_private(self.media_socket.parent)

    def lock(self) -> int:
        """Take the directory for this process, for as long as the file descriptor stays open. Raises ConfigError that
        names the process which has it."""
        descriptor = self._open_lock(os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise ConfigError(
                f"service.state_dir: {self.path} is in use by another engine (process {holder}); "
                "stop that, or give this one a state_dir of its own"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        return descriptor

    def in_use(self) -> bool:
        """Whether an engine runs on this directory now. Raises ConfigError where that cannot be found out."""
        try:
            descriptor = self._open_lock(0)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _open_lock(self, flags: int) -> int:
        try:
            return os.open(self.path / "engine.lock", os.O_RDWR | flags, 0o600)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ConfigError(
                f"service.state_dir: {error.filename}: {error.strerror}; only the user who runs the engine may use it"
            ) from error

    def _certificate(self) -> None:
        """A self-signed certificate for development; operators put a real one in its place."""
        certificate_file, key_file = self.certificate_files
        if certificate_file.exists():
            return
        from engine.app.certificate import self_signed  # noqa: PLC0415 - only a first start pays for it

        key, certificate = self_signed()
        _write_private(key_file, key)
        _write_private(certificate_file, certificate)


def _write_private(file: Path, data: bytes) -> None:
    """Write whole or not at all, readable by the owner alone."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(descriptor)
    temporary.replace(file)
