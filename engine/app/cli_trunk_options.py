"""The settings of a trunk as options of the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from engine.errors import InvalidRequest

NameArgument = Annotated[str, typer.Argument(help="The trunk's name.")]
HostOption = Annotated[str | None, typer.Option(help="IP address or name that calls to it go to.")]
PortOption = Annotated[int | None, typer.Option(help="Port that calls to it go to; 0, with a name: as SRV says.")]
TransportOption = Annotated[str | None, typer.Option(help="udp, tcp or tls.")]
TlsNameOption = Annotated[
    str | None,
    typer.Option("--tls-name", help="With tls: host or SIP domain that its certificate must be for; empty: --host."),
]
AddressOption = Annotated[
    list[str] | None,
    typer.Option("--address", help="Further address or network that calls may come from (repeatable)."),
]
MatchPortOption = Annotated[
    bool | None, typer.Option("--match-port/--any-port", help="Take only requests whose source port is --port.")
]
ContextOption = Annotated[str | None, typer.Option("--context", help="Dialplan context that its calls enter.")]

UserOption = Annotated[str | None, typer.Option("--user", help="Account at the provider; empty: none.")]
AuthUserOption = Annotated[
    str | None, typer.Option("--auth-user", help="User name of the digest, where it is another than --user.")
]
SecretFileOption = Annotated[
    Path | None,
    typer.Option("--secret-file", help="File that holds the account's password; - reads it from standard input."),
]
RegisterOption = Annotated[bool | None, typer.Option("--register/--no-register", help="Register --user at the trunk.")]
ExpiresOption = Annotated[int | None, typer.Option("--register-expires", help="Seconds that a registration lives.")]
OutboundOption = Annotated[
    bool | None,
    typer.Option("--outbound/--no-outbound", help="Ask for outbound (RFC 5626) when registering; the default."),
]
FromUserOption = Annotated[
    str | None, typer.Option("--from-user", help="User part of From; empty: the caller's number.")
]
FromDomainOption = Annotated[
    str | None, typer.Option("--from-domain", help="Host part of From; empty: our own address.")
]

_RULES: Final = "strip:N, prefix:TEXT, e164:COUNTRY, replace:REGEX:TEXT (repeatable, in order; empty: none)."
CalledOutOption = Annotated[
    list[str] | None, typer.Option("--called-out", help=f"Change of the number called on it: {_RULES}")
]
CallerOutOption = Annotated[
    list[str] | None, typer.Option("--caller-out", help="The same for the caller shown there; also anonymous.")
]
CalledInOption = Annotated[
    list[str] | None, typer.Option("--called-in", help="The same for the number that its calls are for.")
]
CallerInOption = Annotated[list[str] | None, typer.Option("--caller-in", help="The same for the callers from it.")]
HeaderOption = Annotated[
    list[str] | None,
    typer.Option("--header-out", help="header-add:NAME:VALUE or header-remove:NAME for calls to it (repeatable)."),
]
TrustedOption = Annotated[
    bool | None, typer.Option("--trusted/--untrusted", help="Believe its P-Asserted-Identity, and tell it ours.")
]
RedirectsOption = Annotated[
    bool | None, typer.Option("--redirects/--no-redirects", help="Follow its 3xx: it may send our calls elsewhere.")
]
CodecOption = Annotated[
    list[str] | None,
    typer.Option(
        "--codec", help="Codec of its calls, best first: PCMA, opus, any ... (repeatable; empty: media.codecs)."
    ),
]
SrtpOption = Annotated[str | None, typer.Option("--srtp", help="Encrypt the sound: off, optional or required.")]
DtmfOption = Annotated[str | None, typer.Option("--dtmf", help="How keys come and go: auto, rfc4733, inband or info.")]
RecordOption = Annotated[bool | None, typer.Option("--record/--no-record", help="Record its calls.")]

MaxCallsOption = Annotated[int | None, typer.Option("--max-calls", help="Calls at once, both ways; 0: no bound.")]
MaxInOption = Annotated[int | None, typer.Option("--max-in", help="Calls at once from it.")]
MaxOutOption = Annotated[int | None, typer.Option("--max-out", help="Calls at once to it.")]
CpsInOption = Annotated[float | None, typer.Option("--cps-in", help="Calls a second that it may begin; 0: no bound.")]
CpsOutOption = Annotated[float | None, typer.Option("--cps-out", help="Calls a second that are begun on it.")]
DestinationOption = Annotated[
    list[str] | None,
    typer.Option(
        "--destination", help="Beginning of numbers that may be called: 0049, +44, all; !0900 forbids (repeatable)."
    ),
]
DailySpendOption = Annotated[
    float | None, typer.Option("--daily-spend", help="What calls may cost a day; 0: no bound.")
]

PingOption = Annotated[float | None, typer.Option(help="Seconds between OPTIONS; 0 sends none.")]
DownAfterOption = Annotated[int | None, typer.Option("--down-after", help="Unanswered OPTIONS that make it down.")]
UpAfterOption = Annotated[int | None, typer.Option("--up-after", help="Answered OPTIONS that make it up again.")]
CircuitOption = Annotated[
    int | None, typer.Option("--circuit-after", help="Failed calls in a row after which it rests; 0: never.")
]
PatienceOption = Annotated[
    float | None, typer.Option("--patience", help="Seconds of silence before the next trunk of a group is tried.")
]
SetupOption = Annotated[
    float | None, typer.Option("--setup", help="Seconds from a first sign to ringing before the same; 0: no bound.")
]


def secret_from(file: Path | None) -> str | None:
    """The password in a file, or on standard input for "-": never an argument, which everybody on the machine sees.

    Raises InvalidRequest."""
    if file is None:
        return None
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"--secret-file {file}: cannot be read: {error}") from error
    return text.rstrip("\r\n")
