"""Subscriptions: who gets one, what is told and how often, and how it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree

import pytest

from engine.sip.auth import answer_challenge
from engine.sip.endpoint import Limits
from engine.sip.event_state import (
    DialogState,
    MessageCounts,
    NothingToWatch,
    Package,
    WatchedDialog,
    dialog_info,
    message_summary,
)
from engine.sip.message import Request, Response
from tests.support.sip_raw import RawPeer, pair
from tests.support.wire import EndpointStation, Wire

NS = "{urn:ietf:params:xml:ns:dialog-info}"
PASSWORDS = {"raw": "secret", "other": "secret"}


@dataclass
class Office:
    """A StateSource: everybody may watch whom the test says."""

    seen: set[str] = field(default_factory=lambda: {"raw", "anna"})
    now: list[WatchedDialog] = field(default_factory=list)
    counts: MessageCounts = field(default_factory=MessageCounts)

    def may_watch(self, watcher: str, package: Package, resource: str) -> bool:
        return resource in self.seen

    def messages(self, resource: str) -> MessageCounts:
        return self.counts

    def dialogs(self, resource: str) -> Sequence[WatchedDialog]:
        return self.now


class Watcher:
    """A phone that subscribes, by hand."""

    def __init__(self, *, limits: Limits | None = None, host: str = "192.0.2.1") -> None:
        self.station, self.raw, self.wire = pair(trunks={}, passwords=PASSWORDS, limits=limits)
        self.office = Office()
        self.watched = self.station.endpoint.serve_states(self.office)
        self.number = 0
        self.calls = 0
        self.nonces = 0
        self.raw.ask("SUBSCRIBE", number=1, contact="<sip:raw@192.0.2.1:5060>", fields=[("Event", "dialog")])
        self.wire.run(0.1)
        self.challenge = self.raw.responses()[-1].headers.get_all("WWW-Authenticate")

    @property
    def parts(self) -> tuple[EndpointStation, RawPeer, Wire]:
        return self.station, self.raw, self.wire

    def subscribe(
        self,
        event: str = "dialog",
        *,
        expires: int | None = 600,
        whom: str = "anna",
        fields: Sequence[tuple[str, str]] = (),
        user: str = "raw",
        contact: str | None = "<sip:raw@192.0.2.1:5060>",
    ) -> Response:
        """A SUBSCRIBE outside of dialogs, with digest."""
        self.calls += 1
        self.nonces += 1
        uri = f"sip:{whom}@192.0.2.9"
        auth = answer_challenge(
            self.challenge, user=user, password="secret", method="SUBSCRIBE", uri=uri, cnonce="c", nc=self.nonces
        )
        own = [auth] + ([("Event", event)] if event else [])
        if expires is not None:
            own.append(("Expires", str(expires)))
        self.raw.ask(
            "SUBSCRIBE", uri=uri, call_id=f"sub{self.calls}", contact=contact, fields=[*own, *fields], number=1
        )
        self.wire.run(0.1)
        return self.raw.responses()[-1]

    def again(self, first: Response, number: int, *, expires: int, event: str = "dialog") -> Response:
        """A SUBSCRIBE within the subscription."""
        fields = [("Event", event), ("Expires", str(expires))]
        self.raw.ask("SUBSCRIBE", call_id=first.call_id, to_tag=first.to_tag, number=number, fields=fields)
        self.wire.run(0.1)
        return self.raw.responses()[-1]

    def notified(self) -> Request:
        return self.raw.requests("NOTIFY")[-1]

    def confirm(self, status: int = 200) -> None:
        self.raw.respond(self.notified(), status)
        self.wire.run(0.1)

    def change(self, *dialogs: WatchedDialog) -> None:
        self.office.now = list(dialogs)
        self.station.endpoint.state_changed(Package.DIALOG, "anna", now=self.wire.now)
        self.wire.run(0.0)

    def states(self) -> list[str]:
        """What each NOTIFY said, repetitions left out."""
        told: dict[int, str] = {}
        for request in self.raw.requests("NOTIFY"):
            found = [each.text or "" for each in ElementTree.fromstring(request.body).iter(f"{NS}state")]
            told[request.cseq.number] = " ".join(found)
        return list(told.values())


def call(state: DialogState) -> WatchedDialog:
    return WatchedDialog(id="1", state=state, initiator=False, remote_number="0301234", remote_display="Mrs & Mr")


def test_a_subscription_is_granted_and_the_state_told_at_once() -> None:
    watcher = Watcher()
    watcher.office.now = [call(DialogState.EARLY)]
    response = watcher.subscribe()
    assert (response.status, response.headers.get("Expires")) == (200, "600")
    assert response.headers.get("Contact") == "<sip:192.0.2.9:5060>"
    notify = watcher.notified()
    assert (notify.headers.get("Event"), notify.content_type) == ("dialog", "application/dialog-info+xml")
    assert notify.headers.get("Subscription-State") == "active;expires=600"
    assert notify.request_uri == "sip:raw@192.0.2.1:5060"
    assert (notify.call_id, notify.from_tag, notify.to_tag) == (response.call_id, response.to_tag, "rawtag")
    root = ElementTree.fromstring(notify.body)
    assert (root.get("version"), root.get("state"), root.get("entity")) == ("0", "full", "sip:anna@192.0.2.9")
    dialog = root.find(f"{NS}dialog")
    assert dialog is not None
    assert (dialog.get("direction"), dialog.findtext(f"{NS}state")) == ("recipient", "early")
    identity = dialog.find(f"{NS}remote/{NS}identity")
    assert identity is not None
    assert (identity.text, identity.get("display")) == ("sip:0301234@192.0.2.9", "Mrs & Mr")
    assert watcher.watched == {"anna"}


def test_changes_are_told_one_a_second_and_the_last_of_them_only() -> None:
    watcher = Watcher()
    watcher.subscribe()
    watcher.confirm()
    start = watcher.wire.now
    watcher.change(call(DialogState.TRYING))
    watcher.change(call(DialogState.EARLY))
    watcher.change(call(DialogState.CONFIRMED))
    assert watcher.states() == [""]
    watcher.wire.run(until=lambda: len(watcher.states()) == 2)
    assert 0.7 < watcher.wire.now - start <= 1.0
    watcher.confirm()
    watcher.wire.run(5.0)
    assert watcher.states() == ["", "confirmed"]
    watcher.change()
    assert watcher.states() == ["", "confirmed", ""]
    versions = {ElementTree.fromstring(each.body).get("version") for each in watcher.raw.requests("NOTIFY")}
    assert versions == {"0", "1", "2"}


def test_a_notify_waits_for_the_answer_to_the_one_before() -> None:
    watcher = Watcher()
    watcher.subscribe()
    watcher.change(call(DialogState.CONFIRMED))
    watcher.wire.run(3.0)
    assert watcher.states() == [""]
    watcher.confirm()
    assert watcher.states() == ["", "confirmed"]


def test_what_others_do_is_not_told() -> None:
    watcher = Watcher()
    watcher.subscribe()
    watcher.confirm()
    watcher.wire.run(5.0)
    watcher.station.endpoint.state_changed(Package.DIALOG, "bert", now=watcher.wire.now)
    watcher.station.endpoint.state_changed(Package.MESSAGE_SUMMARY, "anna", now=watcher.wire.now)
    watcher.wire.run(5.0)
    assert watcher.states() == [""]


def test_a_refresh_is_told_the_state_and_prolongs() -> None:
    watcher = Watcher()
    first = watcher.subscribe(expires=100)
    watcher.confirm()
    watcher.wire.run(90.0)
    second = watcher.again(first, 2, expires=100)
    assert (second.status, second.headers.get("Expires")) == (200, "100")
    assert len(watcher.states()) == 2
    watcher.confirm()
    watcher.wire.run(90.0)
    watcher.change(call(DialogState.EARLY))
    assert watcher.states()[-1] == "early"


def test_what_a_refresh_has_told_is_not_told_again() -> None:
    watcher = Watcher()
    first = watcher.subscribe()
    watcher.confirm()
    watcher.change(call(DialogState.EARLY))
    watcher.again(first, 2, expires=100)
    assert watcher.states() == ["", "early"]
    watcher.confirm()
    watcher.wire.run(5.0)
    assert watcher.states() == ["", "early"]


def test_it_ends_by_the_watchers_word_with_a_last_state() -> None:
    watcher = Watcher()
    first = watcher.subscribe()
    watcher.confirm()
    watcher.office.now = [call(DialogState.CONFIRMED)]
    assert watcher.again(first, 2, expires=0).status == 200
    assert watcher.notified().headers.get("Subscription-State") == "terminated;reason=timeout"
    assert watcher.states() == ["", "confirmed"]
    assert watcher.again(first, 3, expires=60).status == 481
    watcher.confirm()
    assert watcher.watched == set()
    watcher.wire.run()
    assert not any(watcher.station.endpoint.live())


def test_it_ends_with_its_time() -> None:
    watcher = Watcher()
    watcher.subscribe(expires=60)
    watcher.confirm()
    watcher.wire.run(59.0)
    assert len(watcher.states()) == 1
    watcher.wire.run(2.0)
    assert watcher.notified().headers.get("Subscription-State") == "terminated;reason=timeout"
    watcher.confirm()
    watcher.wire.run()
    assert not any(watcher.station.endpoint.live())


def test_expires_0_asks_once() -> None:
    watcher = Watcher()
    response = watcher.subscribe(expires=0)
    assert (response.status, response.headers.get("Expires")) == (200, "0")
    assert watcher.notified().headers.get("Subscription-State") == "terminated;reason=timeout"
    watcher.confirm()
    watcher.wire.run()
    assert not any(watcher.station.endpoint.live())
    assert watcher.watched == set()


@pytest.mark.parametrize("status", [481, 404, 500, None])
def test_it_ends_where_nobody_listens(status: int | None) -> None:
    watcher = Watcher()
    watcher.subscribe()
    if status is None:
        watcher.wire.run(40.0)
    else:
        watcher.confirm(status)
    watcher.change(call(DialogState.EARLY))
    watcher.wire.run(5.0)
    assert watcher.states() == [""]
    assert watcher.watched == set()
    watcher.wire.run()
    assert not any(watcher.station.endpoint.live())


@pytest.mark.parametrize(
    ("change", "status", "header", "value"),
    [
        ({"event": "presence"}, 489, "Allow-Events", "message-summary, dialog"),
        ({"event": ""}, 489, "Allow-Events", "message-summary, dialog"),
        ({"expires": 59}, 423, "Min-Expires", "60"),
        ({"whom": "boss"}, 403, None, None),
        ({"contact": None}, 400, None, None),
        ({"fields": [("Accept", "text/html, image/*")]}, 406, "Accept", "application/dialog-info+xml"),
        ({"fields": [("Require", "eventlist")]}, 420, "Unsupported", "eventlist"),
    ],
)
def test_what_cannot_be_is_refused(
    change: dict[str, object], status: int, header: str | None, value: str | None
) -> None:
    watcher = Watcher()
    response = watcher.subscribe(**change)  # type: ignore[arg-type]
    assert response.status == status
    if header is not None:
        assert response.headers.get(header) == value
    assert watcher.raw.requests("NOTIFY") == []
    assert watcher.watched == set()


@pytest.mark.parametrize("accept", ["application/*", "*/*", "text/html, application/dialog-info+xml;q=0.5"])
def test_what_the_watcher_reads_is_fine(accept: str) -> None:
    assert Watcher().subscribe(fields=[("Accept", accept)]).status == 200


@pytest.mark.parametrize(("asked", "given"), [(None, "3600"), (90000, "3600"), (60, "60")])
def test_how_long_it_lasts(asked: int | None, given: str) -> None:
    assert Watcher().subscribe(expires=asked).headers.get("Expires") == given


def test_strangers_are_challenged_and_trunks_have_no_lamps() -> None:
    station, raw, wire = pair()
    station.endpoint.serve_states(Office())
    raw.ask("SUBSCRIBE", contact="<sip:raw@192.0.2.1>", fields=[("Event", "dialog")])
    wire.run(0.1)
    assert raw.statuses() == [403]
    station, raw, wire = pair(trunks={})
    raw.ask("SUBSCRIBE", contact="<sip:raw@192.0.2.1>", fields=[("Event", "dialog")])
    wire.run(0.1)
    assert raw.statuses() == [401]


def test_without_a_source_there_is_nothing_to_watch() -> None:
    watcher = Watcher()
    watcher.station.endpoint.serve_states(NothingToWatch())
    assert watcher.subscribe().status == 403
    assert NothingToWatch().dialogs("x") == ()
    assert NothingToWatch().messages("x") == MessageCounts()


def test_tables_have_bounds() -> None:
    watcher = Watcher(limits=Limits(subscriptions=3, subscriptions_per_user=2))
    assert [watcher.subscribe(expires=60).status for _ in range(3)] == [200, 200, 503]
    assert [watcher.subscribe(user="other").status for _ in range(2)] == [200, 503]
    watcher.wire.run(100.0)
    assert [watcher.subscribe().status for _ in range(2)] == [200, 200]


def test_within_a_subscription_only_its_refresh_is_served() -> None:
    watcher = Watcher()
    first = watcher.subscribe()
    watcher.confirm()
    assert watcher.again(first, 2, expires=60, event="message-summary").status == 489
    assert watcher.again(first, 3, expires=5).status == 423
    watcher.raw.ask("BYE", call_id=first.call_id, to_tag=first.to_tag, number=4)
    watcher.raw.ask("ACK", call_id=first.call_id, to_tag=first.to_tag, number=4)
    watcher.wire.run(0.1)
    assert watcher.raw.statuses()[-1] == 405
    assert watcher.raw.responses()[-1].headers.get("Allow") == "SUBSCRIBE"
    assert watcher.again(first, 5, expires=60).status == 200


def test_messages_of_an_account() -> None:
    watcher = Watcher()
    watcher.office.counts = MessageCounts(new=2, old=8, urgent_old=1)
    assert watcher.subscribe("message-summary;id=7", whom="raw").status == 200
    notify = watcher.notified()
    assert notify.headers.get("Event") == "message-summary;id=7"
    assert notify.content_type == "application/simple-message-summary"
    assert notify.body.decode().splitlines() == [
        "Messages-Waiting: yes",
        "Message-Account: sip:raw@192.0.2.9",
        "Voice-Message: 2/8 (0/1)",
    ]
    watcher.confirm()
    watcher.office.counts = MessageCounts()
    watcher.wire.run(2.0)
    watcher.station.endpoint.state_changed(Package.MESSAGE_SUMMARY, "raw", now=watcher.wire.now)
    watcher.wire.run(0.1)
    assert watcher.notified().body.startswith(b"Messages-Waiting: no\r\n")
    assert watcher.watched == set()


def test_documents_hold_what_they_are_given_and_nothing_else() -> None:
    bad = WatchedDialog(
        id='"<x>', state=DialogState.TRYING, initiator=True, remote_number="a<b&c", remote_display='"\x00<&'
    )
    root = ElementTree.fromstring(dialog_info([bad], resource='a"b', host="h", version=3))
    assert root.get("version") == "3"
    dialog = root[0]
    assert (dialog.get("id"), dialog.get("direction")) == ('"<x>', "initiator")
    assert root.find(f".//{NS}identity").get("display") == '"<&'  # type: ignore[union-attr]
    hidden = WatchedDialog(id="1", state=DialogState.CONFIRMED, initiator=True)
    assert b"<remote>" not in dialog_info([hidden], resource="a", host="h", version=0)
    assert b"Account: sip:a%0D%0Ab@h\r\n" in message_summary(MessageCounts(), resource="a\r\nb", host="h")


def test_rfc6665_8_2_1_another_id_names_another_subscription() -> None:
    watcher = Watcher()
    first = watcher.subscribe("dialog;id=7")
    watcher.confirm()
    assert watcher.again(first, 2, expires=600, event="dialog;x=y;id=7").status == 200
    assert watcher.again(first, 3, expires=600, event="dialog;id=8").status == 481
    assert watcher.again(first, 4, expires=600).status == 481


def test_a_subscription_that_was_ended_cannot_be_refreshed_before_its_last_word_is_said() -> None:
    watcher = Watcher()
    first = watcher.subscribe()
    assert watcher.again(first, 2, expires=0).status == 200
    assert watcher.again(first, 3, expires=600).status == 481
    watcher.confirm()
    assert "terminated" in (watcher.notified().headers.get("Subscription-State") or "")


def test_rfc6665_4_2_2_a_watcher_that_says_when_is_told_again_then() -> None:
    watcher = Watcher()
    _, raw, wire = watcher.parts
    watcher.subscribe()
    raw.respond(watcher.notified(), 503, fields=[("Retry-After", "7")])
    wire.run(6.5)
    watcher.change(call(DialogState.CONFIRMED))
    assert watcher.states() == [""]
    wire.run(1)
    assert watcher.states() == ["", "confirmed"]


@pytest.mark.parametrize(
    ("status", "fields"), [(481, [("Retry-After", "7")]), (503, []), (503, [("Retry-After", "x")])]
)
def test_rfc6665_4_2_2_any_other_refusal_ends_it(status: int, fields: list[tuple[str, str]]) -> None:
    watcher = Watcher()
    station, raw, wire = watcher.parts
    watcher.subscribe()
    raw.respond(watcher.notified(), status, fields=fields)
    wire.run(10)
    watcher.change(call(DialogState.CONFIRMED))
    wire.run(40)
    assert len(watcher.states()) == 1
    assert station.endpoint.live().dialogs == 0


def test_the_last_word_is_said_once() -> None:
    watcher = Watcher()
    _, raw, wire = watcher.parts
    first = watcher.subscribe()
    watcher.confirm()
    watcher.again(first, 2, expires=0)
    raw.respond(watcher.notified(), 503, fields=[("Retry-After", "1")])
    wire.run(10)
    assert {each.cseq.number for each in raw.requests("NOTIFY")} == {1, 2}


def test_it_ends_where_nobody_can_be_told() -> None:
    watcher = Watcher()
    watcher.subscribe()
    assert watcher.watched
    watcher.station.endpoint.send_failed(watcher.station.flow_to(watcher.raw), watcher.wire.now)
    watcher.wire.run(0.1)
    assert watcher.watched == set()
    watcher.wire.run()
    assert not any(watcher.station.endpoint.live())
