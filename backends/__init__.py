"""Everything that produces an answer. The approaches, by id, are in `backends.registry`."""

from backends.registry import approaches, make, specs

__all__ = ["approaches", "make", "specs"]
