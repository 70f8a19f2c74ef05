"""MESSAGE: who may send one, what becomes of it, and those that we send."""

from __future__ import annotations

import pytest

from engine.sip.auth import answer_challenge
from engine.sip.endpoint import Limits
from engine.sip.errors import LocalSipError
from engine.sip.events import AgentPeer, MessageAnswered, MessageReceived, TrunkPeer
from engine.sip.limits import MAX_MESSAGE_BYTES
from tests.support.sip_phone import target
from tests.support.sip_raw import pair, taken
from tests.support.wire import EndpointStation

PLAIN = ("Content-Type", "text/plain;charset=UTF-8")


def came(station: EndpointStation) -> MessageReceived:
    event = station.told(MessageReceived)[-1]
    assert isinstance(event, MessageReceived)
    return event


def test_a_text_from_a_trunk_waits_for_its_answer() -> None:
    station, raw, wire = pair()
    raw.ask("MESSAGE", fields=[PLAIN], body="Grüße".encode())
    wire.run(1.0)
    event = came(station)
    assert (event.peer, event.within) == (TrunkPeer(name="everybody"), None)
    assert (event.to_user, event.from_user, event.text) == ("100", "raw", "Grüße")
    assert raw.statuses() == []
    station.endpoint.answer_message(event.message, 200, now=wire.now)
    wire.run(0.1)
    assert raw.statuses() == [200]
    assert raw.responses()[0].to_tag
    with pytest.raises(LocalSipError, match="answered"):
        station.endpoint.answer_message(event.message, 200, now=wire.now)


def test_a_stranger_is_challenged_and_an_agent_goes_by_his_proved_name() -> None:
    station, raw, wire = pair(trunks={}, passwords={"anna": "secret"})
    request = raw.ask("MESSAGE", fields=[PLAIN], body=b"hello")
    wire.run(0.1)
    challenge = raw.responses()[-1]
    assert challenge.status == 401
    assert station.told(MessageReceived) == []
    header = answer_challenge(
        challenge.headers.get_all("WWW-Authenticate"),
        user="anna",
        password="secret",
        method="MESSAGE",
        uri=request.request_uri,
        cnonce="c",
        nc=1,
    )
    raw.ask("MESSAGE", number=2, fields=[PLAIN, header], body=b"hello")
    wire.run(0.1)
    assert came(station).peer == AgentPeer(user="anna")
    assert came(station).from_user == "anna"


def test_within_a_call_the_session_is_told() -> None:
    station, raw, wire, session, tag = taken()
    raw.ask("MESSAGE", to_tag=tag, number=2, fields=[PLAIN], body=b"hi")
    wire.run(0.1)
    assert (came(station).peer, came(station).within) == (None, session)


@pytest.mark.parametrize(
    ("fields", "body", "status"),
    [
        ([PLAIN], b"x" * MAX_MESSAGE_BYTES, None),
        ([PLAIN], b"x" * (MAX_MESSAGE_BYTES + 1), 413),
        ([("Content-Type", "text/html")], b"<b>", 415),
        ([], b"", 415),
        ([PLAIN, ("Require", "teleport")], b"x", 420),
    ],
)
def test_what_is_no_short_text_is_refused(fields: list[tuple[str, str]], body: bytes, status: int | None) -> None:
    station, raw, wire = pair()
    raw.ask("MESSAGE", fields=fields, body=body)
    wire.run(0.1)
    assert raw.statuses() == ([] if status is None else [status])
    assert len(station.told(MessageReceived)) == (status is None)


def test_nobody_waits_for_ever() -> None:
    station, raw, wire = pair()
    raw.ask("MESSAGE", fields=[PLAIN], body=b"x")
    wire.run(19.0)
    assert raw.statuses() == []
    wire.run(2.0)
    assert raw.statuses() == [480]
    wire.run()
    assert not any(station.endpoint.live())


def test_only_so_many_wait() -> None:
    station, raw, wire = pair(limits=Limits(messages=1))
    raw.ask("MESSAGE", fields=[PLAIN], body=b"x")
    raw.ask("MESSAGE", number=2, fields=[PLAIN], body=b"y")
    wire.run(0.1)
    assert raw.statuses() == [503]
    with pytest.raises(LocalSipError, match="final"):
        station.endpoint.answer_message(came(station).message, 180, now=wire.now)


def test_a_text_of_ours_and_its_outcome() -> None:
    station, raw, wire = pair()
    way = target(station, raw)
    message = station.endpoint.send_message(way, from_user="anna", from_display="Anna", text="Grüße", now=wire.now)
    wire.run(0.1)
    request = raw.requests("MESSAGE")[0]
    assert (request.body.decode(), request.content_type) == ("Grüße", "text/plain")
    assert request.from_.display == "Anna"
    assert "Contact" not in request.headers
    raw.respond(request, 100)
    raw.respond(request, 202)
    wire.run(0.1)
    assert station.told() == [MessageAnswered(message=message, status=202)]
    with pytest.raises(LocalSipError, match="bytes"):
        station.endpoint.send_message(way, from_user="anna", text="x" * (MAX_MESSAGE_BYTES + 1), now=wire.now)
    silent = station.endpoint.send_message(way, from_user="anna", text="x", now=wire.now)
    wire.run(40.0)
    assert station.told()[-1] == MessageAnswered(message=silent, status=None)


def test_a_text_that_cannot_be_sent_was_not_delivered() -> None:
    station, raw, wire = pair()
    message = station.endpoint.send_message(target(station, raw), from_user="anna", text="x", now=wire.now)
    wire.run(0.1)
    station.endpoint.send_failed(station.flow_to(raw), wire.now)
    wire.run(0.1)
    assert station.told() == [MessageAnswered(message=message, status=None)]
