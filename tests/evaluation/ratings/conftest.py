"""The stores of evaluation runs, and a session with three approaches."""

from __future__ import annotations

import pytest

from evaluation.ratings.model import Item
from tests.evaluation.runs.conftest import postgres, settings, sqlite_settings, sqlite_store, store

__all__ = ["postgres", "settings", "sqlite_settings", "sqlite_store", "store"]


@pytest.fixture
def items() -> list[Item]:
    """Nine questions with three answers each."""
    return [
        Item(0, f"Question {number}?", {name: f"{name} {number}" for name in ("raw", "rag", "paid_api")})
        for number in range(9)
    ]
