"""Registrations that outlive the process, and what CDRs tell of headers that calls carried."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "bindings",
        sa.Column("agent", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("transport", sa.String(length=8), nullable=False),
        sa.Column("local_host", sa.Text(), nullable=False),
        sa.Column("local_port", sa.Integer(), nullable=False),
        sa.Column("remote_host", sa.Text(), nullable=False),
        sa.Column("remote_port", sa.Integer(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("registered", sa.Double(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=True),
        sa.Column("reg_id", sa.BigInteger(), nullable=True),
        sa.Column("q", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "position", name="pk_bindings"),
    )
    op.add_column("cdrs", sa.Column("session", sa.Text(), server_default="", nullable=False))
    op.add_column("cdrs", sa.Column("diverted_from", sa.Text(), server_default="", nullable=False))
    op.add_column("cdrs", sa.Column("user_to_user", sa.Text(), server_default="", nullable=False))
    op.add_column("cdrs", sa.Column("q850", sa.Integer(), nullable=True))
