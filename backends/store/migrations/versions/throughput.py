"""Runs for throughput, and cells without times of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns; what is there was timed."""
    op.add_column("runs", sa.Column("throughput", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("cells", sa.Column("untimed", sa.Text, nullable=False, server_default=""))
