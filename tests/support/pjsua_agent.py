"""An agent's phone made of pjsua2 alone, for what the softphone has no button for yet: it takes calls and transfers.

    python -m tests.support.pjsua_agent SERVER USER PASSWORD SIP_PORT RTP_PORT

reads one command a line (`xfer URI`, `call URI`, `join`, `quit`) and writes one word or two a line on what happens
(`registered`, `up N`, `down N`, `transfer STATUS`). Its sound is silence.
"""

from __future__ import annotations

import sys
import threading
from queue import Empty, SimpleQueue

import pjsua2 as pj


def say(*words: object) -> None:
    print(*words, flush=True)


class Call(pj.Call):  # type: ignore[misc]  # no types in the wheel
    """A call that tells how it goes."""

    def onCallState(self, prm: pj.OnCallStateParam) -> None:
        state = self.getInfo().state
        if state == pj.PJSIP_INV_STATE_CONFIRMED:
            say("up", self.getId())
        elif state == pj.PJSIP_INV_STATE_DISCONNECTED:
            say("down", self.getId())

    def onCallTransferStatus(self, prm: pj.OnCallTransferStatusParam) -> None:
        say("transfer", prm.statusCode)


class Account(pj.Account):  # type: ignore[misc]
    """Registers, and takes what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def onRegState(self, prm: pj.OnRegStateParam) -> None:
        if prm.code == 200:
            say("registered")

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:
        call = Call(self, prm.callId)
        self.calls.append(call)
        call.answer(answered())


def answered() -> pj.CallOpParam:
    made = pj.CallOpParam()
    made.statusCode = 200
    return made


def run(server: str, user: str, password: str, sip_port: int, rtp_port: int) -> None:
    """Until `quit`, or the end of the commands."""
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.logConfig.level = config.logConfig.consoleLevel = 0
    endpoint.libInit(config)
    endpoint.audDevManager().setNullDev()
    transport = pj.TransportConfig()
    transport.port, transport.boundAddress = sip_port, "127.0.0.1"
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.libStart()
    settings = pj.AccountConfig()
    settings.idUri, settings.regConfig.registrarUri = f"sip:{user}@{server}", f"sip:{server}"
    settings.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", user, 0, password))
    settings.mediaConfig.transportConfig.port = rtp_port
    settings.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
    account = Account()
    account.create(settings)
    commands: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=listen, args=(commands,), daemon=True).start()
    while True:
        endpoint.libHandleEvents(20)
        try:
            words = commands.get_nowait().split()
        except Empty:
            continue
        if words[0] == "quit":
            break
        obey(account, words)
    endpoint.hangupAllCalls()
    for _ in range(10):
        endpoint.libHandleEvents(20)
    account.calls.clear()
    account.shutdown()
    endpoint.libDestroy()


def listen(commands: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        commands.put(line)
    commands.put("quit")


def obey(account: Account, words: list[str]) -> None:
    match words:
        case ["xfer", uri]:
            account.calls[0].xfer(uri, pj.CallOpParam(True))
        case ["call", uri]:
            call = Call(account)
            account.calls.append(call)
            call.makeCall(uri, pj.CallOpParam(True))
        case ["join"]:
            account.calls[0].xferReplaces(account.calls[1], pj.CallOpParam(True))
        case _:
            say("what?", *words)


if __name__ == "__main__":
    _, at, name, secret, sip, rtp = sys.argv
    run(at, name, secret, int(sip), int(rtp))
