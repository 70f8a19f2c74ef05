"""The header fields of one message: ordered, repeated, named without regard to case, their typed values cached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from engine.sip.errors import LocalSipError
from engine.sip.headers import split_list
from engine.sip.names import CANONICAL, canonical, refuse

T = TypeVar("T")


class Headers:
    """Raw fields in order; what is asked for is parsed at first access and kept until a field of any name changes.

    Content-Length is never among them: the parser takes it off with the framing and `Message.to_bytes` writes it, so it
    cannot be wrong.
    """

    __slots__ = ("_keys", "_typed", "_values", "first")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._keys: list[str] = []
        self._values: list[str] = []
        self._typed: dict[str | tuple[str, int], Any] = {}
        self.first: dict[str, str] = {}
        """The first field of each name by its canonical spelling, for look-ups; changed by the methods alone."""
        for name, value in fields:
            self.add(name, value)

    @classmethod
    def of(cls, keys: list[str], values: list[str]) -> Headers:
        """Takes over lists whose names are canonical and whose values are stripped: the parser's, and what we compose
        ourselves."""
        headers = cls.__new__(cls)
        headers._keys = keys
        headers._values = values
        headers._typed = {}
        headers.first = first = dict(zip(keys, values, strict=True))
        if len(first) != len(keys):
            first.update(zip(reversed(keys), reversed(values), strict=True))
        return headers

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._keys == other._keys and self._values == other._values

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Headers({list(self.items())!r})"

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, name: str) -> bool:
        return (CANONICAL.get(name) or canonical(name)) in self.first

    @property
    def repeats(self) -> bool:
        """Whether a name is there more than once."""
        return len(self.first) != len(self._keys)

    def items(self) -> Iterator[tuple[str, str]]:
        """Name (canonical spelling) and raw value of every field, in order."""
        return zip(self._keys, self._values, strict=True)

    def get(self, name: str) -> str | None:
        """The first field's raw value, or None."""
        return self.first.get(CANONICAL.get(name) or canonical(name))

    def get_all(self, name: str) -> list[str]:
        """The raw values of every field of the name, in order, lists not taken apart."""
        key = CANONICAL.get(name) or canonical(name)
        if key not in self.first:
            return []
        return [value for found, value in zip(self._keys, self._values, strict=True) if found == key]

    def values(self, name: str) -> list[str]:
        """The elements of every field of the name, comma-separated lists taken apart (RFC 3261 7.3.1); not for fields
        whose commas mean something else (Date, the authentication headers). Raises RemoteSipError(400)."""
        return [element for value in self.get_all(name) if value for element in split_list(value)]

    def add(self, name: str, value: str) -> None:
        """Appends a field. Raises LocalSipError for a name that is no token, a line break in the value, and for
        Content-Length."""
        key = _writable(name)
        value = _one_line(key, value)
        self._keys.append(key)
        self._values.append(value)
        self.first.setdefault(key, value)
        self._typed.clear()

    def set(self, name: str, value: str) -> None:
        """Replaces the first field of the name and removes the others, or appends it. Raises LocalSipError as `add`."""
        key = _writable(name)
        if key not in self.first:
            self.add(key, value)
            return
        self.first[key] = value = _one_line(key, value)
        at = self._keys.index(key)
        rest = [(k, v) for k, v in zip(self._keys[at + 1 :], self._values[at + 1 :], strict=True) if k != key]
        self._keys[at:] = [key, *(k for k, _ in rest)]
        self._values[at:] = [value, *(v for _, v in rest)]
        self._typed.clear()

    def set_first(self, name: str, value: str) -> None:
        """Replaces the first field of the name only (the topmost Via). Raises LocalSipError where there is none."""
        key = _writable(name)
        if key not in self.first:
            raise LocalSipError(f"no {key} field to replace")
        self._values[self._keys.index(key)] = self.first[key] = _one_line(key, value)
        self._typed.clear()

    def remove(self, name: str) -> None:
        """Removes every field of the name; none is fine."""
        key = canonical(name)
        kept = [(k, v) for k, v in zip(self._keys, self._values, strict=True) if k != key]
        self._keys = [k for k, _ in kept]
        self._values = [v for _, v in kept]
        self.first.pop(key, None)
        self._typed.clear()

    def one(self, key: str, parse: Callable[[str], T]) -> T:
        """The typed value of a field that must be there. `key` is canonical. Raises RemoteSipError."""
        value = self._typed.get(key)
        if value is None:
            value = self._typed[key] = parse(self.one_text(key))
        return value

    def top(self, key: str, parse: Callable[[str], T]) -> T:
        """The typed first element of a field that holds a list and must be there. Raises RemoteSipError."""
        cached = self._typed.get((key, 0))
        if cached is None:
            text = self.one_text(key)
            cached = self._typed[key, 0] = parse(split_list(text)[0] if "," in text else text)
        first: T = cached
        return first

    def one_text(self, key: str) -> str:
        """The raw value of a field that must be there. Raises RemoteSipError."""
        text = self.first.get(key)
        if text is None:
            raise refuse(400, f"{key} is missing")
        return text

    def written(self) -> str:
        """The fields as they go out, a line each, without the last line's end."""
        return "\r\n".join(map(": ".join, zip(self._keys, self._values, strict=True)))

    def maybe(self, key: str, parse: Callable[[str], T]) -> T | None:
        """The typed value of a field, or None where there is none. Raises RemoteSipError."""
        typed = self._typed
        if key not in typed:
            text = self.first.get(key)
            typed[key] = None if text is None else parse(text)
        value: T | None = typed[key]
        return value

    def each(self, key: str, parse: Callable[[str], tuple[T, ...]]) -> tuple[T, ...]:
        """The typed elements of every field of the name; `parse` takes one field. Raises RemoteSipError."""
        cached: tuple[T, ...] | None = self._typed.get(key)
        if cached is None:
            if key not in self.first:
                return ()
            fields = self.get_all(key)
            cached = parse(fields[0]) if len(fields) == 1 else tuple(item for text in fields for item in parse(text))
            self._typed[key] = cached
        return cached


def _writable(name: str) -> str:
    key = CANONICAL.get(name) or canonical(name)
    if key == "Content-Length":
        raise LocalSipError("Content-Length is written by to_bytes")
    return key


def _one_line(key: str, value: str) -> str:
    if "\n" in value or "\r" in value:
        raise LocalSipError(f"line break in the value of {key}")
    return value.strip(" \t")
