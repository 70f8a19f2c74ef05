"""The four machines against the figures of RFC 3261 17 and RFC 6026, pair by pair."""

from __future__ import annotations

import pytest

from engine.sip.accounts import Accounts, NoAccounts
from engine.sip.attempts import Retries, RetryRules
from engine.sip.dialog import Dialogs
from engine.sip.drops import UNEXPECTED
from engine.sip.flow import Address, Flow, Transport
from engine.sip.fsm import (
    INVITE_CLIENT,
    INVITE_SERVER,
    MACHINES,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Effect,
    Input,
    Machine,
    State,
    to_markdown,
)
from engine.sip.identity import Identity
from engine.sip.message import Request, Response
from engine.sip.outbox import Outbox
from engine.sip.timers import TimerHeap, Timers
from engine.sip.transaction import ClientTransaction, ServerTransaction, server_key
from engine.sip.transaction_base import NOBODY
from engine.sip.transactions import Transactions
from tests.support.sip_phone import CountingIds

FIGURES = {
    "INVITE client": """
        calling: A>calling B>terminated 1xx>proceeding 2xx>accepted 300-699>completed error>terminated
        calling: abandon>terminated
        proceeding: 1xx>proceeding 2xx>accepted 300-699>completed error>terminated abandon>terminated
        completed: 300-699>completed D>terminated error>terminated
        accepted: 2xx>accepted M>terminated""",
    "INVITE server": """
        proceeding: request>proceeding 1xx>proceeding 2xx>accepted 300-699>completed error>proceeding abandon>terminated
        completed: request>completed ACK>confirmed G>completed H>terminated
        confirmed: I>terminated
        accepted: 2xx>accepted ACK>accepted error>accepted L>terminated""",
    "non-INVITE client": """
        trying: E>trying F>terminated 1xx>proceeding 2xx>completed 300-699>completed error>terminated
        trying: abandon>terminated
        proceeding: E>proceeding F>terminated 1xx>proceeding 2xx>completed 300-699>completed error>terminated
        proceeding: abandon>terminated
        completed: K>terminated""",
    "non-INVITE server": """
        trying: 1xx>proceeding 2xx>completed 300-699>completed abandon>terminated
        proceeding: request>proceeding 1xx>proceeding 2xx>completed 300-699>completed
        proceeding: error>terminated abandon>terminated
        completed: request>completed J>terminated""",
}
"""The arrows of the figures, written down apart from the code: state: input>next."""

WORDS = {"error": "transport error", **{letter: f"Timer {letter}" for letter in "ABDEFGHIJKLM"}}


def arrows(name: str) -> dict[tuple[State, Input], State]:
    found = {}
    for line in FIGURES[name].strip().splitlines():
        state, _, pairs = line.strip().partition(": ")
        for pair in pairs.split(" "):
            what, _, to = pair.partition(">")
            found[State(state), Input(WORDS.get(what, what))] = State(to)
    return found


CASES = [(name, state, what) for name in MACHINES for state in State for what in Input]


@pytest.mark.parametrize("name", MACHINES)
def test_every_arrow_of_the_figure_and_no_other_is_in_the_table(name: str) -> None:
    _, machine = MACHINES[name]
    assert {pair: transition.to for pair, transition in machine.items()} == arrows(name)


@pytest.mark.parametrize(("name", "state", "what"), CASES)
def test_a_transaction_obeys_its_table_for_every_pair(name: str, state: State, what: Input) -> None:
    layer = make_layer()
    transaction = make_transaction(layer, name)
    transaction.state = state
    expected = arrows(name).get((state, what))
    transaction.handle(what, 0.0, MESSAGES.get(what, BUSY))
    if expected is None:
        assert (transaction.state, layer.dropped) == (state, 1)
    else:
        assert (transaction.state, layer.dropped) == (expected, 0)
        assert (len(layer) == 0) is (expected is State.TERMINATED)
        if expected is State.TERMINATED:
            assert len(layer.heap) == 0


@pytest.mark.parametrize("machine", [INVITE_CLIENT, INVITE_SERVER, NON_INVITE_CLIENT, NON_INVITE_SERVER])
def test_a_state_that_is_not_the_last_has_a_way_to_the_end_by_itself(machine: Machine) -> None:
    """No state waits for ever for a peer, but for an INVITE that is being answered by a person; a server's first state
    waits for its own user."""
    for state in {state for state, what in machine if what is not Input.ABANDON} - {State.PROCEEDING}:
        if machine is NON_INVITE_SERVER and state is State.TRYING:
            continue
        assert any(at is state and what.startswith("Timer") for at, what in machine), state


