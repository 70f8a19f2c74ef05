"""Who put a call through to whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for name in ("transferred_by", "transferred_to"):
        op.add_column("cdrs", sa.Column(name, sa.Text(), server_default="", nullable=False))
