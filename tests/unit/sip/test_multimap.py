from __future__ import annotations

import pytest

from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.multimap import Headers


def headers() -> Headers:
    return Headers([("v", "h1"), ("Subject", " a b "), ("VIA", "h2, h3"), ("x-thing", "1"), ("X-THING", "2")])


def test_names_are_found_in_any_spelling() -> None:
    for name in ("Via", "via", "VIA", "v", "V", "viA"):
        assert headers().get(name) == "h1"
        assert headers().get_all(name) == ["h1", "h2, h3"]
        assert headers().values(name) == ["h1", "h2", "h3"]
        assert name in headers()
    assert headers().get_all("X-Thing") == ["1", "2"]
    assert headers().get("s") == "a b"


def test_what_is_absent() -> None:
    assert headers().get("To") is None
    assert headers().get_all("To") == []
    assert headers().values("To") == []
    assert "To" not in headers()


def test_order_and_spelling() -> None:
    assert list(headers().items()) == [
        ("Via", "h1"),
        ("Subject", "a b"),
        ("Via", "h2, h3"),
        ("X-Thing", "1"),
        ("X-Thing", "2"),
    ]
    assert len(headers()) == 5


def test_set_replaces_the_first_and_drops_the_others() -> None:
    found = headers()
    found.set("x-Thing", "3")
    assert list(found.items())[3:] == [("X-Thing", "3")]
    found.set("To", "new")
    assert list(found.items())[-1] == ("To", "new")
    found.set("v", "only")
    assert list(found.items())[:2] == [("Via", "only"), ("Subject", "a b")]


def test_set_first_leaves_the_others() -> None:
    found = headers()
    found.set_first("Via", "h0")
    assert found.get_all("Via") == ["h0", "h2, h3"]
    with pytest.raises(LocalSipError):
        found.set_first("To", "x")


def test_remove() -> None:
    found = headers()
    found.remove("via")
    assert "Via" not in found
    assert len(found) == 3
    found.remove("via")


@pytest.mark.parametrize("name", ["", "a b", "a:", "ü", "a\r\nb"])
def test_a_name_must_be_a_token(name: str) -> None:
    with pytest.raises(LocalSipError):
        Headers().add(name, "x")


def test_typed_values_are_parsed_once() -> None:
    calls: list[str] = []

    def parse(text: str) -> int:
        calls.append(text)
        return len(text)

    found = headers()
    assert found.one("Subject", parse) == found.one("Subject", parse) == 3
    assert found.maybe("To", parse) is None
    assert found.top("Via", parse) == found.top("Via", parse) == 2
    assert found.each("Via", lambda text: (parse(text),)) == (2, 6)
    assert found.each("Via", lambda text: (parse(text),)) == (2, 6)
    assert calls == ["a b", "h1", "h1", "h2, h3"]


def test_the_first_of_a_list_is_its_top() -> None:
    assert Headers([("Via", "h1 , h2")]).top("Via", str) == "h1"


def test_missing_fields_are_the_peer_s_fault() -> None:
    for ask in (Headers().one, Headers().top):
        with pytest.raises(RemoteSipError):
            ask("Via", str)
    assert Headers().each("Via", lambda text: (text,)) == ()


def test_a_line_break_that_came_in_by_of_is_compared_like_any_value() -> None:
    assert Headers.of({"Via": "h1"}) == Headers([("v", "h1")])
    assert Headers.of({"Via": "h1"}) != Headers([("v", "h2")])
    assert Headers.of_all([("Via", "h1"), ("Via", "h2")]) == Headers([("v", "h1"), ("v", "h2")])
