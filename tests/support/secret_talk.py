"""Calls whose sound is encrypted on one side: an engine over TLS for telephones of other makes, and who hears whom."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.certificates import Authority
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.plain_phone import PlainPhone
from tests.support.ports import PortPool
from tests.support.procs import wait_until
from tests.support.tones import tone_dbfs

SECRET_HZ: Final = 450
"""What telephones of other makes say."""
PLAIN_HZ: Final = 750
"""What telephones by hand say, in PCMU that is not encrypted."""
PLAIN_DBFS: Final = -16.0

TAGS: Final = {"AEAD_AES_256_GCM": 16, "AES_CM_128_HMAC_SHA1_80": 10, "AES_CM_128_HMAC_SHA1_32": 4}
"""Octets by which a packet of each suite is longer than a plain one (RFC 3711, RFC 7714)."""


@contextmanager
def secret_centre(
    session_ports: PortPool,
    authority: Authority,
    tls_port: int,
    directory: Path,
    *,
    tapes: Path | None = None,
    **sip: object,
) -> Iterator[LiveCentre]:
    """An engine that listens for UDP and TLS, and records to `tapes`; `sip` are further settings of that section."""
    own = authority.issue("engine", dns=["localhost"], addresses=["127.0.0.1"])
    settings: dict[str, dict[str, object]] = {
        "sip": {"listen": ["udp", {"transport": "tls", "port": tls_port}], **sip},
        "sip.tls": {"certificates": [{"certificate": str(own.certificate), "key": str(own.key)}]},
    }
    if tapes is not None:
        settings["recording"] = {"directory": str(tapes), "format": "wav"}
    with running_centre(session_ports, directory, **settings) as centre:
        yield centre
        centre.at_rest()


def secret_agent(centre: LiveCentre, name: str, srtp: str) -> None:
    """An agent of queue `demo` whose phone is to encrypt so."""
    centre.add_agent(name, "demo")
    centre.engine.api.patch(f"/api/v1/agents/{name}", {"srtp": srtp})


def wait_reachable(centre: LiveCentre, name: str) -> None:
    wait_until(lambda: bool(centre.engine.agent(name)["reachable"]), timeout=10, what=f"{name} to be registered")


def hears(phone: PlainPhone, pitch: int = SECRET_HZ, *, dbfs: float, timeout: float = 8.0) -> None:
    """Return once the phone hears this tone for half a second on end, at this level. A busy machine may let it stumble,
    so there are several tries."""
    ends, found = time.monotonic() + timeout, 0.0
    while time.monotonic() < ends:
        phone.voice.sound.clear()
        time.sleep(0.6)
        heard = phone.voice.audio()
        found = tone_dbfs(heard, pitch)
        if heard.seconds > 0.5 and abs(found - dbfs) < 1:
            return
    raise AssertionError(f"{phone.user} hears {pitch} Hz at {found:.1f} dBFS; expected {dbfs}")


def hears_none(phone: PlainPhone, pitch: int = SECRET_HZ, *, timeout: float = 5.0) -> None:
    """Return once the phone hears nothing of this tone for a moment."""
    ends = time.monotonic() + timeout
    while time.monotonic() < ends:
        phone.voice.sound.clear()
        time.sleep(0.4)
        if tone_dbfs(phone.voice.audio(), pitch) < -50:
            return
    raise AssertionError(f"{phone.user} still hears {pitch} Hz")


def relayed(centre: LiveCentre) -> None:
    """Return once all sound is passed on and none decoded. Media tells once a second."""

    def told() -> bool:
        media = centre.engine.api.get("/api/v1/media")
        return (media["legs"], media["relayed_edges"], media["mixed_legs"]) == (2, 2, 0)

    wait_until(told, timeout=5, what="two legs that are passed on")


def only_call(centre: LiveCentre) -> str:
    (call,) = centre.engine.api.get("/api/v1/calls")["items"]
    return str(call["call"])
