"""An agent's phone made of pjsua2 alone, for what the softphone has no button for: it takes calls, transfers, speaks of
keys (SRTP) as it is told.

    python -m tests.support.pjsua_agent SERVER USER PASSWORD SIP_PORT RTP_PORT [NAME=VALUE ...]

reads one command a line (`xfer URI`, `call URI`, `join`, `hold`, `resume`, `rekey`, `hangup`, `quit`) and writes one
word or two a line on what happens (`registered`, `up N`, `down N`, `transfer STATUS`). Its sound is silence, unless it
has a `tone` (Hz); what it hears it writes to `record`. It speaks TLS with a `ca` to believe, encrypts where `srtp` is
`optional` or `mandatory`, with the `suites` of that list, best first.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from queue import Empty, SimpleQueue

import pjsua2 as pj

_SRTP = {"optional": pj.PJMEDIA_SRTP_OPTIONAL, "mandatory": pj.PJMEDIA_SRTP_MANDATORY}


def say(*words: object) -> None:
    print(*words, flush=True)


class Sound:
    """What is said in every call, and where what is heard goes."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self.tone: pj.ToneGenerator | None = None
        self.recorder: pj.AudioMediaRecorder | None = None
        if "tone" in options:
            tone = pj.ToneDesc()
            tone.freq1, tone.on_msec, tone.volume = int(options["tone"]), 20_000, 10_000
            tones = pj.ToneDescVector()
            tones.append(tone)
            self.tone = pj.ToneGenerator()
            self.tone.createToneGenerator(8000, 1)
            self.tone.play(tones, True)
        if "record" in options:
            self.recorder = pj.AudioMediaRecorder()
            self.recorder.createRecorder(options["record"])

    def join(self, media: pj.AudioMedia) -> None:
        if self.tone is not None:
            self.tone.startTransmit(media)
        if self.recorder is not None:
            media.startTransmit(self.recorder)


class Call(pj.Call):  # type: ignore[misc]  # no types in the wheel
    """A call that tells how it goes."""

    def onCallState(self, prm: pj.OnCallStateParam) -> None:
        state = self.getInfo().state
        if state == pj.PJSIP_INV_STATE_CONFIRMED:
            say("up", self.getId())
        elif state == pj.PJSIP_INV_STATE_DISCONNECTED:
            say("down", self.getId())

    def onCallMediaState(self, prm: pj.OnCallMediaStateParam) -> None:
        info = self.getInfo()  # held: what is in it goes with it
        for media in info.media:
            if media.status in (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD):
                self.account.sound.join(self.getAudioMedia(media.index))

    def onCallTransferStatus(self, prm: pj.OnCallTransferStatusParam) -> None:
        say("transfer", prm.statusCode)


class Account(pj.Account):  # type: ignore[misc]
    """Registers, and takes what comes."""

    def __init__(self, sound: Sound) -> None:
        super().__init__()
        self.sound = sound
        self.calls: list[Call] = []

    def new_call(self, number: int = pj.PJSUA_INVALID_ID) -> Call:
        call = Call(self, number)
        call.account = self
        self.calls.append(call)
        return call

    def onRegState(self, prm: pj.OnRegStateParam) -> None:
        if prm.code == 200:
            say("registered")

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:
        self.new_call(prm.callId).answer(answered())


def answered() -> pj.CallOpParam:
    made = pj.CallOpParam()
    made.statusCode = 200
    return made


def changed(flag: int) -> pj.CallOpParam:
    made = pj.CallOpParam(True)
    made.opt.flag = flag
    return made


def settings_of(server: str, user: str, password: str, rtp_port: int, options: Mapping[str, str]) -> pj.AccountConfig:
    settings = pj.AccountConfig()
    transport = ";transport=tls" if "ca" in options else ""
    settings.idUri, settings.regConfig.registrarUri = f"sip:{user}@{server}", f"sip:{server}{transport}"
    settings.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", user, 0, password))
    if transport:
        settings.sipConfig.proxies = pj.StringVector([f"sip:{server}{transport};lr"])
        settings.natConfig.contactRewriteUse = settings.natConfig.sipOutboundUse = 0
    settings.mediaConfig.transportConfig.port = rtp_port
    settings.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
    if "srtp" in options:
        settings.mediaConfig.srtpUse, settings.mediaConfig.srtpSecureSignaling = _SRTP[options["srtp"]], 0
    for suite in filter(None, options.get("suites", "").split(",")):
        crypto = pj.SrtpCrypto()
        crypto.name = suite
        settings.mediaConfig.srtpOpt.cryptos.append(crypto)
    return settings


def open_transport(endpoint: pj.Endpoint, sip_port: int, ca: str) -> None:
    transport = pj.TransportConfig()
    transport.port, transport.boundAddress = sip_port, "127.0.0.1"
    if ca:
        transport.tlsConfig.CaListFile, transport.tlsConfig.verifyServer = ca, True
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_TLS if ca else pj.PJSIP_TRANSPORT_UDP, transport)


def run(server: str, user: str, password: str, sip_port: int, rtp_port: int, options: Mapping[str, str]) -> None:
    """Until `quit`, or the end of the commands."""
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
    config.medConfig.noVad = True
    endpoint.libInit(config)
    open_transport(endpoint, sip_port, options.get("ca", ""))
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    account = Account(Sound(options))
    account.create(settings_of(server, user, password, rtp_port, options))
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
    account.sound.tone = account.sound.recorder = None
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
            account.new_call().makeCall(uri, pj.CallOpParam(True))
        case ["join"]:
            account.calls[0].xferReplaces(account.calls[1], pj.CallOpParam(True))
        case ["hold"]:
            account.calls[-1].setHold(pj.CallOpParam(True))
        case ["resume"]:
            account.calls[-1].reinvite(changed(pj.PJSUA_CALL_UNHOLD))
        case ["rekey"]:
            # Other sockets and other keys, as of a phone that has changed its network; what was held is resumed.
            account.calls[-1].reinvite(changed(pj.PJSUA_CALL_REINIT_MEDIA | pj.PJSUA_CALL_UNHOLD))
        case ["hangup"]:
            account.calls[-1].hangup(pj.CallOpParam())
        case _:
            say("what?", *words)


if __name__ == "__main__":
    _, at, name, secret, sip, rtp, *further = sys.argv
    run(at, name, secret, int(sip), int(rtp), dict(each.split("=", 1) for each in further))
