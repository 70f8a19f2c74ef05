"""How much of a message we are ready to read. The peer chooses the bytes, so everything that it can make large is
bounded here, and a bound that is passed is answered with the status the RFC has for it."""

from __future__ import annotations

from typing import Final

MAX_HEAD_BYTES: Final = 32 * 1024
"""Start line and header fields. Asterisk takes 20 KiB in all, Kamailio 64 KiB; the longest of RFC 4475 has 4 KiB."""

MAX_BODY_BYTES: Final = 64 * 1024
"""More than any UDP datagram can bring; an SDP has 1-4 KiB."""

MAX_UNFINISHED_BYTES: Final = 16 * 1024 * 1024
"""Of messages that have begun on all stream connections together. 200 strangers can begin the largest there is; what a
thousand honest phones have under way at one moment is a tenth of it."""

MAX_HEADER_FIELDS: Final = 256
"""Fields, not lines. A request through five proxies has about 40."""

MAX_KEEPALIVE_BYTES: Final = 4
"""A datagram this short is no message: CRLF (pjsip), CRLFCRLF (RFC 5626 3.5.1), one NUL, or linphone's "jaK"."""

MAX_BODY_PARTS: Final = 8
"""Of a multipart body. A gateway sends SDP beside ISUP, a phone a picture at most."""

MAX_CONTENT_LENGTH_DIGITS: Final = 10
"""int() of a longer run is work without use; any such number is past MAX_BODY_BYTES."""

MAX_HOST_LENGTH: Final = 255
"""A name of DNS is no longer (RFC 1035 2.3.4)."""

MAX_CSEQ: Final = 2**31 - 1
"""RFC 3261 8.1.1.5: less than 2**31."""

MAX_DELTA_SECONDS: Final = 2**32 - 1
"""RFC 3261 20.19; a larger Expires counts as this."""

MAX_SDP_BYTES: Final = 32 * 1024
MAX_SDP_MEDIA: Final = 32
"""m-lines. Browsers bring up to a dozen; each costs us a line of the answer (RFC 3264 6)."""

MAX_SDP_FORMATS: Final = 128
"""Payload types of one m-line: there are no more than 128 numbers (RFC 3550 5.1)."""

MAX_NONCE_COUNTS: Final = 4096
"""Nonces whose counts are remembered by one DigestServer; past it the oldest is forgotten and counts as stale."""

NONCE_COUNT_WINDOW: Final = 64
"""How far a nonce count may lie behind the highest seen (parallel requests of one client overtake each other)."""

MAX_CHALLENGES: Final = 16
"""Challenges of one kind that are read of one response; two algorithms of each of a few proxies are common."""

MAX_REALMS: Final = 8
"""Realms that an account keeps a nonce for; past it the oldest is asked for anew."""

MAX_CHALLENGED: Final = 6
"""Challenges that one request answers: some proxies, each with a realm and once with a stale nonce."""

MAX_TOLD_BANS: Final = 1024
"""Bans that wait to be told to the layer above; of more than that at once the oldest are not told."""

MAX_USER_KEPT: Final = 64
"""Characters of a user name that failed to log in which the guard remembers; no agent's name is longer."""

AMPLIFICATION: Final = (3, 2)
"""Octets that may leave for those that came from whoever has shown no return path: one and a half times, so that nobody
gains by forging another's address (as QUIC bounds it at three, RFC 9000 8.1)."""

MAX_HOPS: Final = 16
"""Places that one URI leads to; nobody waits for a seventeenth."""

MAX_DEATHS: Final = 1024
"""Servers of which it is remembered that they failed; past it the oldest is forgotten and tried again."""

MAX_QUESTIONS: Final = 32
"""Questions to DNS for one URI, since its owner chooses how many records there are."""
