"""What a call takes along from one leg to the next beside its media: who calls, which way it came, what goes with it.

A B2BUA makes a new INVITE, so that nothing of the first gets into it unless it is carried. What is carried is read from
its grammar and printed anew, or is one short line of printable text where only its ends understand it; everything is
bounded. What cannot be read is left out: no call fails for what merely accompanies it.

Whom to believe is decided when it is read (`trusted`), whom to tell when it is written (`towards_line`,
`towards_phone`):

    field                             believed of            told to
    P-Asserted-Identity (RFC 3325)    trusted lines          trusted lines
    Privacy (RFC 3323)                everybody              trusted lines; obeyed towards the others
    Diversion (5806), History-Info    lines                  lines; not where the caller hides
    Alert-Info, Answer-Mode (5373)    trusted lines          everybody
    User-to-User (7433)               everybody              everybody
    Session-ID (7989)                 everybody              everybody
    Identity, Date (8224)             lines                  lines, while it still says what was signed
    headers of `pass_headers`         everybody              everybody

P-Preferred-Identity is believed of nobody: an agent is who digest proved (RFC 3325 6 lets us choose), a line asserts.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.headers import NameAddr, parse_name_addr_list
from engine.sip.history import retargeted
from engine.sip.limits import MAX_ASSERTED, MAX_CARRIED, MAX_CARRIED_FIELDS, MAX_CARRIED_TOKEN, MAX_HISTORY
from engine.sip.message import Headers, Request
from engine.sip.session_id import read_session_id
from engine.sip.uri import SipUri

_NOWHERE: Final = "anonymous.invalid"

ANONYMOUS: Final = f'"Anonymous" <sip:anonymous@{_NOWHERE}>'
"""From of a caller who hides (RFC 3323 4.1.1.3)."""

_HIDING: Final = frozenset({"id", "user", "full"})
"""priv-values that ask for the caller's name and number not to be shown: of the network's assertion (RFC 3325 9.3), of
all that the caller said (RFC 3323 4.2; `full` is of its drafts and still sent). `header` and `session` ask for what a
B2BUA does anyway: no Via, Contact, Record-Route or media address of the caller goes to the other leg."""

_PRIVACY: Final = frozenset({*_HIDING, "header", "session", "none", "critical", "history"})

_FIELDS: Final = (
    *("P-Asserted-Identity", "Privacy", "Diversion", "History-Info", "Session-ID", "User-to-User", "Identity"),
    *("Alert-Info", "Answer-Mode", "Priv-Answer-Mode"),
)


def carried_names(passed: Iterable[str]) -> frozenset[str]:
    """All fields that `read_carried` may take anything from, `passed` beside our own: what a plain call has none of."""
    return frozenset((*_FIELDS, *passed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """See the module. A plain call's is `NOTHING`."""

    asserted: tuple[NameAddr, ...] = ()
    """Who the caller is, as a trusted line says; of an agent who hides, who digest proved."""
    privacy: tuple[str, ...] = ()
    """priv-values, lower case."""
    diversion: tuple[NameAddr, ...] = ()
    """Who forwarded the call, the last one first, each with its reason and counter."""
    history: tuple[NameAddr, ...] = ()
    """Where the request was sent on its way, oldest first, each with its index (RFC 7044)."""
    session: str = ""
    """UUID of the end that began the session (32 hexadecimal digits); empty where it named none."""
    user_to_user: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    """Signed claims, byte for byte."""
    date: str = ""
    """Date of what was signed (RFC 8224 4.1)."""
    signed_for: tuple[str, str] = ("", "")
    """User parts of the From and To that were signed."""
    alert_info: tuple[str, ...] = ()
    answer_mode: str = ""
    priv_answer_mode: str = ""
    others: tuple[tuple[str, str], ...] = ()
    """Fields that the operator lets pass."""
    anonymous: bool = False
    """Our From names nobody. Set by `towards_line` and `towards_phone` alone."""

    @property
    def hidden(self) -> bool:
        """Whether the caller wants not to be known; `none` overrides all (RFC 3323 4.2)."""
        return bool(self.privacy) and "none" not in self.privacy and not _HIDING.isdisjoint(self.privacy)

    def towards_line(self, *, trusted: bool, caller: str, called: str, host: str) -> Carried:
        """What goes with a call that shows the number `caller` to the number `called` on a line at `host`."""
        hidden = self.hidden
        asserted: tuple[NameAddr, ...] = ()
        if trusted:
            # The line must know whom it bills although nobody else may; an agent who does not hide is in From.
            asserted = tuple(_at(each, caller, host) for each in self.asserted)
        shown = trusted or not hidden
        signed = self.signed_for == (caller, called) and not hidden
        return replace(
            self,
            asserted=asserted,
            privacy=self.privacy if trusted else (),
            diversion=self.diversion if shown else (),
            history=retargeted(self.history, called, host) if shown and self.history else (),
            identity=self.identity if signed else (),
            date=self.date if signed else "",
            anonymous=hidden,
        )

    def towards_phone(self, *, show_hidden: bool) -> Carried:
        """What goes with a call to an agent's phone. It trusts us and is shown no more than a person may see; where the
        operator shows hidden callers to agents, all."""
        shown = show_hidden or not self.hidden
        return replace(
            self,
            asserted=(),
            privacy=(),
            diversion=self.diversion if shown else (),
            history=(),
            identity=(),
            date="",
            anonymous=not shown,
        )

    def diverted(self, user: str, host: str, reason: str) -> Carried:
        """The same, forwarded once more by this user of ours (RFC 5806 4: the last one stands first)."""
        params: dict[str, str | None] = {"reason": reason} if reason else {}
        return replace(
            self,
            diversion=(NameAddr("", SipUri(user=user, host=host), params), *self.diversion[: MAX_CARRIED_FIELDS - 1]),
        )

    def fields(self) -> list[tuple[str, str]]:
        """As header fields of an INVITE, but for the Session-ID, which goes with every message."""
        found = [("P-Asserted-Identity", str(each)) for each in self.asserted]
        if self.privacy:
            found.append(("Privacy", ";".join(self.privacy)))
        found += [("Diversion", str(each)) for each in self.diversion]
        if self.history:
            found.append(("History-Info", ", ".join(map(str, self.history))))
        found += [("User-to-User", each) for each in self.user_to_user]
        found += [("Identity", each) for each in self.identity]
        if self.date:
            found.append(("Date", self.date))
        found += [("Alert-Info", each) for each in self.alert_info]
        if self.answer_mode:
            found.append(("Answer-Mode", self.answer_mode))
        if self.priv_answer_mode:
            found.append(("Priv-Answer-Mode", self.priv_answer_mode))
        found += self.others
        return found


