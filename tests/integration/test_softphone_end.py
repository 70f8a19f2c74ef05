"""The end of the SIP stack: its audio thread calls the port until it is told not to."""

from __future__ import annotations

import sys

import pytest

from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes

pytestmark = pytest.mark.integration
require("pjsua2")

# In a process of its own: what goes wrong here ends the process.
PROGRAM = """
import os, sys, threading, weakref

from softphone.audio.bridge import AudioBridge
from softphone.audio.sources import Silence
from softphone.sip.pjsua import PjsuaBackend
from softphone.sip.settings import SipSettings, Transport

inside, go_on = threading.Event(), threading.Event()


class SlowBridge(AudioBridge):
    def incoming(self, samples):
        inside.set()
        go_on.wait(10)


settings = SipSettings(
    user="ann", domain="127.0.0.1", server=None, register=False, password=None, transport=Transport.UDP,
    bind="127.0.0.1", local_port=int(sys.argv[1]), rtp_port=int(sys.argv[2]), expires=60, rate=16000, log_level=0,
)
backend = PjsuaBackend(settings, SlowBridge(rate=16000, source=Silence()))
assert inside.wait(10), "the audio thread hands over frames, call or not"
weakref.finalize(backend._port, lambda: print("port dropped by", threading.get_native_id() == os.getpid(), flush=True))
threading.Timer(0.3, go_on.set).start()
backend.close()
print("closed", flush=True)
os._exit(0)
"""


def test_the_audio_port_is_dropped_by_its_owner_when_the_audio_thread_has_ended(
    procs: Processes, ports: PortPool
) -> None:
    """Seen before: the process died by SIGSEGV, once in some hundred ends, when both had to do with the port."""
    command = [sys.executable, "-X", "faulthandler", "-c", PROGRAM, str(ports.one()), str(ports.block(2, even=True)[0])]
    process = procs.start("end", command, merge=True)
    assert process.wait(timeout=30) == 0, process.tail()
    assert process.lines() == ["port dropped by True", "closed"]
