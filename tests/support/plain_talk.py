"""One call of a telephone by hand: what was answered, how it ended, and what can be asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.plain_message import Field, Heard
from tests.support.procs import wait_until

if TYPE_CHECKING:
    from tests.support.plain_phone import PlainPhone


class Talk:
    """One dialog of a phone."""

    def __init__(self, phone: PlainPhone, *, call_id: str, local: str, remote: str, target: str) -> None:
        self._phone = phone
        self.call_id = call_id
        self.local = local
        """Our From or To value, tag and all."""
        self.remote = remote
        self.target = target
        """Request-URI within the dialog."""
        self.number = 1
        """CSeq of our last request."""
        self.routes: list[str] = []
        """What Record-Route made of the way to the other side, the nearest first."""
        self.responses: list[Heard] = []
        self.bye: Heard | None = None
        """How the other side ended it."""
        self.cancelled: Heard | None = None
        self.acked = False
        """Our 200 was acknowledged."""
        self.invite: Heard | None = None
        """The request that brought it, of calls that came in."""

    @property
    def status(self) -> int:
        """The last response to our INVITE; 0 before any."""
        return self.responses[-1].status if self.responses else 0

    def wait(self, status: int, *, timeout: float = 10.0) -> Heard:
        """Return the response with this status."""

        def came() -> bool:
            return any(each.status == status for each in self.responses)

        wait_until(came, timeout=timeout, what=f"{status}; came {[each.start for each in self.responses]}")
        return next(each for each in self.responses if each.status == status)

    def wait_bye(self, *, timeout: float = 10.0) -> Heard:
        """Return the other side's BYE."""
        wait_until(lambda: self.bye is not None, timeout=timeout, what=f"a BYE to {self._phone.user}")
        assert self.bye is not None
        return self.bye

    def hang_up(self) -> Heard:
        """Say BYE and return what is answered."""
        self._phone.voice.peer = None
        return self._phone.ask("BYE", self.target, self._dialog_fields("BYE"))

    def change(self, direction: str) -> Heard:
        """Re-INVITE with this direction: `sendonly` holds, `sendrecv` resumes."""
        phone = self._phone
        body = phone.describe(direction=direction, version=self.number + 1)
        fields = [
            *self._dialog_fields("INVITE"),
            ("Contact", f"<{phone.contact}>"),
            ("Content-Type", "application/sdp"),
        ]
        heard = phone.ask("INVITE", self.target, fields, body)
        phone.acknowledge(heard, self.target)
        return heard

    def transfer(self, number: str, *, replaces: Talk | None = None) -> Heard:
        """REFER the other side to a number, or to the other side of another call of this phone; the answer."""
        phone = self._phone
        uri = f"sip:{number}@{phone.server[0]}:{phone.server[1]}"
        if replaces is not None:
            # As the server knows the dialog: its own tag is the one in our Remote.
            theirs, ours = (party.rpartition(";tag=")[2] for party in (replaces.remote, replaces.local))
            uri += f"?Replaces={replaces.call_id}%3Bto-tag%3D{theirs}%3Bfrom-tag%3D{ours}"
        fields = [
            *self._dialog_fields("REFER"),
            ("Contact", f"<{phone.contact}>"),
            ("Refer-To", f"<{uri}>"),
            ("Referred-By", f"<{phone.address_of_record}>"),
        ]
        return phone.ask("REFER", self.target, fields)

    def notified(self) -> list[str]:
        """What the NOTIFYs within this call said, in order."""
        heard = [each for each in self._phone.heard if each.method == "NOTIFY" and not each.status]
        return [each.body.decode().strip() for each in heard if each["call-id"] == self.call_id]

    def wait_notified(self, last: str, *, timeout: float = 10.0) -> None:
        """Return once a NOTIFY has said this."""
        wait_until(lambda: last in self.notified(), timeout=timeout, what=f"{last!r}; came {self.notified()}")

    def cancel(self) -> None:
        """Take our INVITE back."""
        self._phone.cancel(self)

    def _dialog_fields(self, method: str) -> list[Field]:
        self.number += 1
        return [
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.number} {method}"),
            *(("Route", route) for route in self.routes),
        ]