NOTHING: Final = Carried()


def read_carried(request: Request, *, agent: str | None, trusted: bool, passed: Iterable[str]) -> Carried:
    """What an INVITE brings along, of this agent or, with None, of a line. `trusted` says whether the line's word
    counts; `passed` names, in canonical spelling, the further fields that the operator lets pass. Raises RemoteSipError
    for a From or To that cannot be read, and for nothing that is merely carried."""
    headers = request.headers
    line = agent is None
    privacy = _privacy(headers)
    identity = _texts(headers, "Identity", MAX_CARRIED_TOKEN) if line else ()
    carried = Carried(
        privacy=privacy,
        diversion=_addresses(headers, "Diversion", MAX_CARRIED_FIELDS) if line else (),
        history=_addresses(headers, "History-Info", MAX_HISTORY) if line else (),
        session=read_session_id(headers.first.get("Session-ID")),
        user_to_user=_texts(headers, "User-to-User", MAX_CARRIED),
        identity=identity,
        date=_text(headers, "Date") if identity else "",
        signed_for=(request.from_.uri.user or "", request.to.uri.user or "") if identity else ("", ""),
        others=tuple((name, text) for name in passed for text in _texts(headers, name, MAX_CARRIED)),
    )
    if trusted:
        return replace(
            carried,
            asserted=_addresses(headers, "P-Asserted-Identity", MAX_ASSERTED),
            alert_info=_texts(headers, "Alert-Info", MAX_CARRIED),
            answer_mode=_mode(headers, "Answer-Mode"),
            priv_answer_mode=_mode(headers, "Priv-Answer-Mode"),
        )
    if agent is not None and carried.hidden:
        return replace(carried, asserted=(NameAddr("", SipUri(user=agent, host=_NOWHERE)),))
    return carried


def _addresses(headers: Headers, name: str, most: int) -> tuple[NameAddr, ...]:
    found: list[NameAddr] = []
    for text in _texts(headers, name, MAX_CARRIED):
        with suppress(RemoteSipError, LocalSipError):
            read = parse_name_addr_list(text)
            for each in read:
                str(each)  # A foreign scheme may hold what cannot be printed.
            found += read
    return tuple(found[:most])


def _texts(headers: Headers, name: str, longest: int) -> tuple[str, ...]:
    if name not in headers.first:
        return ()
    texts = headers.get_all(name)[:MAX_CARRIED_FIELDS]
    return tuple(text for text in texts if text and len(text) <= longest and text.isprintable())


def _text(headers: Headers, name: str) -> str:
    return next(iter(_texts(headers, name, MAX_CARRIED)), "")


def _privacy(headers: Headers) -> tuple[str, ...]:
    # Commas are no part of the grammar, and some write them nevertheless.
    words = ";".join(_texts(headers, "Privacy", MAX_CARRIED)).replace(",", ";").split(";")
    said = dict.fromkeys(word.strip().lower() for word in words)
    return tuple(word for word in said if word in _PRIVACY)


def _mode(headers: Headers, name: str) -> str:
    """Manual or Auto, with `require` where it is there (RFC 5373 4.1); other parameters mean nothing to us."""
    value, _, params = _text(headers, name).partition(";")
    mode = {"auto": "Auto", "manual": "Manual"}.get(value.strip().lower(), "")
    return f"{mode};require" if mode and params.strip().lower() == "require" else mode


def _at(asserted: NameAddr, caller: str, host: str) -> NameAddr:
    """An agent's identity as the line knows it: by the number that we call with."""
    own = asserted.uri.host == _NOWHERE
    return NameAddr(asserted.display, SipUri(user=caller, host=host)) if own else asserted
