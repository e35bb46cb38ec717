"""What Alembic runs a migration with: the connection, and the transaction, that `backends.store.database` gives it."""

from __future__ import annotations

from alembic import context

from backends.store.database import VERSION_TABLE
from backends.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
context.run_migrations()
