"""Texts by the grammar, for hypothesis: RFC 3261 25.1 rule by rule under the rule's name, and the header fields of the
extensions that we read, by theirs. White space is put wherever the grammar lets it be, folded lines among it.

Two things that the grammar allows are left out because a reader cannot mean them: a parameter that is there twice (RFC
3261 7.3.1), and escaped octets that are no UTF-8 (7).
"""

from __future__ import annotations

import string
from typing import Final

from hypothesis import strategies as st

Text = st.SearchStrategy[str]

_ALPHANUM: Final = string.ascii_letters + string.digits
_MARK: Final = "-_.!~*'()"
_UNRESERVED: Final = _ALPHANUM + _MARK


def of(*parts: Text | str) -> Text:
    """One after the other."""
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map("".join)


def some(part: Text, *, least: int = 0, most: int = 3, between: Text | None = None) -> Text:
    """Repeated, with something between."""
    if between is None:
        return st.lists(part, min_size=least, max_size=most).map("".join)
    more = st.lists(of(between, part), max_size=most - 1).map("".join)
    listed = of(part, more)
    return listed if least else maybe(listed)


def maybe(part: Text) -> Text:
    return st.just("") | part


def one_of(*words: str) -> Text:
    return st.sampled_from(words)


def _chars(allowed: str, *, least: int = 1, most: int = 8) -> Text:
    return st.text(allowed, min_size=least, max_size=most)


# --- basic rules ---

lws = one_of(" ", "\t", "   ", "\r\n ", " \r\n\t")
sws = one_of("", "", "", " ", "\t", "\r\n ")
comma, semi, equal = of(sws, ",", sws), of(sws, ";", sws), of(sws, "=", sws)
slash, colon = of(sws, "/", sws), of(sws, ":", sws)
token = _chars(_ALPHANUM + "-.!%*_+`'~")
word = _chars(_ALPHANUM + "-.!%*_+`'~()<>:\\\"/[]?{}")
_qdtext = st.characters(exclude_characters='"\\', min_codepoint=0x20, exclude_categories=["Cs", "Cc"])
_quoted_pair = of("\\", _chars("".join(map(chr, range(0x20, 0x7F))), most=1))
quoted_string = of('"', some(_qdtext | _quoted_pair, most=8), '"')
"""Quoted controls are left out: they are read, and never written again."""
digits = st.integers(0, 2**32 - 1).map(str)
delta_seconds = digits | of("00", digits)
lhex = "0123456789abcdef"

# --- URIs ---

_escaped = st.characters(exclude_categories=["Cs"]).map(
    lambda char: "".join(f"%{octet:02X}" for octet in char.encode())
)


def _escapable(allowed: str, *, least: int = 1) -> Text:
    return st.lists(_chars(allowed, most=1) | _escaped, min_size=least, max_size=6).map("".join)


_label = of(_chars(_ALPHANUM, most=4), maybe(of("-", _chars(_ALPHANUM, most=4))))
hostname = of(some(of(_label, "."), most=3), _chars(string.ascii_letters, most=4), maybe(st.just(".")))
ipv4 = st.ip_addresses(v=4).map(str)
ipv6 = of("[", st.ip_addresses(v=6).map(str), "]")
host = hostname | ipv4 | ipv6
port = st.integers(0, 65535).map(str)
hostport = of(host, maybe(of(":", port)))
_user = _escapable(_UNRESERVED + "&=+$,;?/")
_password = _escapable(_UNRESERVED + "&=+$,", least=0)
_userinfo = of(_user, maybe(of(":", _password)), "@")
_pchar = _escapable(_UNRESERVED + "[]/:&+$")


def _numbered(part: Text, *, most: int = 3) -> Text:
    """Parameters whose names differ, whatever `part` makes them."""
    listed = st.lists(part, max_size=most)
    return listed.map(lambda found: "".join(f";{number}{each}" for number, each in enumerate(found)))


uri_parameters = _numbered(of(_pchar, maybe(of("=", _pchar))))
_known_parameters = one_of(
    ";lr", ";transport=tcp", ";user=phone", ";maddr=192.0.2.1", ";ttl=5", ";method=INVITE", ";ob"
)
_hchar = _escapable(_UNRESERVED + "[]/?:+$")
_hvalue = _escapable(_UNRESERVED + "[]/?:+$", least=0)
uri_headers = of("?", some(of(_hchar, "=", _hvalue), least=1, between=st.just("&")))
sip_uri = of(one_of("sip", "sips", "SIP"), ":", maybe(_userinfo), hostport, maybe(_known_parameters), uri_parameters)
sip_uri_with_headers = of(sip_uri, maybe(uri_headers))
absolute_uri = one_of(
    "urn:service:sos", "mailto:a@example.com", "tel:+1-201-555-0123;phone-context=+1", "http://h/p?q=1", "data:,x"
)
plain_uri = of("sip:", maybe(of(token.map(lambda text: text.replace("%", "").replace("`", "") or "a"), "@")), hostport)

# --- header fields of RFC 3261 ---

