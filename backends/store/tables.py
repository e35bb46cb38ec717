"""The tables of what answers cost, the same in SQLite and in PostgreSQL; those of runs are in `evaluation.runs.tables`.

Times are UTC in ISO 8601, amounts of USD are Decimals as text, durations are seconds. A change here needs a migration
in `migrations/versions/`, and `HEAD` of `backends.store.database` names the newest one.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # which numbers its rows itself in this type only

spent_answers = Table(
    "spent_answers",  # a row for every answer that ended, and no word of it; rows are only added
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("at", String(32), nullable=False),  # when it ended
    Column("approach", String(80), nullable=False),
    Column("model", Text, nullable=False),
    Column("kind", String(16), nullable=False),  # real, stand-in, scripted
    Column("status", String(16), nullable=False),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("tokens_counted_by", String(16)),
    Column("queued_s", Float),
    Column("retry_s", Float),
    Column("retrieval_s", Float),
    Column("ttft_s", Float),
    Column("latency_s", Float),
    Column("retries", Integer),  # NULL where nothing is asked over a network
    Column("cost_usd", Text),  # NULL where it is unknown
    Column("cost_basis", Text, nullable=False),
    Column("expected_prompt_tokens", BigInteger),  # what was expected before the question was asked, and how computed
    Column("expected_completion_tokens", BigInteger),
    Column("expected_usd", Text),
    Column("expected_by", Text),
    Column("purpose", String(16), nullable=False),  # answer, test (of a connection), judge (a verdict on an answer)
    Column("writer", String(80)),  # the approach whose model wrote an answer from documents; NULL elsewhere
    Index("spent_in_time", "at"),
    Index("spent_by_model", "approach", "kind", "model", "id"),
)

charges = Table(
    "charges",  # what a cap counts; a reservation is changed once, when it is settled
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("at", String(32), nullable=False),  # when it was reserved or charged
    Column("run", Text, nullable=False),
    Column("approach", String(80), nullable=False),
    Column("model", Text, nullable=False),
    Column("state", String(16), nullable=False),  # reserved, charged, at most, unknown, released
    Column("pico_usd", BigInteger, nullable=False),  # 10^-12 USD, rounded up
    Column("host", Text),  # these three: the process that reserved it
    Column("pid", BigInteger),
    Column("began", Float),
    Index("charges_in_time", "at"),
    Index("charges_of_run", "run"),
)

taken_over = Table(
    "taken_over",  # the files of earlier versions whose rows are here, by the name that each was given for that
    metadata,
    Column("file", String(40), primary_key=True),
    Column("at", String(32), nullable=False),
)
