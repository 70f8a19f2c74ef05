"""A registrar of a page for softphone tests: checks the digest, keeps one binding, can be told to misbehave."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

REALM = "hearthline.test"


@dataclass(slots=True)
class Registrar:
    """What it has seen, and how it behaves from now on."""

    user: str
    password: str
    port: int
    expires: int = 60
    silent: bool = False
    """Answers nothing, as a dead network."""
    registered: list[int] = field(default_factory=list)
    """Expiry asked for in each accepted REGISTER; 0 is a farewell."""
    refused: int = 0
    """Requests with a wrong digest."""
    nonce: str = "first"
    connections: list[socket.socket] = field(default_factory=list)
    """Open TCP connections."""

    def reply(self, text: str) -> str | None:
        """The answer to one request; None to stay silent."""
        if self.silent or not text.startswith("REGISTER "):
            return None
        answer = re.search(r"^Authorization: Digest (.*)$", text, re.MULTILINE)
        fields = dict(re.findall(r'(\w+)="?([^",\r]*)"?', answer[1])) if answer else {}
        if not fields or fields.get("nonce") != self.nonce:
            stale = ", stale=true" if fields else ""
            challenge = f'Digest realm="{REALM}", nonce="{self.nonce}", algorithm=MD5, qop="auth"{stale}'
            return _answered(text, "401 Unauthorized", f"WWW-Authenticate: {challenge}")
        if fields["response"] != self._expected(fields):
            self.refused += 1
            return _answered(text, "403 Forbidden")
        asked = re.search(r"^Expires: (\d+)", text, re.MULTILINE)
        wanted = int(asked[1]) if asked else self.expires
        self.registered.append(wanted)
        contact = re.search(r"^Contact: (<[^>]*>)", text, re.MULTILINE)
        if not wanted or contact is None:
            return _answered(text, "200 OK")
        return _answered(text, "200 OK", f"Contact: {contact[1]};expires={min(wanted, self.expires)}")

    def drop_connections(self) -> None:
        """Cut every TCP connection, as a restarted server does."""
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _expected(self, fields: dict[str, str]) -> str:
        """RFC 2617, section 3.2.2.1, with qop=auth."""
        ha1 = _md5(f"{self.user}:{REALM}:{self.password}")
        ha2 = _md5(f"REGISTER:{fields['uri']}")
        return _md5(f"{ha1}:{fields['nonce']}:{fields['nc']}:{fields['cnonce']}:auth:{ha2}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _answered(request: str, status: str, *extra: str) -> str:
    kept = [line for line in request.split("\r\n") if re.match(r"(Via|From|To|Call-ID|CSeq):", line, re.IGNORECASE)]
    kept = [line + ";tag=registrar" if line.startswith("To:") else line for line in kept]
    return "\r\n".join([f"SIP/2.0 {status}", *kept, *extra, "Content-Length: 0", "", ""])


@contextlib.contextmanager
def running_registrar(*, port: int, user: str, password: str, expires: int = 60) -> Iterator[Registrar]:
    """Serve UDP and TCP on 127.0.0.1 until the block ends."""
    registrar = Registrar(user=user, password=password, port=port, expires=expires)

    class Datagrams(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, sock = self.request
            if (reply := registrar.reply(data.decode(errors="replace"))) is not None:
                sock.sendto(reply.encode(), self.client_address)

    class Stream(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            registrar.connections.append(self.request)
            waiting = ""
            while data := self.request.recv(65536):
                waiting += data.decode(errors="replace")
                while "\r\n\r\n" in waiting:
                    text, waiting = waiting.split("\r\n\r\n", 1)
                    if (reply := registrar.reply(text.lstrip() + "\r\n\r\n")) is not None:
                        self.request.sendall(reply.encode())
            registrar.connections.remove(self.request)

    class TcpServer(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with contextlib.ExitStack() as stack:
        for kind, handler in ((socketserver.UDPServer, Datagrams), (TcpServer, Stream)):
            server = stack.enter_context(kind(("127.0.0.1", port), handler))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
        stack.callback(registrar.drop_connections)
        yield registrar
