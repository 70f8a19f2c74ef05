"""The signalling of the media soak's telephones: many of them behind one UDP port, each dialog with its own sound."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from tests.bench.soak_kit import Kit, agree, choose, crypto, describe, events_in, fresh_key
from tests.bench.soak_voices import End, Voices
from tests.support.plain_message import Field, Heard, answer, authorization, direction_of, read, token, write

T1_S: Final = 0.5
_PATIENCE_S: Final = 10.0
_REMEMBERED: Final = 4096
"""Responses that are kept to be sent again."""
_MIRRORED: Final = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive", "sendrecv": "sendrecv"}


class Missed(Exception):
    """Something that a telephone waited for did not come; the text is counted, so it names no number."""


class Dialog:
    """One call of one telephone."""

    def __init__(
        self, station: Station, *, user: str, call_id: str, local: str, remote: str, target: str, kit: Kit
    ) -> None:
        self.station, self.user, self.call_id, self.kit = station, user, call_id, kit
        self.local, self.remote, self.target = local, remote, target
        self.number, self.version = 1, 1
        self.routes: list[str] = []
        self.end: End | None = None
        self.key = ""
        self.status = 0
        self.rang = asyncio.Event()
        self.ended = asyncio.Event()
        """Over, whoever ended it."""
        self.notified: list[str] = []
        self.gone = False
        """Without a word: nothing is answered any more."""
        self.reboots_at = 0.0
        self.offers = 0
        """Of the engine, within the call."""
        self.invite: Heard | None = None
        self.branch = ""
        self.heard = 0
        """Packets, told at the end."""

    def finish(self) -> None:
        """It is over: no more sound, the sockets go back."""
        if self.end is not None:
            self.station.settle(self)
            self.station.voices.give_back(self.end)
            self.end = None
        self.ended.set()

    def vanish(self, reboots_at: float) -> None:
        """Stop to exist; from `reboots_at` on, what the engine asks is answered by 481, 0: never."""
        self.gone, self.reboots_at = True, reboots_at
        self.finish()

    async def hang_up(self) -> None:
        if not self.ended.is_set() and not self.gone:
            self.finish()
            try:
                await self._ask("BYE")
            except Missed as missed:
                self.station.counts[str(missed)] += 1

    async def change(self, direction: str, *, moved: bool = False) -> None:
        """Re-INVITE: hold, resume, or sound at another port."""
        before = self.end
        if before is None:
            return
        if moved:
            self.end = self.station.voices.lend(before.host)
        self.version += 1
        body = self.describe(direction)
        heard = await self._ask("INVITE", [("Contact", self.contact), ("Content-Type", "application/sdp")], body)
        self._acknowledge(heard)
        if moved:
            self.station.voices.give_back(before)
        if heard.status == 400:  # what was wrong with it?
            lines = [line for line in body.decode().splitlines() if not line.startswith("a=crypto")]
            raise Missed(f"400 to a re-INVITE of {re.sub('[0-9]+', '#', ' '.join(lines))}")
        if heard.status != 200:
            raise Missed(f"{heard.status} to a re-INVITE")
        self.talk(heard.body)

    async def transfer(self, number: str, replaces: Dialog | None = None) -> bool:
        """REFER; whether it was accepted."""
        host, port = self.station.server
        uri = f"sip:{number}@{host}:{port}"
        if replaces is not None:
            theirs, ours = (party.rpartition(";tag=")[2] for party in (replaces.remote, replaces.local))
            uri += f"?Replaces={replaces.call_id}%3Bto-tag%3D{theirs}%3Bfrom-tag%3D{ours}"
        fields = [("Contact", self.contact), ("Refer-To", f"<{uri}>"), ("Referred-By", f"<sip:{self.user}@{host}>")]
        return (await self._ask("REFER", fields)).status == 202

    async def info(self, digit: str) -> None:
        """A key in the signalling (application/dtmf-relay)."""
        body = f"Signal={digit}\r\nDuration=100\r\n".encode()
        await self._ask("INFO", [("Contact", self.contact), ("Content-Type", "application/dtmf-relay")], body)

    # --- what the station needs ---

    @property
    def contact(self) -> str:
        return f"<sip:{self.user}@{self.station.host}:{self.station.port}>"

    def describe(self, direction: str = "sendrecv", *, to: bytes = b"") -> bytes:
        assert self.end is not None
        if self.kit.suite is not None and not self.key:
            self.key = fresh_key(self.kit.suite)
        shown = self.end.host, self.end.port
        if not to:
            return describe(self.kit, *shown, direction=direction, version=self.version, key=self.key)
        keys = crypto(to, self.kit.suite) if self.kit.suite is not None else None
        return describe(
            self.kit,
            *shown,
            direction=_MIRRORED[direction_of(to)],
            version=self.version,
            key=self.key,
            tag=keys[0] if keys else 1,
            only=choose(self.kit, to),
            events=events_in(to),
        )

    def talk(self, body: bytes) -> None:
        """Speak by what their description says."""
        agreed = agree(self.kit, body, self.key)
        if agreed is None:
            raise Missed("a description that does not fit")
        if self.end is not None:
            self.station.voices.begin(self.end, self.kit, agreed, events_in(body))

    def fields(self, method: str) -> list[Field]:
        return [
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.number} {method}"),
            *(("Route", route) for route in self.routes),
        ]

    def _acknowledge(self, heard: Heard) -> None:
        self.station.acknowledge(self, heard)

    async def _ask(self, method: str, fields: Sequence[Field] = (), body: bytes = b"") -> Heard:
        self.number += 1
        return await self.station.ask(method, self.target, [*self.fields(method), *fields], body)


class Station(asyncio.DatagramProtocol):
    """One address with many telephones. `taken` is told of each call that comes in."""

    def __init__(self, host: str, port: int, server: tuple[str, int], voices: Voices) -> None:
        self.host, self.port, self.server, self.voices = host, port, server, voices
        self.taken: Callable[[Dialog, Heard], None] = lambda dialog, invite: None
        self.dialogs: dict[str, Dialog] = {}
        self.counts: Counter[str] = Counter()
        """Messages and results."""
        self._waiting: dict[str, tuple[asyncio.Future[Heard], Dialog | None]] = {}
        self._sent: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, self.port))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(data, self.server)

    # --- requests of ours ---

    async def register(self, user: str, password: str, expires: int = 3600) -> None:
        uri, own = f"sip:{self.server[0]}", f"<sip:{user}@{self.server[0]}>"
        call_id, tag = token("r"), token("t")
        proof: list[Field] = []
        for number in (1, 2):
            fields = [("From", f"{own};tag={tag}"), ("To", own), ("Call-ID", call_id), ("CSeq", f"{number} REGISTER")]
            fields += [("Contact", f"<sip:{user}@{self.host}:{self.port}>"), ("Expires", str(expires))]
            fields += [("User-Agent", "Telephone of the media soak"), *proof]
            heard = await self.ask("REGISTER", uri, fields)
            if heard.status == 200:
                return
            proof = [self._proof(heard, user, password, "REGISTER", uri)]
        raise Missed(f"{heard.status} to REGISTER")

    async def call(self, user: str, number: str, kit: Kit, *, password: str = "", patience_s: float = 40.0) -> Dialog:
        """Place a call; returns when it is up. Raises Missed."""
        dialog = self.dial(user, number, kit)
        await self.invite(dialog, password=password, patience_s=patience_s)
        return dialog

    def dial(self, user: str, number: str, kit: Kit) -> Dialog:
        """A call to be placed by `invite`."""
        uri = f"sip:{number}@{self.server[0]}:{self.server[1]}"
        local = f"<sip:{user}@{self.server[0] if user.startswith('a') else self.host}>;tag={token('t')}"
        dialog = Dialog(self, user=user, call_id=token("i"), local=local, remote=f"<{uri}>", target=uri, kit=kit)
        dialog.end = self.voices.lend(self.host)
        self.dialogs[dialog.call_id] = dialog
        return dialog

    async def invite(self, dialog: Dialog, *, password: str = "", patience_s: float = 40.0) -> None:
        """Send INVITE, answer a challenge, acknowledge. Raises Missed with the status that refused it."""
        body, proof = dialog.describe(), list[Field]()
        try:
            for _ in range(2):
                fields = [*dialog.fields("INVITE"), ("Contact", dialog.contact), *proof]
                fields.append(("Content-Type", "application/sdp"))
                dialog.branch = token("z9hG4bK")
                heard = await self.ask(
                    "INVITE", dialog.target, fields, body, branch=dialog.branch, dialog=dialog, patience_s=patience_s
                )
                self.acknowledge(dialog, heard)
                dialog.status = heard.status
                if heard.status != 401 or not password:
                    break
                proof = [self._proof(heard, dialog.user, password, "INVITE", dialog.target)]
                dialog.number += 1
            if heard.status != 200:
                raise Missed(f"{heard.status} to INVITE")
            dialog.talk(heard.body)
        except BaseException:
            if dialog.status == 0:
                self.cancel(dialog)  # nobody answered in time
            dialog.finish()
            raise

    def cancel(self, dialog: Dialog) -> None:
        """Take an INVITE back."""
        self._request("CANCEL", dialog.target, dialog.fields("CANCEL"), dialog.branch)

    def acknowledge(self, dialog: Dialog, heard: Heard) -> None:
        """ACK a final response to an INVITE; a 2xx says who the other side is."""
        good = 200 <= heard.status < 300
        if good:
            dialog.remote, dialog.target = heard["to"], heard.contact_uri
            dialog.routes = heard.recorded_routes[::-1]
        branch = token("z9hG4bK") if good else heard["via"].split(";branch=")[1].split(";")[0]
        fields = [("From", heard["from"]), ("To", heard["to"]), ("Call-ID", heard["call-id"])]
        fields += [("Route", route) for route in dialog.routes] if good else []
        data = self._request("ACK", dialog.target, [*fields, ("CSeq", f"{heard.number} ACK")], branch)
        self._remember((heard["call-id"], f"ack {heard.number}"), data)

    async def ask(
        self,
        method: str,
        uri: str,
        fields: Sequence[Field],
        body: bytes = b"",
        *,
        branch: str = "",
        dialog: Dialog | None = None,
        patience_s: float = _PATIENCE_S,
    ) -> Heard:
        """Send a request until it is answered; the final response. Raises Missed."""
        branch = branch or token("z9hG4bK")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Heard] = loop.create_future()
        self._waiting[branch] = future, dialog
        ends, wait = loop.time() + patience_s, T1_S
        try:
            while (left := ends - loop.time()) > 0:
                if dialog is None or not dialog.rang.is_set():
                    self._request(method, uri, fields, branch, body)
                with contextlib.suppress(TimeoutError):
                    return await asyncio.wait_for(asyncio.shield(future), min(wait, left))
                wait = min(4.0, wait * 2)
            raise Missed(f"no answer to {method}")
        finally:
            del self._waiting[branch]
            future.cancel()

    def _request(self, method: str, uri: str, fields: Sequence[Field], branch: str, body: bytes = b"") -> bytes:
        via = f"SIP/2.0/UDP {self.host}:{self.port};branch={branch};rport"
        data = write(f"{method} {uri} SIP/2.0", [("Via", via), ("Max-Forwards", "70"), *fields], body)
        self.send(data)
        return data

    @staticmethod
    def _proof(heard: Heard, user: str, password: str, method: str, uri: str) -> Field:
        wanted = next(value for _, value in heard.all("www-authenticate") if "SHA-256" in value)
        return authorization(wanted, user=user, password=password, method=method, uri=uri)

    # --- what comes ---

    def datagram_received(self, data: bytes, addr: object) -> None:
        heard = read(data)
        self.counts["messages"] += 1
        if heard.status:
            self._response(heard)
            return
        dialog = self.dialogs.get(heard["call-id"])
        if dialog is not None and dialog.gone:
            if dialog.reboots_at and asyncio.get_running_loop().time() > dialog.reboots_at and heard.method != "ACK":
                self._answer(heard, 481, "Call Does Not Exist")
            return
        known = self._sent.get((heard["call-id"], heard["cseq"]))
        if known is not None:
            self.send(known)
        else:
            self._serve(heard, dialog)

    def _response(self, heard: Heard) -> None:
        if heard.method == "CANCEL":
            return  # the INVITE's own answer tells
        branch = heard["via"].split(";branch=")[1].split(";")[0]
        future, dialog = self._waiting.get(branch, (None, None))
        if heard.status < 200:
            if dialog is not None:
                dialog.rang.set()
        elif future is None:
            again = self._sent.get((heard["call-id"], f"ack {heard.number}"))
            if again is not None and heard.method == "INVITE":
                self.send(again)
        elif not future.done():
            future.set_result(heard)

    def _serve(self, heard: Heard, dialog: Dialog | None) -> None:
        match heard.method:
            case "INVITE" if dialog is None:
                self._invited(heard)
            case "INVITE":
                self._offered(heard, dialog)
            case "ACK":
                return
            case "BYE" | "INFO" | "NOTIFY" if dialog is None:
                self._answer(heard, 481, "Call Does Not Exist")
            case "BYE":
                self._answer(heard, 200, "OK")
                dialog.finish()
            case "CANCEL":
                self._answer(heard, 200, "OK")
                if dialog is not None and dialog.invite is not None:
                    self._answer(dialog.invite, 487, "Request Terminated")
                    dialog.finish()
            case _:
                self._answer(heard, 200, "OK")
                if heard.method == "NOTIFY" and dialog is not None:
                    dialog.notified.append(heard.body.decode().strip())

    def _invited(self, heard: Heard) -> None:
        user = heard.start.split("sip:", 1)[1].split("@", 1)[0]
        local = f"{heard['to']};tag={token('p')}"
        dialog = Dialog(
            self,
            user=user,
            call_id=heard["call-id"],
            local=local,
            remote=heard["from"],
            target=heard.contact_uri,
            kit=Kit(),
        )
        dialog.number, dialog.invite, dialog.routes = 100, heard, heard.recorded_routes
        self.dialogs[dialog.call_id] = dialog
        self.taken(dialog, heard)

    def ring(self, dialog: Dialog) -> None:
        assert dialog.invite is not None
        self._answer(dialog.invite, 180, "Ringing", dialog=dialog)

    def accept(self, dialog: Dialog) -> None:
        """Answer a call that came in; with 488 where no codec fits."""
        invite = dialog.invite
        assert invite is not None
        if agree(dialog.kit, invite.body, "-") is None:
            self.counts["488 of ours"] += 1
            self.refuse(dialog, 488, "Not Acceptable Here")
            return
        dialog.end = self.voices.lend(self.host)
        body = dialog.describe(to=invite.body)
        self._answer(invite, 200, "OK", dialog=dialog, body=body)
        dialog.talk(invite.body)

    def refuse(self, dialog: Dialog, status: int, reason: str) -> None:
        assert dialog.invite is not None
        self._answer(dialog.invite, status, reason)
        dialog.finish()

    def settle(self, dialog: Dialog) -> None:
        """Count what a call has heard."""
        end = dialog.end
        assert end is not None
        if not end.on_air or asyncio.get_running_loop().time() - end.began < 1.0:
            return
        packets = end.heard()
        self.counts["calls that could hear"] += 1
        self.counts["calls that heard"] += bool(packets)
        if end.agreed is not None and end.agreed.suite is not None and packets and dialog.version == 1:
            self.counts["sealed packets"] += len(packets)
            self.counts["sealed packets that open"] += end.opens(packets)

    def _offered(self, heard: Heard, dialog: Dialog) -> None:
        """A re-INVITE of the engine: a hold, a new way for the sound, other keys."""
        dialog.offers += 1
        self.counts["offers of the engine"] += 1
        if dialog.end is None or agree(dialog.kit, heard.body or dialog.describe(), dialog.key) is None:
            self._answer(heard, 488, "Not Acceptable Here")
            return
        dialog.version += 1
        if not heard.body:
            self._answer(heard, 200, "OK", dialog=dialog, body=dialog.describe())
            return
        self._answer(heard, 200, "OK", dialog=dialog, body=dialog.describe(to=heard.body))
        dialog.talk(heard.body)

    def _answer(
        self, request: Heard, status: int, reason: str, *, dialog: Dialog | None = None, body: bytes = b""
    ) -> None:
        fields: list[Field] = [("Contact", dialog.contact)] if dialog is not None else []
        if body:
            fields.append(("Content-Type", "application/sdp"))
        known = dialog or self.dialogs.get(request["call-id"])
        tag = known.local.rpartition(";tag=")[2] if known is not None else token("n")
        data = answer(request, status, reason, tag=tag, fields=fields, body=body)
        self._remember((request["call-id"], request["cseq"]), data)
        self.send(data)

    def _remember(self, key: tuple[str, str], data: bytes) -> None:
        self._sent[key] = data
        if len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)

    def forget(self) -> None:
        """Dialogs that are over, but for those that vanished and may reboot."""
        now = asyncio.get_running_loop().time()
        for call_id, dialog in list(self.dialogs.items()):
            if dialog.ended.is_set() and (not dialog.gone or now > dialog.reboots_at + 60):
                del self.dialogs[call_id]
