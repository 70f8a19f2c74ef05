"""Trunks with accounts, rules, limits and health; groups of trunks; what calls cost and who may make them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TEXTS = ("user", "auth_user", "secret", "from_user", "from_domain")
_LISTS = ("called_out", "caller_out", "called_in", "caller_in", "headers_out", "codecs", "destinations")
_FLAGS = ("registers", "trusted", "redirects")
_WHOLES = {
    "register_expires_s": "300",
    "max_calls": "0",
    "max_in": "0",
    "max_out": "0",
    "down_after": "2",
    "up_after": "2",
    "circuit_after": "5",
}
_NUMBERS = {"cps_in": "0", "cps_out": "0", "daily_spend": "0", "patience_s": "4", "setup_s": "15"}


def upgrade() -> None:
    _trunks()
    op.create_table(
        "trunk_groups",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("members", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_trunk_groups"),
    )
    op.add_column("agents", sa.Column("destinations", sa.Text(), server_default="[]", nullable=False))
    op.add_column("agents", sa.Column("max_outbound", sa.Integer(), server_default="0", nullable=False))
    op.add_column("agents", sa.Column("daily_spend", sa.Double(), server_default="0", nullable=False))
    op.add_column("cdrs", sa.Column("tried", sa.Text(), server_default="", nullable=False))
    op.add_column("cdrs", sa.Column("cost", sa.Double(), server_default="0", nullable=False))


def _trunks() -> None:
    columns: list[sa.Column[Any]] = [sa.Column(name, sa.Text(), server_default="", nullable=False) for name in _TEXTS]
    columns += [sa.Column(name, sa.Text(), server_default="[]", nullable=False) for name in _LISTS]
    columns += [sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False) for name in _FLAGS]
    columns += [sa.Column(name, sa.Integer(), server_default=is_, nullable=False) for name, is_ in _WHOLES.items()]
    columns += [sa.Column(name, sa.Double(), server_default=is_, nullable=False) for name, is_ in _NUMBERS.items()]
    columns.append(sa.Column("srtp", sa.String(length=16), server_default="off", nullable=False))
    for column in columns:
        op.add_column("trunks", column)
