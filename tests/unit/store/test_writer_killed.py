"""The one test of this package with a real process and real time: what `kill -9` may cost."""

from __future__ import annotations

import subprocess
import sys
import time

from sqlalchemy import Engine, select

from engine.store.reader import next_seq
from engine.store.recovery import cut_off
from engine.store.schema import integrity
from engine.store.tables import events

RUN_S = 1.5
AT_MOST_LOST_S = 1.0

CHILD = """
import sys, time
from engine.calls.log import CallRouted
from engine.calls.journal import Record
from engine.store.database import open_database
from engine.store.sink import SqlSink
from engine.store.writer import EventWriter
writer = EventWriter(SqlSink(open_database(sys.argv[1])))
writer.start()
began, seq = time.monotonic(), 0
while True:
    due = int((time.monotonic() - began) * 1000)
    while seq < due:
        seq += 1
        writer.append([Record(seq, 1, "c%d" % (seq // 10), time.time(), 0.0, CallRouted(destination="echo"))])
    print(seq, time.time(), flush=True)
    time.sleep(0.002)
"""


def test_kill_9_loses_at_most_the_last_second(database: Engine, url: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, url], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said: list[tuple[int, float]] = []
    try:
        for line in child.stdout:
            seq, when = line.split()
            said.append((int(seq), float(when)))
            if said[-1][1] - said[0][1] > RUN_S:
                break
    finally:
        child.kill()
        killed_at = time.time()
        child.wait()
        child.stdout.close()
    assert integrity(url) == []
    with database.connect() as connection:
        stored = list(connection.execute(select(events.c.seq).order_by(events.c.seq)).scalars())
    assert stored == list(range(1, len(stored) + 1)), "what is lost is the end, not the middle"
    safe = max(seq for seq, when in said if when <= killed_at - AT_MOST_LOST_S)
    assert safe > 200, "the child had not begun to work"
    assert len(stored) >= safe
    assert next_seq(database) == len(stored) + 1
    assert cut_off(database).calls == {}
