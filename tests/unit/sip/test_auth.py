from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from engine.sip.auth import DigestServer, Outcome, Verdict, answer_challenge, best_challenge, ha1, response_digest
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.headers import parse_auth
from engine.sip.limits import MAX_NONCE_COUNTS

REALM = "hearthline"
USERS = {"ann": "secret", "bob": "hunter2"}
URI = "sip:example.com"


def lookup(user: str, realm: str, algorithm: str) -> str | None:
    password = USERS.get(user)
    return None if password is None else ha1(user, realm, password, algorithm)


def server(ttl: float = 60.0) -> DigestServer:
    return DigestServer(REALM, b"0123456789abcdef", ttl)


def answer(
    challenges: list[str], user: str = "ann", password: str = "secret", nc: int = 1, method: str = "REGISTER"
) -> str:
    return answer_challenge(challenges, user=user, password=password, method=method, uri=URI, cnonce="c0ffee", nc=nc)[1]


def verify(digest: DigestServer, credentials: str | list[str] | None, now: float = 100.0, uri: str = URI) -> Verdict:
    return digest.verify(credentials, "REGISTER", uri, b"", lookup, now)


# RFC 7616 3.9.1.
@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_example(algorithm: str, response: str) -> None:
    secret = ha1("Mufasa", "http-auth@example.org", "Circle of Life", algorithm)
    found = response_digest(
        secret,
        algorithm,
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        method="GET",
        uri="/dir/index.html",
        qop="auth",
        nonce_count="00000001",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert found == response


def test_rfc_2617_example() -> None:
    # RFC 2617 3.5.
    found = response_digest(
        ha1("Mufasa", "testrealm@host.com", "Circle Of Life", "MD5"),
        "MD5",
        nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
        method="GET",
        uri="/dir/index.html",
        qop="auth",
        nonce_count="00000001",
        cnonce="0a4f113b",
    )
    assert found == "6629fae49393a05397450978507c4ef1"


def test_rfc_2069_example() -> None:
    # RFC 2069 2.4 with its erratum 749.
    found = response_digest(
        ha1("Mufasa", "testrealm@host.com", "CircleOfLife", "MD5"),
        "MD5",
        nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
        method="GET",
        uri="/dir/index.html",
    )
    assert found == "1949323746fe6a43ef61f9606e7febea"


def test_challenges_name_sha_256_first() -> None:
    first, second = (parse_auth(text).params for text in server().challenges(100.0))
    assert (first["algorithm"], second["algorithm"]) == ("SHA-256", "MD5")
    assert (first["realm"], first["qop"]) == (REALM, "auth")
    assert "stale" not in first
    assert all("stale=true" in text for text in server().challenges(100.0, stale=True))


def test_right_password_by_either_algorithm() -> None:
    digest = server()
    challenges = digest.challenges(100.0)
    for offered in ([challenges[0]], [challenges[1]], challenges):
        credentials = answer(offered, nc=len(offered) + (offered != [challenges[0]]))
        assert verify(digest, credentials) == Verdict(outcome=Outcome.OK, user="ann")


def test_client_prefers_sha_256() -> None:
    challenges = server().challenges(100.0)
    for offered in (challenges, challenges[::-1]):
        assert parse_auth(answer(offered)).params["algorithm"] == "SHA-256"


def test_without_qop_as_rfc_2069_the_nonce_serves_once() -> None:
    digest = server()
    challenge = digest.challenges(100.0)[1].replace(', qop="auth"', "")
    credentials = answer([challenge])
    assert "nc=" not in credentials
    assert verify(digest, credentials).ok
    assert verify(digest, credentials).outcome is Outcome.STALE


def test_md5_is_assumed_where_no_algorithm_is_named() -> None:
    digest = server()
    credentials = answer([digest.challenges(100.0)[1]]).replace(", algorithm=MD5", "")
    assert "algorithm" not in credentials
    assert verify(digest, credentials).ok


def test_absent() -> None:
    digest = server()
    other = answer(DigestServer("elsewhere", b"0123456789abcdef", 60.0).challenges(100.0))
    for credentials in (None, [], "", "Basic YQ==", "Digest", 'Digest realm="x', other):
        assert verify(digest, credentials) == Verdict(outcome=Outcome.ABSENT)


def test_ours_is_found_among_several() -> None:
    digest = server()
    other = answer(DigestServer("elsewhere", b"0123456789abcdef", 60.0).challenges(100.0))
    assert verify(digest, ["garbage", other, answer(digest.challenges(100.0))]).ok


def test_wrong_password_and_unknown_user_are_denied() -> None:
    digest = server()
    for user, password in (("ann", "wrong"), ("nobody", "secret"), ("", "")):
        credentials = answer(digest.challenges(100.0), user=user, password=password)
        assert verify(digest, credentials) == Verdict(outcome=Outcome.DENIED, user=user)


def test_unknown_user_costs_the_same_look_up_and_digest() -> None:
    asked: list[tuple[str, str, str]] = []

    def counting(user: str, realm: str, algorithm: str) -> str | None:
        asked.append((user, realm, algorithm))
        return None

    digest = server()
    # Not even one who knows what an unknown user's HA1 is replaced by gets in.
    stand_in = digest._unknown_ha1["SHA-256"]
    credentials = answer_challenge(
        digest.challenges(100.0),
        user="nobody",
        ha1_lookup=lambda *_: stand_in,
        method="REGISTER",
        uri=URI,
        cnonce="c",
    )[1]
    assert digest.verify(credentials, "REGISTER", URI, b"", counting, 100.0).outcome is Outcome.DENIED
    assert asked == [("nobody", REALM, "SHA-256")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("nc=00000001", "nc=00000002"),
        ('cnonce="c0ffee"', 'cnonce="decaf"'),
        ('username="ann"', 'username="bob"'),
        ("qop=auth", "qop=other"),
        ("algorithm=SHA-256", "algorithm=MD5"),
        ("algorithm=SHA-256", "algorithm=SHA-512-256"),
        (f'uri="{URI}"', 'uri="sip:other.example.com"'),
        ('response="', 'response="0'),
        (', cnonce="c0ffee"', ""),
        (", nc=00000001", ""),
    ],
)
def test_credentials_that_were_tampered_with_are_denied(old: str, new: str) -> None:
    digest = server()
    credentials = answer(digest.challenges(100.0))
    assert old in credentials
    assert verify(digest, credentials.replace(old, new)).outcome is Outcome.DENIED


