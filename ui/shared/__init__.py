"""Pieces that every page uses: text made safe, numbers, charts, jobs, errors."""
