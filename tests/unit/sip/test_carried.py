"""What an INVITE brings along for the next leg, and what of it whom is told (RFC 3323, 3325, 5806, 7433, 8224)."""

from __future__ import annotations

import pytest

from engine.sip.carried import NOTHING, Carried, carried_names, read_carried
from engine.sip.headers import parse_name_addr
from engine.sip.message import Request

FROM = ("From", '"Said" <sip:0301234@trunk.example>;tag=1')
TO = ("To", "<sip:0305550@here.example>")
PASSPORT = "eyJhbGciOiJFUzI1NiJ9.eyJkZXN0Ijp7fX0.c2ln;info=<https://cert.example/a.pem>;alg=ES256;ppt=shaken"


def invite(*fields: tuple[str, str]) -> Request:
    return Request.build("INVITE", "sip:0305550@here.example", [FROM, TO, *fields])


def read(*fields: tuple[str, str], agent: str | None = None, trusted: bool = True) -> Carried:
    return read_carried(invite(*fields), agent=agent, trusted=trusted, passed=("X-Customer",))


def towards(carried: Carried, *, trusted: bool = True, caller: str = "0301234", called: str = "0305550") -> Carried:
    return carried.towards_line(trusted=trusted, caller=caller, called=called, host="192.0.2.2")


ASSERTED = (
    ("P-Asserted-Identity", '"Real Name" <sip:030999@trunk.example>'),
    ("P-Asserted-Identity", "<tel:+4930999>"),
)


def test_a_plain_call_has_none_of_the_names_that_are_looked_for() -> None:
    names = carried_names(("X-Customer",))
    assert names.isdisjoint(invite(("Contact", "<sip:a@b>"), ("Max-Forwards", "70"), ("Date", "x")).headers.first)
    assert not names.isdisjoint(invite(("X-Customer", "7")).headers.first)
    assert read() == NOTHING
    assert NOTHING.fields() == []


def test_identities_are_believed_of_trusted_lines_only() -> None:
    preferred = ("P-Preferred-Identity", "<sip:030777@trunk.example>")
    assert [str(each.uri) for each in read(*ASSERTED).asserted] == ["sip:030999@trunk.example", "tel:+4930999"]
    assert read(*ASSERTED, trusted=False).asserted == ()
    assert read(*ASSERTED, agent="anna", trusted=False).asserted == ()
    assert read(preferred).asserted == read(preferred, agent="anna", trusted=False).asserted == ()


def test_identities_are_told_to_trusted_lines_only() -> None:
    carried = read(*ASSERTED)
    assert towards(carried).fields() == [
        ("P-Asserted-Identity", '"Real Name" <sip:030999@trunk.example>'),
        ("P-Asserted-Identity", "<tel:+4930999>"),
    ]
    assert towards(carried, trusted=False).fields() == []
    assert carried.towards_phone(show_hidden=False).fields() == []


@pytest.mark.parametrize(
    ("privacy", "hidden"),
    [
        ("id", True),
        ("ID;critical", True),
        ("user", True),
        ("full", True),
        ("header", False),
        ("session", False),
        ("none", False),
        ("none;id", False),
        ("id, header", True),
        ("nonsense", False),
        ("", False),
    ],
)
def test_which_words_of_privacy_hide_the_caller(privacy: str, hidden: bool) -> None:
    carried = read(("Privacy", privacy))
    assert carried.hidden is hidden
    assert towards(carried, trusted=False).anonymous is hidden
    assert carried.towards_phone(show_hidden=False).anonymous is hidden
    assert carried.towards_phone(show_hidden=True).anonymous is False


def test_a_hidden_caller_is_named_to_a_trusted_line_which_is_told_to_hide_him() -> None:
    carried = read(*ASSERTED, ("Privacy", "id;critical"), ("Diversion", "<sip:030444@trunk.example>"))
    told = towards(carried)
    assert told.anonymous
    assert ("P-Asserted-Identity", "<tel:+4930999>") in told.fields()
    assert ("Privacy", "id;critical") in told.fields()
    assert ("Diversion", "<sip:030444@trunk.example>") in told.fields()
    assert towards(carried, trusted=False).fields() == []
    assert carried.towards_phone(show_hidden=False).fields() == []
    assert carried.towards_phone(show_hidden=True).fields() == [("Diversion", "<sip:030444@trunk.example>")]


def test_an_agent_who_hides_is_named_by_the_number_that_we_call_with() -> None:
    carried = read(*ASSERTED, ("Privacy", "id"), agent="anna", trusted=False)
    told = towards(carried, caller="0301000")
    assert told.anonymous
    assert told.fields() == [("P-Asserted-Identity", "<sip:0301000@192.0.2.2>"), ("Privacy", "id")]
    assert towards(carried, trusted=False, caller="0301000").fields() == []


def test_diversions_go_along_in_order_with_reason_and_counter() -> None:
    fields = (
        ("Diversion", '"Front desk" <sip:030444@t.example>;reason="no-answer";counter=2, <tel:+49301>;reason=unknown'),
        ("Diversion", "<sip:030333@t.example>;reason=user-busy;privacy=off"),
    )
    assert read(*fields).fields() == [
        ("Diversion", '"Front desk" <sip:030444@t.example>;reason=no-answer;counter=2'),
        ("Diversion", "<tel:+49301>;reason=unknown"),
        ("Diversion", "<sip:030333@t.example>;reason=user-busy;privacy=off"),
    ]
    assert read(*fields, trusted=False).diversion == read(*fields).diversion
    assert read(*fields, agent="anna", trusted=False).diversion == ()


def test_history_goes_along_with_one_more_entry() -> None:
    history = ("History-Info", "<sip:0305550@a.example?Reason=SIP%3Bcause%3D302>;index=1, <sip:1@b.example>;index=1.1")
    told = towards(read(history), called="4000")
    assert dict(told.fields())["History-Info"] == (
        "<sip:0305550@a.example?Reason=SIP%3Bcause%3D302>;index=1, <sip:1@b.example>;index=1.1, "
        "<sip:4000@192.0.2.2>;index=1.1.1;rc=1.1"
    )
    assert read(history, agent="anna", trusted=False).history == ()
    assert read(history).towards_phone(show_hidden=True).history == ()
    assert towards(read(history, ("Privacy", "user")), trusted=False).history == ()


def test_user_to_user_comes_from_everybody() -> None:
    text = "56a390f3d2b7310023a2;encoding=hex;purpose=isdn-interwork;content=isdn-uui"
    for carried in (read(("User-to-User", text)), read(("User-to-User", text), agent="anna", trusted=False)):
        assert carried.towards_phone(show_hidden=False).fields() == [("User-to-User", text)]
        assert towards(carried, trusted=False).fields() == [("User-to-User", text)]


def test_a_signature_goes_along_byte_for_byte_while_what_it_signs_is_unchanged() -> None:
    date = "Sun, 22 Nov 2026 10:00:00 GMT"
    carried = read(("Identity", PASSPORT), ("Date", date), trusted=False)
    assert towards(carried, trusted=False).fields() == [("Identity", PASSPORT), ("Date", date)]
    assert towards(carried, called="4000").fields() == []
    assert towards(carried, caller="030").fields() == []
    assert carried.towards_phone(show_hidden=True).fields() == []
    assert towards(read(("Identity", PASSPORT), ("Date", date), ("Privacy", "id"))).identity == ()
    assert read(("Identity", PASSPORT), agent="anna", trusted=False).identity == ()
    assert read(("Date", date)).date == ""


def test_how_a_phone_rings_and_answers_is_said_by_trusted_lines_only() -> None:
    fields = (
        ("Alert-Info", "<urn:alert:source:external>"),
        ("Answer-Mode", "auto;require"),
        ("Priv-Answer-Mode", "Manual;x=1"),
    )
    assert read(*fields).towards_phone(show_hidden=False).fields() == [
        ("Alert-Info", "<urn:alert:source:external>"),
        ("Answer-Mode", "Auto;require"),
        ("Priv-Answer-Mode", "Manual"),
    ]
    assert read(*fields, trusted=False).fields() == []
    assert read(*fields, agent="anna", trusted=False).fields() == []
    assert read(("Answer-Mode", "Never")).fields() == []


def test_only_the_operators_own_headers_pass() -> None:
    carried = read(("X-Customer", "4711"), ("X-Secret", "1"), trusted=False)
    assert carried.fields() == [("X-Customer", "4711")]


@pytest.mark.parametrize(
    "field",
    [
        ("P-Asserted-Identity", "nobody at all"),
        ("Diversion", "<sip:a@b"),
        ("Diversion", f"<sip:{'9' * 600}@b>"),
        ("History-Info", "<sip:a@b>;index=1;index=2"),
        ("User-to-User", "x" * 513),
        ("User-to-User", "a\x01b"),
        ("Alert-Info", "\x1b[2J"),
        ("Identity", "x" * 4097),
        ("X-Customer", "a\x85b"),
        ("Session-ID", "0" * 32),
    ],
)
def test_what_cannot_be_read_or_is_too_long_is_left_out(field: tuple[str, str]) -> None:
    assert read(field).fields() == []
    assert read(field).session == ""


def test_a_field_is_printed_from_what_was_read_and_the_number_of_fields_is_bounded() -> None:
    assert read(("P-Asserted-Identity", "sip:1@a.example;x=y")).fields() == [
        ("P-Asserted-Identity", "<sip:1@a.example>;x=y")
    ]
    many = [("Diversion", f"<sip:{number}@a.example>") for number in range(40)]
    assert len(read(*many).diversion) == 8
    three = [("P-Asserted-Identity", f"<sip:{number}@a.example>") for number in range(3)]
    assert len(read(*three).asserted) == 2
    assert parse_name_addr(read(*many).fields()[7][1]).uri.user == "7"
