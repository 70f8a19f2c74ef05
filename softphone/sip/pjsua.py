"""The SIP stack pjsua2 behind the Backend protocol: the only file that imports it.

Rules that keep its assertions from ending the process without a trace (each was met):

* every call of it happens on the owner thread, the one that made the endpoint; only the two frame callbacks of the
  audio port run elsewhere, on the stack's own audio thread, and they touch only the AudioBridge;
* calls, the account and the port are held here and nowhere else, and are dropped before the library is destroyed;
  a finished call is dropped outside its own callback, on the next poll, and the port when the audio thread has ended;
* a part of a structure points into it: the whole is kept in a variable for as long as the part is used;
* no exception leaves a callback: it would keep the call alive by its traceback.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import pjsua2 as pj

from softphone.audio.bridge import FRAME_MS, AudioBridge
from softphone.errors import BackendError
from softphone.sip import events
from softphone.sip.addresses import host_of, split_address
from softphone.sip.events import BackendEvent, CallNumber, MediaState, Quality
from softphone.sip.frames import FrameBuffer, fast_path_works
from softphone.sip.settings import Codec, SipSettings, Srtp, Transport
from softphone.stdio import native_output_hidden

MAX_CALLS: Final = 4
"""The wheel's own limit; one is the call, the others give room to refuse further ones properly."""
RTP_PORTS: Final = 1000
_CODECS: Final = {"PCMU/8000/1": Codec.PCMU, "PCMA/8000/1": Codec.PCMA, "G722/16000/1": Codec.G722}
"""By the stack's own names; telephone-event is always offered."""
UNREGISTER_WAIT_MS: Final = 2000
_SRTP: Final = {
    Srtp.OFF: pj.PJMEDIA_SRTP_DISABLED,
    Srtp.OPTIONAL: pj.PJMEDIA_SRTP_OPTIONAL,
    Srtp.MANDATORY: pj.PJMEDIA_SRTP_MANDATORY,
}
_MEDIA_STATES: Final = {
    pj.PJSUA_CALL_MEDIA_ACTIVE: MediaState.ACTIVE,
    pj.PJSUA_CALL_MEDIA_LOCAL_HOLD: MediaState.LOCAL_HOLD,
    pj.PJSUA_CALL_MEDIA_REMOTE_HOLD: MediaState.REMOTE_HOLD,
}
_TRANSPORTS: Final = {
    Transport.UDP: pj.PJSIP_TRANSPORT_UDP,
    Transport.TCP: pj.PJSIP_TRANSPORT_TCP,
    Transport.TLS: pj.PJSIP_TRANSPORT_TLS,
}

Report = Callable[[BackendEvent], None]


def _guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """Turn an exception in a callback into a Fault event."""

    @functools.wraps(callback)
    def wrapper(self: Any, prm: Any) -> None:
        try:
            callback(self, prm)
        except Exception as error:
            self.report(events.Fault(message=f"{callback.__name__}: {_explained(error)}"))

    return wrapper


def _explained(error: Exception) -> str:
    return str(getattr(error, "reason", "") or error)


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except pj.Error as error:
        raise BackendError(f"{what}: {_explained(error)}") from None


def _certificate_fault(info: Any) -> str:
    """What is wrong with the server's certificate; empty where nothing is known to be."""
    if info.isEmpty() or not info.verifyStatus:
        return ""
    return f"the server's certificate is not believed: {'; '.join(info.verifyMsgs)}"


class _Endpoint(pj.Endpoint):  # type: ignore[misc]  # the binding has no types
    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report
        self.refusal = ""
        """Why the last TLS connection came to nothing; empty once one stood."""

    @_guarded
    def onTransportState(self, prm: Any) -> None:
        if prm.state == pj.PJSIP_TP_STATE_CONNECTED:
            self.refusal = ""
        if prm.state == pj.PJSIP_TP_STATE_DISCONNECTED and not prm.type.startswith("UDP"):
            if prm.type.startswith("TLS"):
                self.refusal = _certificate_fault(prm.tlsInfo) or self.refusal
            self.report(events.ConnectionLost(reason=self.refusal or f"{prm.type} connection lost"))


