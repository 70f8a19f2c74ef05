"""Which trunks can take a call now: alive, not resting, with room. Everything that calls know of lines is here.

Three things speak for and against a trunk, and each has its own file: OPTIONS (`trunk_watch`, told as TrunkUp and
TrunkDown), how calls on it went (`trunk_circuit`), and how many it has (`trunk_load`).
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.calls.directory import Change, Directory, Drop, Put, Trunk, TrunkGroup
from engine.calls.events import TrunkDown, TrunkUp
from engine.calls.journal import Journal
from engine.calls.trunk_choice import TrunkChoice
from engine.calls.trunk_circuit import TrunkCircuit
from engine.calls.trunk_load import TrunkLoad
from engine.calls.trunk_records import CircuitState, TrunkCircuitChanged, TrunkFailure
from engine.ids import GroupName, TrunkName


@dataclass(frozen=True, slots=True, kw_only=True)
class LineState:
    """How a trunk stands, for those who look."""

    calls_in: int
    calls_out: int
    circuit: CircuitState
    detail: str
    """Why the circuit is not closed; empty where it is."""


class _Line:
    """What is known of one trunk."""

    __slots__ = ("circuit", "down", "load")

    def __init__(self) -> None:
        self.load = TrunkLoad()
        self.circuit = TrunkCircuit()
        self.down = False


class Lines:
    """See the module. A trunk is known from its first call on, and forgotten when it is dropped and has none."""

    def __init__(self, directory: Directory, journal: Journal) -> None:
        self._directory = directory
        self._journal = journal
        self._lines: dict[TrunkName, _Line] = {}
        self._choice = TrunkChoice()

    # --- what is told ---

    def trunk_event(self, event: TrunkUp | TrunkDown) -> None:
        """OPTIONS say that the trunk came or went."""
        if event.trunk in self._directory.trunks:
            self._line(event.trunk).down = isinstance(event, TrunkDown)

    def directory_changed(self, change: Change) -> None:
        """A trunk or a group was put or dropped. Calls that are up go on and are counted."""
        match change:
            case Put(entity=Trunk(name=name)):
                line = self._line(name)
                line.load.rates_changed()
                line.circuit, line.down = TrunkCircuit(), False
            case Drop(entity=Trunk(name=name)):
                self._forget_idle(name)
            case Put(entity=TrunkGroup(name=group)) | Drop(entity=TrunkGroup(name=group)):
                self._choice.forget(group)
            case _:
                pass

    # --- what is asked ---

    def of_group(self, group: GroupName, now: float) -> list[TrunkName]:
        """The trunks of a group in the order of trying, those that cannot be used last of all: so that it is known why.
        Empty where the group is not there."""
        found = self._directory.groups.get(group)
        if found is None:
            return []
        order = self._choice.order(found, lambda trunk: self._sound(trunk, now))
        others = [member.trunk for member in found.parsed() if member.trunk not in order]
        return order + [trunk for trunk in others if trunk in self._directory.trunks]

    def begin_out(self, trunk: Trunk, now: float, *, urgent: bool = False) -> TrunkFailure | None:
        """A call is to be placed on this trunk: counted from now on until `ended_out`, or why not. An urgent one (an
        emergency call) is not refused for our own limits."""
        line = self._line(trunk.name)
        if line.down:
            return TrunkFailure.DOWN
        if not urgent:
            if not line.circuit.lets(now):
                return TrunkFailure.CIRCUIT_OPEN
            why = line.load.full_out(trunk, now)
            if why is not None:
                return why
        line.load.begin_out(now)
        if line.circuit.begin(now):
            self._tell(trunk.name, line.circuit, now)
        return None

    def ended_out(self, trunk: TrunkName) -> None:
        """A call that was placed there is over, or was taken back."""
        line = self._lines.get(trunk)
        if line is not None and line.load.calls_out:
            line.load.calls_out -= 1
            line.circuit.given_up()
            self._forget_idle(trunk)

    def begin_in(self, trunk: Trunk, now: float) -> TrunkFailure | None:
        """The same for a call that came from it."""
        load = self._line(trunk.name).load
        why = load.full_in(trunk, now)
        if why is None:
            load.begin_in(now)
        return why

    def ended_in(self, trunk: TrunkName) -> None:
        line = self._lines.get(trunk)
        if line is not None and line.load.calls_in:
            line.load.calls_in -= 1
            self._forget_idle(trunk)

    def went_well(self, trunk: TrunkName, now: float) -> None:
        """The trunk did what a line does with a call: it rang, was answered, or said what is wrong with the number."""
        line = self._lines.get(trunk)
        if line is not None and line.circuit.well(now):
            self._tell(trunk, line.circuit, now)

    def failed(self, trunk: Trunk, now: float, retry_after_s: float = 0) -> None:
        """The trunk could not set up a call; where it said so, it gets no other for `retry_after_s`."""
        line = self._lines.get(trunk.name)
        if line is None:
            return
        changed = line.circuit.failed(trunk.circuit_after, now)
        if retry_after_s > 0:
            changed = line.circuit.wished(retry_after_s, now) or changed
        if changed:
            self._tell(trunk.name, line.circuit, now)

    def state(self, trunk: TrunkName) -> LineState:
        line = self._lines.get(trunk) or _Line()
        return LineState(
            calls_in=line.load.calls_in,
            calls_out=line.load.calls_out,
            circuit=line.circuit.state,
            detail=line.circuit.detail,
        )

    def _sound(self, trunk: TrunkName, now: float) -> bool:
        if trunk not in self._directory.trunks:
            return False
        line = self._lines.get(trunk)
        return line is None or (not line.down and line.circuit.lets(now))

    def _forget_idle(self, trunk: TrunkName) -> None:
        """Forget a trunk that was dropped, once its last call is over."""
        line = self._lines.get(trunk)
        if line is not None and trunk not in self._directory.trunks and not line.load.calls_in + line.load.calls_out:
            del self._lines[trunk]

    def _line(self, trunk: TrunkName) -> _Line:
        found = self._lines.get(trunk)
        if found is None:
            found = self._lines[trunk] = _Line()
        return found

    def _tell(self, trunk: TrunkName, circuit: TrunkCircuit, now: float) -> None:
        changed = TrunkCircuitChanged(trunk=trunk, state=circuit.state, detail=circuit.detail)
        self._journal.append(changed, now=now)
