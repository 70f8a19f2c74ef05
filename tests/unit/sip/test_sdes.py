from __future__ import annotations

from base64 import b64encode

import pytest

from engine.sip.limits import MAX_SDP_CRYPTO
from engine.sip.offer_answer import (
    Agreed,
    Local,
    NotAcceptable,
    answer_to,
    make_answer,
    make_offer,
    read_answer,
)
from engine.sip.sdes import Crypto, CryptoSuite, Secured, Srtp, crypto_line, read_crypto
from engine.sip.sdp import parse_sdp
from engine.sip.trace_text import masked

GCM256, GCM128, SHA80, SHA32 = CryptoSuite
KEY = bytes(range(30))
TEXT = b64encode(KEY).decode()
LINE = f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}"
OURS = tuple([Crypto(tag, suite, bytes([tag]) * suite.key_octets) for tag, suite in enumerate(CryptoSuite, 1)])
PLAIN = Local(address="192.0.2.100", port=20002, session_id=77, version=1)
OPTIONAL = PLAIN._replace(srtp=Srtp.OPTIONAL, crypto=OURS)
REQUIRED = PLAIN._replace(srtp=Srtp.REQUIRED, crypto=OURS)


def sdp(proto: str, *crypto: str) -> bytes:
    lines = ("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", f"m=audio 4000 {proto} 0")
    return "\r\n".join((*lines, *(f"a=crypto:{each}" for each in crypto), "a=sendrecv", "")).encode()


def crypto_of(description: bytes) -> list[Crypto | None]:
    return [read_crypto(each) for each in parse_sdp(description).media[0].crypto]


# --- one line ---


@pytest.mark.parametrize(
    ("value", "mki_octets"),
    [
        (LINE, 0),
        (f"{LINE}|2^20", 0),
        (f"{LINE}|1048576", 0),
        (f"{LINE}|281474976710656", 0),
        (f"{LINE}|2^48", 0),
        (f"{LINE}|2^20|1:4", 4),
        (f"{LINE}|1066:128", 128),
        (f"{LINE} WSH=64", 0),
        (f"{LINE}  wsh=128 -NEW=1", 0),
        (LINE.replace("inline", "INLINE"), 0),
    ],
)
def test_a_line_that_can_be_used(value: str, mki_octets: int) -> None:
    assert read_crypto(value) == Crypto(1, SHA80, KEY, mki_octets)


@pytest.mark.parametrize("suite", CryptoSuite)
def test_every_suite_is_read_as_it_is_written_with_padding_or_without(suite: CryptoSuite) -> None:
    crypto = Crypto(7, suite, bytes(range(suite.key_octets)))
    line = crypto_line(crypto)
    assert line == f"a=crypto:7 {suite} inline:{b64encode(crypto.key).decode()}\r\n"
    assert read_crypto(line.removeprefix("a=crypto:")) == crypto
    assert read_crypto(line.removeprefix("a=crypto:").rstrip("=\r\n")) == crypto


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        f"AES_CM_128_HMAC_SHA1_80 inline:{TEXT}",
        f"x AES_CM_128_HMAC_SHA1_80 inline:{TEXT}",
        f"1234567890 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}",
        f"1 F8_128_HMAC_SHA1_80 inline:{TEXT}",
        f"1 aes_cm_128_hmac_sha1_80 inline:{TEXT}",
        f"1 AEAD_AES_128_GCM inline:{TEXT}",
        f"1 AES_CM_128_HMAC_SHA1_80 {TEXT}",
        f"1 AES_CM_128_HMAC_SHA1_80 uri:{TEXT}",
        "1 AES_CM_128_HMAC_SHA1_80 inline:",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT[:-4]}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT[:-1]}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT[:-1]}!",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT[:-1]}\u00e9",
        f"{LINE}|",
        f"{LINE}|0",
        f"{LINE}|2^49",
        f"{LINE}|2^x",
        f"{LINE}|281474976710657",
        f"{LINE}|2^20|",
        f"{LINE}|1:0",
        f"{LINE}|1:129",
        f"{LINE}|x:4",
        f"{LINE}|1:",
        f"{LINE}|1:4|2^20",
        f"{LINE}|2^20|1:4|1:4",
        f"{LINE}|1:4;inline:{TEXT}|2:4",
        f"{LINE};inline:{TEXT}",
        f"{LINE}|2^20;inline:{TEXT}|2^20",
        f"{LINE} KDR=1",
        f"{LINE} UNENCRYPTED_SRTP",
        f"{LINE} UNENCRYPTED_SRTCP",
        f"{LINE} UNAUTHENTICATED_SRTP",
        f"{LINE} FEC_ORDER=FEC_SRTP",
        f"{LINE} WSH=63",
        f"{LINE} WSH=x",
        f"{LINE} WSH=64 NEW=1",
    ],
)
def test_a_line_that_is_passed_over(value: str) -> None:
    assert read_crypto(value) is None
    offer = sdp("RTP/SAVP", value, LINE.replace("1 AES", "2 AES"))
    _, agreed = make_answer(offer, REQUIRED)
    assert agreed.secured is not None
    assert agreed.secured.tag == 2, "the next line is good"


