"""A relay that speaks TLS for a program that cannot, such as Debian's SIPp: plain TCP in, TLS out, octets unchanged."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress


class TlsRelay:
    """Takes connections at `address` and goes on, by TLS, from `host` to `server`."""

    def __init__(self, host: str, server: tuple[str, int]) -> None:
        self._host, self._server = host, server
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        """Whether the engine's certificate is the right one, its own tests show."""
        self._open: list[socket.socket] = []
        self._listening = socket.create_server((host, 0))
        self.address: tuple[str, int] = self._listening.getsockname()
        threading.Thread(target=self._accept, name="tls-relay", daemon=True).start()

    def close(self) -> None:
        for each in (self._listening, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                inner, _ = self._listening.accept()
                outer = socket.create_connection(self._server, timeout=10, source_address=(self._host, 0))
                secure = self._context.wrap_socket(outer)
                secure.settimeout(None)
                self._open += [inner, secure]
                for source, sink in ((inner, secure), (secure, inner)):
                    threading.Thread(target=_pump, args=(source, sink), name="tls-relay", daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
