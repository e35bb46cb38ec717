"""Rating sessions: their items, who rates, and what they say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "rating_sessions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("expires_at", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.Column("approaches", sa.JSON, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("deleted_at", sa.String(32)),
    )
    op.create_table(
        "rating_items",
        sa.Column("session_id", sa.String(40), _of_a_session(), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answers", sa.JSON, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("gold", sa.String(80), nullable=False),
        sa.Column("core", sa.Boolean, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
    )
    op.create_table(
        "raters",
        sa.Column("session_id", sa.String(40), _of_a_session(), primary_key=True),
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("joined_at", sa.String(32), nullable=False),
        sa.Column("guess", sa.JSON(none_as_null=True)),
    )
    op.create_table(
        "ratings",
        sa.Column("session_id", sa.String(40), primary_key=True),
        sa.Column("rater_id", sa.String(40), primary_key=True),
        sa.Column("item", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("again", sa.Boolean, primary_key=True),
        sa.Column("round", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("shown", sa.JSON, nullable=False),
        sa.Column("said", sa.JSON, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        _of_a_rater(),
    )
    op.create_table(
        "rating_leases",
        sa.Column("session_id", sa.String(40), primary_key=True),
        sa.Column("rater_id", sa.String(40), primary_key=True),
        sa.Column("item", sa.Integer, nullable=False),
        sa.Column("again", sa.Boolean, nullable=False),
        sa.Column("until", sa.String(32), nullable=False),
        sa.Column("draft", sa.Text, nullable=False),
        _of_a_rater(),
    )


def _of_a_session() -> sa.ForeignKey:
    return sa.ForeignKey("rating_sessions.id", ondelete="CASCADE")


def _of_a_rater() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["session_id", "rater_id"], ["raters.session_id", "raters.id"], ondelete="CASCADE")
