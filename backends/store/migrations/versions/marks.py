"""What people say of cells; on SQLite, scores in the order of their key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


_CELL = ("run_id", "approach", "position", "repeat")


def upgrade() -> None:
    """Make the table of marks, and that of scores anew where the order is the database's choice."""
    _marks()
    if op.get_bind().dialect.name == "sqlite":
        _scores()


def _scores() -> None:
    columns = "run_id, approach, position, repeat, scorer, status, value, yes_no, reason"
    op.create_table(
        "scores_in_order",
        sa.Column("run_id", sa.String(40), primary_key=True),
        sa.Column("approach", sa.String(80), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("repeat", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("scorer", sa.String(80), primary_key=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("yes_no", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(_CELL, [f"cells.{name}" for name in _CELL], ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )
    op.execute(f"INSERT INTO scores_in_order ({columns}) SELECT {columns} FROM scores")  # noqa: S608
    op.drop_table("scores")
    op.rename_table("scores_in_order", "scores")


def _marks() -> None:
    op.create_table(
        "marks",
        sa.Column("run_id", sa.String(40), primary_key=True),
        sa.Column("approach", sa.String(80), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("repeat", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("who", sa.String(64), primary_key=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("verdict", sa.String(16)),
        sa.Column("star", sa.Boolean, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(_CELL, [f"cells.{name}" for name in _CELL], ondelete="CASCADE"),
    )
