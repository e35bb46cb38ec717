"""The tables of rating sessions, the same in SQLite and in PostgreSQL; see `evaluation.runs.tables`."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, ForeignKeyConstraint, Integer, String, Table, Text

from backends.store.tables import metadata

rating_sessions = Table(
    "rating_sessions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("state", String(16), nullable=False),  # open, paused, closed, locked
    Column("plan", JSON, nullable=False),
    Column("approaches", JSON, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("code_hash", String(64), nullable=False, unique=True),  # sha256: the code itself is known to people alone
    Column("run", Text, nullable=False),  # the run that it was made from; empty for other questions
    Column("round", Integer, nullable=False),
    Column("deleted_at", String(32)),
)

rating_items = Table(
    "rating_items",
    metadata,
    Column("session_id", String(40), ForeignKey("rating_sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("question", Text, nullable=False),
    Column("answers", JSON, nullable=False),  # by approach
    Column("reference", Text, nullable=False),
    Column("gold", String(80), nullable=False),
    Column("core", Boolean, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("facts", JSON, nullable=False),  # by approach what the run measured
)

raters = Table(
    "raters",
    metadata,
    Column("session_id", String(40), ForeignKey("rating_sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", String(16), nullable=False),  # person, judge
    Column("token_hash", String(64), nullable=False, unique=True),  # sha256 of what the rater's own link holds
    Column("joined_at", String(32), nullable=False),
    Column("guess", JSON(none_as_null=True)),
)

_RATER = ["raters.session_id", "raters.id"]

ratings = Table(
    "ratings",
    metadata,
    Column("session_id", String(40), primary_key=True),
    Column("rater_id", String(40), primary_key=True),
    Column("item", Integer, primary_key=True, autoincrement=False),
    Column("again", Boolean, primary_key=True),
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("shown", JSON, nullable=False),  # the approaches in the order in which their answers were shown
    Column("said", JSON, nullable=False),  # ranks, scores, all_bad
    Column("comment", Text, nullable=False),
    ForeignKeyConstraint(["session_id", "rater_id"], _RATER, ondelete="CASCADE"),
)

rating_leases = Table(
    "rating_leases",
    metadata,
    Column("session_id", String(40), primary_key=True),
    Column("rater_id", String(40), primary_key=True),
    Column("item", Integer, nullable=False),
    Column("again", Boolean, nullable=False),
    Column("until", String(32), nullable=False),
    Column("draft", Text, nullable=False),  # the comment as far as it is typed
    ForeignKeyConstraint(["session_id", "rater_id"], _RATER, ondelete="CASCADE"),
)

audience_votes = Table(
    "audience_votes",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("state", String(16), nullable=False),  # open, revealed, withdrawn
    Column("blind", Boolean, nullable=False),
    Column("screen", String(64), nullable=False, index=True),  # sha256 of the question and answers that it is about
    Column("question", Text, nullable=False),
    Column("choices", JSON, nullable=False),  # approach, name and text of each, in the order in which they are shown
    Column("code_hash", String(64), nullable=False, unique=True),
)

audience_ballots = Table(
    "audience_ballots",
    metadata,
    Column("vote_id", String(40), ForeignKey("audience_votes.id", ondelete="CASCADE"), primary_key=True),
    Column("voter_hash", String(64), primary_key=True),  # sha256 of what the phone's cookie holds
    Column("choice", Integer, nullable=False),  # a place in `choices`, from 0
    Column("at", String(32), nullable=False),
)
