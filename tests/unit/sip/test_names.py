from __future__ import annotations

import pytest

from engine.sip.errors import LocalSipError
from engine.sip.grammar import TOKEN, quote, unquote
from engine.sip.names import CANONICAL, COMPACT, METHODS, REASONS, canonical, refuse


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("call-id", "Call-ID"),
        ("CALL-ID", "Call-ID"),
        ("cAlL-iD", "Call-ID"),
        ("i", "Call-ID"),
        ("I", "Call-ID"),
        ("www-AUTHENTICATE", "WWW-Authenticate"),
        ("x-made-UP", "X-Made-Up"),
        ("!odd", "!Odd"),
    ],
)
def test_canonical(spelling: str, name: str) -> None:
    assert canonical(spelling) == name
    assert canonical(name) == name


def test_rfc_3261_compact_forms() -> None:
    # RFC 3261 20, the ten of the RFC itself.
    expected = {
        "i": "Call-ID", "m": "Contact", "e": "Content-Encoding", "l": "Content-Length", "c": "Content-Type",
        "f": "From", "s": "Subject", "k": "Supported", "t": "To", "v": "Via",
    }  # fmt: skip
    assert expected.items() <= COMPACT.items()
    assert all(canonical(short) == name for short, name in COMPACT.items())


def test_every_canonical_name_stands_for_itself() -> None:
    for name in set(CANONICAL.values()):
        assert canonical(name) == canonical(name.lower()) == canonical(name.upper()) == name
        assert TOKEN.fullmatch(name)


def test_a_name_must_be_a_token() -> None:
    for name in ("", "a b", "a:b", "é", "a\n"):
        with pytest.raises(LocalSipError):
            canonical(name)


def test_reasons() -> None:
    assert all(100 <= status <= 699 and "\n" not in text for status, text in REASONS.items())
    error = refuse(416, "x")
    assert (error.status_hint, error.reason, str(error)) == (416, "Unsupported URI Scheme", "x")


def test_methods_are_tokens() -> None:
    assert {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER"} <= METHODS
    assert all(TOKEN.fullmatch(method) for method in METHODS)


@pytest.mark.parametrize("text", ["", "plain", 'a "b" \\ c', "é\u2028", " x "])
def test_quoting_is_undone(text: str) -> None:
    assert unquote(quote(text)) == text


def test_quoting_leaves_controls_out() -> None:
    assert quote("a\r\nb\0c\x7f\td") == '"abcd"'
