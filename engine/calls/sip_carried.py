"""What SIP calls carry from leg to leg, between the stack's words and the calls layer's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from engine.calls.events import NOTHING_CARRIED, Carried, FromAgent, FromTrunk, Offered, Origin, Party
from engine.calls.ports import AgentPhone, Destination, TrunkNumber
from engine.ids import AgentName, LegId, TrunkName
from engine.sip import carried as sip
from engine.sip.events import AgentPeer, InviteReceived, Peer, TrunkPeer
from engine.sip.headers import NameAddr
from engine.sip.stack import Target
from engine.sip.visible import visible

_NOWHERE: Final = "anonymous.invalid"
_AUTO: Final = "Auto"
_ALERT_AUTO: Final = ("<urn:alert:service:normal>;info=alert-autoanswer;delay=0",)
"""What most desk phones know instead of Answer-Mode."""
_AUTOMATIC: Final = sip.Carried(answer_mode=_AUTO, alert_info=_ALERT_AUTO)
_HIDDEN: Final = Party(number="anonymous", display="Anonymous")


class SipCarrying:
    """Reads what a call brings, and decides what of it the next leg gets."""

    def __init__(self, *, trusts: Callable[[TrunkName], bool], show_hidden: bool) -> None:
        """`trusts` says which trunks are told who calls where others are not; `show_hidden` shows agents callers who
        hide."""
        self._trusts = trusts
        self._show_hidden = show_hidden

    def offered(self, leg: LegId, event: InviteReceived) -> Offered:
        """The neutral event of a call that came in."""
        origin, called, name = _origin(event.peer), event.to_user, event.call_id
        if event.carried is sip.NOTHING and event.hops == NOTHING_CARRIED.hops:
            caller = Party(number=event.from_user, display=event.from_display)
            return Offered(leg=leg, origin=origin, called=called, caller=caller, protocol_id=name)
        caller, carried = self._caller_of(event), _told(event.carried, event.hops)
        return Offered(leg=leg, origin=origin, called=called, caller=caller, protocol_id=name, carried=carried)

    def towards(self, destination: Destination, target: Target, caller: Party, carried: Carried) -> sip.Carried:
        """What goes along to this destination. Where the calls layer has changed by whom the call was diverted, that is
        one more Diversion."""
        automatic = isinstance(destination, AgentPhone) and destination.answers
        if carried is NOTHING_CARRIED:
            return _AUTOMATIC if automatic else sip.NOTHING
        whole = carried.whole if isinstance(carried.whole, sip.Carried) else sip.NOTHING
        by = carried.diverted_from
        if by and by != _last_diversion(whole)[0]:
            whole = whole.diverted(by, target.uri.host or _NOWHERE, carried.diversion_reason)
        if not isinstance(destination, TrunkNumber):
            told = whole.towards_phone(show_hidden=self._show_hidden)
            return replace(told, answer_mode=_AUTO, alert_info=_ALERT_AUTO) if automatic else told
        trusted, called, host = self._trusts(destination.trunk), destination.number, target.uri.host
        return whole.towards_line(trusted=trusted, caller=caller.number, called=called, host=host)

    def _caller_of(self, event: InviteReceived) -> Party:
        """Who is shown as the caller: on a trusted line whom that asserts, before what the caller says; nobody where
        the caller hides, unless the operator shows such callers. Of an agent, who digest proved."""
        carried = event.carried
        said = Party(number=event.from_user, display=event.from_display)
        if not isinstance(event.peer, TrunkPeer):
            return said
        if carried.hidden and not self._show_hidden:
            return _HIDDEN
        if not carried.asserted:
            return said
        asserted = carried.asserted[0]
        return Party(number=_number_of(asserted) or said.number, display=asserted.display or said.display)


def _told(carried: sip.Carried, hops: int) -> Carried:
    """What people and records get to see; `whole` lets the next leg have the rest."""
    diverted_from, reason = _last_diversion(carried)
    return Carried(
        hidden=carried.hidden,
        diverted_from=diverted_from,
        diversion_reason=reason,
        session=carried.session,
        user_to_user=carried.user_to_user[0] if carried.user_to_user else "",
        hops=hops,
        whole=carried,
    )


def _last_diversion(carried: sip.Carried) -> tuple[str, str]:
    """Who forwarded the call last, and why; empty where nobody did."""
    if not carried.diversion:
        return "", ""
    last = carried.diversion[0]
    return _number_of(last), last.params.get("reason") or ""


def _number_of(address: NameAddr) -> str:
    """The number or user of an address; of a tel URI without its visual separators (RFC 3966 5.1.1)."""
    user = visible(address.uri.user or "")
    return user if address.uri.is_sip else "".join(char for char in user if char not in "-.()")


def _origin(peer: Peer) -> Origin:
    if isinstance(peer, AgentPeer):
        return FromAgent(agent=AgentName(peer.user))
    return FromTrunk(trunk=TrunkName(peer.name))
