"""The grammar of RFC 3261 25.1, rule by rule, with the ABNF beside each expression and every deviation named.

The expressions are written so that matching is linear in the input: alternatives start with different characters, and
repetitions of characters are possessive (`++`, `*+`), so that a match which fails does not try again from the middle.
Groups are repeated and left out without that (`)*`, `)?`), which stays linear because no turn of theirs can end at
another place: the `re` of Python 3.11.2, that of Debian 12, goes on wrongly where a possessive group has failed.

Text here is what the parser has decoded and unfolded: no CR or LF is left, and LWS is a run of spaces and tabs.
"""

from __future__ import annotations

import re
from typing import Final

# token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~")
TOKEN_CHARS: Final = r"A-Za-z0-9\-.!%*_+`'~"
TOKEN: Final = re.compile(rf"[{TOKEN_CHARS}]++")
TOKEN_LIST: Final = re.compile(rf"[{TOKEN_CHARS}]++(?:[ \t]*+,[ \t]*+[{TOKEN_CHARS}]++)*")

# LWS = [*WSP CRLF] 1*WSP ; after unfolding
WS: Final = r"[ \t]*+"

# quoted-string = SWS DQUOTE *(qdtext / quoted-pair) DQUOTE
# qdtext        = LWS / %x21 / %x23-5B / %x5D-7E / UTF8-NONASCII
# quoted-pair   = "\" (%x00-09 / %x0B-0C / %x0E-7F)
# Deviation: UTF8-NONASCII stands for any decoded character from U+0080 on.
QUOTED: Final = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]++|\\[\x00-\x09\x0b\x0c\x0e-\x7f])*"'
QUOTED_STRING: Final = re.compile(QUOTED)
QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)

# hostname         = *( domainlabel "." ) toplabel [ "." ]
# toplabel         = ALPHA / ALPHA *( alphanum / "-" ) alphanum
# IPv4address      = 1*3DIGIT "." 1*3DIGIT "." 1*3DIGIT "." 1*3DIGIT
# IPv6reference    = "[" IPv6address "]"   (RFC 3986 3.2.2 through RFC 5954)
# Deviation: "_" in a label, because container names have it; what looks like an IPv6 address is checked by `ipaddress`.
HOST: Final = r"(?:[A-Za-z0-9][A-Za-z0-9_.\-]*+|\[[0-9A-Fa-f]*+:[0-9A-Fa-f:.]++\])"
HOSTNAME: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9_\-]*[A-Za-z0-9])?\.)*[A-Za-z](?:[A-Za-z0-9_\-]*[A-Za-z0-9])?\.?"
)
IPV4: Final = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.(?!$)|$)){4}")

EXTRA_COLON: Final = re.compile(r":::(?=[0-9]+\.)")

# port = 1*DIGIT ; the value is checked to fit in 16 bits
PORT: Final = r"[0-9]{1,5}"

# escaped = "%" HEXDIG HEXDIG
ESCAPED: Final = r"%[0-9A-Fa-f]{2}"

# unreserved = alphanum / mark ; mark = "-" / "_" / "." / "!" / "~" / "*" / "'" / "(" / ")"
UNRESERVED: Final = r"A-Za-z0-9\-_.!~*'()"

# user = 1*( unreserved / escaped / user-unreserved ) ; user-unreserved = "&" / "=" / "+" / "$" / "," / ";" / "?" / "/"
# Deviation: "#" is read unescaped, because phones send feature codes so; it is written escaped.
USER: Final = rf"(?:[{UNRESERVED}&=+$,;?/#]++|{ESCAPED})+"

# password = *( unreserved / escaped / "&" / "=" / "+" / "$" / "," )
PASSWORD: Final = rf"(?:[{UNRESERVED}&=+$,]++|{ESCAPED})*"

# uri-parameter = pname [ "=" pvalue ] ; paramchar = param-unreserved / unreserved / escaped
# param-unreserved = "[" / "]" / "/" / ":" / "&" / "+" / "$"
PARAM_CHAR: Final = rf"(?:[{UNRESERVED}\[\]/:&+$]++|{ESCAPED})"
URI_PARAMS: Final = rf"(?:;{PARAM_CHAR}+(?:={PARAM_CHAR}+)?)*"

# headers = "?" header *( "&" header ) ; header = hname "=" hvalue
# hnv-unreserved = "[" / "]" / "/" / "?" / ":" / "+" / "$"
HNV_CHAR: Final = rf"(?:[{UNRESERVED}\[\]/?:+$]++|{ESCAPED})"
URI_HEADERS: Final = rf"{HNV_CHAR}+={HNV_CHAR}*(?:&{HNV_CHAR}+={HNV_CHAR}*)*"