class _Port(pj.AudioMediaPort):  # type: ignore[misc]  # the binding has no types
    """The phone's end of the stack's conference bridge."""

    def __init__(self, bridge: AudioBridge, report: Report) -> None:
        super().__init__()
        self.report = report
        self._bridge = bridge
        fast = fast_path_works(pj.ByteVector)
        self._frames = FrameBuffer(pj.ByteVector, samples=bridge.frame_samples, fast=fast)
        audio = pj.MediaFormatAudio()
        audio.type = pj.PJMEDIA_TYPE_AUDIO
        audio.clockRate = bridge.rate
        audio.channelCount = 1
        audio.bitsPerSample = 16
        audio.frameTimeUsec = FRAME_MS * 1000
        self.createPort("headset", audio)

    @_guarded
    def onFrameRequested(self, frame: Any) -> None:
        self._frames.fill(frame, self._bridge.outgoing())
        frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO

    @_guarded
    def onFrameReceived(self, frame: Any) -> None:
        heard = frame.type == pj.PJMEDIA_FRAME_TYPE_AUDIO
        self._bridge.incoming(self._frames.read(frame) if heard else None)


class _Call(pj.Call):  # type: ignore[misc]  # the binding has no types
    def __init__(
        self, account: Any, number: CallNumber, port: _Port, report: Report, call_id: int = pj.PJSUA_INVALID_ID
    ) -> None:
        super().__init__(account, call_id)
        self.number = number
        self.report = report
        self.stream: int | None = None
        self.over = False
        self._port = port

    @_guarded
    def onCallState(self, prm: Any) -> None:
        del prm
        info = self.getInfo()
        code, reason = int(info.lastStatusCode), info.lastReason
        if info.state == pj.PJSIP_INV_STATE_EARLY and info.role == pj.PJSIP_ROLE_UAC:
            self.report(events.Progress(call=self.number, code=code, reason=reason))
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self.report(events.Confirmed(call=self.number))
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.over = True
            self.stream = None
            self.report(events.CallEnded(call=self.number, code=code, reason=reason))

    @_guarded
    def onCallMediaState(self, prm: Any) -> None:
        del prm
        self.stream = None
        state, codec = MediaState.NONE, ""
        info = self.getInfo()
        for index, media in enumerate(info.media):
            state = _MEDIA_STATES.get(media.status, MediaState.NONE)
            if media.type != pj.PJMEDIA_TYPE_AUDIO or state is MediaState.NONE:
                continue
            self.stream = index
            self._connect(state)
            stream = self.getStreamInfo(index)
            codec = f"{stream.codecName}/{stream.codecClockRate}"
            break
        self.report(events.MediaChanged(call=self.number, state=state, codec=codec))

    def _connect(self, state: MediaState) -> None:
        if state is MediaState.LOCAL_HOLD:
            return  # the stack has made the stream anew, connected to nothing
        remote = self.getAudioMedia(-1)
        remote.startTransmit(self._port)
        if state is MediaState.ACTIVE:
            self._port.startTransmit(remote)

    @_guarded
    def onCallTsxState(self, prm: Any) -> None:
        if prm.e.type != pj.PJSIP_EVENT_TSX_STATE:
            return
        transaction = prm.e.body.tsxState.tsx
        refused = (
            transaction.role == pj.PJSIP_ROLE_UAC
            and transaction.method == "INVITE"
            and transaction.state == pj.PJSIP_TSX_STATE_COMPLETED
            and transaction.statusCode >= 300
        )
        if refused and self.getInfo().state == pj.PJSIP_INV_STATE_CONFIRMED:
            self.report(
                events.UpdateRefused(call=self.number, code=int(transaction.statusCode), reason=transaction.statusText)
            )

    @_guarded
    def onDtmfDigit(self, prm: Any) -> None:
        self.report(events.DigitReceived(call=self.number, digit=prm.digit))


class _Account(pj.Account):  # type: ignore[misc]  # the binding has no types
    def __init__(self, report: Report, accept: Callable[[int, bool], None], refusal: Callable[[], str]) -> None:
        """`refusal` says why the last TLS connection came to nothing."""
        super().__init__()
        self.report = report
        self._accept = accept
        self._refusal = refusal
        self._server_hosts: set[str] = set()

    @_guarded
    def onRegState(self, prm: Any) -> None:
        code = int(prm.code)
        if prm.status != 0 or code // 100 != 2:
            self.report(events.RegistrationFailed(code=code, reason=self._refusal() or prm.reason))
        elif self.getInfo().regIsActive:
            self._server_hosts.add(host_of(prm.rdata.srcAddress))
            self.report(events.Registered(expires=int(prm.expiration)))
        else:
            self.report(events.Unregistered())

    @_guarded
    def onIncomingCall(self, prm: Any) -> None:
        self._accept(int(prm.callId), host_of(prm.rdata.srcAddress) in self._server_hosts)


