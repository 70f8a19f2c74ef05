"""Replaces (RFC 3891): an INVITE, or the call that a REFER asks for, is to take the place of a dialog that stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.sip.events import SessionId
from engine.sip.headers import parse_params
from engine.sip.names import refuse
from engine.sip.session import Phase, Session

if TYPE_CHECKING:
    from engine.sip.message import Request
    from engine.sip.stack import Stack


_NO_TAG: Final = "0"
"""Stands for the tag of a peer that has none (RFC 2543), RFC 3891 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaces:
    """Names a dialog as whoever receives the header knows it: `to_tag` is the receiver's own tag."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False
    """Only while the dialog is early: an answered call is not taken away."""

    def __str__(self) -> str:
        flag = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag or _NO_TAG};from-tag={self.from_tag or _NO_TAG}{flag}"


def parse_replaces(text: str) -> Replaces:
    """The value of a Replaces header. Raises RemoteSipError(400) where a part is missing or there twice."""
    call_id, _, rest = text.partition(";")
    call_id = call_id.strip()
    params = parse_params(f";{rest}") if rest else {}
    to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
    if not call_id or not to_tag or not from_tag:
        raise refuse(400, f"not a Replaces: {text[:80]!r}")
    return Replaces(call_id=call_id, to_tag=to_tag, from_tag=from_tag, early_only="early-only" in params)


def replaced_by(stack: Stack, wanted: Replaces) -> Session:
    """The session whose dialog is named (RFC 3891 3). Raises RemoteSipError: 481 where there is none, or one that a
    peer began and nobody has answered; 486 where it is answered and only an early one was wanted; 603 where it
    ends."""
    dialog = stack.dialogs.named((wanted.call_id, wanted.to_tag, wanted.from_tag))
    if dialog is None and wanted.from_tag == _NO_TAG:
        dialog = stack.dialogs.named((wanted.call_id, wanted.to_tag, ""))
    if dialog is None or not isinstance(dialog.user, Session):
        raise refuse(481, "Replaces names no call of ours")
    session = dialog.user
    if session.phase not in (Phase.OFFERED, Phase.UP):
        raise refuse(603, "the call that Replaces names has ended")
    if dialog.confirmed:
        if wanted.early_only:
            raise refuse(486, "the call that Replaces names is answered")
    elif not session.outgoing:
        raise refuse(481, "the call that Replaces names was not begun by us")
    return session


def replaced_by_invite(stack: Stack, request: Request) -> SessionId:
    """The session that an INVITE with Replaces wants the place of. Raises RemoteSipError as `replaced_by`, 400 for
    several headers."""
    if len(request.headers.get_all("Replaces")) > 1 or "Join" in request.headers:
        raise refuse(400, "one Replaces at most, and no Join beside it")
    return replaced_by(stack, parse_replaces(request.headers.first["Replaces"])).id
