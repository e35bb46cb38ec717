"""Where runs, answers and costs are kept: SQLite in the data folder, or PostgreSQL."""