def test_another_method_is_denied() -> None:
    digest = server()
    assert verify(digest, answer(digest.challenges(100.0), method="INVITE")).outcome is Outcome.DENIED


def test_digest_uri_must_be_the_request_uri() -> None:
    digest = server()
    credentials = answer(digest.challenges(100.0))
    assert verify(digest, credentials, uri="sip:other.example.com").outcome is Outcome.DENIED
    assert verify(digest, credentials, uri="not a uri").outcome is Outcome.DENIED
    assert verify(digest, credentials, uri="sip:EXAMPLE.com;x=y").ok


def test_a_nonce_grows_old() -> None:
    digest = server(ttl=60.0)
    credentials = answer(digest.challenges(100.0))
    assert verify(digest, credentials, now=160.1) == Verdict(outcome=Outcome.STALE, user="ann")
    assert verify(digest, credentials, now=160.0).ok
    # Nobody learns by an old nonce, or one of his own, whether a password is right: RFC 7616 3.3.
    assert verify(digest, answer(digest.challenges(100.0), password="x"), now=161.0).outcome is Outcome.STALE


def test_a_nonce_from_the_future_or_of_another_secret_is_stale() -> None:
    digest = server()
    assert verify(digest, answer(digest.challenges(200.0)), now=100.0).outcome is Outcome.STALE
    other = DigestServer(REALM, b"another secret!!", 60.0)
    assert verify(digest, answer(other.challenges(100.0))).outcome is Outcome.STALE
    for nonce in ("", "x", "0" * 52, "\u0660" * 52):
        forged = answer([f'Digest realm="{REALM}", nonce="{nonce}", qop="auth"'])
        assert verify(digest, forged).outcome is Outcome.STALE


