"""What a telephone of the media soak can do, and its session descriptions."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from engine.media.commands import SrtpSuite
from tests.support.plain_message import direction_of, media_address

KEY_OCTETS: Final = {
    SrtpSuite.AEAD_AES_256_GCM: 44,
    SrtpSuite.AEAD_AES_128_GCM: 28,
    SrtpSuite.AES_CM_128_HMAC_SHA1_80: 30,
    SrtpSuite.AES_CM_128_HMAC_SHA1_32: 30,
}
EVENTS: Final = 101
_STATIC: Final = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 18: "G729/8000"}
_RTPMAP: Final = re.compile(rb"^a=rtpmap:(\d+) ([^\r\n]+)", re.MULTILINE)
_FORMATS: Final = re.compile(rb"^m=audio \d+ \S+ ([\d ]+)", re.MULTILINE)
_CRYPTO: Final = re.compile(rb"^a=crypto:(\d+) (\S+) inline:([^|\s]+)", re.MULTILINE)


class Coding(NamedTuple):
    """A codec as one side numbers it."""

    number: int
    name: str


PLAIN: Final = (Coding(0, "PCMU/8000"), Coding(8, "PCMA/8000"))
ALAW: Final = (Coding(8, "PCMA/8000"),)
WIDE: Final = (Coding(9, "G722/8000"), Coding(8, "PCMA/8000"))
LINEAR: Final = (Coding(96, "L16/16000"), Coding(97, "L16/8000"), Coding(0, "PCMU/8000"))
OPAQUE: Final = (Coding(111, "opus/48000/2"), Coding(18, "G729/8000"), Coding(0, "PCMU/8000"))
ONLY_OPAQUE: Final = (Coding(109, "opus/48000/2"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """One telephone's ways."""

    codings: tuple[Coding, ...] = PLAIN
    ptime_ms: int = 20
    sparing: bool = False
    """Sends nothing while nobody speaks (DTX)."""
    events: bool = True
    """Telephone-events, else keys are tones."""
    suite: SrtpSuite | None = None
    """Encrypted by this one."""
    behind_nat: bool = False
    """Tells an address of its own network."""
    loss: float = 0.0
    swaps: float = 0.0
    """Share of packets that come behind the next."""
    jitter_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What an offer and its answer have settled, as one telephone sees it."""

    peer: tuple[str, int]
    coding: Coding
    """By the number that we send."""
    suite: SrtpSuite | None = None
    own_key: str = ""
    their_key: str = ""
    silent: bool = False
    """The other side wants to hear nothing."""


def fresh_key(suite: SrtpSuite) -> str:
    return b64encode(os.urandom(KEY_OCTETS[suite])).decode()


def describe(
    kit: Kit,
    host: str,
    port: int,
    *,
    direction: str,
    version: int,
    key: str = "",
    tag: int = 1,
    only: Coding | None = None,
    events: int | None = EVENTS,
) -> bytes:
    """An offer of all that the kit has, or with `only` an answer."""
    shown = "10.11.12.13" if kit.behind_nat else host
    codings = kit.codings if only is None else (only,)
    numbers = [str(each.number) for each in codings]
    if kit.events and events is not None:
        numbers.append(str(events))
    lines = ["v=0", f"o=- 7 {version} IN IP4 {shown}", "s=-", f"c=IN IP4 {shown}", "t=0 0"]
    lines.append(f"m=audio {port} RTP/{'SAVP' if kit.suite else 'AVP'} {' '.join(numbers)}")
    lines += [f"a=rtpmap:{each.number} {each.name}" for each in codings]
    if kit.events and events is not None:
        lines += [f"a=rtpmap:{events} telephone-event/8000", f"a=fmtp:{events} 0-15"]
    if kit.suite is not None:
        lines.append(f"a=crypto:{tag} {kit.suite} inline:{key}")
    return "\r\n".join([*lines, f"a=ptime:{kit.ptime_ms}", f"a={direction}", ""]).encode()


def offered(body: bytes) -> dict[str, int]:
    """The numbers of the codecs in a description, by their names in small letters."""
    found = _FORMATS.search(body)
    numbers = [int(word) for word in found[1].split()] if found else []
    names = {int(number): name.decode().strip() for number, name in _RTPMAP.findall(body)}
    return {names.get(number, _STATIC.get(number, "?")).lower(): number for number in numbers}


def choose(kit: Kit, body: bytes) -> Coding | None:
    """The codec of ours that an offer has too, by the offer's number."""
    theirs = offered(body)
    for each in kit.codings:
        if each.name.lower() in theirs:
            return Coding(theirs[each.name.lower()], each.name)
    return None


def events_in(body: bytes) -> int | None:
    return offered(body).get("telephone-event/8000")


def crypto(body: bytes, suite: SrtpSuite) -> tuple[int, str] | None:
    """Tag and key of the line for this suite."""
    for tag, name, key in _CRYPTO.findall(body):
        if name.decode() == suite:
            return int(tag), key.decode()
    return None


def agree(kit: Kit, body: bytes, own_key: str) -> Agreement | None:
    """What their description, the answer to ours or the offer that we answer, settles; None where it is nothing."""
    coding, keys = choose(kit, body), None
    if kit.suite is not None:
        keys = crypto(body, kit.suite)
    if coding is None or (kit.suite is not None and keys is None):
        return None
    silent = direction_of(body) in ("sendonly", "inactive")
    return Agreement(
        peer=media_address(body),
        coding=coding,
        suite=kit.suite,
        own_key=own_key,
        their_key=keys[1] if keys else "",
        silent=silent,
    )


def some_kit(chance: Random, *, encrypted: bool = False, opaque: bool = False) -> Kit:
    """By chance, as telephones in the field are: most send 20 ms of G.711."""
    codings = chance.choices((PLAIN, ALAW, WIDE, LINEAR, OPAQUE), (45, 15, 20, 5, 15 if opaque else 0))[0]
    rough = chance.random() < 0.2
    return Kit(
        codings=codings,
        ptime_ms=chance.choices((10, 20, 30, 40, 60), (6, 54, 12, 8, 20))[0],
        sparing=chance.random() < 0.5,
        events=chance.random() < 0.9,
        suite=chance.choice(tuple(KEY_OCTETS)) if encrypted else None,
        behind_nat=not encrypted and chance.random() < 0.15,
        loss=chance.choice((0.005, 0.02, 0.05)) if rough else 0.0,
        swaps=chance.choice((0.0, 0.02)) if rough else 0.0,
        jitter_ms=chance.choice((0, 20, 40)) if rough else 0,
    )
