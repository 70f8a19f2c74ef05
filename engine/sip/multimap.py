"""The header fields of one message: ordered, repeated, named without regard to case, their typed values cached."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
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

    __slots__ = ("_fields", "first", "typed")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self.first: dict[str, str] = {}
        """The first field of each name by its canonical spelling, for look-ups; changed by the methods alone."""
        self._fields: list[tuple[str, str]] | None = None
        """All fields in order, where a name is there more than once. Else None: `first` has them all, in order."""
        self.typed: dict[str | tuple[str, int], Any] = {}
        """Values that were parsed, for `Message` to look up."""
        self.extend(fields)

    @classmethod
    def of(cls, first: dict[str, str]) -> Headers:
        """Takes over fields whose names are canonical and whose values are stripped: the parser's, and what we compose
        ourselves."""
        headers = cls.__new__(cls)
        headers.first = first
        headers._fields = None
        headers.typed = {}
        return headers

    @classmethod
    def of_all(cls, fields: list[tuple[str, str]]) -> Headers:
        """As `of`, for names that may repeat."""
        headers = cls.of({})
        headers._replace(fields)
        return headers

    def _replace(self, fields: list[tuple[str, str]]) -> None:
        first = dict(fields)
        if len(first) == len(fields):
            self._fields = None
        else:
            self._fields = fields
            first.update(reversed(fields))
        self.first = first
        self.typed.clear()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return list(self.items()) == list(other.items())

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Headers({list(self.items())!r})"

    def __len__(self) -> int:
        return len(self.first if self._fields is None else self._fields)

    def __contains__(self, name: str) -> bool:
        return (CANONICAL.get(name) or canonical(name)) in self.first

    @property
    def repeats(self) -> bool:
        """Whether a name is there more than once."""
        return self._fields is not None

    def items(self) -> Collection[tuple[str, str]]:
        """Name (canonical spelling) and raw value of every field, in order."""
        return self.first.items() if self._fields is None else self._fields

    def get(self, name: str) -> str | None:
        """The first field's raw value, or None."""
        return self.first.get(CANONICAL.get(name) or canonical(name))

    def get_all(self, name: str) -> list[str]:
        """The raw values of every field of the name, in order, lists not taken apart."""
        key = CANONICAL.get(name) or canonical(name)
        if key not in self.first:
            return []
        if self._fields is None:
            return [self.first[key]]
        return [value for found, value in self._fields if found == key]

    def values(self, name: str) -> list[str]:
        """The elements of every field of the name, comma-separated lists taken apart (RFC 3261 7.3.1); not for fields
        whose commas mean something else (Date, the authentication headers). Raises RemoteSipError(400)."""
        return [element for value in self.get_all(name) if value for element in split_list(value)]

    def add(self, name: str, value: str) -> None:
        """Appends a field. Raises LocalSipError for a name that is no token, a line break in the value, and for
        Content-Length."""
        self.extend(((name, value),))

    def extend(self, fields: Iterable[tuple[str, str]]) -> None:
        """Appends fields. Raises LocalSipError as `add`."""
        first = self.first
        for name, raw in fields:
            key, value = _writable(name, raw)
            if key in first:
                self._fields = [*self.items(), (key, value)]
            else:
                first[key] = value
                if self._fields is not None:
                    self._fields.append((key, value))
        self.typed.clear()

    def set(self, name: str, value: str) -> None:
        """Replaces the first field of the name and removes the others, or appends it. Raises LocalSipError as `add`."""
        key, value = _writable(name, value)
        if self._fields is None:
            self.first[key] = value
            self.typed.clear()
            return
        fields = [(k, v) for k, v in self._fields if k != key]
        at = next((n for n, (k, _) in enumerate(self._fields) if k == key), len(fields))
        fields.insert(at, (key, value))
        self._replace(fields)

    def set_first(self, name: str, value: str) -> None:
        """Replaces the first field of the name only (the topmost Via). Raises LocalSipError where there is none."""
        key, value = _writable(name, value)
        if key not in self.first:
            raise LocalSipError(f"no {key} field to replace")
        if self._fields is not None:
            at = next(n for n, (found, _) in enumerate(self._fields) if found == key)
            self._fields[at] = key, value
        self.first[key] = value
        self.typed.pop(key, None)
        self.typed.pop((key, 0), None)

    def remove(self, name: str) -> None:
        """Removes every field of the name; none is fine."""
        self.take(canonical(name))
        self.typed.clear()

    def take(self, key: str) -> list[str]:
        """Takes every field of the name off: their values. `key` is canonical."""
        if self._fields is None:
            value = self.first.pop(key, None)
            return [] if value is None else [value]
        values = self.get_all(key)
        self._replace([field for field in self._fields if field[0] != key])
        return values

    def one(self, key: str, parse: Callable[[str], T]) -> T:
        """The typed value of a field that must be there. `key` is canonical. Raises RemoteSipError."""
        value: T | None = self.typed.get(key)
        if value is None:
            value = self.typed[key] = parse(self.one_text(key))
        return value

    def top(self, key: str, parse: Callable[[str], T]) -> T:
        """The typed first element of a field that holds a list and must be there. Raises RemoteSipError."""
        value: T | None = self.typed.get((key, 0))
        if value is None:
            text = self.one_text(key)
            value = self.typed[key, 0] = parse(split_list(text)[0] if "," in text else text)
        return value

    def one_text(self, key: str) -> str:
        """The raw value of a field that must be there. Raises RemoteSipError."""
        text = self.first.get(key)
        if text is None:
            raise refuse(400, f"{key} is missing")
        return text

    def maybe(self, key: str, parse: Callable[[str], T]) -> T | None:
        """The typed value of a field, or None where there is none. Raises RemoteSipError."""
        typed = self.typed
        if key not in typed:
            text = self.first.get(key)
            typed[key] = None if text is None else parse(text)
        value: T | None = typed[key]
        return value

    def each(self, key: str, parse: Callable[[str], tuple[T, ...]]) -> tuple[T, ...]:
        """The typed elements of every field of the name; `parse` takes one field. Raises RemoteSipError."""
        cached: tuple[T, ...] | None = self.typed.get(key)
        if cached is None:
            if key not in self.first:
                return ()
            fields = self.get_all(key)
            cached = parse(fields[0]) if len(fields) == 1 else tuple(item for text in fields for item in parse(text))
            self.typed[key] = cached
        return cached


def _writable(name: str, value: str) -> tuple[str, str]:
    key = CANONICAL.get(name) or canonical(name)
    if key == "Content-Length":
        raise LocalSipError("Content-Length is written by to_bytes")
    if "\n" in value or "\r" in value or "\0" in value:
        raise LocalSipError(f"line break or NUL in the value of {key}")
    return key, value.strip(" \t")
