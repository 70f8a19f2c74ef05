"""The name that a trunk's certificate must be for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("trunks", sa.Column("tls_name", sa.Text(), server_default="", nullable=False))
