"""The harness itself: that it sees what a program says, and that nothing slips away from it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from tests.support.leftovers import LeftBehind, Leftovers, sockets_on
from tests.support.ports import PortPool
from tests.support.procs import Process, Processes, ProcessWouldNotEnd, WaitedInVain, wait_until

pytestmark = pytest.mark.integration


def start_python(procs: Processes, code: str, *, stdin: bool = False) -> Process:
    return procs.start("python", [sys.executable, "-u", "-c", textwrap.dedent(code)], stdin=stdin)


def test_lines_go_in_and_come_out(procs: Processes) -> None:
    process = start_python(procs, "print('got', input().upper())", stdin=True)
    process.send_line("hello")
    assert process.wait_for_line(r"got (\w+)").group(1) == "HELLO"
    assert process.wait() == 0


def test_waiting_for_a_line_ends_with_the_program_and_shows_what_it_said(procs: Processes) -> None:
    process = start_python(procs, "import sys; print('no way', file=sys.stderr); sys.exit(3)")
    with pytest.raises(WaitedInVain, match=r"ended with 3(.|\n)*no way"):
        process.wait_for_line("ready", timeout=30)


def test_a_process_that_ignores_the_signal_is_killed_and_reported(procs: Processes) -> None:
    process = start_python(
        procs,
        """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready")
        time.sleep(60)
        """,
    )
    process.wait_for_line("ready")
    with pytest.raises(ProcessWouldNotEnd):
        process.stop(timeout=0.2)
    assert process.returncode == -signal.SIGKILL


def test_a_grandchild_in_a_session_of_its_own_is_found_and_ended(tmp_path: Path) -> None:
    leftovers = Leftovers()
    with Processes(tmp_path) as procs:
        leftovers.watch_processes(procs)
        parent = start_python(
            procs,
            """
            import subprocess, sys
            child = subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
            print("child", child.pid)
            """,
        )
        child = int(parent.wait_for_line(r"child (\d+)").group(1))
    assert [process.pid for process in procs.survivors()] == [child]
    with pytest.raises(LeftBehind, match=f"process {child} "):
        leftovers.check(grace=0.1)
    wait_until(lambda: not procs.survivors(), timeout=5, what="the grandchild's end")


def test_a_socket_left_on_a_given_port_is_found(session_ports: PortPool) -> None:
    pool = session_ports.share()
    leftovers = Leftovers()
    leftovers.watch_pool(pool)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as left:
        left.bind(("127.0.0.1", pool.one()))
        with pytest.raises(LeftBehind, match=rf"port {left.getsockname()[1]} "):
            leftovers.check(grace=0.1)
    leftovers.check(grace=0.1)


def test_a_socket_of_another_run_on_a_given_port_is_none_of_ours(session_ports: PortPool) -> None:
    pool = session_ports.share()
    leftovers = Leftovers()
    leftovers.watch_pool(pool)
    port = pool.one()
    # Ends its parent, so that it is nobody's child.
    program = f"""
import os, socket, sys
if os.fork():
    os._exit(0)
held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
held.bind(("127.0.0.1", {port}))
print("bound", flush=True)
sys.stdin.read()
"""
    stranger = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert stranger.stdout is not None
    try:
        assert stranger.stdout.readline() == b"bound\n"
        assert sockets_on([port]) != []
        leftovers.check(grace=0.1)
    finally:
        stranger.communicate(timeout=10)


def test_a_process_of_somebody_else_is_left_alone(procs: Processes) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert stranger.pid not in {process.pid for process in procs.survivors()}
        assert psutil.pid_exists(stranger.pid)
    finally:
        stranger.communicate(b"\n", timeout=10)


def test_cpu_time_counts_the_children(procs: Processes) -> None:
    process = start_python(
        procs,
        """
        import subprocess, sys, time
        burn = "import time\\nwhile time.process_time() < 0.3: pass\\nprint('burnt', flush=True); time.sleep(60)"
        child = subprocess.Popen([sys.executable, "-c", burn])
        try:
            child.wait()
        finally:
            child.kill()
        """,
    )
    process.wait_for_line("burnt")
    assert process.cpu_seconds() >= 0.3
    process.send_signal(signal.SIGINT)
    process.wait()
