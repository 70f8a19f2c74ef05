"""Whose fault it is, and what to answer: the two errors of the SIP stack."""

from __future__ import annotations

from typing import ClassVar

from engine.errors import EngineError


class LocalSipError(EngineError):
    """We asked the stack for something that the protocol does not allow now (answering a finished call, say)."""

    code: ClassVar[str] = "sip_local"


class RemoteSipError(EngineError):
    """The peer sent something that the RFC forbids. `status_hint` is what a request is answered with (400 unless the
    RFC names another); a response or an ACK that raises it is dropped."""

    code: ClassVar[str] = "sip_remote"

    def __init__(self, message: str, *, status_hint: int = 400, reason: str = "Bad Request") -> None:
        super().__init__(message)
        self.status_hint = status_hint
        self.reason = reason
