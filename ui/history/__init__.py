"""The history of what was asked."""
