"""Where a description says that media is to go."""

from __future__ import annotations

import pytest

from engine.sip.offer_answer import Direction, Local, NotAcceptable, make_answer, make_offer, read_answer

LOCAL = Local(address="192.0.2.100", port=20002, session_id=77, version=1)
WIDE = LOCAL._replace(address="2001:db8::5")


def sdp(connection: str, *lines: str) -> bytes:
    return "\r\n".join(
        ("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", f"c=IN {connection}", "t=0 0", "m=audio 4000 RTP/AVP 0", *lines, "")
    ).encode()


@pytest.mark.parametrize(
    ("offered", "ours"),
    [("sendrecv", "recvonly"), ("sendonly", "recvonly"), ("recvonly", "inactive"), ("inactive", "inactive")],
)
@pytest.mark.parametrize("written", ["IP4 0.0.0.0", "IP6 ::", "IP6 ::0", "IP6 0:0:0:0:0:0:0:0"])
def test_hold_by_zero_address(offered: str, ours: str, written: str) -> None:
    """Whatever is between us, and however it is written (RFC 2543 B.5)."""
    for local in (LOCAL, WIDE):
        answer, agreed = make_answer(sdp(written, f"a={offered}"), local)
        assert agreed.direction is Direction(ours)
        assert agreed.address in ("0.0.0.0", "::")
        assert f"\r\na={ours}\r\n" in answer.decode()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:0db8::0001", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_an_address_is_told_as_a_packets_source_would_be_written(written: str, meant: str) -> None:
    """Sources are compared with it, letter by letter."""
    assert make_answer(sdp(f"IP6 {written}"), WIDE)[1].address == meant
    assert read_answer(make_offer(WIDE), sdp(f"IP6 {written}")).address == meant


def test_the_other_version_is_not_to_be_reached() -> None:
    for connection, local in (("IP6 2001:db8::1", LOCAL), ("IP4 192.0.2.1", WIDE)):
        with pytest.raises(NotAcceptable):
            make_answer(sdp(connection), local)
