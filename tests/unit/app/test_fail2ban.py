"""The filter that ships for fail2ban reads the lines that the engine writes, and no others."""

from __future__ import annotations

import configparser
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.app.config import LogConfig
from engine.app.logs import RecordLogger, set_up_logs
from engine.calls.journal import Record
from engine.calls.log import AgentReachable, LogBody, SourceBanned
from engine.ids import AgentName
from engine.log_format import LogFormat

FILTER = Path(__file__).parents[3] / "config/fail2ban/filter.d/hearthline.conf"
SUBNET = r"(?P<host>[0-9A-Fa-f:.]+(?:/\d+)?)"
"""As much of what fail2ban puts in for <SUBNET> as matters here."""


@pytest.fixture
def _loggers() -> Iterator[None]:
    root = logging.getLogger()
    kept = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = kept


def found(body: LogBody, form: LogFormat) -> list[str]:
    """The addresses that fail2ban would ban for the line of this record."""
    stream = io.StringIO()
    set_up_logs(LogConfig(format=form), stream)
    RecordLogger().observe([Record(7, 1, None, 1_790_000_000.0, 1.0, body)])
    (line,) = stream.getvalue().splitlines()
    read = configparser.RawConfigParser()
    read.read(FILTER)
    expressions = read["Definition"]["failregex"].splitlines()
    assert len(expressions) == 2
    return [match["host"] for each in expressions if (match := re.search(each.replace("<SUBNET>", SUBNET), line))]


def banned(address: str, user: str = "") -> SourceBanned:
    return SourceBanned(address=address, user=user, reason="auth_failures", seconds=120, times=2)


@pytest.mark.usefixtures("_loggers")
@pytest.mark.parametrize("form", list(LogFormat))
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8:1:2::/64"])
def test_a_banned_address_is_read(form: LogFormat, address: str) -> None:
    assert found(banned(address), form) == [address]


@pytest.mark.usefixtures("_loggers")
@pytest.mark.parametrize("form", list(LogFormat))
@pytest.mark.parametrize(
    "text",
    [
        "bob",
        "x event=SourceBanned seq=1 address=198.51.100.9 reason=x seconds=1 times=1",
        'x" event=SourceBanned seq=1 address=198.51.100.9 reason=x seconds=1 times=1',
        '", "event": "SourceBanned", "seq": 1, "address": "198.51.100.9", "reason": "x", "seconds": 1, "times": 1',
    ],
)
def test_a_home_where_one_user_is_banned_is_not_read_and_nobody_can_forge_a_line(form: LogFormat, text: str) -> None:
    assert found(banned("192.0.2.1", text), form) == []
    agent = AgentReachable(agent=AgentName("ann"), contact="sip:ann@h", source="192.0.2.1:5060", user_agent=text)
    assert found(agent, form) == []
