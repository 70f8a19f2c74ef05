"""What mutated datagrams leave in the engine: nothing but texts in caches that are bounded. In virtual time, without a
network, so that memory can be counted to the byte; the fuzzer itself sees how large the process is."""

from __future__ import annotations

import gc
import random
import tracemalloc
from functools import _lru_cache_wrapper
from typing import Final

from engine.sip.flow import Address, Flow, Transport
from tests.support.centre_rig import ENGINE, TRUNK_HOST, CentreRig
from tests.torture.fuzz_sip_datagrams import requests
from tests.torture.mutate import mutated

SENDERS: Final = (("203.0.113.9", 5060), (TRUNK_HOST, 5060), ("192.0.2.3", 5060))
REST_S: Final = 400.0
"""Longer than any timer runs that a stranger's message can start, and than a nonce lives."""
GROWTH_BOUND: Final = 50_000
"""Bytes after three thousand datagrams, of which some five hundred begin a transaction. 25,000 are what each address
and each counter takes once; a key of each transaction that was kept for ever would take 60,000 more."""


def rest(rig: CentreRig, until: float) -> None:
    """Let every deadline come."""
    station = rig.centre
    while (due := station.deadline()) is not None and due <= until:
        station.clock.now = max(station.clock.now, due)
        station.ring(station.clock.now)
        drain(rig)
    station.clock.now = until


def drain(rig: CentreRig) -> None:
    list(rig.centre.drain(rig.centre.clock.now))
    list(rig.centre.closes())
    rig.centre.records.clear()
    rig.centre.plane.sent.clear()


def send(rig: CentreRig, *, count: int, seed: int) -> None:
    """Messages of a stranger, the trunk and a phone, at ports that change, every other one mutated; then a rest."""
    chance = random.Random(seed)
    corpora = [[data.replace(b"601@", b"600@") for data in requests(sender, ["none"])] for sender in SENDERS]
    for number in range(count):
        (host, port), corpus = chance.choice(list(zip(SENDERS, corpora, strict=True)))
        good = [each for each in corpus if b"fuzz" in each]
        message = chance.choice(good) if number % 2 else mutated(chance, corpus)
        # Call-ID, branch and user: each begins something new.
        message = message.replace(b"fuzz", b"%d-%d-" % (seed, number))
        remote = Address(host, port + chance.randrange(20))
        now = rig.centre.clock.now
        rig.centre.receive(message, Flow(Transport.UDP, ENGINE, remote), now)
        drain(rig)
        rest(rig, now + 0.001)
    rest(rig, rig.centre.clock.now + REST_S)


def forget_texts() -> None:
    """Empty the caches with a bound of their own (`engine.sip.memory`)."""
    for found in gc.get_objects():
        if isinstance(found, _lru_cache_wrapper):
            found.cache_clear()


def test_mutated_datagrams_leave_nothing_that_grows() -> None:
    rig = CentreRig(traced=False)  # the history of messages has a bound of its own
    rig.register(rig.alice)
    rig.centre.clock.now = rig.wire.now
    send(rig, count=500, seed=1)  # what is read and filled at first use
    forget_texts()
    tracemalloc.start()
    try:
        send(rig, count=3000, seed=2)
        forget_texts()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert rig.core.next_deadline() is None
    assert not any(rig.core.calls.live())
    live = rig.core.endpoint.live()
    assert (live.transactions, live.dialogs, live.sessions, live.bindings) == (0, 0, 0, 0)
    assert grown < GROWTH_BOUND, grown