def test_keys_are_shown_by_nobody() -> None:
    _, agreed = make_answer(sdp("RTP/SAVP", LINE), REQUIRED)
    for shown in (repr(OURS), repr(REQUIRED), repr(agreed)):
        assert "SHA1_80" in shown
        assert "x03\\x03" not in shown
        assert "x1c" not in shown


@pytest.mark.parametrize("end", ["", "|2^31", "|2^31|1:1", "|2^31|1:1;inline:" + TEXT + "|1:2", " WSH=64"])
@pytest.mark.parametrize("feed", ["\r\n", "\n"])
def test_keys_are_masked_in_traces_and_every_length_stays(end: str, feed: str) -> None:
    message = sdp("RTP/SAVP", LINE + end).replace(b"\r\n", feed.encode())
    shown = masked(message)
    assert len(shown) == len(message)
    assert TEXT.encode() not in shown
    assert b"inline:" + b"*" * len(TEXT) in shown
    assert b"AES_CM_128_HMAC_SHA1_80" in shown


# --- an offer to us ---


@pytest.mark.parametrize("local", [OPTIONAL, REQUIRED])
@pytest.mark.parametrize("proto", ["RTP/SAVP", "RTP/AVP"])
def test_the_first_suite_of_the_offer_that_is_ours_is_taken(local: Local, proto: str) -> None:
    other = f"5 AES_CM_128_HMAC_SHA1_32 inline:{TEXT}"
    offer = sdp(proto, f"9 F8_128_HMAC_SHA1_80 inline:{TEXT}", other, LINE)
    answer, agreed = make_answer(offer, local)
    assert agreed.secured == Secured(SHA32, 5, bytes([4]) * 30, KEY, 0, proto == "RTP/SAVP")
    media = parse_sdp(answer).media[0]
    assert media.proto == proto
    assert crypto_of(answer) == [Crypto(5, SHA32, bytes([4]) * 30)]
    theirs = Local(
        address="192.0.2.1",
        port=4000,
        session_id=1,
        version=1,
        srtp=Srtp.REQUIRED if proto == "RTP/SAVP" else Srtp.OPTIONAL,
        crypto=(Crypto(5, SHA32, KEY), Crypto(1, SHA80, KEY)),
    )
    there = answer_to(theirs, answer)
    assert there.secured == Secured(SHA32, 5, KEY, bytes([4]) * 30, 0, proto == "RTP/SAVP")
    assert read_answer(offer, answer) == there


def test_the_name_of_their_key_is_told_and_ours_has_none() -> None:
    answer, agreed = make_answer(sdp("RTP/SAVP", f"{LINE}|2^31|1:4"), REQUIRED)
    assert agreed.secured is not None
    assert agreed.secured.mki_octets == 4
    assert b"|" not in answer


@pytest.mark.parametrize(
    ("local", "proto", "crypto", "said"),
    [
        (PLAIN, "RTP/SAVP", LINE, '302 hearthline "transport protocol is not RTP/AVP"'),
        (PLAIN, "RTP/AVP", LINE, ""),
        (PLAIN, "RTP/AVP", "", ""),
        (OPTIONAL, "RTP/AVP", "", ""),
        (OPTIONAL, "RTP/AVP", f"{LINE} KDR=1", ""),
        (OPTIONAL, "RTP/SAVP", "", '399 hearthline "SRTP is required: no crypto attribute"'),
        (OPTIONAL, "RTP/SAVP", f"{LINE} KDR=1", '399 hearthline "no crypto attribute that can be used"'),
        (OPTIONAL, "UDP/TLS/RTP/SAVP", LINE, '302 hearthline "transport protocol is not RTP/AVP"'),
        (REQUIRED, "RTP/AVP", "", '399 hearthline "SRTP is required: no crypto attribute"'),
        (REQUIRED, "RTP/AVP", f"{LINE} KDR=1", '399 hearthline "no crypto attribute that can be used"'),
        (REQUIRED, "RTP/SAVP", "", '399 hearthline "SRTP is required: no crypto attribute"'),
    ],
)
def test_offers_without_a_key_that_can_be_used(local: Local, proto: str, crypto: str, said: str) -> None:
    offer = sdp(proto, *([crypto] if crypto else []))
    if said:
        with pytest.raises(NotAcceptable) as refused:
            make_answer(offer, local)
        assert (refused.value.status_hint, refused.value.warning) == (488, said)
    else:
        answer, agreed = make_answer(offer, local)
        assert agreed.secured is None
        assert b"crypto" not in answer
        assert parse_sdp(answer).media[0].proto == "RTP/AVP"


