"""The C library is the real one, in a process of its own."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from engine.media import plane
from engine.media.options import PlaneOptions

PROGRAM = """
import ctypes, threading, sys
if sys.argv[1] == "one":
    from engine.media.io_arena import share_one_heap
    assert share_one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
meet = threading.Barrier(12)
def work():
    meet.wait()
    held = [libc.malloc(3000) for _ in range(2000)]  # without the GIL, as a library does
    meet.wait()
    for place in held: libc.free(place)
threads = [threading.Thread(target=work) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="this C library knows no arenas")
def test_threads_share_one_heap() -> None:
    def heaps(how: str) -> int:
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True, timeout=60
        )
        return run.stdout.count("<heap nr=")

    assert heaps("many") > 1
    assert heaps("one") == 1


def test_a_media_process_does_so_before_it_has_any_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(plane, "share_one_heap", lambda: asked.append("one heap"))
    monkeypatch.setattr(plane, "Plane", lambda options, secret: asked.append("plane"))
    options = PlaneOptions(socket=tmp_path / "media.sock", secret_file=tmp_path / "none")
    assert plane.run(options) == 1, "there is no secret"
    assert asked == ["one heap"]
