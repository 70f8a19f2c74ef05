"""Names the protocol has given: header fields with their compact forms, methods, reason phrases."""

from __future__ import annotations

from typing import Final

from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.grammar import TOKEN

# fmt: off
_HEADERS: Final = (
    "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Allow-Events",
    "Answer-Mode", "Authentication-Info", "Authorization", "Call-ID", "Call-Info", "Contact", "Content-Disposition",
    "Content-Encoding", "Content-Language", "Content-Length", "Content-Type", "CSeq", "Date", "Diversion",
    "Error-Info", "Event", "Expires", "From", "Geolocation", "History-Info", "Identity", "In-Reply-To", "Join",
    "Flow-Timer", "Max-Forwards", "MIME-Version", "Min-Expires", "Min-SE", "Organization", "P-Access-Network-Info",
    "P-Asserted-Identity", "P-Charging-Vector", "P-Early-Media", "P-Preferred-Identity", "Path", "Priority",
    "Privacy", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require", "RAck", "Reason", "Record-Route",
    "Refer-To", "Referred-By", "Reject-Contact", "Remote-Party-ID", "Replaces", "Reply-To", "Request-Disposition",
    "Require", "Retry-After", "Route", "RSeq", "Server", "Service-Route", "Session-Expires", "Session-ID", "SIP-ETag",
    "SIP-If-Match", "Subject", "Subscription-State", "Supported", "Target-Dialog", "Timestamp", "To", "Unsupported",
    "User-Agent", "User-to-User", "Via", "Warning", "WWW-Authenticate", "X-Hearthline-Call-ID",
)
# fmt: on

COMPACT: Final = {
    "i": "Call-ID",
    "m": "Contact",
    "e": "Content-Encoding",
    "l": "Content-Length",
    "c": "Content-Type",
    "f": "From",
    "s": "Subject",
    "k": "Supported",
    "t": "To",
    "v": "Via",
    "a": "Accept-Contact",
    "u": "Allow-Events",
    "o": "Event",
    "r": "Refer-To",
    "b": "Referred-By",
    "x": "Session-Expires",
    "j": "Reject-Contact",
    "d": "Request-Disposition",
    "y": "Identity",
}
"""RFC 3261 7.3.3 and 20, and the registry's later ones (RFC 3841, 6665, 3515, 3892, 4028, 8224)."""

CANONICAL: Final[dict[str, str]] = {
    **{spelling: name for name in _HEADERS for spelling in (name, name.lower(), name.upper(), name.title())},
    **{spelling: name for short, name in COMPACT.items() for spelling in (short, short.upper())},
}
"""The spellings that peers really use, to the one that we use: one dictionary look-up per header field."""

# fmt: off
METHODS: Final = frozenset({
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO",
    "REFER", "MESSAGE", "UPDATE",
})
# fmt: on

REASONS: Final[dict[int, str]] = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    199: "Early Dialog Terminated",
    200: "OK",
    202: "Accepted",
    204: "No Notification",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    412: "Conditional Request Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    430: "Flow Failed",
    439: "First Hop Lacks Outbound Support",
    480: "Temporarily Unavailable",
    469: "Bad Info Package",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    493: "Undecipherable",
    494: "Security Agreement Required",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    580: "Precondition Failure",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
}
"""RFC 3261 21 and the registry. The text is for people; the number decides."""


def refuse(status: int, text: str) -> RemoteSipError:
    """The error that makes a request answered with `status`, its phrase taken from the table."""
    return RemoteSipError(text, status_hint=status, reason=REASONS.get(status, "Bad Request"))


def canonical(name: str) -> str:
    """The spelling under which a header field is kept: the RFC's for known names, title case for others, so that names
    compare without regard to case (RFC 3261 7.3.1). Raises LocalSipError where it is no token."""
    known = CANONICAL.get(name)
    if known is not None:
        return known
    if TOKEN.fullmatch(name) is None:
        raise LocalSipError(f"header name {name!r} is not a token (RFC 3261 25.1)")
    return CANONICAL.get(name.lower()) or name.title()