def test_of_two_streams_the_encrypted_one_is_taken_where_it_must_be() -> None:
    offer = sdp("RTP/AVP") + b"m=audio 4002 RTP/SAVP 0\r\na=crypto:" + LINE.encode() + b"\r\n"
    answer, agreed = make_answer(offer, REQUIRED)
    assert agreed.port == 4002
    assert [media.port for media in parse_sdp(answer).media] == [0, 20002]
    assert [len(media.crypto) for media in parse_sdp(answer).media] == [0, 1]
    assert make_answer(offer, PLAIN)[1].port == 4000


@pytest.mark.parametrize("first", ["RTP/AVP", "RTP/SAVP"])
def test_of_two_streams_the_encrypted_one_is_taken_where_it_may_be_whichever_comes_first(first: str) -> None:
    streams = {
        "RTP/AVP": "m=audio 4000 RTP/AVP 0\r\n",
        "RTP/SAVP": f"m=audio 4002 RTP/SAVP 0\r\na=crypto:{LINE}\r\n",
    }
    head = sdp("RTP/AVP").partition(b"m=")[0].decode()
    offer = (head + streams.pop(first) + "".join(streams.values())).encode()
    answer, agreed = make_answer(offer, OPTIONAL)
    assert (agreed.port, agreed.secured is None) == (4002, False)
    assert [media.proto for media in parse_sdp(answer).media if media.port] == ["RTP/SAVP"]
    assert make_answer(offer.replace(b"inline", b"outline"), OPTIONAL)[1].port == 4000, "whose key is of no use"


def test_only_so_many_lines_are_looked_at() -> None:
    bad = [f"{LINE} KDR={number}" for number in range(MAX_SDP_CRYPTO)]
    with pytest.raises(NotAcceptable):
        make_answer(sdp("RTP/SAVP", *bad, LINE), REQUIRED)
    make_answer(sdp("RTP/SAVP", *bad[1:], LINE), REQUIRED)


def test_keys_are_not_among_what_is_remembered_of_a_phone() -> None:
    media = parse_sdp(sdp("RTP/SAVP", LINE)).media[0]
    assert media.crypto == (LINE,)
    assert media.attributes == (("sendrecv", None),)


# --- an offer of ours ---


@pytest.mark.parametrize(("local", "proto"), [(OPTIONAL, "RTP/AVP"), (REQUIRED, "RTP/SAVP")])
def test_our_offer_has_a_key_for_each_suite_the_strongest_first(local: Local, proto: str) -> None:
    offer = make_offer(local)
    assert parse_sdp(offer).media[0].proto == proto
    assert crypto_of(offer) == list(OURS)
    assert [crypto.suite for crypto in OURS] == [GCM256, GCM128, SHA80, SHA32]
    assert b"crypto" not in make_offer(PLAIN)


def reading(local: Local, answer: bytes) -> Agreed | str:
    """What we make of an answer to our offer: the same whether we know what we offered or read it."""
    try:
        known = answer_to(local, answer)
    except NotAcceptable as error:
        with pytest.raises(NotAcceptable):
            read_answer(make_offer(local), answer)
        return error.warning
    assert read_answer(make_offer(local), answer) == known
    return known


@pytest.mark.parametrize(
    ("local", "proto", "crypto", "said"),
    [
        (OPTIONAL, "RTP/AVP", (), None),
        (
            OPTIONAL,
            "RTP/AVP",
            (f"3 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}",),
            Secured(SHA80, 3, b"\3" * 30, KEY, 0, False),
        ),
        (
            REQUIRED,
            "RTP/SAVP",
            (f"4 AES_CM_128_HMAC_SHA1_32 inline:{TEXT}|1:2",),
            Secured(SHA32, 4, b"\4" * 30, KEY, 2, True),
        ),
        (REQUIRED, "RTP/SAVP", (), "the answer has no crypto attribute"),
        (REQUIRED, "RTP/AVP", (), "the answer changed the transport protocol"),
        (
            REQUIRED,
            "RTP/AVP",
            (f"3 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}",),
            "the answer changed the transport protocol",
        ),
        (
            OPTIONAL,
            "RTP/SAVP",
            (f"3 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}",),
            "the answer changed the transport protocol",
        ),
        (REQUIRED, "RTP/SAVP", (f"5 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}",), "none that was offered"),
        (REQUIRED, "RTP/SAVP", (f"4 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}",), "none that was offered"),
        (OPTIONAL, "RTP/AVP", (f"3 AES_CM_128_HMAC_SHA1_80 inline:{TEXT} UNENCRYPTED_SRTP",), "none that was offered"),
        (
            REQUIRED,
            "RTP/SAVP",
            (f"3 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}", f"4 AES_CM_128_HMAC_SHA1_32 inline:{TEXT}"),
            "none that was offered",
        ),
        (PLAIN, "RTP/AVP", (f"1 AES_CM_128_HMAC_SHA1_80 inline:{TEXT}",), None),
    ],
)
def test_answers(local: Local, proto: str, crypto: tuple[str, ...], said: Secured | str | None) -> None:
    found = reading(local, sdp(proto, *crypto))
    if isinstance(said, str):
        assert isinstance(found, str)
        assert said in found
    else:
        assert isinstance(found, Agreed)
        assert found.secured == said
