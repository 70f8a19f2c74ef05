"""Runs a fuzz target guided by coverage (atheris), in a process of its own, and tells what came of it.

A target is a module `tests.torture.fuzz_NAME` with `seeds()`, good inputs to begin with, and `fuzz(data)`, which raises
for whatever must not be. `engine.sip` is instrumented, so that inputs that reach new code are kept and changed further.
Beside exceptions, time is watched. Bytes that are slow to read are seldom many by chance: every few inputs a part of
one is repeated until it is long. No input may cost more than MOST_PER_BYTE_S for each of its bytes and CONSTANT_S; a
repeated one of more than PER_BYTE_S must cost no more than GROWTH times what half as many repetitions cost.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.util
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

from tests.torture.mutate import TOKENS, mutated
from tests.torture.result import DIRECTORY, ROOT, write_result

PER_BYTE_S: Final = 20e-6
MOST_PER_BYTE_S: Final = 100e-6
"""Each input is read some ten times, by instrumented code: lines of four octets in a description cost 20 us a byte, 27
on a slower machine, at any length."""
GROWTH: Final = 3.0
"""2 is in proportion, 4 is quadratic."""
CONSTANT_S: Final = 5e-3
LONGEST: Final = 8192
"""Bytes of an input; repeated parts make PUMPED."""
PUMPED: Final = 32_000
PUMP_EVERY: Final = 64
_JUDGED: Final = 256
"""Bytes of the shortest input whose cost by byte says anything."""
_REPEATS: Final = 5
MISSING: Final = "atheris is not installed (it is made for Linux alone): pip install atheris"


class Target(Protocol):
    """What a module `fuzz_NAME` has."""

    def seeds(self) -> Sequence[bytes]: ...

    def fuzz(self, data: bytes) -> None: ...


@dataclass(slots=True)
class Cost:
    """The slowest input by byte."""

    seconds_per_byte: float = 0.0
    length: int = 0


class TooSlow(AssertionError):
    """An input costs more than in proportion to its length."""


class Watch:
    """Runs the target on one input after the other. `failure` is where one that fails is written."""

    def __init__(self, target: Target, failure: Path) -> None:
        self.slowest = Cost()
        self._fuzz = target.fuzz
        self._failure = failure
        self._count = 0

    def one(self, data: bytes) -> None:
        """Raises what the target raises, TooSlow for what takes too long."""
        self._run(data)
        self._count += 1
        if data and self._count % PUMP_EVERY == 0:
            self.long(data, self._count)

    def long(self, data: bytes, seed: int) -> None:
        """Run with a part of it repeated; raises the same."""
        half = pumped(data, random.Random(seed), PUMPED // 2)
        self._run(pumped(data, random.Random(seed)), half)

    def _run(self, data: bytes, half: bytes | None = None) -> None:
        began = time.perf_counter()
        try:
            self._fuzz(data)
            self._judge(data, half, time.perf_counter() - began)
        except BaseException as error:
            self._failure.write_bytes(data)
            print(f"{type(error).__name__}: {error}; of {len(data)} bytes: {data[:1500]!r}", file=sys.stderr)
            raise

    def _judge(self, data: bytes, half: bytes | None, seconds: float) -> None:
        """A pause of the machine must not count: what seems slow is run again, by the processor's time."""
        length = max(len(data), 1)
        if seconds > CONSTANT_S + PER_BYTE_S * length:
            seconds = self._least(data)
            bound = CONSTANT_S + MOST_PER_BYTE_S * length
            if half is not None and seconds > CONSTANT_S + PER_BYTE_S * length:
                bound = min(bound, CONSTANT_S + GROWTH * self._least(half))
            if seconds > bound:
                raise TooSlow(f"{seconds * 1e3:.1f} ms for {length} bytes, {bound * 1e3:.1f} ms are allowed")
        if length >= _JUDGED and seconds / length > self.slowest.seconds_per_byte:
            seconds = self._least(data)
            if seconds / length > self.slowest.seconds_per_byte:
                self.slowest = Cost(seconds / length, length)

    def _least(self, data: bytes) -> float:
        gc.collect()
        least = float("inf")
        for _ in range(_REPEATS):
            began = time.process_time()
            self._fuzz(data)
            least = min(least, time.process_time() - began)
        return least


