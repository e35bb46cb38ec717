"""Evaluation runs: a question set put to every approach, stored cell by cell, resumable, scored and compared."""
