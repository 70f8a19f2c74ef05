"""What is said to the engine before a SIPp begins: a challenge is asked for, a telephone registered. SIPp itself takes
no call that begins elsewhere in a scenario that has sent something, so that its telephone is registered for it, from
the very address that it takes over."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from tests.support.plain_message import Field, Heard, authorization, read, token, write


class Asking:
    """A UDP socket at `local` that speaks with the engine at `server`. Use it as a context manager."""

    def __init__(self, local: tuple[str, int], server: tuple[str, int]) -> None:
        self._server = server
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(local)
        self._socket.settimeout(5)
        self._call_id = token("n")
        self._number = 0

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def challenge(self) -> str:
        """A fresh MD5 challenge: SIPp's own digest knows nothing else, and takes the first that it is offered."""
        heard = self._ask("nobody", [("Contact", "<sip:nobody@127.0.0.3>")])
        return next(value for _, value in heard.all("www-authenticate") if "MD5" in value)

    def register(self, user: str, password: str, fields: Sequence[Field]) -> Heard:
        """Register with these fields, a Contact among them; the 200."""
        uri = f"sip:{self._server[0]}"
        proved = authorization(self.challenge(), user=user, password=password, method="REGISTER", uri=uri)
        heard = self._ask(user, [*fields, proved])
        assert heard.status == 200, heard
        return heard

    def _ask(self, user: str, more: Sequence[Field]) -> Heard:
        self._number += 1
        host, port = self._socket.getsockname()
        own = f"<sip:{user}@{self._server[0]}>"
        via = f"SIP/2.0/UDP {host}:{port};branch={token('z9hG4bK')};rport"
        fields = [("Via", via), ("Max-Forwards", "70"), ("From", f"{own};tag=1"), ("To", own)]
        fields += [("Call-ID", self._call_id), ("CSeq", f"{self._number} REGISTER")]
        # About as long as what phones send: a stranger's very short request gets no long answer.
        fields += [("User-Agent", "Asking for a challenge"), ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS")]
        self._socket.sendto(write(f"REGISTER sip:{self._server[0]} SIP/2.0", [*fields, *more]), self._server)
        return read(self._socket.recv(65535))
