"""What is recorded: by agent, queue and trunk; and where a call's recordings are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for table in ("agents", "queues", "trunks"):
        op.add_column(table, sa.Column("record", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("cdrs", sa.Column("recording", sa.Text(), server_default="", nullable=False))
    op.add_column("cdrs", sa.Column("recording_gaps", sa.Integer(), server_default="0", nullable=False))
