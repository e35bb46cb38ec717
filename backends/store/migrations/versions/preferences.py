"""Which of two answers a judge prefers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_CELL = ("run_id", "approach", "position", "repeat")


def upgrade() -> None:
    """Make the table."""
    columns = [f"cells.{name}" for name in _CELL]
    op.create_table(
        "preferences",
        sa.Column("run_id", sa.String(40), primary_key=True),
        sa.Column("approach", sa.String(80), primary_key=True),
        sa.Column("other", sa.String(80), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("repeat", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("favoured", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(_CELL, columns, ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run_id", "other", "position", "repeat"], columns, ondelete="CASCADE"),
    )