class PjsuaBackend:
    """One account, one audio port, at most MAX_CALLS calls; see `softphone.sip.backend.Backend` for the methods."""

    def __init__(self, settings: SipSettings, bridge: AudioBridge) -> None:
        """Start the stack on the calling thread; raises BackendError, such as for a port that is taken."""
        self._settings = settings
        self._events: list[BackendEvent] = []
        self._calls: dict[CallNumber, _Call] = {}
        self._last_number = 0
        self._transport = pj.PJSUA_INVALID_ID
        self._account: _Account | None = None
        self._port: _Port | None = None
        self._endpoint = _Endpoint(self._events.append)
        try:
            self._start(bridge)
        except pj.Error as error:
            reason = _explained(error)
            self.close()
            where = f"{settings.transport} port {settings.local_port}"
            raise BackendError(f"the SIP stack cannot start ({where}): {reason}") from None

    def _start(self, bridge: AudioBridge) -> None:
        with native_output_hidden(self._settings.log_level == 0):
            self._endpoint.libCreate()
        self._endpoint.libInit(self._endpoint_config())
        transport = pj.TransportConfig()
        transport.port = self._settings.local_port
        transport.boundAddress = self._settings.bind
        if self._settings.transport is Transport.TLS:
            # The chain must lead to one of these, and the certificate be that of the host that was named.
            transport.tlsConfig.CaListFile = self._settings.trust
            transport.tlsConfig.verifyServer = True
            transport.tlsConfig.proto = pj.PJ_SSL_SOCK_PROTO_TLS1_2 | pj.PJ_SSL_SOCK_PROTO_TLS1_3
        kind = _TRANSPORTS[self._settings.transport]
        self._transport = self._endpoint.transportCreate(kind, transport)
        self._endpoint.libStart()
        self._endpoint.audDevManager().setNullDev()
        for codec in self._endpoint.codecEnum2():
            self._endpoint.codecSetPriority(codec.codecId, self._priority(codec.codecId))
        self._port = _Port(bridge, self._events.append)
        endpoint = self._endpoint
        account = _Account(self._events.append, self._accept, lambda: endpoint.refusal)
        account.create(self._account_config())
        self._account = account

    def _priority(self, name: str) -> int:
        """255 is the best; 0 is off."""
        codec, wanted = _CODECS.get(name), self._settings.codecs
        return 255 - wanted.index(codec) if codec in wanted else 0

    def _endpoint_config(self) -> Any:
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = False
        config.uaConfig.maxCalls = MAX_CALLS
        config.uaConfig.userAgent = "Hearthline-softphone"
        config.uaConfig.mwiUnsolicitedEnabled = False
        config.logConfig.level = self._settings.log_level
        config.logConfig.consoleLevel = self._settings.log_level
        config.medConfig.clockRate = self._settings.rate
        config.medConfig.sndClockRate = self._settings.rate
        config.medConfig.audioFramePtime = FRAME_MS
        config.medConfig.noVad = True
        config.medConfig.ecTailLen = 0
        return config

    def _account_config(self) -> Any:
        settings = self._settings
        config = pj.AccountConfig()
        config.idUri = settings.identity
        config.regConfig.registrarUri = settings.registrar
        config.regConfig.registerOnAdd = False
        config.regConfig.timeoutSec = settings.expires
        config.regConfig.retryIntervalSec = 0  # `softphone.registration` retries, with back-off, and refreshes
        config.regConfig.unregWaitMsec = UNREGISTER_WAIT_MS
        config.regConfig.proxyUse = 0
        config.sipConfig.proxies = pj.StringVector([settings.route] if settings.route else [])
        if settings.password is not None:
            config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", settings.user, 0, settings.password))
        # The engine reaches a phone on the flow it registered by, so the Contact need not be guessed twice, and
        # RFC 5626 needs no instance of ours.
        config.natConfig.contactRewriteUse = 0
        config.natConfig.sipOutboundUse = 0
        rtp = config.mediaConfig.transportConfig
        rtp.port = settings.rtp_port
        rtp.portRange = RTP_PORTS
        rtp.boundAddress = settings.bind
        config.mediaConfig.srtpUse = _SRTP[settings.srtp]
        # Keys in clear are the server's operator's choice; the engine warns of it.
        config.mediaConfig.srtpSecureSignaling = 0
        return config

    @property
    def address(self) -> str:
        """Where the SIP transport listens."""
        with _translated("transport"):
            return str(self._endpoint.transportGetInfo(self._transport).localName)

    def poll(self, timeout_s: float) -> list[BackendEvent]:
        """Run the stack's network and timers for up to `timeout_s`."""
        for number in [number for number, call in self._calls.items() if call.over]:
            del self._calls[number]
        with _translated("network"):
            self._endpoint.libHandleEvents(int(timeout_s * 1000))
        happened = self._events.copy()
        del self._events[: len(happened)]
        return happened

    def register(self) -> None:
        """Send REGISTER."""
        with _translated("register"):
            self._held_account().setRegistration(True)

    def unregister(self) -> None:
        """Send REGISTER with expiry 0."""
        with _translated("unregister"):
            self._held_account().setRegistration(False)

    def dial(self, uri: str) -> CallNumber:
        """Send INVITE."""
        call = self._new_call()
        try:
            with _translated(f"dial {uri}"):
                call.makeCall(self._settings.address_of(uri), pj.CallOpParam(True))
        except BackendError:
            call.over = True
            raise
        return call.number

    def ring(self, call: CallNumber) -> None:
        """Send 180."""
        self._respond(call, 180)

    def answer(self, call: CallNumber) -> None:
        """Send 200."""
        self._respond(call, 200)

    def hangup(self, call: CallNumber, code: int) -> None:
        """Send BYE, CANCEL or `code`."""
        with _translated("hangup"):
            self._held_call(call).hangup(_parameter(code))

    def hold(self, call: CallNumber) -> None:
        """Offer sendonly."""
        with _translated("hold"):
            self._held_call(call).setHold(pj.CallOpParam(True))

    def resume(self, call: CallNumber) -> None:
        """Offer sendrecv."""
        parameter = pj.CallOpParam(True)
        parameter.opt.flag = pj.PJSUA_CALL_UNHOLD
        with _translated("resume"):
            self._held_call(call).reinvite(parameter)

    def send_digits(self, call: CallNumber, digits: str) -> None:
        """Send RFC 4733 events."""
        with _translated("dtmf"):
            self._held_call(call).dialDtmf(digits)

    def quality(self, call: CallNumber) -> Quality | None:
        """Read the stream's RTCP statistics."""
        held = self._calls.get(call)
        if held is None or held.stream is None:
            return None
        with _translated("quality"):
            statistics = held.getStreamStat(held.stream)
        rtcp = statistics.rtcp
        return Quality(
            received=int(rtcp.rxStat.pkt),
            lost=int(rtcp.rxStat.loss),
            remote_lost=int(rtcp.txStat.loss),
            jitter_ms=rtcp.rxStat.jitterUsec.last / 1000,
            rtt_ms=rtcp.rttUsec.last / 1000 if rtcp.rttUsec.n else None,
        )

    def close(self) -> None:
        """Drop everything and destroy the library, without waiting for the network: the core has done that."""
        self._calls.clear()
        if self._port is not None:
            with suppress(pj.Error):
                self._endpoint.audDevManager().setNoDev()  # ends the audio thread, which calls the port to the last
        self._port = None
        if self._account is not None:
            self._account.shutdown()
        self._account = None
        gc.collect()
        try:
            with native_output_hidden(self._settings.log_level == 0):
                self._endpoint.libDestroy(pj.PJSUA_DESTROY_NO_NETWORK)
        except pj.Error:
            return  # never created

    def _accept(self, call_id: int, trusted: bool) -> None:
        call = self._new_call(call_id)
        info = call.getInfo()
        uri, display = split_address(info.remoteUri)
        self._events.append(events.IncomingCall(call=call.number, uri=uri, display=display, trusted=trusted))

    def _new_call(self, call_id: int = pj.PJSUA_INVALID_ID) -> _Call:
        assert self._port is not None
        self._last_number += 1
        number = CallNumber(self._last_number)
        call = _Call(self._held_account(), number, self._port, self._events.append, call_id)
        self._calls[number] = call
        return call

    def _respond(self, call: CallNumber, code: int) -> None:
        with _translated("answer"):
            self._held_call(call).answer(_parameter(code))

    def _held_call(self, call: CallNumber) -> _Call:
        held = self._calls.get(call)
        if held is None or held.over:
            raise BackendError(f"call {call} is over")
        return held

    def _held_account(self) -> _Account:
        assert self._account is not None
        return self._account


def _parameter(code: int) -> Any:
    parameter = pj.CallOpParam()
    parameter.statusCode = code
    return parameter
