"""What clients send about trunks and their groups; part of `models`, by the same rules."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.api.models import Body


class TrunkSettings(Body):
    host: str = ""
    """IP address or name that calls to this trunk go to; needed for a new one."""
    port: int = 5060
    """0, with a name, leaves the port to SRV records."""
    transport: Literal["udp", "tcp", "tls"] = "udp"
    tls_name: str = ""
    """With tls, the host name or SIP domain that its certificate must be for; empty: `host`."""
    addresses: list[str] = Field(default_factory=list)
    """Further source addresses or networks that calls may come from; `host` always may, where it is an address."""
    match_port: bool = False
    """Take only requests whose source port is `port`."""
    context: str = "from-trunk"
    """Dialplan context that calls from this trunk enter."""
    user: str = ""
    """Account at the provider; empty: none."""
    auth_user: str = ""
    """User name of the digest, where it is another than `user`."""
    secret: str = Field("", repr=False, description="Password of the account; never shown again.")
    registers: bool = False
    """Register `user` at the trunk."""
    register_expires_s: int = 300
    """Life of a registration that is asked for; 30 to 86400."""
    outbound: bool = True
    """Ask for outbound when registering (RFC 5626)."""
    from_user: str = ""
    """User part of From; empty: the caller's number."""
    from_domain: str = ""
    """Host part of From; empty: our own address."""
    called_out: list[str] = Field(default_factory=list)
    """Changes of the called number: "strip:N", "prefix:TEXT", "e164:COUNTRY", "replace:REGEX:TEXT", in this order."""
    caller_out: list[str] = Field(default_factory=list)
    """The same for the caller whom we show; also "anonymous"."""
    called_in: list[str] = Field(default_factory=list)
    """For calls from this trunk, before the dialplan sees the number."""
    caller_in: list[str] = Field(default_factory=list)
    headers_out: list[str] = Field(default_factory=list)
    """"header-add:NAME:VALUE" and "header-remove:NAME", for calls to this trunk."""
    trusted: bool = False
    """Believe its P-Asserted-Identity and Privacy, and tell it ours."""
    redirects: bool = False
    """Follow its 3xx: it may send our calls elsewhere."""
    codecs: list[str] = Field(default_factory=list)
    """Codecs that may be used, best first, by the words of `media.codecs` in the configuration; empty: those."""
    srtp: str = "off"
    """Whether its sound is encrypted: "off", "optional" (where it can do it), or "required"."""
    dtmf: str = "auto"
    """How keys come and go: "auto" (telephone-events, or tones where it has none), "rfc4733" (events only), "inband"
    (tones only), "info" (in the signalling only)."""
    record: bool = False
    """Record its calls."""
    max_calls: int = 0
    """Calls at once in both directions; 0, here and below, means no bound."""
    max_in: int = 0
    max_out: int = 0
    cps_in: float = 0.0
    """Calls a second that it may begin."""
    cps_out: float = 0.0
    """Calls a second that we begin on it."""
    destinations: list[str] = Field(default_factory=list)
    """Numbers that may be called on it, as `destinations` of an agent; empty: all that the callers may."""
    daily_spend: float = 0.0
    """What calls on it may cost a day; 0 means no bound."""
    ping_s: float = 30.0
    """Seconds between OPTIONS, 1 to 3600; 0 sends none and takes the trunk for up."""
    down_after: int = 2
    """Questions in a row without a good answer that make it down; 1 to 20."""
    up_after: int = 2
    """Good answers in a row that make it up again; 1 to 20."""
    circuit_after: int = 5
    """Calls in a row that it failed to set up, after which it gets none for a while; 0: never."""
    patience_s: float = 4.0
    """Silence after an INVITE before the next trunk of the group is tried; 0.5 to 32."""
    setup_s: float = 15.0
    """From a first sign to ringing, before the same; 0 to 600, 0: as long as the call may ring."""


class NewTrunk(TrunkSettings):
    name: str
    """[a-z0-9._-]{1,64}."""


class GroupSettings(Body):
    members: list[str] = Field(default_factory=list)
    """"TRUNK", "TRUNK:PRIORITY" or "TRUNK:PRIORITY:WEIGHT"; lower priorities are tried first, weights share the calls
    among those of one priority."""


class NewGroup(GroupSettings):
    name: str
    """[a-z0-9._-]{1,64}."""
