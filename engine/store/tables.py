"""Every table of the store, once, for SQLite and PostgreSQL alike.

What is JSON is kept as text: the log's bodies are written and paged through far more often than they are looked into,
and text needs no codec of the database. Both databases can still look inside (`json_extract`, `body::jsonb`).
A change here needs a migration in `migrations/versions`; a test compares the two.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
    true,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

_SEQ: Final = BigInteger().with_variant(Integer(), "sqlite")
"""In SQLite only INTEGER is the row id itself, which spares the log an index."""

_RUN_MARK: Final = text("type = 'EngineStarted'")
_OF_A_CALL: Final = text("call IS NOT NULL")

events: Final = Table(
    "events",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=False),
    Column("schema", Integer, nullable=False),
    Column("call", String(64)),
    Column("wall", Double, nullable=False),
    Column("mono", Double, nullable=False),
    Column("type", String(40), nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_events_call", "call", "seq", sqlite_where=_OF_A_CALL, postgresql_where=_OF_A_CALL),
    Index("ix_events_started", "seq", sqlite_where=_RUN_MARK, postgresql_where=_RUN_MARK),
)
"""The event log, `engine.calls.log.Record` by `codec`."""

cdrs: Final = Table(
    "cdrs",
    metadata,
    Column("call", String(64), primary_key=True),
    Column("protocol_id", Text, nullable=False),
    Column("direction", String(16), nullable=False),
    Column("origin", Text, nullable=False),
    Column("context", String(64), nullable=False),
    Column("caller", Text, nullable=False),
    Column("caller_display", Text, nullable=False),
    Column("called", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("queue", String(64)),
    Column("agent", String(64)),
    Column("peer", Text, nullable=False),
    Column("started", Double, nullable=False),
    Column("answered", Double),
    Column("connected", Double),
    Column("ended", Double, nullable=False),
    Column("waited_s", Double, nullable=False),
    Column("talked_s", Double, nullable=False),
    Column("total_s", Double, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("sip_code", Integer),
    Column("ended_by", String(16), nullable=False),
    Column("caller_quality", Text),
    Column("peer_quality", Text),
    Column("tried", Text, nullable=False, server_default=""),
    Column("cost", Double, nullable=False, server_default="0"),
    Column("transferred_by", Text, nullable=False, server_default=""),
    Column("transferred_to", Text, nullable=False, server_default=""),
    Column("session", Text, nullable=False, server_default=""),
    Column("diverted_from", Text, nullable=False, server_default=""),
    Column("user_to_user", Text, nullable=False, server_default=""),
    Column("q850", Integer),
    Column("recording", Text, nullable=False, server_default=""),
    Column("recording_gaps", Integer, nullable=False, server_default="0"),
    Column("recording_missed", Text, nullable=False, server_default=""),
    Index("ix_cdrs_ended", "ended", "call"),
)
"""One row a call, `engine.calls.cdr.Cdr` by its field names, with its cause spread over three columns."""

agents: Final = Table(
    "agents",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("display", Text, nullable=False),
    Column("context", String(64), nullable=False),
    Column("ha1_md5", String(32), nullable=False),
    Column("ha1_sha256", String(64), nullable=False),
    Column("ha1_realm", Text, nullable=False, server_default=""),
    Column("status", String(16), nullable=False),
    Column("status_reason", Text, nullable=False),
    Column("status_since", Double, nullable=False),
    Column("destinations", Text, nullable=False, server_default="[]"),
    Column("max_outbound", Integer, nullable=False, server_default="0"),
    Column("daily_spend", Double, nullable=False, server_default="0"),
    Column("srtp", String(16), nullable=False, server_default="off"),
    Column("codecs", Text, nullable=False, server_default="[]"),
    Column("record", Boolean, nullable=False, server_default=false()),
)
"""`ha1_realm` is the realm that the secrets were made for: when the configured one changes, they are worthless."""

queues: Final = Table(
    "queues",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("strategy", String(32), nullable=False),
    Column("ring_timeout_s", Double, nullable=False),
    Column("retry_s", Double, nullable=False),
    Column("wrap_up_s", Double, nullable=False),
    Column("max_wait_s", Double, nullable=False),
    Column("max_callers", Integer, nullable=False),
    Column("music", Text, nullable=False),
    Column("rona_break", Boolean, nullable=False),
    Column("record", Boolean, nullable=False, server_default=false()),
)

members: Final = Table(
    "members",
    metadata,
    Column("queue", String(64), ForeignKey("queues.name", ondelete="CASCADE"), primary_key=True),
    Column("agent", String(64), ForeignKey("agents.name", ondelete="CASCADE"), primary_key=True),
    Column("penalty", Integer, nullable=False),
    Column("position", Integer, nullable=False),
)
"""`position` keeps the order in which members were added."""

trunks: Final = Table(
    "trunks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("transport", String(8), nullable=False),
    Column("tls_name", Text, nullable=False, server_default=""),
    Column("addresses", Text, nullable=False),
    Column("match_port", Boolean, nullable=False),
    Column("context", String(64), nullable=False),
    Column("ping_s", Double, nullable=False),
    Column("user", Text, nullable=False, server_default=""),
    Column("auth_user", Text, nullable=False, server_default=""),
    Column("secret", Text, nullable=False, server_default=""),
    Column("registers", Boolean, nullable=False, server_default=false()),
    Column("register_expires_s", Integer, nullable=False, server_default="300"),
    Column("outbound", Boolean, nullable=False, server_default=true()),
    Column("from_user", Text, nullable=False, server_default=""),
    Column("from_domain", Text, nullable=False, server_default=""),
    Column("called_out", Text, nullable=False, server_default="[]"),
    Column("caller_out", Text, nullable=False, server_default="[]"),
    Column("called_in", Text, nullable=False, server_default="[]"),
    Column("caller_in", Text, nullable=False, server_default="[]"),
    Column("headers_out", Text, nullable=False, server_default="[]"),
    Column("trusted", Boolean, nullable=False, server_default=false()),
    Column("redirects", Boolean, nullable=False, server_default=false()),
    Column("codecs", Text, nullable=False, server_default="[]"),
    Column("srtp", String(16), nullable=False, server_default="off"),
    Column("dtmf", String(16), nullable=False, server_default="auto"),
    Column("max_calls", Integer, nullable=False, server_default="0"),
    Column("max_in", Integer, nullable=False, server_default="0"),
    Column("max_out", Integer, nullable=False, server_default="0"),
    Column("cps_in", Double, nullable=False, server_default="0"),
    Column("cps_out", Double, nullable=False, server_default="0"),
    Column("destinations", Text, nullable=False, server_default="[]"),
    Column("daily_spend", Double, nullable=False, server_default="0"),
    Column("down_after", Integer, nullable=False, server_default="2"),
    Column("up_after", Integer, nullable=False, server_default="2"),
    Column("circuit_after", Integer, nullable=False, server_default="5"),
    Column("patience_s", Double, nullable=False, server_default="4"),
    Column("setup_s", Double, nullable=False, server_default="15"),
    Column("record", Boolean, nullable=False, server_default=false()),
)
"""`secret` is the password itself: who proves himself to a provider must know it."""

trunk_groups: Final = Table(
    "trunk_groups",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("members", Text, nullable=False),
)

bindings: Final = Table(
    "bindings",
    metadata,
    Column("agent", String(64), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("contact", Text, nullable=False),
    Column("transport", String(8), nullable=False),
    Column("local_host", Text, nullable=False),
    Column("local_port", Integer, nullable=False),
    Column("remote_host", Text, nullable=False),
    Column("remote_port", Integer, nullable=False),
    Column("expires", Double, nullable=False),
    Column("registered", Double, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("instance", Text),
    Column("reg_id", BigInteger),
    Column("q", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)
"""Where agents' phones were heard of last, `binding_store.KeptBinding` by its field names. `position` keeps their
order. No foreign key: what is written a second late about an agent who is gone must not fail for that."""

api_tokens: Final = Table(
    "api_tokens",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("created", Double, nullable=False),
)
"""The tokens themselves are shown once and kept nowhere."""

meta: Final = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    CheckConstraint("key <> ''", name="key"),
)
"""Single facts about this store, such as when it was made."""