def test_a_count_serves_once_and_may_come_out_of_order() -> None:
    digest = server()
    challenges = digest.challenges(100.0)
    for count in (1, 5, 3, 4, 100, 99, 37, 2**32 - 1):
        assert verify(digest, answer(challenges, nc=count)).ok
        assert verify(digest, answer(challenges, nc=count)).outcome is Outcome.STALE
    # Outside the window below the highest, a count cannot be told from a repeated one.
    assert verify(digest, answer(challenges, nc=200)).outcome is Outcome.STALE


def test_count_zero_and_malformed_counts_are_refused() -> None:
    digest = server()
    challenges = digest.challenges(100.0)
    assert not verify(digest, answer(challenges, nc=0)).ok
    nonce = parse_auth(challenges[0]).params["nonce"]
    for count in ("1", "0000000g", "0x000001", "+0000001", "000000001"):
        response = response_digest(
            ha1("ann", REALM, "secret", "SHA-256"),
            "SHA-256",
            nonce=nonce,
            method="REGISTER",
            uri=URI,
            qop="auth",
            nonce_count=count,
            cnonce="c",
        )
        credentials = (
            f'Digest username="ann", realm="{REALM}", nonce="{nonce}", uri="{URI}", response="{response}", '
            f'algorithm=SHA-256, qop=auth, nc={count}, cnonce="c"'
        )
        assert verify(digest, credentials).outcome is Outcome.DENIED


def test_qop_without_cnonce_is_denied_though_the_digest_is_right() -> None:
    digest = server()
    name, value = answer_challenge(
        digest.challenges(100.0), user="ann", password="secret", method="REGISTER", uri=URI, cnonce=""
    )
    assert name == "Authorization"
    assert verify(digest, value).outcome is Outcome.DENIED


def test_nonces_of_one_instant_differ() -> None:
    digest = server()
    first, second = digest.challenges(100.0), digest.challenges(100.0)
    assert verify(digest, answer(first)).ok
    assert verify(digest, answer(second)).ok


def test_counts_are_bounded_and_what_was_forgotten_is_stale() -> None:
    digest = server(ttl=1e9)
    first = answer(digest.challenges(1.0))
    assert verify(digest, first).ok
    unused = answer(digest.challenges(1.0))
    for n in range(MAX_NONCE_COUNTS):
        assert verify(digest, answer(digest.challenges(2.0 + n)), now=1e6).ok
    assert len(digest._counts) == MAX_NONCE_COUNTS
    assert verify(digest, first, now=1e6).outcome is Outcome.STALE
    assert verify(digest, unused, now=1e6).outcome is Outcome.STALE


def test_counts_of_old_nonces_are_dropped() -> None:
    digest = server(ttl=10.0)
    for now in (100.0, 105.0, 112.0):
        assert verify(digest, answer(digest.challenges(now)), now=now).ok
    assert len(digest._counts) == 2


def test_auth_int_covers_the_body() -> None:
    digest = server()
    challenge = digest.challenges(100.0)[0].replace('qop="auth"', 'qop="auth-int"')
    name, value = answer_challenge(
        [challenge], user="ann", password="secret", method="INVITE", uri=URI, cnonce="c", body=b"v=0", proxy=True
    )
    assert name == "Proxy-Authorization"
    assert digest.verify(value, "INVITE", URI, b"v=1", lookup, 100.0).outcome is Outcome.DENIED
    assert digest.verify(value, "INVITE", URI, b"v=0", lookup, 100.0).ok


def test_client_answers_from_ha1_and_echoes_opaque() -> None:
    digest = server()
    challenge = digest.challenges(100.0)[1] + ', opaque="o\\"p"'
    name, value = answer_challenge(
        [challenge], user="bob", ha1_lookup=lookup, method="REGISTER", uri=URI, cnonce="c", nc=10
    )
    assert name == "Authorization"
    assert parse_auth(value).params["opaque"] == 'o"p'
    assert "nc=0000000a" in value
    assert verify(digest, value).ok


SESSION_WITHOUT_QOP = 'Digest realm="x", nonce="y", algorithm=MD5-sess'


