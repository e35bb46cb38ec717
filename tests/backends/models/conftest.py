"""A tiny base and an adapter of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.models.local import LocalModel
from tests.backends.models.made_adapters import in_float32, load_base, make_lora


@pytest.fixture(scope="module")
def base(tiny_model: Path) -> LocalModel:
    return load_base(str(tiny_model))


@pytest.fixture(scope="module")
def exact(base: LocalModel) -> LocalModel:
    """The tiny model in float32."""
    return in_float32(base)


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    return make_lora(tmp_path / "doors")
