"""`make fuzz`: authentication headers, guided by coverage, as credentials for us and as a server's challenge. None of
them is ever accepted, nothing but RemoteSipError leaves the reader, and what we answer can be written and read.

    python -m tests.torture.fuzz_digest [--seconds 600]
"""

from __future__ import annotations

from contextlib import suppress

from engine.sip.auth import DigestServer, Outcome, answer_challenge, ha1
from engine.sip.errors import RemoteSipError
from engine.sip.headers import parse_auth
from engine.sip.limits import MAX_HEADER_FIELDS
from engine.sip.message import Request
from tests.torture.guided import run

_REALM, _NOW, _SOURCE = "hearthline", 1000.0, "192.0.2.1"
_URI = "sip:hearthline"


def _server() -> DigestServer:
    return DigestServer(_REALM, b"0123456789abcdef", 60.0)


def _lookup(user: str, realm: str, algorithm: str) -> str | None:
    return ha1("alice", realm, "secret", algorithm) if user == "alice" else None


def seeds() -> list[bytes]:
    """Challenges of ours, right and wrong answers to them, and what others write."""
    challenges = _server().challenges(_NOW, source=_SOURCE)
    found = [*challenges, *_server().challenges(_NOW, stale=True)]
    for user, password in (("alice", "secret"), ("alice", "wrong"), ("mallory", "x")):
        for challenge in challenges:
            for qop in ('qop="auth"', 'qop="auth-int,auth"', 'opaque="o"'):
                text = challenge.replace('qop="auth"', qop)
                found.append(
                    answer_challenge([text], user=user, password=password, method="REGISTER", uri=_URI, cnonce="c")[1]
                )
    found += [
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        'Digest realm="a\\"b", nonce=unquoted, stale=TRUE, algorithm=MD5-sess, domain="sip:h", qop=auth, opaque=""',
        'Digest username="al\\ice",realm="hearthline" , nonce = "x" ,uri="sip:h:5060;x?a=b",response="",nc=ffffffff',
    ]
    return [text.encode() for text in found]


def fuzz(data: bytes) -> None:
    """One input; lines are several headers."""
    lines = data.decode("utf-8", "ignore").split("\n")[:MAX_HEADER_FIELDS]
    for line in lines:
        with suppress(RemoteSipError):
            auth = parse_auth(line)
            assert auth.scheme == auth.scheme.lower()
            assert auth.params
    server = _server()
    server.echoed(data, _SOURCE, _NOW)
    for uri in (_URI, "sip:\xe9@["):
        verdict = server.verify(lines, "REGISTER", uri, data[:16], _lookup, _NOW, _SOURCE)
        assert not verdict.ok or verdict.user == "alice"
    if verdict_is_repeated(lines):
        raise AssertionError("credentials were accepted twice")
    _answer(lines)


def verdict_is_repeated(lines: list[str]) -> bool:
    """Whether the same count of a nonce passes twice."""
    server = _server()
    first, second = (server.verify(lines, "REGISTER", _URI, b"", _lookup, _NOW, _SOURCE) for _ in range(2))
    return first.outcome is Outcome.OK and second.outcome is Outcome.OK


def _answer(lines: list[str]) -> None:
    with suppress(RemoteSipError):
        name, text = answer_challenge(lines, user='al"ice', password="secret", method="REGISTER", uri=_URI, cnonce="c")
        if any(char in text for char in "\r\n"):
            return  # a header field has none; `lines` may
        request = Request.build("REGISTER", _URI, [(name, text)])
        assert parse_auth(request.headers.get(name) or "").params["username"] == 'al"ice'


if __name__ == "__main__":
    run("fuzz_digest")
