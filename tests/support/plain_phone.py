"""A telephone by hand on real sockets, UDP, TCP or TLS: it registers, calls, answers, holds, presses digits, speaks in
marks.

It does what a test tells it and no more, so that it can also misbehave: let ring, fall silent, drop its connection. One
thread of its own serves its sockets; everything else is called from the test.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Literal

from tests.support.plain_message import (
    Field,
    Heard,
    answer,
    authorization,
    cut,
    media_address,
    read,
    sdp,
    token,
    write,
)
from tests.support.plain_talk import Talk
from tests.support.plain_voice import Voice
from tests.support.ports import PortPool
from tests.support.procs import wait_until

T1_S = 0.5
_PATIENCE_S = 2.0
"""For what is sent, and for connections."""
Behaviour = Literal["answer", "ring", "ignore"] | int
"""What is done with a call that comes in: an int is the status it is refused with."""


class PlainPhone:
    """See the module. Use it as a context manager."""

    def __init__(
        self,
        user: str,
        server: tuple[str, int],
        ports: PortPool,
        *,
        password: str = "",
        transport: Literal["udp", "tcp", "tls"] = "udp",
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int | None = None,
        mark: int = 0x91,
        instance: str = "",
        reg_id: int = 1,
    ) -> None:
        """`instance` is what the phone tells of itself when it registers, and stays over connections (RFC 5626);
        `reg_id` is the number of this flow of it."""
        self.user, self.server, self.password, self.host = user, server, password, host
        self.transport = transport
        self._tls = tls
        self._instance = f';+sip.instance="<{instance}>";reg-id={reg_id}' if instance else ""
        self.voice = Voice(host, ports.block(2, even=True).start, mark)
        self.behaviour: Behaviour = "answer"
        self.refuses_changes = 0
        """The status with which re-INVITEs are refused; 0 where they are not."""
        self.heard: list[Heard] = []
        """Everything that came, in order."""
        self.talks: dict[str, Talk] = {}
        """By Call-ID."""
        self._ports = ports
        self.port = ports.one() if port is None else port
        self.disconnected = False
        """The server closed the connection."""
        self._branches: dict[str, str] = {}
        """Of our last INVITE, by Call-ID."""
        self.extra_media = ""
        """Further lines for our offers."""
        self.supported = "path"
        """What our REGISTERs say that we support."""
        self.extra_fields: list[Field] = []
        """Further header fields of our INVITEs."""
        self._offer = b""
        self._sent: dict[tuple[str, str], bytes] = {}
        """Our last response by Call-ID and CSeq, for what is repeated."""
        self._buffer = bytearray()
        self._using = threading.Lock()
        """The connection: OpenSSL does not bear two threads in one at a time."""
        self._open = True
        self._socket = self._connect()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.voice.socket, selectors.EVENT_READ)
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name=f"phone-{user}", daemon=True)
        self._thread.start()

    def __enter__(self) -> PlainPhone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vanish()

    def vanish(self) -> None:
        """Be gone without a word, as a phone whose power is cut."""
        if self._open:
            self._open = False
            self._thread.join()
            self._selector.close()
            self._socket.close()
            self.voice.close()

    def reconnect(self) -> None:
        """Lose the TCP connection and make another, from another port."""
        self._selector.unregister(self._socket)
        self._socket.close()
        self.port = self._ports.one()
        self._socket = self._connect()
        self._selector.register(self._socket, selectors.EVENT_READ)

    def rebind(self, host: str | None = None) -> None:
        """Have a home router give our sound another port; on another network with `host`, where we say so."""
        port = self._ports.block(2, even=True).start
        before = self.voice.rebound(host or self.host, port)
        self._selector.unregister(before)
        self._selector.register(self.voice.socket, selectors.EVENT_READ)
        before.close()
        if host is not None:
            self.voice.address = host, port

    def wander(self, host: str) -> None:
        """Be on another network: other addresses for SIP (UDP) and sound; whom we call ourselves stays."""
        self._selector.unregister(self._socket)
        self._socket.close()
        self.host = host
        self._socket = self._connect()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self.rebind(host)

    @property
    def contact(self) -> str:
        return f"sip:{self.user}@{self.host}:{self.port};transport={self.transport}"

    @property
    def address_of_record(self) -> str:
        return f"sip:{self.user}@{self.server[0]}"

    # --- what a test does with it ---

    def register(self, *, expires: int = 300, algorithm: str = "SHA-256") -> Heard:
        """Register, proving who we are when asked; the final answer."""
        uri = f"sip:{self.server[0]}"
        own = f"<{self.address_of_record}>"
        call_id, tag = token("r"), token("t")

        def fields(number: int, *more: Field) -> list[Field]:
            return [
                ("From", f"{own};tag={tag}"),
                ("To", own),
                ("Call-ID", call_id),
                ("CSeq", f"{number} REGISTER"),
                ("Contact", f"<{self.contact}>{self._instance}"),
                ("Expires", str(expires)),
                ("Supported", self.supported),
                # About as long as what phones send: a very short request is offered one algorithm only.
                ("User-Agent", "Plain phone of the tests"),
                ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS"),
                *more,
            ]

        first = self.ask("REGISTER", uri, fields(1))
        if first.status != 401:
            return first
        return self.ask("REGISTER", uri, fields(2, self.proof(first, "REGISTER", uri, algorithm)))

    def proof(self, challenged: Heard, method: str, uri: str, algorithm: str = "SHA-256") -> Field:
        """The Authorization field that answers a 401."""
        offered = [value for _, value in challenged.all("www-authenticate")]
        wanted = next(each for each in offered if f"algorithm={algorithm}" in each.replace('"', ""))
        return authorization(wanted, user=self.user, password=self.password, method=method, uri=uri)

    def call(self, number: str, *, direction: str = "sendrecv", formats: str = "0 101") -> Talk:
        """Send an INVITE; a challenge is answered, a 2xx acknowledged, and then we speak. Returns at once."""
        uri = f"sip:{number}@{self.server[0]}:{self.server[1]}"
        talk = Talk(
            self,
            call_id=token("i"),
            local=f"<{self.address_of_record}>;tag={token('t')}",
            remote=f"<{uri}>",
            target=uri,
        )
        self.talks[talk.call_id] = talk
        self._offer = self.describe(direction=direction, formats=formats)
        self._offer += self.extra_media.encode()
        self._invite(talk)
        return talk

    def describe(
        self, *, direction: str = "sendrecv", formats: str = "0 101", version: int = 1, to: bytes = b""
    ) -> bytes:
        """Our offer, or our answer to one."""
        return sdp(self.host, self.voice.address[1], direction=direction, formats=formats, version=version)

    def talk(self, index: int = -1, *, timeout: float = 10.0) -> Talk:
        """The latest call that came in, once it is there."""

        def coming() -> list[Talk]:
            return [talk for talk in self.talks.values() if talk.invite is not None]

        wait_until(lambda: bool(coming()), timeout=timeout, what=f"a call to {self.user}")
        return coming()[index]

    def pick_up(self, talk: Talk) -> None:
        """Answer a call that rings."""
        assert talk.invite is not None
        self._accept(talk, talk.invite)

    def probe(self) -> Heard:
        """Ask OPTIONS of the server; its answer."""
        uri = f"sip:{self.server[0]}:{self.server[1]}"
        tag = token("t")
        fields = [("From", f"<{self.address_of_record}>;tag={tag}"), ("To", f"<{uri}>")]
        return self.ask("OPTIONS", uri, [*fields, ("Call-ID", token("o")), ("CSeq", "1 OPTIONS")])

    def ask(self, method: str, uri: str, fields: Sequence[Field], body: bytes = b"", *, timeout: float = 10.0) -> Heard:
        """Send a request, again if need be, and return its final response."""
        branch = token("z9hG4bK")
        data = self._request(method, uri, branch, fields, body)
        deadline = time.monotonic() + timeout
        found: list[Heard] = []

        def answered() -> bool:
            found[:] = [each for each in self.heard if each.status >= 200 and f"branch={branch}" in each["via"]]
            return bool(found)

        while True:
            self.send(data)
            with contextlib.suppress(AssertionError):
                wait_until(answered, timeout=T1_S if self.transport == "udp" else timeout, what="an answer")
                return found[0]
            assert time.monotonic() < deadline, f"{self.user}: no answer to {method} in {timeout:g} s"

    def send(self, data: bytes) -> None:
        """Put octets on the wire, whatever they are."""
        if self.transport == "udp":
            self._socket.sendto(data, self.server)
        else:
            with self._using:
                self._socket.sendall(data)

    def acknowledge(self, response: Heard, uri: str) -> None:
        """ACK a final response to an INVITE of ours."""
        ok = 200 <= response.status < 300
        via = response["via"].split(";branch=")[1].split(";")[0]
        branch = token("z9hG4bK") if ok else via
        fields = [("From", response["from"]), ("To", response["to"]), ("Call-ID", response["call-id"])]
        talk = self.talks.get(response["call-id"])
        fields += [("Route", route) for route in talk.routes] if ok and talk is not None else []
        self.send(self._request("ACK", uri, branch, [*fields, ("CSeq", f"{response.number} ACK")]))

    def cancel(self, talk: Talk) -> None:
        branch = self._branches[talk.call_id]
        fields = [("From", talk.local), ("To", talk.remote), ("Call-ID", talk.call_id)]
        self.send(self._request("CANCEL", talk.target, branch, [*fields, ("CSeq", f"{talk.number} CANCEL")]))

    # --- inside ---

    def _connect(self) -> socket.socket:
        kind = socket.SOCK_DGRAM if self.transport == "udp" else socket.SOCK_STREAM
        made = socket.socket(socket.AF_INET, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((self.host, self.port))
        if self.transport != "udp":
            made.connect(self.server)
        made.settimeout(_PATIENCE_S)
        if self._tls is not None:
            made = self._tls.wrap_socket(made, server_hostname=self.server[0])
        return made

    def _request(self, method: str, uri: str, branch: str, fields: Sequence[Field], body: bytes = b"") -> bytes:
        via = f"SIP/2.0/{self.transport.upper()} {self.host}:{self.port};branch={branch};rport"
        return write(f"{method} {uri} SIP/2.0", [("Via", via), ("Max-Forwards", "70"), *fields], body)

    def _invite(self, talk: Talk, *proof: Field) -> None:
        branch = self._branches[talk.call_id] = token("z9hG4bK")
        fields = [("From", talk.local), ("To", talk.remote), ("Call-ID", talk.call_id)]
        fields += [("CSeq", f"{talk.number} INVITE"), ("Contact", f"<{self.contact}>"), *self.extra_fields, *proof]
        data = self._request("INVITE", talk.target, branch, [*fields, ("Content-Type", "application/sdp")], self._offer)
        self.send(data)

    def _serve(self) -> None:
        while self._open:
            due = self.voice.due()
            wait = 0.05 if due is None else max(0.0, min(0.05, due - time.monotonic()))
            for key, _ in self._selector.select(wait):
                if key.fileobj is self.voice.socket:
                    self.voice.receive()
                else:
                    self._read()
            self.voice.send_due(time.monotonic())

    def _read(self) -> None:
        try:
            with self._using:
                data = self._received()
        except OSError:
            return
        if self.transport == "udp":
            self._message(data)
            return
        if not data:
            self.disconnected = True
            self._selector.unregister(self._socket)
            return
        self._buffer += data
        for message in cut(self._buffer):
            self._message(message)

    def _received(self) -> bytes:
        """What is there; raises TimeoutError where that is a piece of TLS that says nothing to us."""
        if not isinstance(self._socket, ssl.SSLSocket):
            return self._socket.recv(65535)
        self._socket.settimeout(0.02)
        try:
            data = self._socket.recv(65535)
            while more := self._socket.pending():
                data += self._socket.recv(more)
            return data
        finally:
            self._socket.settimeout(_PATIENCE_S)

    def _message(self, data: bytes) -> None:
        message = read(data)
        talk = self.talks.get(message["call-id"])
        if message.status:
            if (
                talk is not None
                and message.method == "INVITE"
                and talk.invite is None
                and message.number == talk.number
            ):
                self._response(talk, message)
        elif (known := self._sent.get((message["call-id"], message["cseq"]))) is not None:
            self.send(known)
        else:
            self._serve_request(message, talk)
        self.heard.append(message)

    def _response(self, talk: Talk, message: Heard) -> None:
        if message.status >= 300:
            self.acknowledge(message, talk.target)
        if message.status == 401 and self.password and all(each.status != 401 for each in talk.responses):
            proof = self.proof(message, "INVITE", talk.target)
            talk.number += 1
            talk.responses.append(message)
            self._invite(talk, proof)
            return
        if 200 <= message.status < 300:
            talk.remote, talk.target = message["to"], message.contact_uri
            talk.routes = message.recorded_routes[::-1]
            self.acknowledge(message, talk.target)
            self.voice.peer = media_address(message.body)
        talk.responses.append(message)

    def _serve_request(self, message: Heard, talk: Talk | None) -> None:
        serve: dict[str, Callable[[Heard, Talk | None], None]] = {"INVITE": self._invited, "ACK": self._acked}
        serve |= {"BYE": self._ended, "CANCEL": self._cancelled}
        if message.method in serve:
            serve[message.method](message, talk)
        else:
            self._answer(message, 200, "OK")

    def _answer(
        self, request: Heard, status: int, reason: str, *, fields: Sequence[Field] = (), body: bytes = b""
    ) -> None:
        data = answer(request, status, reason, tag=f"p{self.port}", fields=fields, body=body)
        self._sent[request["call-id"], request["cseq"]] = data
        self.send(data)

    def _invited(self, message: Heard, talk: Talk | None) -> None:
        if talk is not None:
            if self.refuses_changes:
                self._answer(message, self.refuses_changes, "No")
            else:
                self._accept(talk, message)
            return
        local = f"{message['to']};tag=p{self.port}"
        talk = Talk(self, call_id=message["call-id"], local=local, remote=message["from"], target=message.contact_uri)
        talk.number, talk.invite, talk.routes = 100, message, message.recorded_routes
        self.talks[talk.call_id] = talk
        if isinstance(self.behaviour, int):
            self._answer(message, self.behaviour, "No")
        elif self.behaviour != "ignore":
            self._answer(message, 180, "Ringing", fields=[("Contact", f"<{self.contact}>")])
            if self.behaviour == "answer":
                self._accept(talk, message)

    def _accept(self, talk: Talk, message: Heard) -> None:
        body = self.describe(to=message.body)
        fields = [("Contact", f"<{self.contact}>"), ("Content-Type", "application/sdp")]
        self._answer(message, 200, "OK", fields=fields, body=body)
        self.voice.peer = media_address(message.body)

    def _acked(self, message: Heard, talk: Talk | None) -> None:
        if talk is not None and talk.cancelled is None:
            talk.acked = True

    def _ended(self, message: Heard, talk: Talk | None) -> None:
        self._answer(message, 200 if talk is not None else 481, "OK" if talk is not None else "No such call")
        if talk is not None:
            talk.bye = message
            self.voice.peer = None

    def _cancelled(self, message: Heard, talk: Talk | None) -> None:
        self._answer(message, 200, "OK")
        if talk is not None and talk.invite is not None:
            talk.cancelled = message
            self._answer(talk.invite, 487, "Request Terminated")
