"""Subscriptions of agents to the state of lines (RFC 6665): who may have one, and whom a change is told to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.sip.event_state import (
    ALLOW_EVENTS,
    CONTENT_TYPES,
    NothingToWatch,
    Package,
    StateSource,
    dialog_info,
    message_summary,
)
from engine.sip.events import AgentPeer
from engine.sip.headers import split_list
from engine.sip.message import Request
from engine.sip.names import refuse
from engine.sip.refusal import Refusal, check_required
from engine.sip.subscription import Subscription, granted

if TYPE_CHECKING:
    from engine.sip.events import Peer
    from engine.sip.flow import Flow
    from engine.sip.stack import Stack


class Notifier:
    """Every subscription of the endpoint."""

    __slots__ = ("_by_watcher", "_count", "_stack", "_subscriptions", "source", "watched")

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.source: StateSource = NothingToWatch()
        self._subscriptions: dict[tuple[Package, str], list[Subscription]] = {}
        self._by_watcher: dict[str, int] = {}
        self._count = 0
        self.watched: set[str] = set()
        """Whose dialogs somebody watches: what changes elsewhere is of no interest."""

    def subscribe(self, request: Request, flow: Flow, peer: Peer, now: float) -> None:
        """A SUBSCRIBE outside of dialogs. Raises RemoteSipError to refuse it: 489, 403, 406, 423, 503."""
        check_required(request)
        package = _package(request)
        if not isinstance(peer, AgentPeer):
            raise refuse(403, "agents alone may subscribe")
        _check_accept(request, package)
        watcher = peer.user
        resource, host = request.uri.user or watcher, request.uri.host or self._stack.config.realm
        if not self.source.may_watch(watcher, package, resource):
            raise refuse(403, f"{watcher} may not watch {resource[:40]}")
        expires = granted(request)
        limits = self._stack.config.limits
        if self._count >= limits.subscriptions or self._by_watcher.get(watcher, 0) >= limits.subscriptions_per_user:
            raise refuse(503, "too many subscriptions")
        subscription = Subscription(
            self._stack,
            request,
            flow,
            package=package,
            resource=resource,
            watcher=watcher,
            documents=partial(self._document, package, resource, host),
            gone=self._gone,
        )
        self._add(subscription)
        try:
            subscription.begin(request, flow, expires, now)
        except Exception:
            self._gone(subscription)
            raise

    def changed(self, package: Package, resource: str, now: float) -> None:
        """Tell whoever watches this."""
        for subscription in tuple(self._subscriptions.get((package, resource), ())):
            subscription.changed(now)

    # --- inner ---

    def _document(self, package: Package, resource: str, host: str, version: int) -> bytes:
        if package is Package.MESSAGE_SUMMARY:
            return message_summary(self.source.messages(resource), resource=resource, host=host)
        return dialog_info(self.source.dialogs(resource), resource=resource, host=host, version=version)

    def _add(self, subscription: Subscription) -> None:
        self._subscriptions.setdefault((subscription.package, subscription.resource), []).append(subscription)
        self._by_watcher[subscription.watcher] = self._by_watcher.get(subscription.watcher, 0) + 1
        self._count += 1
        if subscription.package is Package.DIALOG:
            self.watched.add(subscription.resource)

    def _gone(self, subscription: Subscription) -> None:
        key = subscription.package, subscription.resource
        others = self._subscriptions.get(key, [])
        if subscription not in others:
            return
        others.remove(subscription)
        self._count -= 1
        left = self._by_watcher[subscription.watcher] - 1
        if left:
            self._by_watcher[subscription.watcher] = left
        else:
            del self._by_watcher[subscription.watcher]
        if not others:
            del self._subscriptions[key]
            if subscription.package is Package.DIALOG:
                self.watched.discard(subscription.resource)


def _package(request: Request) -> Package:
    """The event that is asked for. Raises Refusal(489) for one that we do not have (RFC 6665 8.3.2)."""
    event = (request.headers.get("Event") or "").partition(";")[0].strip().lower()
    try:
        return Package(event)
    except ValueError:
        raise Refusal(489, f"no event {event[:40]!r}", (("Allow-Events", ALLOW_EVENTS),)) from None


def _check_accept(request: Request, package: Package) -> None:
    """Whether the watcher reads what we would send. Raises Refusal(406)."""
    values = request.headers.get_all("Accept")
    if not values:
        return
    kind = CONTENT_TYPES[package]
    main = kind.partition("/")[0]
    taken = {item.partition(";")[0].strip().lower() for value in values for item in split_list(value)}
    if taken.isdisjoint({kind, f"{main}/*", "*/*"}):
        raise Refusal(406, f"{package} comes as {kind}", (("Accept", kind),))
