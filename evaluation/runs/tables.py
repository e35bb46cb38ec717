"""The tables of evaluation runs, the same in SQLite and in PostgreSQL.

Times are UTC in ISO 8601, amounts of USD are Decimals as text, durations are seconds. A change here needs a migration
in `backends/store/migrations/versions/`, and `HEAD` of `backends.store.database` names the newest one.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    String,
    Table,
    Text,
)

from backends.store.tables import metadata

question_sets = Table(
    "question_sets",
    metadata,
    Column("hash", String(64), primary_key=True),  # sha256 of what the questions say (`model.content_hash`)
    Column("name", Text, nullable=False),
    Column("questions", Integer, nullable=False),
    Column("created_at", String(32), nullable=False),
)

questions = Table(
    "questions",
    metadata,
    Column("set_hash", String(64), ForeignKey("question_sets.hash", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("question", Text),  # NULL, as are the next two, where texts are not kept
    Column("reference_answer", Text),
    Column("key_facts", JSON(none_as_null=True)),
    Column("sources", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("critical", Boolean, nullable=False),
)

saved_sets = Table(
    "saved_sets",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", Text, nullable=False),
    Column("deleted_at", String(32)),  # NULL unless it was deleted; it can be brought back until it is erased
)

saved_versions = Table(
    "saved_versions",
    metadata,
    Column("set_id", String(40), ForeignKey("saved_sets.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("set_hash", String(64), ForeignKey("question_sets.hash"), nullable=False),
    Column("saved_at", String(32), nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("created_at", String(32), nullable=False),
    Column("finished_at", String(32)),  # NULL until it ended, done or stopped
    Column("state", String(16), nullable=False),  # running, stopped, done
    Column("fault", Text, nullable=False),  # why it was stopped; empty if it was not, or was cancelled
    Column("set_hash", String(64), ForeignKey("question_sets.hash"), nullable=False),
    Column("set_name", Text, nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("settings", JSON, nullable=False),  # without keys
    Column("machine", JSON, nullable=False),
    Column("packages", JSON, nullable=False),
    Column("prices", Text, nullable=False),  # which list of prices, and of when
    Column("keeps_texts", Boolean, nullable=False),
    Column("throughput", Boolean, nullable=False),  # cells of this machine are asked many at once
    Column("judge", JSON(none_as_null=True)),  # approach, model, rubric and its sha256; NULL where no model judged
    Column("deleted_at", String(32)),  # NULL unless it was deleted; it can be brought back until it is erased
)

baselines = Table(
    "baselines",
    metadata,
    Column("set_hash", String(64), ForeignKey("question_sets.hash", ondelete="CASCADE"), primary_key=True),
    Column("run_id", String(40), ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("approved_at", String(32), nullable=False),
)

run_approaches = Table(
    "run_approaches",
    metadata,
    Column("run_id", String(40), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("approach", String(80), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("model", Text, nullable=False),
    Column("identity", JSON, nullable=False),  # revision, adapter and its sha256, collection and its version
    Column("stopped", Text, nullable=False),  # why it was given up before its cells were done; empty if it was not
)

cells = Table(
    "cells",
    metadata,
    Column("run_id", String(40), primary_key=True),
    Column("approach", String(80), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("repeat", Integer, primary_key=True, autoincrement=False),
    Column("ended_at", String(32), nullable=False),
    Column("asked", Integer, nullable=False),  # how often it was asked: 1, and 1 more for each retry of a failure
    Column("status", String(16), nullable=False),
    Column("model", Text, nullable=False),
    Column("stand_in", Boolean, nullable=False),
    Column("recorded", Boolean, nullable=False),  # given earlier, so that its times compare with nothing
    Column("untimed", Text, nullable=False),  # why it has no times of its own; empty if it has
    Column("text", Text),  # NULL where texts are not kept
    Column("finish_reason", Text),
    Column("error", Text),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("tokens_counted_by", String(16)),
    Column("queued_s", Float),
    Column("load_s", Float),
    Column("retry_s", Float),
    Column("retrieval_s", Float),
    Column("ttft_s", Float),
    Column("latency_s", Float),
    Column("tokens_per_s", Float),
    Column("cost_usd", Text),  # NULL where it is unknown
    Column("cost_basis", Text, nullable=False),
    Column("attempts", JSON, nullable=False),
    Column("sources", JSON, nullable=False),
    Column("notes", JSON, nullable=False),
    ForeignKeyConstraint(
        ["run_id", "approach"], ["run_approaches.run_id", "run_approaches.approach"], ondelete="CASCADE"
    ),
)

_CELL = ("run_id", "approach", "position", "repeat")

scores = Table(
    "scores",
    metadata,
    Column("run_id", String(40), primary_key=True),
    Column("approach", String(80), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("repeat", Integer, primary_key=True, autoincrement=False),
    Column("scorer", String(80), primary_key=True),
    Column("status", String(16), nullable=False),  # scored, not_applicable, failed
    Column("value", Float),
    Column("yes_no", Boolean, nullable=False),  # the value is a truth value: 1 or 0
    Column("reason", Text, nullable=False),
    ForeignKeyConstraint(_CELL, [f"cells.{name}" for name in _CELL], ondelete="CASCADE"),
    sqlite_with_rowid=False,  # in the order of the key, so that a run is read in one go, without an index beside it
)

marks = Table(
    "marks",
    metadata,
    Column("run_id", String(40), primary_key=True),
    Column("approach", String(80), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("repeat", Integer, primary_key=True, autoincrement=False),
    Column("who", String(64), primary_key=True),  # sha256 of a browser's id, or a name such as `terminal`
    Column("at", String(32), nullable=False),
    Column("verdict", String(16)),  # right, wrong, unclear; NULL: nothing was said of that
    Column("star", Boolean, nullable=False),
    Column("comment", Text, nullable=False),
    ForeignKeyConstraint(_CELL, [f"cells.{name}" for name in _CELL], ondelete="CASCADE"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("key", String(64), primary_key=True),  # sha256 of judge, rubric, question, reference and answer
    Column("judge", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("cost_usd", Text),  # NULL where it is unknown
)

preferences = Table(
    "preferences",
    metadata,
    Column("run_id", String(40), primary_key=True),
    Column("approach", String(80), primary_key=True),
    Column("other", String(80), primary_key=True),  # stands behind `approach` in the run's order
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("repeat", Integer, primary_key=True, autoincrement=False),
    Column("outcome", String(16), nullable=False),  # approach, other, tie, order, failed
    Column("favoured", String(16), nullable=False),  # where the order decides: which place, first or second; else empty
    Column("reason", Text, nullable=False),  # why it failed; else empty
    ForeignKeyConstraint(_CELL, [f"cells.{name}" for name in _CELL], ondelete="CASCADE"),
    ForeignKeyConstraint(
        ["run_id", "other", "position", "repeat"], [f"cells.{name}" for name in _CELL], ondelete="CASCADE"
    ),
)
