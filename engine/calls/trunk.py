"""A line to another PBX or a provider, and a group of lines that stand for one another: what an operator sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from engine.ids import GroupName, TrunkName

TRANSPORTS: Final = ("udp", "tcp", "tls")
SRTP: Final = ("off", "optional", "required")
"""Whether media is encrypted: never, where the other side can do it, or else there is no call."""

DTMF: Final = ("auto", "rfc4733", "inband", "info")
"""How keys come and go: as telephone-events and, where the other side has none, as tones (auto) or not in the sound at
all; always as tones; or in the signalling only. Keys in the signalling (INFO) are taken always."""


def is_address(host: str) -> bool:
    """Whether this is an IP address, which needs no look-up, or a network of them; a name is neither."""
    try:
        ip_address(host.partition("/")[0])
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    name: TrunkName
    host: str
    """IP address or name that calls to this trunk go to; a name is looked up as RFC 3263 says."""
    port: int = 5060
    """With a name: 0 leaves the port to SRV records."""
    transport: str = "udp"
    """One of `TRANSPORTS`."""
    tls_name: str = ""
    """With `tls`, the host name or SIP domain that its certificate must be for (RFC 5922); empty: `host`."""
    addresses: tuple[str, ...] = ()
    """Further source addresses or networks ("192.0.2.0/24") that calls may come from; `host` always may, where it is
    an address."""
    match_port: bool = False
    """Take only requests whose source port is `port`: several trunks on one address (demo, tests)."""
    context: str = "from-trunk"
    """Dialplan context that calls from this trunk enter."""

    # --- who we are to it ---
    user: str = ""
    """Account at the provider: the user part that is registered. Empty: none."""
    auth_user: str = ""
    """User name of the digest, where it is another than `user`."""
    secret: str = field(default="", repr=False)
    """Password of the account. It is never in an answer, a log line or a record."""
    registers: bool = False
    """Register `user` at the trunk, so that it knows where to send calls."""
    register_expires_s: int = 300
    """What is asked for as the life of a registration."""
    outbound: bool = True
    """Ask for outbound when registering (RFC 5626): the registrar knows us again after a restart, and where it can do
    that too it sends calls by the connection that we keep alive. Registrars that cannot pass it over."""
    from_user: str = ""
    """User part of From in our requests, for providers that know callers by account; empty: the caller's number."""
    from_domain: str = ""
    """Host part of From in our requests; empty: our own address."""

    # --- numbers and headers ---
    called_out: tuple[str, ...] = ()
    """`number_rules` for the number that is called on this trunk."""
    caller_out: tuple[str, ...] = ()
    """The same for the caller whom we show there."""
    called_in: tuple[str, ...] = ()
    """For the number that a call from this trunk is for, before the dialplan sees it."""
    caller_in: tuple[str, ...] = ()
    headers_out: tuple[str, ...] = ()
    """`header_rules` for calls to this trunk."""
    trusted: bool = False
    """Believe what it says of identities (P-Asserted-Identity, Privacy: RFC 3325), and tell it ours."""
    redirects: bool = False
    """Its 3xx are followed: it may send calls of ours elsewhere. REFER within a call is everybody's."""

    # --- media ---
    codecs: tuple[str, ...] = ()
    """Words of `codec_words`, best first; empty: the engine's own list."""
    srtp: str = "off"
    """One of `SRTP`."""
    dtmf: str = "auto"
    """One of `DTMF`."""
    record: bool = False
    """Record its calls."""

    # --- how much ---
    max_calls: int = 0
    """Calls at once, in and out together; 0, here and below, means no bound."""
    max_in: int = 0
    max_out: int = 0
    cps_in: float = 0.0
    """Calls a second that it may begin; more are refused with 503 and Retry-After."""
    cps_out: float = 0.0
    """Calls a second that we begin; what is more goes to the next trunk of the group."""
    destinations: tuple[str, ...] = ()
    """Numbers that may be called on it; see `Agent.destinations`. Empty: all that the callers may."""
    daily_spend: float = 0.0
    """What calls on it may cost a day."""

    # --- whether it works ---
    ping_s: float = 30.0
    """Seconds between OPTIONS; 0 sends none and takes the trunk for up."""
    down_after: int = 2
    """So many questions in a row without a good answer make it down ..."""
    up_after: int = 2
    """... and so many good answers up again."""
    circuit_after: int = 5
    """So many calls in a row that it failed to set up, and it gets none for a while; 0 switches that off."""
    patience_s: float = 4.0
    """How long it may be silent after an INVITE before the next trunk of the group is tried."""
    setup_s: float = 15.0
    """How long it may take from a first sign to ringing before the same; 0 means as long as the call may ring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMember:
    """One trunk in a group."""

    trunk: TrunkName
    priority: int = 1
    """Members with a lower priority are tried first."""
    weight: int = 1
    """Its share of the calls among those of its priority; 0 is tried only when those with a weight fail."""

    @classmethod
    def of(cls, text: str) -> GroupMember:
        """Read "TRUNK", "TRUNK:PRIORITY" or "TRUNK:PRIORITY:WEIGHT". Raises ValueError."""
        name, *numbers = text.split(":")
        if not name or len(numbers) > 2 or not all(number.isascii() and number.isdigit() for number in numbers):
            raise ValueError(f"{text!r} is no member; write TRUNK, TRUNK:PRIORITY or TRUNK:PRIORITY:WEIGHT")
        priority, weight = (*map(int, numbers), *(1, 1)[len(numbers) :])
        return cls(trunk=TrunkName(name), priority=priority, weight=weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkGroup:
    """Trunks that stand for one another: calls to the group go to those that work, by priority and weight."""

    name: GroupName
    members: tuple[str, ...] = ()
    """As `GroupMember.of` reads them."""

    def parsed(self) -> tuple[GroupMember, ...]:
        """The members. The store lets in only what can be read."""
        return tuple(GroupMember.of(text) for text in self.members)
