"""Why a call that should be recorded is not."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("cdrs", sa.Column("recording_missed", sa.Text(), server_default="", nullable=False))
