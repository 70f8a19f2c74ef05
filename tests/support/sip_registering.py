"""A peer that registers by hand, with whatever a REGISTER may hold."""

from __future__ import annotations

from typing import Any

from engine.sip.auth import answer_challenge
from engine.sip.endpoint import Limits
from engine.sip.events import SipEvent
from engine.sip.message import Response
from tests.support.sip_raw import RawPeer, pair

PASSWORDS = {"ada": "secret", "bob": "hidden"}
CONTACT = "<sip:ada@192.0.2.1:5060>"


class Registering:
    """A peer by hand that registers as ada: one challenge, then counted credentials."""

    def __init__(self, limits: Limits | None = None, **settings: Any) -> None:
        """`settings` are those of EndpointConfig."""
        self.station, self.raw, self.wire = pair(trunks={}, passwords=PASSWORDS, limits=limits, settings=settings)
        self.number = 0
        self.count = 0
        self.challenges: dict[RawPeer, list[str]] = {}
        """A nonce is good only from where it was sent to."""
        self.challenge = self.challenge_of("ada")

    def challenge_of(self, user: str) -> list[str]:
        self.ask(user, authorized=False)
        return self.raw.responses()[-1].headers.get_all("WWW-Authenticate")

    def _challenge_at(self, peer: RawPeer) -> list[str]:
        if peer not in self.challenges:
            answer = self.ask(authorized=False, peer=peer, call_id="challenge")
            self.challenges[peer] = answer.headers.get_all("WWW-Authenticate")
        return self.challenges[peer]

    def ask(
        self,
        user: str = "ada",
        contact: str | None = CONTACT,
        *,
        expires: str | None = None,
        fields: list[tuple[str, str]] | None = None,
        authorized: bool = True,
        peer: RawPeer | None = None,
        number: int | None = None,
        call_id: str = "reg",
        uri: str = "sip:192.0.2.9",
        to: str = "",
    ) -> Response:
        """Send a REGISTER; the answer."""
        peer = peer or self.raw
        self.number = self.number + 1 if number is None else number
        extra = [("To", to or f"<sip:{user}@192.0.2.9>"), *(fields or [])]
        if expires is not None:
            extra.append(("Expires", expires))
        if authorized:
            self.count += 1
            extra.append(
                answer_challenge(
                    self.challenge if peer is self.raw else self._challenge_at(peer),
                    user="ada",
                    password="secret",
                    method="REGISTER",
                    uri=uri,
                    cnonce="c",
                    nc=self.count,
                )
            )
        peer.ask("REGISTER", number=self.number, uri=uri, contact=contact, fields=extra, call_id=call_id)
        self.wire.run(0.01)
        return peer.responses()[-1]

    def take(self) -> list[SipEvent]:
        events = self.station.told()
        self.station.events.clear()
        return events

    def contacts(self) -> list[str]:
        return [str(each.contact) for each in self.station.endpoint.bindings("ada")]
