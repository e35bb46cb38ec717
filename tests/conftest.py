"""Fixtures that every test may use. Real weights are converted once per test run."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.models.weights import Weights, resolve
from backends.settings import DEFAULT_MODEL, Settings, load_settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see neither the developer's keys nor their `.env`, and write nothing into their data folder."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    monkeypatch.setenv("CROSSROADS_DATA", str(tmp_path / "data"))


@pytest.fixture(scope="session")
def model_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that holds the converted default weights."""
    data = tmp_path_factory.mktemp("model_data")
    resolve(DEFAULT_MODEL, data)
    return data


@pytest.fixture(scope="session")
def weights(model_data: Path) -> Weights:
    """The default weights, ready to load."""
    return resolve(DEFAULT_MODEL, model_data)


@pytest.fixture(scope="session")
def base_weights(weights: Weights) -> Path:
    """The folder of the default weights."""
    return weights.folder


@pytest.fixture
def real_settings(model_data: Path) -> Settings:
    """Settings whose data folder holds the default weights, with short greedy answers."""
    return load_settings({"data": str(model_data), "max_tokens": 24})