def test_user_hears_of_each_way_to_end_without_an_answer() -> None:
    assert INVITE_CLIENT[State.CALLING, Input.TIMER_B].effects == (Effect.TELL_TIMEOUT,)
    for machine in (INVITE_CLIENT, NON_INVITE_CLIENT):
        for (state, what), (_, effects) in machine.items():
            if what is Input.TRANSPORT_ERROR and state is not State.COMPLETED:
                assert effects == (Effect.TELL_TRANSPORT_ERROR,)


def test_markdown_has_every_machine_with_diagram() -> None:
    page = to_markdown()
    for name in MACHINES:
        assert f"## {name}\n" in page
    assert page.count("stateDiagram-v2") == len(MACHINES)
    assert "| accepted | Timer M | terminated |  |" in page


FLOW = Flow(Transport.UDP, Address("192.0.2.1", 5060), Address("192.0.2.2", 5060))


class Silent:
    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None: ...
    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None: ...
    def request_failed(self, transaction: ClientTransaction, now: float) -> None: ...


class Deaf:
    def cancelled(self, transaction: ServerTransaction, cancel: Request, now: float) -> None: ...
    def ack_received(self, transaction: ServerTransaction, ack: Request, now: float) -> None: ...


def make_request(method: str) -> Request:
    return Request.build(
        method,
        "sip:b@192.0.2.2",
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKx"),
            ("From", "<sip:a@192.0.2.1>;tag=a"),
            ("To", "<sip:b@192.0.2.2>"),
            ("Call-ID", "c"),
            ("CSeq", f"1 {method}"),
        ],
    )


BUSY = Response.build(make_request("INVITE"), 486, None, "b")
MESSAGES: dict[Input, Request | Response | None] = {
    Input.PROVISIONAL: Response.build(make_request("INVITE"), 180, None, "b"),
    Input.SUCCESS: Response.build(make_request("INVITE"), 200, None, "b"),
    Input.FAILURE: BUSY,
    Input.ACK: make_request("ACK"),
}


def make_layer() -> Transactions:
    identity = Identity(lambda flow: Address("192.0.2.1", 5060))
    ids, outbox = CountingIds("t"), Outbox()
    accounts, dialogs = Accounts(NoAccounts(), ids), Dialogs(identity, outbox, ids)
    retries = Retries(
        rules=RetryRules(),
        timers=Timers(),
        accounts=accounts,
        dialogs=dialogs,
        identity=identity,
        ids=ids,
        outbox=outbox,
    )
    return Transactions(outbox, TimerHeap(), identity, Timers(), 10, retries)


def make_transaction(layer: Transactions, name: str) -> ClientTransaction | ServerTransaction:
    kind, _, side = name.partition(" ")
    request = make_request("INVITE" if kind == "INVITE" else "BYE")
    if side == "client":
        client = layer.client(request, FLOW, Silent())
        client.start(0.0)
        return client
    return layer.server(request, server_key(request), FLOW)


def test_who_is_given_up_while_he_is_called_has_one_end() -> None:
    layer = make_layer()
    client = make_transaction(layer, "INVITE client")
    armed = len(layer.heap)
    client.abandon_in(7.0, 1.0)
    assert len(layer.heap) == armed, "in the place of Timer B"
    layer.heap.ring(8.0)
    assert (client.state, len(layer.heap)) == (State.TERMINATED, 0)


def test_who_answers_after_he_was_given_up_is_waited_for_once() -> None:
    layer = make_layer()
    client = make_transaction(layer, "INVITE client")
    client.handle(Input.PROVISIONAL, 0.0, MESSAGES[Input.PROVISIONAL])
    client.abandon_in(7.0, 0.0)
    client.handle(Input.SUCCESS, 1.0, MESSAGES[Input.SUCCESS])
    assert len(layer.heap) == 1, "Timer M in the place of the end that was set"
    layer.heap.ring(8.0)
    assert client.state is State.ACCEPTED
    assert layer.drops[UNEXPECTED] == 0


@pytest.mark.parametrize("name", MACHINES)
def test_a_transaction_that_is_over_holds_nobody(name: str) -> None:
    transaction = make_transaction(make_layer(), name)
    if isinstance(transaction, ServerTransaction):
        transaction.user = Deaf()
    transaction.abandon(0.0)
    assert transaction.state is State.TERMINATED
    assert transaction.user in (None, NOBODY)