def pumped(data: bytes, chance: random.Random, size: int = PUMPED) -> bytes:
    """A part of the data, mostly a short one, repeated until the whole is so many bytes long."""
    length = chance.choice((1, 1, 2, 3, 4, 8, 16, 64, 256))
    at = chance.randrange(len(data))
    part = data[at : at + length]
    return data[:at] + part * ((size - len(data)) // len(part) + 1) + data[at:]


def run(name: str) -> None:
    """The command line of the target `tests.torture.NAME`. Ends the process with 1 where an input failed."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.torture.{name}")
    parser.add_argument("--seconds", type=int, default=600, help="how long (%(default)s)")
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print(f"{name}: {MISSING}")
        return
    found = guided(name, options.seconds)
    path = write_result(name, **found)
    print(f"{name}: {found['outcome']}; {found['executions']} executions, coverage {found['coverage']}; {path}")
    if found["outcome"] != "ok":
        sys.exit(1)


def guided(name: str, seconds: int) -> dict[str, object]:
    """Run the target for so long: what came of it. The first failing input is kept as build/fuzz/NAME-failure.bin."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    failure = DIRECTORY / f"{name}-failure.bin"
    failure.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="hearthline-fuzz-") as directory:
        words = [sys.executable, "-m", "tests.torture.guided", name, str(seconds), directory, str(failure)]
        began = time.monotonic()
        ended = subprocess.run(
            words, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=seconds + 120, check=False
        )
        slowest = Path(directory, "slowest")
        cost = Cost(*map(float, slowest.read_text().split())) if slowest.exists() else Cost()
    said = ended.stderr
    if ended.returncode != 0:
        print("\n".join(line for line in said.splitlines() if "INFO: Instr" not in line)[-6000:], file=sys.stderr)
    progress = re.findall(r"#\d+\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)", said)
    executions = re.search(r"stat::number_of_executed_units:\s+(\d+)", said)
    coverage = dict(zip(("edges", "features", "corpus"), map(int, progress[-1]), strict=True)) if progress else {}
    return {
        "seconds": round(time.monotonic() - began, 1),
        "executions": int(executions[1]) if executions else 0,
        "coverage": coverage,
        "slowest_us_per_byte": round(cost.seconds_per_byte * 1e6, 3),
        "slowest_length": int(cost.length),
        "outcome": "ok" if ended.returncode == 0 else f"failed, see {failure.name}",
    }


def _inside(name: str, seconds: str, directory: str, failure: str) -> None:
    """In the process of its own: never returns."""
    # Only where it is there, and only here: it takes over the process. The name for Mutate in the package itself is of
    # a copy of the fuzzer that does not run.
    import atheris  # noqa: PLC0415
    from atheris.core_with_libfuzzer import Mutate  # noqa: PLC0415

    with atheris.instrument_imports(include=["engine.sip"]):
        target = cast(Target, importlib.import_module(f"tests.torture.{name}"))
    corpus = Path(directory, "corpus")
    corpus.mkdir()
    seeds = list(target.seeds())
    for number, seed in enumerate(seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    words = Path(directory, "words")
    words.write_text("".join(f'"{_escaped(token)}"\n' for token in TOKENS if token))
    watch = Watch(target, Path(failure))
    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-dict={words}", f"-artifact_prefix={directory}/"]
    options += ["-timeout=30", "-rss_limit_mb=2048", "-print_final_stats=1", "-len_control=20", str(corpus)]
    one = _noting(watch, Path(directory, "slowest"))
    atheris.Setup(["fuzz", *options], one, custom_mutator=_mutator(seeds, Mutate))
    atheris.Fuzz()


def _noting(watch: Watch, path: Path) -> Callable[[bytes], None]:
    """The fuzzer ends the process without a word to us, so that the slowest is noted when it changes."""
    noted = watch.slowest

    def one(data: bytes) -> None:
        nonlocal noted
        watch.one(data)
        if watch.slowest is not noted:
            noted = watch.slowest
            path.write_text(" ".join(map(str, asdict(noted).values())))

    return one


def _mutator(seeds: Sequence[bytes], plain: Callable[[bytes, int], bytes]) -> Callable[[bytes, int, int], bytes]:
    """Mostly the fuzzer's own changes of single bytes; else the slips of `mutate`, which know of lines."""

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.75:
            return plain(data, longest)
        return mutated(chance, [data, data, chance.choice(seeds)])[:longest]

    return cast(Any, mutate)


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{octet:02x}" for octet in token[:64])


if __name__ == "__main__":
    _inside(*sys.argv[1:])