gen_value = token | quoted_string | hostname | ipv4
generic_params = st.lists(st.tuples(token, maybe(of(equal, gen_value)), semi), max_size=3).map(
    lambda found: "".join(f"{between}x{number}{name}{value}" for number, (name, value, between) in enumerate(found))
)
_display = some(of(token, lws), most=3) | of(quoted_string, sws)
name_addr = of(maybe(_display), "<", sip_uri_with_headers | absolute_uri, ">")
address = name_addr | plain_uri
with_tag = of(address, semi, "tag", equal, token, generic_params)
_qvalue = one_of("0", "1", "0.5", "1.000", "0.")
contact_param = of(
    address, maybe(of(semi, "q", equal, _qvalue)), maybe(of(semi, "expires", equal, delta_seconds)), generic_params
)
contact = st.just("*") | some(contact_param, least=1, between=comma)
routes = some(of(name_addr, generic_params), least=1, between=comma)
via_parm = of(
    *("SIP", slash, "2.0", slash, one_of("UDP", "TCP", "TLS", "SCTP", "x1"), lws, host, maybe(of(colon, port))),
    *(
        maybe(of(semi, "branch", equal, token)),
        maybe(of(semi, "received", equal, ipv4 | st.ip_addresses(v=6).map(str))),
    ),
    *(maybe(of(semi, "rport", maybe(of(equal, port)))), generic_params),
)
via = some(via_parm, least=1, between=comma)
call_id = of(word, maybe(of("@", word)))
method = one_of("INVITE", "REGISTER", "OPTIONS", "NOTIFY", "XYZZY!")
tokens = some(token, least=1, between=comma)
_comment = of(sws, "(", some(_chars(_ALPHANUM + " ", most=4) | st.just("(x)")), ")")
retry_after = of(delta_seconds, maybe(_comment), maybe(of(semi, "duration", equal, delta_seconds)))
_m_params = st.lists(of(equal, token | quoted_string), max_size=2).map(
    lambda found: "".join(f";a{number}{value}" for number, value in enumerate(found))
)
media_type = of(token, slash, token, _m_params)
accept = some(of(one_of("*/*", "application/sdp", "text/*"), generic_params), between=comma)
_auth_param = of(equal, token | quoted_string)
_auth_params = st.lists(st.tuples(_auth_param, comma), max_size=3).map(
    lambda found: "".join(f"{between}p{number}{value}" for number, (value, between) in enumerate(found))
)
challenge = of("Digest", lws, "realm", equal, quoted_string, comma, "nonce", equal, quoted_string, _auth_params)
credentials = of("Digest", lws, "username", equal, quoted_string, comma, "uri", equal, '"sip:h"', _auth_params)

# --- extensions ---

_TAGS = st.tuples(semi, token, semi, token, maybe(of(semi, "early-only")), st.booleans())


def _dialog_tags(found: tuple[str, str, str, str, str, bool]) -> str:
    one, to, other, from_, early, swapped = found
    pair = [f"{one}to-tag={to}", f"{other}from-tag={from_}"]
    return "".join(reversed(pair) if swapped else pair) + early


replaces = of(call_id.filter(lambda text: ";" not in text), _TAGS.map(_dialog_tags))
session_expires = of(
    st.integers(1, 2**32 - 1).map(str), maybe(of(semi, "refresher", equal, one_of("uac", "uas", "UAC"))), generic_params
)
rack = of(st.integers(1, 2**31 - 1).map(str), lws, st.integers(0, 2**31 - 1).map(str), lws, token)
rseq = st.integers(1, 2**31 - 1).map(str)
_index = st.lists(st.integers(1, 9).map(str), min_size=1, max_size=4).map(".".join)
history_info = some(
    of(
        name_addr,
        semi,
        "index",
        equal,
        _index,
        maybe(of(semi, one_of("rc", "mp", "np"), equal, _index)),
        generic_params,
    ),
    least=1,
    between=comma,
)
diversion = some(of(name_addr, maybe(of(semi, "reason", equal, token | quoted_string)), generic_params), between=comma)
asserted = some(name_addr, least=1, between=comma, most=2)
reason = some(
    of(one_of("Q.850", "SIP", "x"), maybe(of(semi, "cause", equal, st.integers(0, 999).map(str))), generic_params),
    least=1,
    between=comma,
)
subscription_state = of(
    one_of("active", "pending", "terminated", "x"),
    maybe(of(semi, "expires", equal, delta_seconds)),
    maybe(of(semi, "reason", equal, token)),
    generic_params,
)
event_id = token
event = of(
    one_of("refer", "dialog", "message-summary", "presence.winfo"),
    maybe(of(semi, "id", equal, event_id)),
    generic_params,
)
refer_to = of(of("<", sip_uri_with_headers, ">"), generic_params)
session_id = of(_chars(lhex, least=32, most=32), maybe(of(semi, "remote", equal, _chars(lhex, least=32, most=32))))
user_to_user = of(token | quoted_string, maybe(of(semi, "encoding", equal, token)), generic_params)
sipfrag = of("SIP/2.0 ", st.integers(100, 699).map(str), " ", st.text(_ALPHANUM + " ", max_size=20), "\r\n")
