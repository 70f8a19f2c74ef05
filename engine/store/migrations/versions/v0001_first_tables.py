"""The first tables: event log, CDRs, directory, API tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _history()
    _directory()
    _rest()


def _history() -> None:
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("schema", sa.Integer(), nullable=False),
        sa.Column("call", sa.String(length=64), nullable=True),
        sa.Column("wall", sa.Double(), nullable=False),
        sa.Column("mono", sa.Double(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_events"),
    )
    op.create_index(
        "ix_events_call",
        "events",
        ["call", "seq"],
        unique=False,
        sqlite_where=sa.text("call IS NOT NULL"),
        postgresql_where=sa.text("call IS NOT NULL"),
    )
    op.create_index(
        "ix_events_started",
        "events",
        ["seq"],
        unique=False,
        sqlite_where=sa.text("type = 'EngineStarted'"),
        postgresql_where=sa.text("type = 'EngineStarted'"),
    )
    op.create_table(
        "cdrs",
        sa.Column("call", sa.String(length=64), nullable=False),
        sa.Column("protocol_id", sa.Text(), nullable=False),
        sa.Column("direction", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("context", sa.String(length=64), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("caller_display", sa.Text(), nullable=False),
        sa.Column("called", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=True),
        sa.Column("agent", sa.String(length=64), nullable=True),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("started", sa.Double(), nullable=False),
        sa.Column("answered", sa.Double(), nullable=True),
        sa.Column("connected", sa.Double(), nullable=True),
        sa.Column("ended", sa.Double(), nullable=False),
        sa.Column("waited_s", sa.Double(), nullable=False),
        sa.Column("talked_s", sa.Double(), nullable=False),
        sa.Column("total_s", sa.Double(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("sip_code", sa.Integer(), nullable=True),
        sa.Column("ended_by", sa.String(length=16), nullable=False),
        sa.Column("caller_quality", sa.Text(), nullable=True),
        sa.Column("peer_quality", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("call", name="pk_cdrs"),
    )
    op.create_index("ix_cdrs_ended", "cdrs", ["ended", "call"], unique=False)


def _directory() -> None:
    op.create_table(
        "agents",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("display", sa.Text(), nullable=False),
        sa.Column("context", sa.String(length=64), nullable=False),
        sa.Column("ha1_md5", sa.String(length=32), nullable=False),
        sa.Column("ha1_sha256", sa.String(length=64), nullable=False),
        sa.Column("ha1_realm", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=False),
        sa.Column("status_since", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_agents"),
    )
    op.create_table(
        "queues",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("strategy", sa.String(length=32), nullable=False),
        sa.Column("ring_timeout_s", sa.Double(), nullable=False),
        sa.Column("retry_s", sa.Double(), nullable=False),
        sa.Column("wrap_up_s", sa.Double(), nullable=False),
        sa.Column("max_wait_s", sa.Double(), nullable=False),
        sa.Column("max_callers", sa.Integer(), nullable=False),
        sa.Column("music", sa.Text(), nullable=False),
        sa.Column("rona_break", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_queues"),
    )
    op.create_table(
        "members",
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=64), nullable=False),
        sa.Column("penalty", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["agent"], ["agents.name"], name="fk_members_agent_agents", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["queue"], ["queues.name"], name="fk_members_queue_queues", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("queue", "agent", name="pk_members"),
    )
    op.create_table(
        "trunks",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("transport", sa.String(length=8), nullable=False),
        sa.Column("addresses", sa.Text(), nullable=False),
        sa.Column("match_port", sa.Boolean(), nullable=False),
        sa.Column("context", sa.String(length=64), nullable=False),
        sa.Column("ping_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_trunks"),
    )


def _rest() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_api_tokens"),
        sa.UniqueConstraint("name", name="uq_api_tokens_name"),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.CheckConstraint("key <> ''", name="ck_meta_key"),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
