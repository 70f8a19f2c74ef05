"""What a SIP call carries through the calls layer: what is told of it, and what the next leg is sent."""

from __future__ import annotations

from collections.abc import Sequence

from engine.calls.events import NOTHING_CARRIED, Carried, Offered, Party
from engine.calls.ports import AgentPhone, Destination, TrunkNumber
from engine.ids import AgentName, LegId, TrunkName
from engine.sip.flow import Flow
from engine.sip.message import Message, Request
from engine.sip.parser import parse_datagram
from tests.support.sip_legs import MEDIA, PBX
from tests.support.sip_pair import SipPair, description

UUID = "ab30317f1a784dc48ff824d0d3715d86"
ASSERTED = ("P-Asserted-Identity", '"Real Name" <tel:+49-30-999>')
ANNA = AgentPhone(agent=AgentName("anna"))


def pair(*, trusted: bool = True, show_hidden: bool = False) -> SipPair:
    made = SipPair(show_hidden=show_hidden)
    if trusted:
        made.trunks.trusted.add("pbx")
    return made


def offered(it: SipPair, *fields: tuple[str, str]) -> Offered:
    it.call_in(description(), fields=fields)
    return it.last(Offered)


def sent(it: SipPair, destination: Destination, event: Offered, caller: Party | None = None) -> Request:
    """The INVITE of the next leg."""
    if isinstance(destination, AgentPhone):
        it.register()
    invites: list[Request] = []

    def watch(way: str, flow: Flow, message: Message) -> None:
        if way == "out" and isinstance(message, Request) and message.method == "INVITE":
            invites.append(message)

    it.engine.trace = watch
    it.legs.place(LegId("next"), destination, caller or event.caller, MEDIA, it.now, carried=event.carried)
    (invite,) = invites
    read = parse_datagram(invite.to_bytes())
    assert isinstance(read, Request)
    read.check()
    return read


def names(request: Request, wanted: Sequence[str]) -> list[str]:
    return [name for name in wanted if name in request.headers]


def test_a_plain_call_carries_nothing() -> None:
    it = pair()
    event = offered(it)
    assert event.carried is NOTHING_CARRIED
    assert event.caller == Party(number="0301234", display="Mrs Caller")
    assert str(sent(it, PBX, event).from_.uri) == "sip:0301234@192.0.2.1"


def test_what_people_see_of_it() -> None:
    it = pair()
    event = offered(
        it,
        ("Diversion", "<tel:+49-30-444>;reason=no-answer, <sip:030333@a.example>"),
        ("Session-ID", UUID),
        ("User-to-User", "4711;encoding=hex"),
    )
    seen = event.carried
    assert seen == Carried(
        diverted_from="+4930444",
        diversion_reason="no-answer",
        session=UUID,
        user_to_user="4711;encoding=hex",
        whole=seen.whole,
    )
    request = sent(it, PBX, event)
    assert [each.partition(">")[0] for each in request.headers.get_all("Diversion")] == [
        "<tel:+49-30-444",
        "<sip:030333@a.example",
    ]
    assert (request.headers.get("Session-ID") or "").startswith(UUID)
    assert request.headers.get("User-to-User") == "4711;encoding=hex"
    assert "uui" in request.supported


def test_a_trusted_lines_word_is_who_calls() -> None:
    assert offered(pair(), ASSERTED).caller == Party(number="+4930999", display="Real Name")
    assert offered(pair(trusted=False), ASSERTED).caller == Party(number="0301234", display="Mrs Caller")
    assert offered(pair(), ("P-Asserted-Identity", "<sip:030999@a>")).caller.display == "Mrs Caller"


def test_a_hidden_caller_is_shown_to_nobody_but_a_trusted_line() -> None:
    it = pair()
    event = offered(it, ASSERTED, ("Privacy", "id"))
    assert event.caller == Party(number="anonymous", display="Anonymous")
    assert event.carried.hidden
    line = sent(it, PBX, event)
    assert line.from_.display == "Anonymous"
    assert str(line.from_.uri) == "sip:anonymous@anonymous.invalid"
    assert line.from_.tag
    assert line.headers.get("P-Asserted-Identity") == '"Real Name" <tel:+49-30-999>'
    assert line.headers.get("Privacy") == "id"


def test_a_phone_and_an_untrusted_line_are_told_nothing_of_him() -> None:
    for destination in (ANNA, PBX):
        it = pair()
        event = offered(it, ASSERTED, ("Privacy", "id"), ("Diversion", "<sip:1@a>"))
        if destination is PBX:
            it.trunks.trusted.clear()
        request = sent(it, destination, event)
        assert str(request.from_.uri) == "sip:anonymous@anonymous.invalid"
        assert names(request, ["P-Asserted-Identity", "Privacy", "Diversion"]) == []


def test_where_the_operator_shows_hidden_callers_agents_see_them() -> None:
    it = pair(show_hidden=True)
    event = offered(it, ASSERTED, ("Privacy", "id"))
    assert event.caller == Party(number="+4930999", display="Real Name")
    request = sent(it, ANNA, event)
    assert request.from_.uri.user == "+4930999"
    assert names(request, ["P-Asserted-Identity", "Privacy"]) == []


def test_a_line_is_sent_the_number_that_it_knows() -> None:
    it = pair()
    event = offered(it, ("History-Info", "<sip:4000@a.example>;index=1"))
    request = sent(it, TrunkNumber(trunk=TrunkName("pbx"), number="0305550"), event)
    assert request.headers.get(
        "History-Info",
    ) == ("<sip:4000@a.example>;index=1, <sip:0305550@192.0.2.2>;index=1.1;rc=1")
