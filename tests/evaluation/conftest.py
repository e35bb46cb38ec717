"""Settings to prove an adapter with, and an embedder that knows what is near."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.rag import approach
from backends.settings import DEFAULT_EMBEDDER, Settings
from tests.evaluation.answering import FixedEmbedder
from tests.evaluation.made_data import make_data


@pytest.fixture
def proving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with the adapter `doors` in a data folder of its own."""
    data = tmp_path / "data"
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, data), FixedEmbedder())
    return make_data(data)
