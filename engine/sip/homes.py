"""Homes: the sources that phones are registered from now, and whose. A home may have several people in it."""

from __future__ import annotations

from engine.sip.source_key import source_key


class Homes:
    """Counts live bindings by source (`source_key`) and user. As large as the registrar, never larger."""

    __slots__ = ("users",)

    def __init__(self) -> None:
        self.users: dict[str, dict[str, int]] = {}
        """Bindings by user, by source. No source is here without a user, no user without a binding."""

    def add(self, host: str, user: str) -> None:
        """A phone of the user was registered from the address."""
        users = self.users.setdefault(source_key(host), {})
        users[user] = users.get(user, 0) + 1

    def remove(self, host: str, user: str) -> None:
        """A binding that was added is gone."""
        source = source_key(host)
        users = self.users[source]
        users[user] -= 1
        if not users[user]:
            del users[user]
            if not users:
                del self.users[source]
