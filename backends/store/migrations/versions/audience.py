"""Votes of an audience on the answers to one question."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "audience_votes",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("expires_at", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("blind", sa.Boolean, nullable=False),
        sa.Column("screen", sa.String(64), nullable=False, index=True),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("choices", sa.JSON, nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False, unique=True),
    )
    vote = sa.ForeignKey("audience_votes.id", ondelete="CASCADE")
    op.create_table(
        "audience_ballots",
        sa.Column("vote_id", sa.String(40), vote, primary_key=True),
        sa.Column("voter_hash", sa.String(64), primary_key=True),
        sa.Column("choice", sa.Integer, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )
