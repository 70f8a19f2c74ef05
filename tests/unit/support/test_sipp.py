from __future__ import annotations

from tests.support.sipp import read_messages, read_statistics

LOG = (
    b"----------------------------------------------- 2026-11-22 04:59:19.190100\n"
    b"UDP message sent (41 bytes):\n\n"
    b"INVITE sip:700@127.0.0.1 SIP/2.0\r\nCall-ID: 1-2@127.0.0.2\r\n\r\n\n"
    b"----------------------------------------------- 2026-11-22 04:59:19.191200\n"
    b"UDP message received [30] bytes :\n\n"
    b"SIP/2.0 200 OK\r\ncall-id:  1-2@127.0.0.2 \r\n\r\nv=0\r\n----- not a head\r\n\n"
)


def test_messages_are_read_with_their_direction_and_headers() -> None:
    sent, received = read_messages(LOG)
    assert (sent.sent, received.sent) == (True, False)
    assert sent.first_line == "INVITE sip:700@127.0.0.1 SIP/2.0"
    assert received.header("Call-ID") == "1-2@127.0.0.2"
    assert received.header("Contact") is None
    assert received.text.endswith("v=0\n----- not a head")
    assert received.time == "04:59:19.191200"


def test_a_run_without_messages_has_none() -> None:
    assert read_messages(b"") == []


def test_the_last_statistics_count() -> None:
    statistics = read_statistics("Start;SuccessfulCall(C);FailedCall(C);\na;1;0;\nb;3;1;\n")
    assert (statistics["SuccessfulCall(C)"], statistics["FailedCall(C)"]) == ("3", "1")
    assert read_statistics("") == {}
