"""Runs that were deleted can be brought back, and one run of a question set can be its approved baseline."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column("runs", sa.Column("deleted_at", sa.String(32)))
    op.create_table(
        "baselines",
        sa.Column("set_hash", sa.String(64), sa.ForeignKey("question_sets.hash", ondelete="CASCADE"), primary_key=True),
        sa.Column("run_id", sa.String(40), sa.ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("approved_at", sa.String(32), nullable=False),
    )
