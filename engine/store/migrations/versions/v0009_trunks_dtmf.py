"""How keys come and go on a trunk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("trunks", sa.Column("dtmf", sa.String(length=16), server_default="auto", nullable=False))
