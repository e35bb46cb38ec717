"""The first tables: question sets, runs with their approaches, cells, scores."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    _question_sets()
    _runs()
    _cells()
    _scores()


def _question_sets() -> None:
    op.create_table(
        "question_sets",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("questions", sa.Integer, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
    )
    op.create_table(
        "questions",
        sa.Column("set_hash", sa.String(64), sa.ForeignKey("question_sets.hash", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("question", sa.Text),
        sa.Column("reference_answer", sa.Text),
        sa.Column("key_facts", sa.JSON(none_as_null=True)),
        sa.Column("sources", sa.JSON, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("critical", sa.Boolean, nullable=False),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("finished_at", sa.String(32)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("fault", sa.Text, nullable=False),
        sa.Column("set_hash", sa.String(64), sa.ForeignKey("question_sets.hash"), nullable=False),
        sa.Column("set_name", sa.Text, nullable=False),
        sa.Column("repeats", sa.Integer, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("machine", sa.JSON, nullable=False),
        sa.Column("packages", sa.JSON, nullable=False),
        sa.Column("prices", sa.Text, nullable=False),
        sa.Column("keeps_texts", sa.Boolean, nullable=False),
    )
    op.create_table(
        "run_approaches",
        sa.Column("run_id", sa.String(40), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("approach", sa.String(80), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("identity", sa.JSON, nullable=False),
        sa.Column("stopped", sa.Text, nullable=False),
    )


def _cells() -> None:
    op.create_table(
        "cells",
        sa.Column("run_id", sa.String(40), primary_key=True),
        sa.Column("approach", sa.String(80), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("repeat", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("ended_at", sa.String(32), nullable=False),
        sa.Column("asked", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("stand_in", sa.Boolean, nullable=False),
        sa.Column("recorded", sa.Boolean, nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("finish_reason", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("prompt_tokens", sa.BigInteger),
        sa.Column("completion_tokens", sa.BigInteger),
        sa.Column("cached_tokens", sa.BigInteger),
        sa.Column("reasoning_tokens", sa.BigInteger),
        sa.Column("tokens_counted_by", sa.String(16)),
        sa.Column("queued_s", sa.Float),
        sa.Column("load_s", sa.Float),
        sa.Column("retry_s", sa.Float),
        sa.Column("retrieval_s", sa.Float),
        sa.Column("ttft_s", sa.Float),
        sa.Column("latency_s", sa.Float),
        sa.Column("tokens_per_s", sa.Float),
        sa.Column("cost_usd", sa.Text),
        sa.Column("cost_basis", sa.Text, nullable=False),
        sa.Column("attempts", sa.JSON, nullable=False),
        sa.Column("sources", sa.JSON, nullable=False),
        sa.Column("notes", sa.JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id", "approach"], ["run_approaches.run_id", "run_approaches.approach"], ondelete="CASCADE"
        ),
    )


def _scores() -> None:
    cell = ["run_id", "approach", "position", "repeat"]
    op.create_table(
        "scores",
        sa.Column("run_id", sa.String(40), primary_key=True),
        sa.Column("approach", sa.String(80), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("repeat", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("scorer", sa.String(80), primary_key=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("yes_no", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(cell, [f"cells.{name}" for name in cell], ondelete="CASCADE"),
    )
