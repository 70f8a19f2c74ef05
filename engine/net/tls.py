"""TLS as both ends speak it here: which versions, ciphers and certificates, and how new files take the place of old.

A connection keeps the context that it began with, so that a reload touches none; whoever comes afterwards gets the new.
New files are read whole and tried before they count: a half-written or wrong one leaves everything as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from OpenSSL import SSL
from twisted.internet.interfaces import IAddress, IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from engine.errors import ConfigError
from engine.net.reactor import Reactor
from engine.net.tls_files import ClientCertificates, TlsFiles
from engine.net.tls_identity import identities
from engine.net.tls_pair import Pair, load_pair

_CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL"
"""Of TLS 1.2: forward secret, authenticated (RFC 9325 4.2). RFC 3261's own, TLS_RSA_WITH_AES_128_CBC_SHA, is neither.
TLS 1.3 has no others."""
_SESSION_ID: Final = b"hearthline-sip"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contexts:
    """Everything made of one reading of the files."""

    pairs: tuple[Pair, ...]
    default: SSL.Context
    client: SSL.Context


class TlsContexts:
    """The certificates in use."""

    def __init__(self, files: TlsFiles) -> None:
        """Read the files. Raises ConfigError that names the one that cannot be used."""
        self._files = files
        self._seen = files.signature()
        self._now = _load(files)

    def changed(self) -> bool:
        """Whether a file is not the one that was read last, good or bad."""
        return self._files.signature() != self._seen

    def reload(self) -> None:
        """Take the files as they are now, for connections to come. Raises ConfigError where one cannot be used; the
        old ones stay then."""
        self._seen = self._files.signature()
        self._now = _load(self._files)

    def ends(self) -> dict[Path, float]:
        """When each of our certificates in use stops being good, in seconds since the epoch."""
        return {pair.file: pair.ends for pair in self._now.pairs}

    def server(self) -> SSL.Connection:
        """The state of one connection that came to us."""
        return SSL.Connection(self._now.default, None)

    def client(self, name: str) -> SSL.Connection:
        """The state of one connection that we open; `name` is asked for by SNI, empty for an IP address."""
        connection = SSL.Connection(self._now.client, None)
        if name:
            connection.set_tlsext_host_name(name.encode("ascii", "replace"))
        return connection


@implementer(IOpenSSLServerConnectionCreator)
class ServerCreator:
    """What Twisted asks for a connection that came."""

    def __init__(self, contexts: TlsContexts) -> None:
        self._contexts = contexts

    def serverConnectionForTLS(self, _protocol: object) -> SSL.Connection:
        return self._contexts.server()


@implementer(IOpenSSLClientConnectionCreator)
class ClientCreator:
    """What Twisted asks for one connection of ours."""

    def __init__(self, contexts: TlsContexts, name: str) -> None:
        self._contexts = contexts
        self._name = name

    def clientConnectionForTLS(self, _protocol: object) -> SSL.Connection:
        return self._contexts.client(self._name)


class _Accepting(TLSMemoryBIOFactory):
    """Twisted's, which would make a connection also of one that is turned away, and fail in it."""

    def buildProtocol(self, addr: IAddress | None) -> TLSMemoryBIOProtocol | None:  # type: ignore[override]
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else self.protocol(self, wrapped)


def accepting_tls(contexts: TlsContexts, factory: Factory, reactor: Reactor) -> Factory:
    """The factory, for connections that come by TLS."""
    creator = cast(Any, ServerCreator(contexts))
    return cast(Factory, _Accepting(creator, False, cast(Any, factory), cast(Any, reactor)))


def connecting_tls(contexts: TlsContexts, name: str, factory: Factory, reactor: Reactor) -> Factory:
    """The factory, for one connection of ours by TLS to who is to have the name."""
    creator = cast(Any, ClientCreator(contexts, name))
    return cast(Factory, TLSMemoryBIOFactory(creator, True, cast(Any, factory), cast(Any, reactor)))


def _load(files: TlsFiles) -> _Contexts:
    pairs = tuple(load_pair(*pair) for pair in files.certificates)
    by_name: dict[str, SSL.Context] = {}
    servers = [_server(pair, files) for pair in pairs]
    for pair, context in zip(pairs, servers, strict=True):
        for name in identities(pair.own).names:
            by_name.setdefault(name, context)
    servers[0].set_tlsext_servername_callback(partial(_choose, by_name))
    return _Contexts(pairs=pairs, default=servers[0], client=_client(pairs[0], files))


def _choose(by_name: dict[str, SSL.Context], connection: SSL.Connection) -> None:
    """SNI (RFC 6066 3): the certificate for the name that the peer asks for; for an unknown one the default stays."""
    asked = connection.get_servername()
    if asked is not None and (chosen := by_name.get(asked.decode("ascii", "replace").lower())) is not None:
        connection.set_context(chosen)


def _server(pair: Pair, files: TlsFiles) -> SSL.Context:
    context = _context(pair)
    context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
    if files.client_certificates is ClientCertificates.NONE or files.client_ca is None:
        return context
    _trust(context, files.client_ca)
    context.load_client_ca(str(files.client_ca).encode())
    required = files.client_certificates is ClientCertificates.REQUIRED
    context.set_verify(SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if required else 0))
    return context


def _client(pair: Pair, files: TlsFiles) -> SSL.Context:
    """We show our certificate to peers that ask for one, so that they may use the connection for requests to us
    (RFC 5923)."""
    context = _context(pair)
    if files.trust is None:
        context.set_default_verify_paths()
    else:
        _trust(context, files.trust)
    context.set_verify(SSL.VERIFY_PEER)
    return context


def _context(pair: Pair) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(_CIPHERS)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    # Without one of its own, OpenSSL refuses to resume sessions of peers who showed a certificate.
    context.set_session_id(_SESSION_ID)
    try:
        context.use_certificate(pair.own)
        for each in pair.chain[1:]:
            context.add_extra_chain_cert(each)
        context.use_privatekey(pair.key)  # type: ignore[arg-type]
    except (SSL.Error, TypeError, ValueError) as error:
        raise ConfigError(f"{pair.file}: cannot be used for TLS: {reason_of(error)}") from error
    return context


def _trust(context: SSL.Context, file: Path) -> None:
    try:
        context.load_verify_locations(str(file).encode())
    except SSL.Error as error:
        raise ConfigError(f"{file}: holds no certificates in PEM form: {reason_of(error)}") from error


def reason_of(error: BaseException | None) -> str:
    """What OpenSSL, or the network, says went wrong."""
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        return "; ".join(str(each[-1]) for each in error.args[0]) or "the peer closed"
    return "" if error is None else str(error)
