"""How much of a message we are ready to read, and which times that a peer names we keep to. The peer chooses the bytes,
so everything that it can make large is bounded here, and a bound that is passed is answered with the status the RFC has
for it. How many entries the tables may have is in `stack.Limits`, as an operator may want others."""

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

MAX_SDP_CRYPTO: Final = 32
"""Keys of one m-line that are looked at; phones bring up to a dozen, one for each suite."""

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

RETRY_AFTER_S: Final = 5
"""What 503 says: when to ask again of a table that is full."""

MAX_CONTACTS: Final = 10
"""Contacts of one REGISTER."""

MAX_PATH: Final = 8
"""Proxies between a phone and us; each call repeats them all."""

MAX_KEPT_TEXT: Final = 200
"""Characters of an instance, a path, a Contact or a User-Agent that are kept or told."""

MAX_REG_ID: Final = 2**31 - 1
"""RFC 5626 4.2: reg-id is from 1 to this."""

MAX_LOST_PHONES: Final = 1000
"""Phones whose connection was lost and whose calls may still find them again."""

MAX_CARRIED: Final = 512
"""Characters of one field that is carried; a History-Info of ten entries comes in ten fields or is left out."""

MAX_CARRIED_TOKEN: Final = 4096
"""Characters of an Identity: a PASSporT with its certificate's URL has about 700, those of `div` chains more."""

MAX_CARRIED_FIELDS: Final = 8
"""Fields of a name that are carried."""

MAX_ROUTES: Final = 32
"""Proxies on the way of a dialog; each request repeats them all."""

MAX_DEFECTS: Final = 16
"""Errors of ours that wait to be logged."""

MAX_REMEMBERED_FLOWS: Final = 4096
"""Flows whose strings are kept, and sources that were read; past it they are made anew."""

MAX_HISTORY: Final = 16
"""Entries of History-Info. Twice of what a call over four providers collects; past it the oldest are left out."""

MAX_HISTORY_LEVELS: Final = 16
"""Levels of an index of History-Info ("1.1.2" has three); each time that a call is sent on adds one."""

MAX_ASSERTED: Final = 2
"""Addresses of P-Asserted-Identity: one sip and one tel URI (RFC 3325 9.1)."""

MAX_INFO_BYTES: Final = 256
"""Of an INFO with a key."""

MAX_MESSAGE_BYTES: Final = 1300
"""RFC 3428 8: a MESSAGE outside of a session is to stay below the smallest MTU; we hold the text to it everywhere."""

MAX_PROVISIONALS: Final = 16
"""Provisional responses that wait; of more, the older give way, since each says how the call stands now."""

MAX_CONFIRMED: Final = 64
"""Reliable responses of one fork. Each makes a request of ours, and a peer could send them without end."""

MAX_REASON: Final = 200
"""Characters of a peer's Reason header that are looked at."""

MAX_REFERRED_BY: Final = 300
"""Characters of Referred-By that are passed on."""

MAX_REFERRALS: Final = 4
"""REFERs of ours that may be under way in one call."""

MAX_PHRASE: Final = 100
"""Characters of a reason phrase in a sipfrag that are told."""

MAX_WISHES: Final = 3
"""421 and 422 together that one call follows: a peer that raises its wish each time has none."""

MAX_REDIRECTED: Final = 8
"""Contacts of 3xx that are tried in all."""

MAX_EVENT: Final = 200
"""Characters of an Event header that are repeated in NOTIFY."""

# --- times that a peer names ---

MAX_RETRY_AFTER_S: Final = 3600
"""Of a Retry-After: a registrar or server that wants to be left alone for longer is asked once an hour."""

MAX_OFFER_WAIT_S: Final = 60
"""Of a Retry-After to an offer within a call; one that is to wait for longer counts as refused."""

MAX_OFFER_TRIES: Final = 5
"""491, 500 with Retry-After and the like in a row, after which our offer counts as refused."""

MAX_GRANTED_S: Final = 86_400
"""Life of a registration of ours, whatever is granted: once a day it is seen whether we are known still."""

MIN_GRANTED_S: Final = 10
"""Less would be a REGISTER every few seconds, whatever the registrar says."""

MAX_BRIEF: Final = 3
"""423 in a row that a registration of ours follows: a registrar that raises its wish each time has none."""

MIN_FLOW_TIMER_S: Final = 5
"""Less would be a packet every few seconds, whatever the registrar says."""

MAX_REFERRED_S: Final = 3600
"""How long a peer may take to tell what came of a REFER of ours (RFC 3515 2.4.4)."""

MAX_KEY_MS: Final = 5000
"""How long a key of an INFO is held."""
