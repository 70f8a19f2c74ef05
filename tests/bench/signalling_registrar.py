"""Registers many agents with digest over UDP from one address and port, before SIPp stands there and takes calls."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_EXPIRES_S: Final = 3600
_TRIES: Final = 5
_PATIENCE_S: Final = 0.5
"""For one answer; then the request is sent again (RFC 3261 Timer E starts with T1, 500 ms)."""


class NotRegistered(AssertionError):
    """The engine did not take a registration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a 401 asks for."""

    realm: str
    nonce: str


def register_all(secrets: Mapping[str, str], *, local: tuple[str, int], server: tuple[str, int]) -> None:
    """Register every agent of `secrets` (name to password), one after the other, then leave the port free.

    Raises NotRegistered with the answer that was no 200.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(local)
        line.connect(server)
        line.settimeout(_PATIENCE_S)
        for agent, password in secrets.items():
            _Registration(line, agent, password).run()


class _Registration:
    """One agent's dialogue with the registrar."""

    def __init__(self, line: socket.socket, agent: str, password: str) -> None:
        self._line = line
        self._agent = agent
        self._password = password
        self._local = "{}:{}".format(*line.getsockname())
        self._server = "{}:{}".format(*line.getpeername())

    def run(self) -> None:
        answer = self._ask(1, "")
        if answer.startswith("SIP/2.0 401"):
            answer = self._ask(2, self._authorization(_challenge(answer)))
        if not answer.startswith("SIP/2.0 200"):
            raise NotRegistered(f"{self._agent}: {answer.partition(chr(13))[0]}")

    def _ask(self, number: int, authorization: str) -> str:
        """Send REGISTER `number` until its answer comes."""
        request = (
            f"REGISTER sip:{self._server} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self._local};branch=z9hG4bK-{self._agent}-{number};rport\r\n"
            "Max-Forwards: 70\r\n"
            f"From: <sip:{self._agent}@{self._server}>;tag={self._agent}\r\n"
            f"To: <sip:{self._agent}@{self._server}>\r\n"
            f"Call-ID: {self._agent}@{self._local}\r\n"
            f"CSeq: {number} REGISTER\r\n"
            f"Contact: <sip:{self._agent}@{self._local}>\r\n"
            f"Expires: {_EXPIRES_S}\r\n"
            "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n"
            "User-Agent: Agents of the benchmark\r\n"
            f"{authorization}"
            "Content-Length: 0\r\n\r\n"
        ).encode()
        for _ in range(_TRIES):
            self._line.send(request)
            try:
                while True:
                    answer = self._line.recv(4096).decode()
                    if f"branch=z9hG4bK-{self._agent}-{number};" in answer and not answer.startswith("SIP/2.0 1"):
                        return answer
            except TimeoutError:
                continue
        raise NotRegistered(f"{self._agent}: no answer from {self._server}")

    def _authorization(self, challenge: Challenge) -> str:
        """RFC 7616 3.4, SHA-256 with qop=auth."""
        uri, client_nonce, count = f"sip:{self._server}", self._agent, "00000001"
        secret = _sha256(f"{self._agent}:{challenge.realm}:{self._password}")
        request = _sha256(f"REGISTER:{uri}")
        response = _sha256(f"{secret}:{challenge.nonce}:{count}:{client_nonce}:auth:{request}")
        return (
            f'Authorization: Digest username="{self._agent}", realm="{challenge.realm}", nonce="{challenge.nonce}", '
            f'uri="{uri}", algorithm=SHA-256, qop=auth, nc={count}, cnonce="{client_nonce}", response="{response}"\r\n'
        )


def _challenge(answer: str) -> Challenge:
    """The SHA-256 challenge among those of a 401."""
    for value in re.findall(r"^WWW-Authenticate: Digest (.*?)\r$", answer, re.MULTILINE | re.IGNORECASE):
        given = {key.lower(): text for key, text in re.findall(r'(\w+)="?([^",]*)"?', value)}
        if given.get("algorithm") == "SHA-256":
            return Challenge(realm=given["realm"], nonce=given["nonce"])
    raise NotRegistered(f"no SHA-256 challenge in {answer!r}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