def test_challenges_that_cannot_be_answered() -> None:
    for challenge in (
        "Basic realm=x",
        'Digest realm="x"',
        'Digest realm="x", nonce="y", algorithm=SHA-1',
        SESSION_WITHOUT_QOP,
    ):
        with pytest.raises(RemoteSipError):
            answer([challenge])
    with pytest.raises(LocalSipError):
        answer_challenge(server().challenges(1.0), user="ann", method="INVITE", uri=URI, cnonce="c")
    with pytest.raises(LocalSipError):
        ha1("a", "b", "c", "SHA-1")


@pytest.mark.parametrize("odd", ["Digest", "Digest realm=", 'Digest realm="x"', 'Basic realm="x", nonce="y"'])
def test_a_challenge_that_cannot_be_answered_hides_no_other(odd: str) -> None:
    plain = 'Digest realm="x", nonce="y"'
    assert parse_auth(answer([odd, plain])).params["nonce"] == "y"


def sha512_256(text: str) -> str:
    return hashlib.new("sha512_256", text.encode()).hexdigest()


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


needs_sha512_256 = pytest.mark.skipif(
    "sha512_256" not in hashlib.algorithms_available, reason="the OpenSSL under this Python has no SHA-512/256"
)


@pytest.mark.parametrize(
    ("algorithm", "make", "session"),
    [
        pytest.param("SHA-512-256", sha512_256, False, marks=needs_sha512_256),
        pytest.param("SHA-512-256-sess", sha512_256, True, marks=needs_sha512_256),
        ("SHA-256-sess", sha256, True),
        ("sha-256-SESS", sha256, True),
        ("MD5-sess", md5, True),
    ],
)
def test_what_servers_ask_for_beyond_what_ours_does_is_answered_by_its_formula(
    algorithm: str, make: Callable[[str], str], session: bool
) -> None:
    """RFC 7616 3.4.1 to 3.4.3, written out."""
    _, value = answer_challenge(
        [f'Digest realm="r", nonce="n", qop="auth", algorithm={algorithm}'],
        user="ann",
        password="secret",
        method="INVITE",
        uri=URI,
        cnonce="c",
        nc=2,
    )
    a1 = make("ann:r:secret")
    if session:
        a1 = make(f"{a1}:n:c")
    params = parse_auth(value).params
    assert params["response"] == make(f"{a1}:n:00000002:c:auth:{make(f'INVITE:{URI}')}")
    assert params["algorithm"].upper() == algorithm.upper()
    assert params["algorithm"].endswith("-sess") is session


def test_the_strongest_that_can_be_answered_is() -> None:
    strength = ["SHA-512-256", "SHA-512-256-sess", "SHA-256", "SHA-256-sess", "MD5", "MD5-sess"]
    if "sha512_256" not in hashlib.algorithms_available:
        strength = strength[2:]
    challenges = [f'Digest realm="r", nonce="n", qop="auth", algorithm={each}' for each in reversed(strength)]
    while challenges:
        auth, name = best_challenge(["Digest realm=x, nonce=y, algorithm=SHA-1", *challenges])
        assert name == strength[0].upper()
        assert auth.params["algorithm"] == strength.pop(0)
        challenges.pop()


def test_quotes_in_names_cannot_break_out() -> None:
    digest = DigestServer('r"ealm', b"0123456789abcdef", 60.0)
    value = answer(digest.challenges(100.0), user='ann", x="', password="secret")
    assert parse_auth(value).params["username"] == 'ann", x="'
    assert verify(digest, value) == Verdict(outcome=Outcome.DENIED, user='ann", x="')


def test_what_is_not_offered_is_not_taken() -> None:
    """For phones that give up at the sight of SHA-256; and for operators who want no MD5."""
    only = DigestServer(REALM, b"0123456789abcdef", 60.0, ("MD5",))
    (offered,) = only.challenges(100.0)
    assert "algorithm=MD5" in offered
    assert verify(only, answer([offered])).outcome is Outcome.OK
    assert verify(only, answer(server().challenges(100.0)[:1])).outcome is Outcome.DENIED
