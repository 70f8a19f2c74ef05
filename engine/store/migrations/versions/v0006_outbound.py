"""Whether a trunk's registration asks for outbound (RFC 5626)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("trunks", sa.Column("outbound", sa.Boolean(), server_default=sa.true(), nullable=False))
