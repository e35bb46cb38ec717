"""What answers cost is part of the store: answers, charges, and which earlier files were taken over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_KEPT = "rows are only added"


def upgrade() -> None:
    """Make the tables, and what keeps rows of answers as they are."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    _answers(number)
    op.create_table(
        "charges",
        sa.Column("id", number, primary_key=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("approach", sa.String(80), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("pico_usd", sa.BigInteger, nullable=False),
        sa.Column("host", sa.Text),
        sa.Column("pid", sa.BigInteger),
        sa.Column("began", sa.Float),
    )
    op.create_table(
        "taken_over",
        sa.Column("file", sa.String(40), primary_key=True),
        sa.Column("at", sa.String(32), nullable=False),
    )
    op.create_index("spent_in_time", "spent_answers", ["at"])
    op.create_index("spent_by_model", "spent_answers", ["approach", "kind", "model", "id"])
    op.create_index("charges_in_time", "charges", ["at"])
    op.create_index("charges_of_run", "charges", ["run"])
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER spent_{what.lower()} BEFORE {what} ON spent_answers "
                f"BEGIN SELECT raise(ABORT, '{_KEPT}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION crossroads_only_added() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_KEPT}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER spent_kept BEFORE UPDATE OR DELETE ON spent_answers "
        "FOR EACH ROW EXECUTE FUNCTION crossroads_only_added()"
    )


def _answers(number: sa.types.TypeEngine[int]) -> None:
    counts = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
    seconds = ("queued_s", "retry_s", "retrieval_s", "ttft_s", "latency_s")
    op.create_table(
        "spent_answers",
        sa.Column("id", number, primary_key=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("approach", sa.String(80), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        *(sa.Column(name, sa.BigInteger) for name in counts),
        sa.Column("tokens_counted_by", sa.String(16)),
        *(sa.Column(name, sa.Float) for name in seconds),
        sa.Column("retries", sa.Integer),
        sa.Column("cost_usd", sa.Text),
        sa.Column("cost_basis", sa.Text, nullable=False),
        sa.Column("expected_prompt_tokens", sa.BigInteger),
        sa.Column("expected_completion_tokens", sa.BigInteger),
        sa.Column("expected_usd", sa.Text),
        sa.Column("expected_by", sa.Text),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("writer", sa.String(80)),
    )
