"""Which codecs an agent's phones may have."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("agents", sa.Column("codecs", sa.Text(), server_default="[]", nullable=False))
