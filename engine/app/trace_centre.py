"""SIP messages that passed, as the API shows them: a part of `RunningCentre`."""

from __future__ import annotations

from collections.abc import Sequence

from engine.api.ports import TraceOf
from engine.api.trace_views import SipMessageView, TracedCallView, TraceView
from engine.app.call_traces import CallTraces, Traced
from engine.app.core import Core
from engine.errors import NotFound, Unavailable
from engine.sip.ladder import ladder
from engine.sip.ladder import show as address
from engine.sip.pcap import pcap
from engine.store.reader import HistoryReader


class TraceCentre:
    """Looks in memory; the history only tells a call that is forgotten from one that never was."""

    core: Core
    history: HistoryReader

    def traced_calls(self) -> Sequence[TracedCallView]:
        return [
            TracedCallView(
                call=call.call,
                at=call.at,
                origin=call.origin,
                caller=call.caller,
                called=call.called,
                ended=call.ended,
                call_ids=call.legs,
            )
            for call in self._traces().calls()
        ]

    async def trace(self, of: TraceOf, name: str) -> TraceView:
        found, traces = await self._traced(of, name), self._traces()
        return TraceView(
            cut=found.cut,
            messages=tuple(
                SipMessageView(
                    at=each.at,
                    way=each.way,
                    transport=each.flow.transport.value,
                    local=address(traces.ours(each.flow)),
                    remote=address(each.flow.remote),
                    call_id=each.call_id,
                    title=each.title,
                    sdp=each.sdp,
                    again=each.again,
                    text=each.data.decode(errors="replace"),
                )
                for each in found.messages
            ),
        )

    async def trace_text(self, of: TraceOf, name: str, full: bool) -> str:
        found = await self._traced(of, name)
        text = ladder(found.messages, left=found.left, ours=self._traces().ours, full=full)
        return text + ("\nThe first messages may be missing: [trace] says how many are kept.\n" if found.cut else "")

    async def trace_pcap(self, of: TraceOf, name: str) -> bytes:
        found = await self._traced(of, name)
        return pcap(found.messages, ours=self._traces().ours)

    def _traces(self) -> CallTraces:
        if self.core.traces is None:
            raise Unavailable("no messages are kept: the configuration has [trace] enabled = false")
        return self.core.traces

    async def _traced(self, of: TraceOf, name: str) -> Traced:
        traces = self._traces()
        if of == "strangers":
            return traces.strangers()
        if of == "agent":
            return traces.agent(name)
        try:
            return traces.call(name)
        except NotFound as error:
            if not await self._is_history(name):
                raise
            raise NotFound(f"call {name} is over and forgotten here; its CDR is kept, its messages were not") from error

    async def _is_history(self, call: str) -> bool:
        try:
            await self.history.cdr(call)
        except NotFound:
            return False
        return True
