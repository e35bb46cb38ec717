"""What was asked on the pages, with its answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "asked",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("page", sa.String(80), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("star", sa.Boolean, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("deleted_at", sa.String(32)),
        sa.Index("asked_in_time", "at"),
    )
    op.create_table(
        "asked_columns",
        sa.Column("asked_id", sa.String(40), sa.ForeignKey("asked.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("approach", sa.String(80), primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
    )
