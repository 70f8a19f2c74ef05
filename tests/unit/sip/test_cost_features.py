"""Cost in proportion to the length, as in `test_cost`, of what stands beside the core: carried headers, transfers,
bodies of several parts, STUN, and the documents for lamps."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from engine.sip import info, refer, refer_out, session_headers
from engine.sip.bodies import check_answerable, check_body, sdp_of
from engine.sip.carried import read_carried
from engine.sip.event_state import DialogState, MessageCounts, WatchedDialog, dialog_info, message_summary
from engine.sip.flow import Address
from engine.sip.history import retargeted
from engine.sip.limits import MAX_BODY_BYTES, MAX_HEAD_BYTES
from engine.sip.message import Request
from engine.sip.parser import parse_datagram
from engine.sip.reason import read_reasons
from engine.sip.replaces import parse_replaces
from engine.sip.session_id import read_session_id
from engine.sip.stun import answer, mapped_address
from tests.unit.sip.test_cost import HEAD, PATTERNS, grows_in_proportion

CARRIED = ("P-Asserted-Identity", "Diversion", "History-Info", "Privacy", "User-to-User", "Identity", "Alert-Info")
SIZE = MAX_HEAD_BYTES // 10
COOKIE = 0x2112A442


def request(field: str, text: str) -> Request:
    found = parse_datagram(f"{HEAD}{field}: {text}\r\n\r\n".encode())
    assert isinstance(found, Request)
    return found


VALUES: dict[str, Callable[[str], object]] = {
    "replaces": parse_replaces,
    "replaces-params": lambda text: parse_replaces("c;" + text),
    "reasons": read_reasons,
    "reason-params": lambda text: read_reasons("SIP;cause=200;" + text),
    "session-id": read_session_id,
    "session-expires": lambda text: session_headers.session_expires_of(request("Session-Expires", "90;" + text)),
    "rack": lambda text: session_headers.rack_of(request("RAck", "1 " + text)),
    "refer-to": lambda text: refer._refer_to(request("Refer-To", text)),
    "refer-to-headers": lambda text: refer._refer_to(request("Refer-To", f"<sip:a@h?Replaces={text}>")),
    "referred-by": lambda text: refer._referred_by(request("Referred-By", text)),
    "subscription-state": refer_out._seconds,
    "accept": lambda text: check_answerable(request("Accept", text)),
    "disposition": lambda text: check_body(request("Content-Disposition", text)),
    "key": lambda text: info._read_key(text.encode()),
}


@pytest.mark.parametrize("parser", VALUES)
def test_values(parser: str) -> None:
    parse = VALUES[parser]
    for pattern in PATTERNS:
        grows_in_proportion(lambda n, p=pattern: parse(p * (n // len(p.encode()))), SIZE)


@pytest.mark.parametrize("field", CARRIED)
def test_what_is_carried(field: str) -> None:
    def in_one(n: int, pattern: str) -> None:
        message = request(field, pattern * (n // len(pattern.encode())))
        read_carried(message, agent=None, trusted=True, passed=("Subject",))

    def in_many(n: int, pattern: str) -> None:
        lines = f"\r\n{field}: ".join([pattern] * (n // (len(pattern.encode()) + len(field) + 4)))
        read_carried(request(field, lines), agent=None, trusted=True, passed=("Subject",)).fields()

    for pattern in PATTERNS:
        grows_in_proportion(lambda n, p=pattern: in_one(n, p), SIZE)
    grows_in_proportion(lambda n: in_many(n, "<sip:a@h>;index=1.1"), SIZE)


def test_history_that_goes_on() -> None:
    def job(n: int) -> None:
        entries = request("Contact", ", ".join(["<sip:a@h>;index=1.1"] * (n // 21))).contacts
        retargeted(entries, "600", "h")

    grows_in_proportion(job, SIZE)


@pytest.mark.parametrize(
    "pattern", ["--b", "\r\n--b", "\r\n", "-", "--b\r\n\r\n", "\r\n--b\r\nContent-Type: a/b\r\n\r\n"]
)
@pytest.mark.parametrize("boundary", ["b", "-", "--b\r\n"])
def test_bodies_of_several_parts(pattern: str, boundary: str) -> None:
    def job(n: int) -> None:
        quoted = boundary.replace("\r\n", "")
        message = request("Content-Type", f'multipart/mixed;boundary="{quoted}"')
        message.body = (pattern * (n // len(pattern))).encode()
        sdp_of(message)
        check_body(message)

    grows_in_proportion(job, MAX_BODY_BYTES // 8)


@pytest.mark.parametrize("line", ["x", "Content-Type: a/b", "a:", ":", " ", "x: y;z"])
def test_a_part_with_a_long_head(line: str) -> None:
    def job(n: int) -> None:
        message = request("Content-Type", "multipart/mixed;boundary=b")
        lines = f"{line}\r\n" * (n // (len(line) + 2))
        message.body = f"--b\r\n{lines}\r\n\r\nx\r\n--b--".encode()
        sdp_of(message)

    grows_in_proportion(job, MAX_BODY_BYTES // 8)


@pytest.mark.parametrize("kind", [0x0006, 0x7FFF, 0x0020, 0x8028, 0x8022])
@pytest.mark.parametrize("size", [0, 4, 8])
def test_stun(kind: int, size: int) -> None:
    def job(n: int) -> None:
        attribute = struct.pack("!HH", kind, size) + bytes(size)
        body = attribute * (n // len(attribute))
        for method in (0x0001, 0x0101):
            data = struct.pack("!HHI12s", method, len(body), COOKIE, bytes(12)) + body
            answer(data, Address("192.0.2.1", 5060))
            mapped_address(data)

    grows_in_proportion(job, MAX_BODY_BYTES // 10)


@pytest.mark.parametrize("text", ["a", "<", "&", '"', "é", "\0", "%"])
def test_documents(text: str) -> None:
    def long_names(n: int) -> None:
        dialog = WatchedDialog(
            id="1", state=DialogState.CONFIRMED, initiator=True, remote_number=text * n, remote_display=text * n
        )
        dialog_info([dialog], resource=text * n, host="h", version=1)
        message_summary(MessageCounts(), resource=text * n, host="h")

    def many(n: int) -> None:
        dialogs = [
            WatchedDialog(id=str(at), state=DialogState.EARLY, initiator=False, remote_number=text, remote_display=text)
            for at in range(n)
        ]
        dialog_info(dialogs, resource="alice", host="h", version=1)

    grows_in_proportion(long_names, 4000)
    grows_in_proportion(many, 100)
