"""Question sets that people saved under a name, with their versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "saved_sets",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("deleted_at", sa.String(32)),
    )
    op.create_table(
        "saved_versions",
        sa.Column("set_id", sa.String(40), sa.ForeignKey("saved_sets.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("set_hash", sa.String(64), sa.ForeignKey("question_sets.hash"), nullable=False),
        sa.Column("saved_at", sa.String(32), nullable=False),
    )
