"""Whether the media of an agent's phones is encrypted (RFC 4568)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("agents", sa.Column("srtp", sa.String(length=16), server_default="off", nullable=False))
