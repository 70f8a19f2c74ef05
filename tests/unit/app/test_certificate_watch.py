from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock as TwistedClock

from engine.app.certificate_watch import CertificateWatch
from engine.errors import ConfigError
from engine.net.tls import TlsContexts
from engine.net.tls_files import TlsFiles
from tests.support.certificates import Authority, Issued

DAY = 86_400


@dataclass
class Rig:
    authority: Authority
    issued: Issued
    reactor: TwistedClock = field(default_factory=TwistedClock)
    told: list[str] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)

    def monotonic(self) -> float:
        return float(self.reactor.seconds())

    def wall(self) -> float:
        return time.time() + float(self.reactor.seconds())

    def watch(self) -> CertificateWatch:
        pair = (self.issued.certificate, self.issued.key)
        contexts = TlsContexts(TlsFiles(certificates=(pair,), trust=self.authority.file))
        reactor: Any = self.reactor
        made = CertificateWatch(contexts, reactor, self, note=self.told.append, measure=self.measured.__setitem__)
        made.start()
        return made


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    authority = Authority(tmp_path)
    return Rig(authority, authority.issue("a", days=40))


def test_new_files_are_taken_by_themselves(rig: Rig) -> None:
    rig.watch()
    before = rig.measured[str(rig.issued.certificate)]
    rig.authority.issue("a", days=100)
    rig.reactor.advance(9)
    assert rig.measured[str(rig.issued.certificate)] == before
    rig.reactor.advance(1)
    assert rig.measured[str(rig.issued.certificate)] == pytest.approx(before + 60 * DAY, abs=60)
    assert rig.told == ["certificates: the new files are in use"]
    rig.reactor.advance(10)
    assert len(rig.told) == 1


def test_a_bad_new_file_is_told_once_and_then_its_good_successor_is_taken(rig: Rig) -> None:
    rig.watch()
    rig.issued.key.write_text("half a")
    for _ in range(3):
        rig.reactor.advance(10)
    (told,) = rig.told
    assert "those before stay" in told
    assert str(rig.issued.key) in told
    rig.authority.issue("a", days=100)
    rig.reactor.advance(10)
    assert rig.told[1:] == ["certificates: the new files are in use"]


def test_a_certificate_that_ends_is_told_in_time_and_ever_more_seldom(rig: Rig) -> None:
    rig.watch()
    days = []
    for day in range(45):
        before = len(rig.told)
        rig.reactor.advance(10)
        rig.reactor.pump([DAY - 20, 10])
        if len(rig.told) > before:
            days.append(day + 1)
    assert days in ([11, 27, 34, 38, 40, 41], [10, 26, 33, 37, 39, 40])
    assert "ends at" in rig.told[0]
    assert "ended at" in rig.told[-1]


def test_an_operators_reload_answers_what_is_in_use_or_what_is_wrong(rig: Rig) -> None:
    watch = rig.watch()
    assert watch.reload() == rig.measured
    rig.issued.certificate.unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        watch.reload()
    rig.reactor.advance(10)
    assert rig.told == [], "it was told to who asked"


def test_stopped_it_looks_no_more(rig: Rig) -> None:
    watch = rig.watch()
    watch.stop()
    assert rig.reactor.getDelayedCalls() == []


def test_without_tls_there_is_nothing_to_do(rig: Rig) -> None:
    reactor: Any = rig.reactor
    watch = CertificateWatch(None, reactor, rig, note=rig.told.append, measure=rig.measured.__setitem__)
    watch.start()
    assert (watch.reload(), rig.reactor.getDelayedCalls()) == ({}, [])
    watch.stop()
