"""Who judged a run, and what judges said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column("runs", sa.Column("judge", sa.JSON(none_as_null=True)))
    op.create_table(
        "verdicts",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("judge", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("cost_usd", sa.Text),
    )
