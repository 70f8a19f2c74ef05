from __future__ import annotations

import hashlib
from math import log2

from engine.store.secrets import ha1_pair, new_secret, new_token, token_digest


def test_ha1_is_the_one_of_the_rfcs_examples() -> None:
    """RFC 2617 3.5 for MD5; RFC 7616 3.9.1 for SHA-256."""
    assert ha1_pair("Mufasa", "testrealm@host.com", "Circle Of Life").md5 == "939e7578ed9e3c518a452acee763bce9"
    rfc7616 = ha1_pair("Mufasa", "http-auth@example.org", "Circle of Life")
    assert rfc7616.md5 == "3d78807defe7de2157e2b0b6573a855f"
    assert rfc7616.sha256 == hashlib.sha256(b"Mufasa:http-auth@example.org:Circle of Life").hexdigest()


def test_secrets_are_long_and_never_the_same() -> None:
    made = {new_secret() for _ in range(200)}
    assert len(made) == 200
    letters = set("".join(made))
    assert min(map(len, made)) * log2(len(letters)) >= 120
    assert not letters & set("0O1lI")


def test_tokens_are_marked_and_kept_as_digest() -> None:
    token = new_token()
    assert token.startswith("hl_")
    assert token_digest(token) == hashlib.sha256(token.encode()).hexdigest()
    assert new_token() != token
