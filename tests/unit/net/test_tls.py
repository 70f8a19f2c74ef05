"""TLS between two ends in memory: versions, names, mutual certificates, files that change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from OpenSSL import SSL

from engine.errors import ConfigError
from engine.net.tls import TlsContexts, reason_of
from engine.net.tls_files import ClientCertificates, TlsFiles
from tests.support.certificates import Authority, Issued


def pump(one: SSL.Connection, other: SSL.Connection) -> None:
    """Carry bytes until both are done. Raises SSL.Error where one end refuses."""
    one.set_connect_state()
    other.set_accept_state()
    done: set[int] = set()
    for _ in range(20):
        for end, peer in ((one, other), (other, one)):
            try:
                end.do_handshake()
                done.add(id(end))
            except SSL.WantReadError:
                pass
            finally:
                _carry(end, peer)
        if len(done) == 2:
            _read_alerts(one)
            return
    raise AssertionError("no end")


def _carry(end: SSL.Connection, peer: SSL.Connection) -> None:
    try:
        peer.bio_write(end.bio_read(65536))
    except SSL.WantReadError:
        return


def _read_alerts(end: SSL.Connection) -> None:
    try:
        end.recv(1)
    except SSL.WantReadError:
        return


def common_names(connection: SSL.Connection) -> str:
    found: Any = connection.get_peer_certificate(as_cryptography=True)
    return "" if found is None else found.subject.rfc4514_string()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def files(authority: Authority, *issued: Issued, **options: Any) -> TlsFiles:
    pairs = tuple((each.certificate, each.key) for each in issued)
    return TlsFiles(certificates=pairs, trust=authority.file, **options)


def names_shown(server: TlsContexts, asked: str) -> frozenset[str]:
    from engine.net.tls_identity import identities  # noqa: PLC0415

    client = server.client(asked)
    pump(client, server.server())
    found: Any = client.get_peer_certificate(as_cryptography=True)
    return identities(found).names


def test_both_ends_agree_on_tls_1_3_and_a_safe_cipher(authority: Authority) -> None:
    contexts = TlsContexts(files(authority, authority.issue("a", dns=["a.example"])))
    client, server = contexts.client("a.example"), contexts.server()
    pump(client, server)
    assert client.get_protocol_version_name() == "TLSv1.3"


@pytest.mark.parametrize(("newest", "spoken"), [(SSL.TLS1_2_VERSION, "TLSv1.2"), (SSL.TLS1_1_VERSION, None)])
def test_the_oldest_version_is_1_2(authority: Authority, newest: int, spoken: str | None) -> None:
    contexts = TlsContexts(files(authority, authority.issue("a", dns=["a.example"])))
    old = SSL.Context(SSL.TLS_METHOD)
    old.set_max_proto_version(newest)
    old.set_cipher_list(b"ALL:@SECLEVEL=0")
    client, server = SSL.Connection(old, None), contexts.server()
    if spoken is None:
        with pytest.raises(SSL.Error):
            pump(client, server)
    else:
        pump(client, server)
        assert client.get_protocol_version_name() == spoken


@pytest.mark.parametrize("cipher", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "aNULL"])
def test_weak_ciphers_are_not_spoken(authority: Authority, cipher: str) -> None:
    contexts = TlsContexts(files(authority, authority.issue("a", dns=["a.example"])))
    weak = SSL.Context(SSL.TLS_METHOD)
    weak.set_max_proto_version(SSL.TLS1_2_VERSION)
    weak.set_cipher_list(f"{cipher}:@SECLEVEL=0".encode())
    with pytest.raises(SSL.Error):
        pump(SSL.Connection(weak, None), contexts.server())


def test_the_certificate_is_that_of_the_name_that_is_asked_for(authority: Authority) -> None:
    one = authority.issue("one", dns=["one.example"])
    two = authority.issue("two", dns=["two.example"], uris=["sip:domain.example"])
    contexts = TlsContexts(files(authority, one, two))
    assert names_shown(contexts, "one.example") == {"one.example"}
    assert names_shown(contexts, "TWO.example") == {"two.example", "domain.example"}
    assert names_shown(contexts, "domain.example") == {"two.example", "domain.example"}
    assert names_shown(contexts, "other.example") == {"one.example"}
    assert names_shown(contexts, "") == {"one.example"}


def test_a_certificate_of_an_unknown_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    server = TlsContexts(files(authority, authority.issue("a", dns=["a.example"])))
    stranger = Authority(tmp_path / "other", "Other CA")
    client = TlsContexts(files(stranger, stranger.issue("b", dns=["b.example"])))
    with pytest.raises(SSL.Error) as caught:
        pump(client.client("a.example"), server.server())
    assert "certificate verify failed" in reason_of(caught.value)


@pytest.mark.parametrize(
    ("mode", "shown", "good"),
    [
        (ClientCertificates.NONE, "none", True),
        (ClientCertificates.NONE, "strange", True),
        (ClientCertificates.OPTIONAL, "none", True),
        (ClientCertificates.OPTIONAL, "ours", True),
        (ClientCertificates.OPTIONAL, "strange", False),
        (ClientCertificates.REQUIRED, "none", False),
        (ClientCertificates.REQUIRED, "ours", True),
        (ClientCertificates.REQUIRED, "strange", False),
    ],
)
def test_clients_show_certificates_as_it_is_configured(
    authority: Authority, tmp_path: Path, mode: ClientCertificates, shown: str, good: bool
) -> None:
    own = authority.issue("a", dns=["a.example"])
    server = TlsContexts(files(authority, own, client_certificates=mode, client_ca=authority.file)).server()
    stranger = Authority(tmp_path / "other", "Other CA").issue("b", dns=["b.example"])
    if shown == "none":
        client = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    else:
        client = TlsContexts(files(authority, own if shown == "ours" else stranger)).client("a.example")
    if not good:
        with pytest.raises(SSL.Error):
            pump(client, server)
        return
    pump(client, server)
    assert (common_names(server) != "") == (shown == "ours" and mode is not ClientCertificates.NONE)


def test_new_files_count_for_connections_to_come_and_old_ones_go_on(authority: Authority) -> None:
    given = files(authority, authority.issue("a", dns=["old.example"]))
    contexts = TlsContexts(given)
    client, server = contexts.client("old.example"), contexts.server()
    pump(client, server)
    assert not contexts.changed()
    authority.issue("a", dns=["new.example"])
    assert contexts.changed()
    contexts.reload()
    assert not contexts.changed()
    assert names_shown(contexts, "") == {"new.example"}
    client.send(b"still here")
    _carry(client, server)
    assert server.recv(100) == b"still here"


@pytest.mark.parametrize("what", ["key of another", "garbage", "gone"])
def test_a_bad_new_file_leaves_the_old_and_is_tried_once(authority: Authority, what: str) -> None:
    issued = authority.issue("a", dns=["old.example"])
    contexts = TlsContexts(files(authority, issued))
    ends = contexts.ends()
    if what == "key of another":
        issued.key.write_bytes(authority.issue("b").key.read_bytes())
    elif what == "garbage":
        issued.certificate.write_text("no certificate")
    else:
        issued.certificate.unlink()
    assert contexts.changed()
    with pytest.raises(ConfigError) as caught:
        contexts.reload()
    assert str(issued.key if what == "key of another" else issued.certificate) in str(caught.value)
    assert not contexts.changed()
    assert names_shown(contexts, "") == {"old.example"}
    assert contexts.ends() == ends


def test_a_key_with_a_pass_phrase_and_a_bad_authority_are_told(authority: Authority, tmp_path: Path) -> None:
    issued = authority.issue("a")
    key = load_pem_private_key(issued.key.read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (tmp_path / "locked.key").write_bytes(locked)
    with pytest.raises(ConfigError, match="pass phrase"):
        TlsContexts(files(authority, Issued(issued.certificate, tmp_path / "locked.key")))
    (tmp_path / "empty.pem").write_text("")
    for wrong in ({"trust": tmp_path / "empty.pem"}, {"trust": tmp_path / "none.pem"}):
        with pytest.raises(ConfigError, match=str(wrong["trust"])):
            TlsContexts(TlsFiles(certificates=((issued.certificate, issued.key),), **wrong))
