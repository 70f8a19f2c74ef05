"""Read one table of a TOML file key by key, and collect what is wrong with it, in words that say what to write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final, TypeVar

Value = TypeVar("Value")

_WORDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "a boolean"),
    (str, "text"),
    (int, "a whole number"),
    (float, "a number"),
    (dict, "a table"),
    (list, "a list"),
)


class Fields:
    """One table. Every getter returns the value, or None where the key is missing or wrong (and notes the fault)."""

    def __init__(self, path: str, table: Mapping[str, object], faults: list[str]) -> None:
        """`path` is the key path of the table, "" for the whole file; `faults` is added to."""
        self.path = path
        self._table = table
        self._faults = faults
        self._known: list[str] = []

    def fault(self, key: str, message: str) -> None:
        """Note that this key is wrong; key "" means the table itself."""
        path = ".".join(part for part in (self.path, key) if part)
        self._faults.append(f"{path}: {message}" if path else message)

    def inside(self, key: str, table: Mapping[str, object]) -> Fields:
        """A table within this one, whose faults are noted in the same place."""
        return Fields(f"{self.path}.{key}", table, self._faults)

    def within(self, key: str, table: Mapping[str, object]) -> Fields:
        """The same of the whole file."""
        return Fields(key, table, self._faults)

    def __contains__(self, key: str) -> bool:
        return key in self._table

    def text(self, key: str) -> str | None:
        """Text that is not empty and holds no control characters."""
        found = self._typed(key, str, 'text in quotes, such as "600"')
        if found is not None and (not found or not found.isprintable()):
            self.fault(key, f"found {found!r}; allowed: text of at least one character and no control characters")
            return None
        return found

    def text_or_empty(self, key: str) -> str | None:
        """Text without control characters."""
        found = self._typed(key, str, "text in quotes")
        if found and not found.isprintable():
            self.fault(key, f"found {found!r}; allowed: text without control characters")
            return None
        return found

    def boolean(self, key: str) -> bool | None:
        return self._typed(key, bool, "true or false")

    def whole(self, key: str, lowest: int, highest: int) -> int | None:
        """A whole number in this range."""
        found = self._typed(key, int, f"a whole number {lowest} to {highest}")
        if found is not None and not lowest <= found <= highest:
            self.fault(key, f"found {found}; allowed: a whole number {lowest} to {highest}")
            return None
        return found

    def seconds(self, key: str, lowest: float, highest: float) -> float | None:
        """A duration in this range."""
        return self.number(key, lowest, highest, "seconds")

    def number(self, key: str, lowest: float, highest: float, unit: str) -> float | None:
        """A number of this unit, in this range."""
        allowed = f"a number of {unit} {lowest:g} to {highest:g}"
        found = self._typed(key, (int, float), allowed)
        if found is not None and not lowest <= found <= highest:
            self.fault(key, f"found {found:g}; allowed: {allowed}")
            return None
        return None if found is None else float(found)

    def choice(self, key: str, allowed: Iterable[str]) -> str | None:
        """One of these words."""
        words = list(allowed)
        found = self._typed(key, str, "one of " + ", ".join(words))
        if found is not None and found not in words:
            self.fault(key, f"found {found!r}; allowed: {', '.join(words)}{did_you_mean(found, words)}")
            return None
        return found

    def table(self, key: str) -> Mapping[str, object] | None:
        return self._typed(key, dict, f"a table, such as [{key}.NAME]")

    def tables(self, key: str) -> list[Mapping[str, object]]:
        """A list of tables ([[...]] in TOML); empty where the key is missing."""
        found = self._typed(key, list, "tables in double brackets: [[...]]")
        if found is None:
            return []
        if not all(isinstance(entry, dict) for entry in found):
            self.fault(key, "allowed: tables in double brackets: [[...]]")
            return []
        return list(found)

    def texts(self, key: str) -> list[str]:
        """A list of texts; empty where the key is missing."""
        found = self._typed(key, list, 'a list of texts, such as ["outbound"]')
        if found is None:
            return []
        if not all(isinstance(entry, str) for entry in found):
            self.fault(key, f'found {found!r}; allowed: a list of texts, such as ["outbound"]')
            return []
        return list(found)

    def one_or_more(self, key: str) -> list[str]:
        """A text, or a list of at least one; empty where the key is missing or wrong."""
        if isinstance(self._table.get(key), str):
            found = self.text(key)
            return [] if found is None else [found]
        found_list = self.texts(key)
        if key in self and self._table[key] == []:
            self.fault(key, "found an empty list; allowed: at least one text")
        return found_list

    def plain(self, key: str) -> object:
        """What is written, unchecked."""
        return self._table.get(key)

    def know(self, *keys: str) -> None:
        """Allow these keys without reading them."""
        self._known += keys

    def finish(self, *, also: Iterable[str] = ()) -> None:
        """Note every key that nobody asked for, except those in `also`, which the caller has judged."""
        allowed = [*dict.fromkeys(self._known)]
        for key in self._table:
            if key not in allowed and key not in also:
                self.fault(key, f"unknown key; allowed here: {', '.join(allowed)}{did_you_mean(key, allowed)}")

    def _typed(self, key: str, wanted: type[Value] | tuple[type[Value], ...], allowed: str) -> Value | None:
        self._known.append(key)
        found = self._table.get(key)
        if found is None:
            return None
        if not isinstance(found, wanted) or (isinstance(found, bool) and wanted is not bool):
            self.fault(key, f"found {_shown(found)}; allowed: {allowed}")
            return None
        return found


def did_you_mean(found: str, there: Iterable[str]) -> str:
    """The end of a sentence that names what was probably meant; empty when nothing is near."""
    near = get_close_matches(found, list(there), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def _shown(found: object) -> str:
    kind = next((word for kind, word in _WORDS if isinstance(found, kind)), type(found).__name__)
    return kind if isinstance(found, dict | list) else f"{found!r} ({kind})"
