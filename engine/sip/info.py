"""INFO within a call: keys of phones that send them in the signalling, and the refusals of RFC 6086.

We take no Info Package, and say so with an empty Recv-Info to whoever speaks of packages. The uses that are older than
RFC 6086 go on without one: a key (`application/dtmf-relay`, `application/dtmf`), a video phone's wish for a whole
picture, and an INFO without a body that only asks whether the call lives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.sip.errors import LocalSipError
from engine.sip.events import DtmfReceived
from engine.sip.limits import MAX_INFO_BYTES, MAX_KEY_MS
from engine.sip.message import Request, Response
from engine.sip.names import refuse
from engine.sip.refusal import Refusal
from engine.sip.transaction_base import NOBODY

if TYPE_CHECKING:
    from engine.sip.dialog import Dialog
    from engine.sip.flow import Flow
    from engine.sip.session import Session

DTMF_RELAY: Final = "application/dtmf-relay"
DTMF: Final = "application/dtmf"
_PICTURE: Final = "application/media_control+xml"
NO_PACKAGES: Final = ("Recv-Info", "")
_KEYS: Final = frozenset("0123456789*#ABCD")
_BY_EVENT: Final = {str(number): key for number, key in enumerate("0123456789*#ABCD")}
"""Some send the number of RFC 4733's event instead of the key: 10 is the star."""
_DEFAULT_MS: Final = 160


def received(session: Session, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
    """An INFO within the dialog. Raises RemoteSipError to refuse it: 469, 415, 400."""
    if not session.open:
        raise refuse(481, "the call is over")
    if "Info-Package" in request.headers.first:
        raise Refusal(469, "no Info Package is taken", (NO_PACKAGES,))
    kind = request.content_type if request.body else None
    key: tuple[str, int] | None = None
    if kind in (DTMF_RELAY, DTMF):
        key = _read_key(request.body)
        if key is None:
            raise refuse(400, "not a key")
    elif request.body and kind != _PICTURE:
        accept = f"{DTMF_RELAY}, {DTMF}, {_PICTURE}"
        raise Refusal(415, f"INFO with a body of type {kind}", (("Accept", accept),))
    session.stack.admit(request, flow, None).respond(Response.build(request, 200), now)
    if key is not None:
        told = DtmfReceived(session=session.id, digit=key[0], duration_ms=key[1])
        session.stack.outbox.events.append(told)


def send_key(session: Session, dialog: Dialog, digit: str, duration_ms: int, now: float) -> None:
    """Send a key to the peer. Its outcome changes nothing. Raises LocalSipError for what is no key."""
    if digit not in _KEYS:
        raise LocalSipError(f"{digit!r} is no key")
    stack = session.stack
    body = f"Signal={digit}\r\nDuration={max(1, min(duration_ms, MAX_KEY_MS))}\r\n".encode()
    flow = stack.dialogs.flow_for(dialog)
    request = stack.dialogs.request(dialog, "INFO", body=body, content_type=DTMF_RELAY)
    stack.transactions.client(request, flow, NOBODY).start(now)


def _read_key(body: bytes) -> tuple[str, int] | None:
    """The key and how long it was held, in ms: "Signal=5\\r\\nDuration=160", or the key alone."""
    text = body[:MAX_INFO_BYTES].decode("ascii", "replace").strip()
    signal, duration = text, _DEFAULT_MS
    if "=" in text:
        fields = {name.strip().lower(): value.strip() for name, _, value in map(_split, text.splitlines())}
        signal = fields.get("signal", "")
        held = fields.get("duration", "")
        if held.isdigit() and held.isascii() and len(held) < 6:
            duration = max(1, min(int(held), MAX_KEY_MS))
    signal = signal.upper()
    key = signal if signal in _KEYS else _BY_EVENT.get(signal)
    return None if key is None else (key, duration)


def _split(line: str) -> tuple[str, str, str]:
    return line.partition("=")
