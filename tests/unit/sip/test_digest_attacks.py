"""Digest against whoever has heard somebody else's credentials, or tries passwords."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter

import pytest

from engine.sip.auth import DigestServer, Outcome, answer_challenge, ha1

REALM = "hearthline"
SECRET = b"0123456789abcdef"


def lookup(user: str, realm: str, algorithm: str) -> str | None:
    return ha1(user, realm, "secret", algorithm) if user == "ann" else None


def server(secret: bytes = SECRET) -> DigestServer:
    return DigestServer(REALM, secret, 60.0)


def credentials(
    challenges: list[str], uri: str, *, nc: int = 1, password: str = "secret", user: str = "ann", body: bytes = b""
) -> str:
    return answer_challenge(
        challenges, user=user, password=password, method="INVITE", uri=uri, cnonce="c", nc=nc, body=body
    )[1]


def outcome(digest: DigestServer, text: str | list[str], uri: str, now: float = 100.0, body: bytes = b"") -> Outcome:
    return digest.verify(text, "INVITE", uri, body, lookup, now).outcome


# --- the uri parameter (RFC 7616 3.4.6, RFC 3261 19.1.4) ---


@pytest.mark.parametrize(
    ("signed", "sent"),
    [
        ("sip:100@example.com", "sip:100@EXAMPLE.com"),
        ("sip:100@example.com", "SIP:100@example.com"),
        ("sip:%61nn@example.com", "sip:ann@example.com"),
        ("sip:100@example.com;lr", "sip:100@example.com"),
        ("sip:100@example.com;a=1;b=2", "sip:100@example.com;b=2;a=1"),
        ("sip:100@example.com;transport=TCP", "sip:100@example.com;transport=tcp"),
        ("sip:100@[2001:DB8::1]", "sip:100@[2001:db8::1]"),
    ],
)
def test_the_same_address_in_other_words_is_taken(signed: str, sent: str) -> None:
    digest = server()
    assert outcome(digest, credentials(digest.challenges(100.0), signed), sent) is Outcome.OK


@pytest.mark.parametrize(
    ("signed", "sent"),
    [
        ("sip:100@example.com", "sip:900@example.com"),
        ("sip:Ann@example.com", "sip:ann@example.com"),
        ("sip:100@example.com", "sip:100@other.example.com"),
        ("sip:100@example.com", "sip:100@example.com:5061"),
        ("sip:100@example.com", "sips:100@example.com"),
        ("sip:100@example.com", "tel:100"),
        ("sip:100@example.com", "sip:100@example.com;maddr=192.0.2.66"),
        ("sip:100@example.com;maddr=192.0.2.1", "sip:100@example.com;maddr=192.0.2.66"),
        ("sip:100@example.com;transport=udp", "sip:100@example.com;transport=tcp"),
        ("sip:100@example.com", "sip:100@example.com;user=phone"),
        ("sip:100@example.com", "sip:100@example.com;ttl=1"),
        ("sip:100@example.com", "sip:100@example.com;method=REGISTER"),
        ("sip:100@example.com", "sip:100@example.com?Replaces=x"),
        ("sip:100@example.com", "sip:100%40x@example.com"),
        ("", "sip:100@example.com"),
        ("*", "sip:100@example.com"),
        ("sip:100@example.com", "not a uri"),
    ],
)
def test_credentials_serve_for_no_other_address(signed: str, sent: str) -> None:
    digest = server()
    assert outcome(digest, credentials(digest.challenges(100.0), signed), sent) is Outcome.DENIED


# --- replay ---


def test_what_was_heard_before_a_restart_is_stale_after_it_though_the_secret_is_kept() -> None:
    before = server()
    heard = credentials(before.challenges(100.0), "sip:100@h")
    assert outcome(before, heard, "sip:100@h") is Outcome.OK
    for after in (server(), server()):
        assert outcome(after, heard, "sip:100@h", now=101.0) is Outcome.STALE
    restarted = server()
    fresh = credentials(restarted.challenges(101.0), "sip:100@h")
    assert outcome(restarted, heard, "sip:100@h", now=101.0) is Outcome.STALE
    assert outcome(restarted, fresh, "sip:100@h", now=101.0) is Outcome.OK


@pytest.mark.parametrize("password", ["secret", "wrong"])
@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5-sess"])
def test_a_nonce_that_was_sent_elsewhere_tells_nothing_of_the_password(password: str, algorithm: str) -> None:
    digest = server()
    text = credentials(digest.challenges(100.0, source="192.0.2.1"), "sip:1@h", password=password)
    text = text.replace("SHA-256", algorithm)

    def verified(source: str) -> Outcome:
        return digest.verify(text, "INVITE", "sip:1@h", b"", lookup, 100.0, source).outcome

    assert verified("192.0.2.2") is Outcome.STALE
    assert verified("192.0.2.1") is (Outcome.OK if (password, algorithm) == ("secret", "SHA-256") else Outcome.DENIED)


def test_gaps_in_the_count_are_taken_and_what_was_skipped_serves_once() -> None:
    digest = server()
    challenges = digest.challenges(100.0)
    for count in (7, 30, 8):
        assert outcome(digest, credentials(challenges, "sip:1@h", nc=count), "sip:1@h") is Outcome.OK
    for count in (7, 8, 30):
        assert outcome(digest, credentials(challenges, "sip:1@h", nc=count), "sip:1@h") is Outcome.STALE


def test_a_body_that_was_signed_may_not_be_another() -> None:
    digest = server()
    challenges = [each.replace('qop="auth"', 'qop="auth-int"') for each in digest.challenges(100.0)]
    signed = credentials(challenges, "sip:1@h", body=b"v=0")
    assert "qop=auth-int" in signed
    assert outcome(digest, signed, "sip:1@h", body=b"v=1") is Outcome.DENIED
    assert outcome(digest, signed.replace("qop=auth-int", "qop=auth"), "sip:1@h", body=b"v=0") is Outcome.DENIED
    assert outcome(digest, signed, "sip:1@h", body=b"v=0") is Outcome.OK


# --- several Authorization fields ---


def test_the_first_of_our_realm_counts_so_that_one_request_is_one_guess() -> None:
    digest = server()
    challenges = digest.challenges(100.0)
    right = credentials(challenges, "sip:1@h")
    wrong = credentials(challenges, "sip:1@h", password="guess")
    foreign = right.replace(f'realm="{REALM}"', 'realm="elsewhere"')
    assert outcome(digest, [wrong, right], "sip:1@h") is Outcome.DENIED
    assert outcome(digest, ["Digest", "Basic YTpi", foreign, right, wrong], "sip:1@h") is Outcome.OK
    assert outcome(digest, [foreign], "sip:1@h") is Outcome.ABSENT


def test_a_hundred_guesses_in_one_request_cost_one_look_up() -> None:
    digest = server()
    challenges = digest.challenges(100.0)
    asked: list[str] = []

    def counting(user: str, realm: str, algorithm: str) -> str | None:
        asked.append(user)
        return lookup(user, realm, algorithm)

    guesses = [credentials(challenges, "sip:1@h", password=str(each)) for each in range(100)]
    assert digest.verify(guesses, "INVITE", "sip:1@h", b"", counting, 100.0).outcome is Outcome.DENIED
    assert asked == ["ann"]


# --- the same work for an unknown user as for a wrong password ---


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_an_unknown_user_takes_as_many_hashes_and_comparisons_as_a_wrong_password(
    algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = server()
    (challenge,) = [each for each in digest.challenges(100.0) if f"algorithm={algorithm}" in each]
    secrets = {"ann": ha1("ann", REALM, "secret", algorithm)}
    tries = {user: credentials([challenge], "sip:1@h", password="guess", user=user) for user in ("ann", "eve")}
    work: Counter[tuple[str, int]] = Counter()
    real = hmac.compare_digest

    def counted(name: str, hash_: object) -> object:
        def make(data: bytes, **options: object) -> object:
            work[name, len(data)] += 1
            return hash_(data, **options)  # type: ignore[operator]

        return make

    def compare(one: bytes, two: bytes) -> bool:
        work["compare", len(one)] += 1
        return real(one, two)

    hashes = {"SHA-256": counted("sha256", hashlib.sha256), "MD5": counted("md5", hashlib.md5)}
    monkeypatch.setattr("engine.sip.hashes._HASHES", hashes)
    monkeypatch.setattr("engine.sip.auth.hmac.compare_digest", compare)
    done = {}
    for user, text in tries.items():
        work.clear()
        verdict = digest.verify(text, "INVITE", "sip:1@h", b"", lambda name, *_: secrets.get(name), 100.0)
        assert verdict.outcome is Outcome.DENIED
        done[user] = dict(work)
    assert done["ann"] == done["eve"]
    assert sum(done["ann"].values()) >= 4