# SIP-URI = "sip:" [ userinfo ] hostport uri-parameters [ headers ]
SIP_URI: Final = re.compile(
    rf"([sS][iI][pP][sS]?):(?:({USER})(?::({PASSWORD}))?@)?({HOST})(?::({PORT}))?({URI_PARAMS})(?:\?({URI_HEADERS}))?"
)

# absoluteURI = scheme ":" ( hier-part / opaque-part ) ; anything without white space, quotes, brackets or controls
ABSOLUTE_URI: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*+):([!#-;=?-\[\]_a-z~]++)")

# generic-param = token [ EQUAL gen-value ] ; gen-value = token / host / quoted-string
# Deviation: a bare value may also have ":[]/@=?$&", so that `received=2001:db8::1` without brackets (RFC 5118 4.5) and
# tags made of base64 are read. None of them can end a parameter or a field.
VALUE_CHARS: Final = rf"{TOKEN_CHARS}:\[\]/@=?$&"
PLAIN_PARAMS: Final = rf"(?:;[{TOKEN_CHARS}]++(?:=[{VALUE_CHARS}]++)?)*"
"""Parameters as nearly everybody writes them: no white space, nothing quoted. Split by `str` methods."""
PLAIN_PARAMS_ONLY: Final = re.compile(PLAIN_PARAMS)
VALUE: Final = re.compile(rf"[{VALUE_CHARS}]++")
PARAM: Final = re.compile(rf"{WS};{WS}([{TOKEN_CHARS}]++)(?:{WS}={WS}(?:([{VALUE_CHARS}]++)|({QUOTED})))?{WS}")
"""One parameter in the full grammar, white space and quotes included."""

# Via = via-parm *(COMMA via-parm) ; via-parm = sent-protocol LWS sent-by *( SEMI via-params )
VIA_PLAIN: Final = re.compile(rf"SIP/2\.0/([A-Z]++) ({HOST})(?::({PORT}))?({PLAIN_PARAMS})")
VIA: Final = re.compile(
    rf"[sS][iI][pP]{WS}/{WS}2\.0{WS}/{WS}([{TOKEN_CHARS}]++)[ \t]++({HOST})(?:{WS}:{WS}({PORT}))?{WS}((?:;.*+)?)",
    re.DOTALL,
)

# name-addr = [ display-name ] LAQUOT addr-spec RAQUOT ; display-name = *(token LWS) / quoted-string
# Deviation: an unquoted display name may have any character but , ; < > " \ and controls (RFC 3261 asks for tokens, but
# unquoted names with umlauts are common). A comma is never taken for part of a name; a tab is white space.
NAME_ADDR: Final = re.compile(
    rf'(?:({QUOTED}){WS}|([^,;<>"\\\x00-\x08\x0a-\x1f\x7f]*+))<([^<>" \t]*+)>(.*+)', re.DOTALL
)

# CSeq = 1*DIGIT LWS Method
CSEQ: Final = re.compile(rf"0*([0-9]{{1,10}})[ \t]++([{TOKEN_CHARS}]++)")

# Elements of a comma-separated list: commas inside quotes and angle brackets do not separate.
LIST_ELEMENT: Final = re.compile(rf'(?:{QUOTED}|<[^<>]*+>|[^",<]++)*')

# media-type = m-type SLASH m-subtype *(SEMI m-parameter)
MEDIA_TYPE: Final = re.compile(rf"([{TOKEN_CHARS}]++){WS}/{WS}([{TOKEN_CHARS}]++){WS}((?:;.*+)?)")


# challenge / credentials = scheme LWS auth-param *(COMMA auth-param)
# auth-param = token EQUAL ( token / quoted-string )
# Deviation: a bare value may have any character but white space, comma and quote (unquoted nonces and URIs are common).
AUTH_SCHEME: Final = re.compile(rf"([{TOKEN_CHARS}]++)[ \t]++")
AUTH_PARAM: Final = re.compile(rf'([{TOKEN_CHARS}]++){WS}={WS}(?:({QUOTED})|([^ \t,"]++)){WS}(?:,{WS}|$)')

# nc-value = 8LHEX ; upper case is read too
NONCE_COUNT: Final = re.compile(r"[0-9a-fA-F]{8}")


def unquote(text: str) -> str:
    """The characters that a quoted-string (with its quotes) stands for."""
    inner = text[1:-1]
    return QUOTED_PAIR.sub(r"\1", inner) if "\\" in inner else inner


def quote(text: str) -> str:
    """A quoted-string for any text: quotes and backslashes escaped, controls (CR and LF among them) left out."""
    if not text.isprintable():
        text = "".join(char for char in text if char >= " " and char != "\x7f")
    if '"' in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
