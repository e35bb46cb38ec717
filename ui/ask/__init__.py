"""Asking: the box, a column that fills while an answer comes, its settings and evidence."""
