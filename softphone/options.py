"""The command line, checked as far as that can be done before anything is opened."""

from __future__ import annotations

import argparse
import os
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from softphone.sip.settings import Codec, Server, SipSettings, Srtp, Transport

PASSWORD_VARIABLE: Final = "HEARTHLINE_SIP_PASSWORD"
DEFAULT_EXPIRES_S: Final = 60
"""A phone whose network has died is unreachable to the server for at most this long before the server knows."""
_SERVER: Final = re.compile(
    r"(?:(?P<scheme>sips?):)?(?P<host>[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?(?:;transport=(?P<transport>udp|tcp|tls))?"
)
_NAME: Final = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,;?/%]+")
"""RFC 3261, section 25.1: user."""


class ServerGiven(NamedTuple):
    """What --server says."""

    host: str
    port: int | None
    transport: Transport | None
    secure: bool
    """sips: no other transport than TLS will do."""


class AudioKind(StrEnum):
    """Where the voice comes from; only `device` is also heard."""

    DEVICE = "device"
    FILE = "file"
    TONE = "tone"
    NULL = "null"


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioOptions:
    """What is said, and whether what is heard is kept."""

    kind: AudioKind
    rate: int
    tone_hz: float
    tone_dbfs: float
    file: Path | None
    record_received: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything that the command line decides."""

    sip: SipSettings
    audio: AudioOptions
    auto_answer_s: float | None
    report_s: float


def parse_options(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Options:
    """Read the command line; ends the process with status 2 and one line on standard error if it makes no sense."""
    parser = _parser()
    found = parser.parse_args(arguments)
    if not found.headless:
        parser.error("there is no window yet: add --headless")
    audio = _audio(parser, found)
    sip = _sip(parser, found, environment)
    return Options(sip=sip, audio=audio, auto_answer_s=found.auto_answer, report_s=found.report_interval)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hearthline-softphone",
        description="The agent's phone without a window: commands on standard input, events on standard output.",
        epilog="On a terminal: answer, reject, hangup, mute, unmute, hold, resume, dial ADDRESS, dtmf DIGITS, "
        'register, unregister, status, quit. Otherwise JSON, one object a line: {"cmd":"answer"}.',
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--headless", action="store_true", help="required: the window is not built yet")
    sip = parser.add_argument_group("account")
    sip.add_argument("--server", type=_server, metavar="sip:HOST[:PORT]", help="where the engine listens; sips: by TLS")
    sip.add_argument("--user", type=_user, help="name of the agent's phone at the server")
    sip.add_argument("--password-file", type=Path, metavar="FILE", help=f"its first line; or set {PASSWORD_VARIABLE}")
    sip.add_argument("--domain", type=_user, help="right side of the phone's address (the server's host)")
    sip.add_argument("--no-register", action="store_true", help="do not register: call and be called directly")
    sip.add_argument(
        "--expires",
        type=_whole(10, 86400),
        default=DEFAULT_EXPIRES_S,
        metavar="SECONDS",
        help="registration (%(default)s)",
    )
    wire = parser.add_argument_group("network")
    wire.add_argument("--transport", choices=[*Transport], default=None, help="of SIP (udp)")
    wire.add_argument(
        "--tls-ca", type=Path, metavar="FILE", help="certificates (PEM) that may vouch for the server (the system's)"
    )
    wire.add_argument("--srtp", choices=[*Srtp], default=Srtp.OFF, help="encrypt sound (%(default)s)")
    wire.add_argument(
        "--codec", action="append", choices=[*Codec], help="best first, repeatable; no other is used (PCMU, PCMA)"
    )
    wire.add_argument("--bind", default=None, metavar="ADDRESS", help="local IPv4 address of SIP and RTP (all)")
    wire.add_argument("--local-port", type=_whole(0, 65535), default=0, metavar="PORT", help="of SIP (any)")
    wire.add_argument(
        "--rtp-port",
        type=_whole(1024, 64000),
        default=4000,
        metavar="PORT",
        help="first of the RTP ports (%(default)s)",
    )
    calls = parser.add_argument_group("calls")
    calls.add_argument(
        "--auto-answer",
        type=_seconds,
        nargs="?",
        const=0.0,
        default=None,
        metavar="SECONDS",
        help="answer by itself, at once or after SECONDS",
    )
    calls.add_argument(
        "--report-interval", type=_interval, default=1.0, metavar="SECONDS", help="between level lines (%(default)s)"
    )
    calls.add_argument("--log-level", type=_whole(0, 6), default=0, metavar="N", help="of the SIP stack, to stderr (0)")
    _audio_arguments(parser.add_argument_group("audio"))
    return parser


def _audio_arguments(audio: argparse._ArgumentGroup) -> None:
    add = audio.add_argument
    add("--audio", choices=[*AudioKind], default="device", help="what is said (%(default)s)")
    add("--tone-hz", type=float, default=440.0, metavar="HZ", help="of --audio tone (%(default)s)")
    add("--tone-dbfs", type=float, default=-20.0, metavar="DB", help="0 is a full-scale sine (%(default)s)")
    add("--file", type=Path, metavar="WAV", help="of --audio file: 16-bit PCM, played in a loop")
    add("--record-received", type=Path, metavar="WAV", help="keep what is heard during calls")
    add("--rate", type=int, choices=[16000, 48000], default=16000, help="samples a second (%(default)s)")


def _audio(parser: argparse.ArgumentParser, found: argparse.Namespace) -> AudioOptions:
    kind = AudioKind(found.audio)
    if (kind is AudioKind.FILE) != (found.file is not None):
        parser.error("--audio file and --file WAV go together")
    if not 0 < found.tone_hz < found.rate / 2:
        parser.error(f"--tone-hz {found.tone_hz:g}: allowed is above 0 and below {found.rate // 2}")
    if not -90 <= found.tone_dbfs <= 0:
        parser.error(f"--tone-dbfs {found.tone_dbfs:g}: allowed is -90 to 0")
    return AudioOptions(
        kind=kind,
        rate=found.rate,
        tone_hz=found.tone_hz,
        tone_dbfs=found.tone_dbfs,
        file=found.file,
        record_received=found.record_received,
    )


def _sip(parser: argparse.ArgumentParser, found: argparse.Namespace, environment: Mapping[str, str]) -> SipSettings:
    given: ServerGiven | None = found.server
    transport = _transport(parser, given, found.transport)
    server = None if given is None else Server(host=given.host, port=given.port or transport.default_port)
    register = not found.no_register
    if register and (server is None or found.user is None):
        parser.error("--server and --user are needed to register; without a server add --no-register")
    bind = found.bind
    if bind is None:
        # A phone of this machine's own server has no business on the network.
        local = server is not None and (server.host == "localhost" or server.host.startswith("127."))
        bind = "127.0.0.1" if local else ""
    return SipSettings(
        user=found.user or "softphone",
        domain=found.domain or (server.host if server else bind or "localhost"),
        server=server,
        register=register,
        password=_password(parser, found.password_file, environment) if register else None,
        transport=transport,
        trust=_trust(parser, transport, found.tls_ca),
        srtp=Srtp(found.srtp),
        codecs=tuple(dict.fromkeys(map(Codec, found.codec or (Codec.PCMU, Codec.PCMA)))),
        bind=bind,
        local_port=found.local_port,
        rtp_port=found.rtp_port,
        expires=found.expires,
        rate=found.rate,
        log_level=found.log_level,
    )


def _transport(parser: argparse.ArgumentParser, server: ServerGiven | None, asked: str | None) -> Transport:
    """What --transport says, else what --server says, else UDP."""
    if asked:
        transport = Transport(asked)
    elif server is not None:
        transport = server.transport or (Transport.TLS if server.secure else Transport.UDP)
    else:
        transport = Transport.UDP
    if server is not None and server.secure and transport is not Transport.TLS:
        parser.error(f"sips:{server.host} is reached by TLS only, not by {transport}")
    return transport


def _trust(parser: argparse.ArgumentParser, transport: Transport, file: Path | None) -> str:
    """The file of those who may vouch for the server; empty where nobody has to."""
    if transport is not Transport.TLS:
        if file is not None:
            parser.error(f"--tls-ca {file}: the server is reached by {transport}; add --transport tls")
        return ""
    trusted = file or Path(ssl.get_default_verify_paths().cafile or "")
    try:
        ssl.create_default_context(cafile=str(trusted))
    except ssl.SSLError:
        parser.error(f"--tls-ca {trusted}: holds no certificate in PEM form")
    except OSError as error:
        parser.error(
            f"--tls-ca {trusted}: {error.strerror}"
            if file
            else "this system names no certificates to trust: give --tls-ca FILE"
        )
    return str(trusted)


def _password(parser: argparse.ArgumentParser, file: Path | None, environment: Mapping[str, str]) -> str:
    if file is None:
        password = environment.get(PASSWORD_VARIABLE, "")
        if not password:
            parser.error(f"the password is missing: give --password-file FILE or set {PASSWORD_VARIABLE}")
        return password
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"--password-file {file}: {getattr(error, 'strerror', None) or 'is not UTF-8 text'}")
    if not lines or not lines[0]:
        parser.error(f"--password-file {file}: the first line is empty")
    return lines[0]


def _server(text: str) -> ServerGiven:
    match = _SERVER.fullmatch(text)
    port = int(match["port"]) if match and match["port"] else None
    if match is None or (port is not None and not 0 < port < 65536):
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected sip:HOST[:PORT] with a name or an IPv4 address (the SIP stack has no IPv6)"
        )
    transport = Transport(match["transport"]) if match["transport"] else None
    return ServerGiven(host=match["host"], port=port, transport=transport, secure=match["scheme"] == "sips")


def _user(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r}: not allowed in a SIP address")
    return text


def _seconds(text: str) -> float:
    return _number(text, 0.0, 3600.0)


def _interval(text: str) -> float:
    return _number(text, 0.1, 3600.0)


def _number(text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from {low:g} to {high:g}")
    return value


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from {low} to {high}")
        return int(text)

    return parse
