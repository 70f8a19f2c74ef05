"""What the phone asks of a SIP stack, so that it can be driven by a fake in tests."""

from __future__ import annotations

from typing import Protocol

from softphone.sip.events import BackendEvent, CallNumber, Quality


class Backend(Protocol):
    """A SIP stack owned by one thread. All methods are called on it; none waits for the network.

    Every method may raise `softphone.errors.BackendError`: the call is gone, an address is malformed. What happens
    later comes out of `poll` as events.
    """

    @property
    def address(self) -> str:
        """Where this phone listens for SIP, as host:port."""
        ...

    def poll(self, timeout_s: float) -> list[BackendEvent]:
        """Let the stack work for about `timeout_s` and return what happened, oldest first."""
        ...

    def register(self) -> None:
        """Send REGISTER now and keep it refreshed; the outcome is an event."""
        ...

    def unregister(self) -> None:
        """Withdraw the registration; the outcome is `Unregistered` or `RegistrationFailed`."""
        ...

    def dial(self, uri: str) -> CallNumber:
        """Call a SIP address."""
        ...

    def ring(self, call: CallNumber) -> None:
        """Tell the caller that it rings here (180)."""
        ...

    def answer(self, call: CallNumber) -> None:
        """Accept the call (200)."""
        ...

    def hangup(self, call: CallNumber, code: int) -> None:
        """End the call: BYE, CANCEL, or the final answer `code` to a call not yet answered."""
        ...

    def hold(self, call: CallNumber) -> None:
        """Offer sendonly, with silence to hear."""
        ...

    def resume(self, call: CallNumber) -> None:
        """Offer sendrecv again."""
        ...

    def send_digits(self, call: CallNumber, digits: str) -> None:
        """Press keys (RFC 4733)."""
        ...

    def quality(self, call: CallNumber) -> Quality | None:
        """Return the stream's statistics, or None with no stream."""
        ...

    def close(self) -> None:
        """Drop every call, port and account and end the stack; the backend cannot be used afterwards."""
        ...
