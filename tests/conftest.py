"""Fixtures that every test may use. Real weights are converted once per test run, for all of its workers."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from backends.models.weights import Weights, resolve
from backends.rag.documents import files
from backends.rag.documents.parser import ExtractProcess
from backends.settings import DEFAULT_MODEL, Settings, load_settings
from backends.store import database
from tests import replayed_store
from tests.warm_parser import WarmParser

WORKER = os.environ.get("PYTEST_XDIST_WORKER")
"""The name of this worker of pytest-xdist; None in a run of one process."""

if WORKER:  # before torch is imported: workers that each take every core wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # as for what a shell starts in the background: children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONG = ("tests/e2e/", "tests/test_regular", "tests/backends/rag/store/", "tests/terminal/test_training")
"""Files that take up to minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first, so that no worker has one left when the others are done."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture(autouse=True)
def _garbage_is_looked_for_in_what_is_new() -> None:
    """Garbage is collected after each run of a page and in long tests: among all that is in memory, if nobody freezes
    it. Most of that are modules, and the large ones are imported by the first test that needs them."""
    if len(sys.modules) > _frozen[-1] + 50:
        gc.collect()
        gc.freeze()
        _frozen.append(len(sys.modules))


_frozen = [0]
"""How many modules there were each time that memory was frozen."""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see neither the developer's keys nor their `.env`, and write nothing into their data folder."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    monkeypatch.setenv("CROSSROADS_DATA", str(tmp_path / "data"))


@pytest.fixture(autouse=True)
def _a_page_is_main_in_its_test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit makes the page that it runs `__main__`; a process that a later test starts would import that page."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(autouse=True)
def _stores_are_closed() -> Iterator[None]:
    """Those that a test opened; its folder goes with it."""
    yield
    database.forget_stores()


@pytest.fixture(autouse=True, scope="session")
def _new_stores_are_replayed() -> Iterator[None]:
    """An empty store gets its tables at once; `real_migrations` is for tests of how they come about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_migrate", replayed_store.replay)
        yield


@pytest.fixture
def real_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new store is made by its migrations, as outside of tests."""
    monkeypatch.setattr(database, "_migrate", replayed_store.migrate)


@pytest.fixture(scope="session")
def warm_parser() -> Iterator[WarmParser]:
    """The child that parses for all tests with `shared_parser`."""
    with ExtractProcess(files.FILE_LIMIT_S) as child:
        yield WarmParser(child)


@pytest.fixture
def shared_parser(warm_parser: WarmParser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents are parsed by one child in all tests: for those of what becomes of documents after that."""
    monkeypatch.setattr(files, "ExtractProcess", warm_parser)


@pytest.fixture(scope="session")
def model_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that holds the converted default weights."""
    data = tmp_path_factory.mktemp("model_data")
    if not WORKER:
        resolve(DEFAULT_MODEL, data)
        return data
    shared = tmp_path_factory.getbasetemp().parent / "converted"
    with FileLock(f"{shared}.lock"):
        resolve(DEFAULT_MODEL, shared)
    shutil.copytree(shared / "models", data / "models", copy_function=os.link)
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
