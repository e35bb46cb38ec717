"""Approaches by id, made when asked for and not before."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import backends
from backends.errors import BackendError
from backends.scripted import ScriptedBackend
from backends.settings import load_settings

HEAVY = ["torch", "transformers", "peft", "sentence_transformers", "chromadb", "streamlit", "openai"]
_LIST_HEAVY = f"import json, sys; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"


def heavy_after(program: str) -> list[str]:
    command = [sys.executable, "-c", f"{program}\n{_LIST_HEAVY}"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    loaded: list[str] = json.loads(finished.stdout.splitlines()[-1])
    return loaded


@pytest.mark.parametrize(
    "program",
    [
        "import backends, backends.run.compare, backends.run.live, backends.run.warm_up",
        "import terminal.commands",
        "import sys, crossroads\nsys.argv = ['crossroads', '--help']\ntry: crossroads.main()\nexcept SystemExit: pass",
        "import evaluation.metrics, evaluation.samples",
        "import backends\nfrom backends.settings import load_settings\nbackends.make('raw', load_settings())",
        "import backends\nfrom backends.settings import load_settings\nbackends.make('fine_tuned', load_settings())",
        "import backends\nfrom backends.settings import load_settings\nbackends.make('paid_api', load_settings())",
        "import backends\nfrom backends.settings import load_settings\nbackends.make('rag', load_settings())",
    ],
    ids=["backends", "crossroads", "help", "evaluation", "raw", "fine_tuned", "paid_api", "rag"],
)
def test_nothing_heavy_is_imported_before_it_is_needed(program: str) -> None:
    assert heavy_after(program) == []


def test_the_order_of_the_columns() -> None:
    assert tuple(spec.id for spec in backends.specs()) == ("raw", "fine_tuned", "paid_api", "rag")


@pytest.mark.parametrize("approach", tuple(spec.id for spec in backends.specs()))
def test_each_approach_is_made_under_its_id(approach: str) -> None:
    backend = backends.make(approach, load_settings())
    assert backend.approach == approach
    assert not backend.stand_in
    assert (backend.lane is None) == (approach == "paid_api")


def test_local_approaches_share_one_lane() -> None:
    settings = load_settings()
    assert len({backends.make(approach, settings).lane for approach in ("raw", "fine_tuned", "rag")}) == 1


@pytest.mark.parametrize("approach", tuple(spec.id for spec in backends.specs()))
def test_scripted_answers_are_labelled(approach: str) -> None:
    backend = backends.make(approach, load_settings({"scripted": "true"}))
    assert isinstance(backend, ScriptedBackend)
    assert (backend.approach, backend.stand_in, backend.model) == (approach, True, f"scripted answers ({approach})")


@pytest.mark.parametrize("approach", ["gpt", "RAW", "", "raw "])
def test_an_unknown_id_names_the_known_ones(approach: str) -> None:
    with pytest.raises(BackendError) as refused:
        backends.make(approach, load_settings())
    assert refused.value.cause == f"There is no approach called {approach!r}."
    assert refused.value.next_step == "The ids are raw, fine_tuned, paid_api, rag."
