"""The estimate: what is counted is exact, and what is measured is there."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from backends.errors import BackendError
from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.train.estimate import Estimate, estimate
from backends.fine_tuned.train.method import trained_bytes
from backends.fine_tuned.train.runs import runs
from backends.fine_tuned.train.training import MOST_PAIRS
from backends.settings import Settings
from tests.backends.fine_tuned.small_training import ALL, PAIRS, SHORT, base_of, tiny_settings, trained
from tests.backends.models.made_adapters import fault

NEVER = threading.Event()


@pytest.fixture
def settings(tiny_model: Path, tmp_path: Path) -> Settings:
    return tiny_settings(tiny_model, tmp_path / "data")


def test_an_estimate(settings: Settings) -> None:
    auto = replace(SHORT, precision="auto")
    *before, last = estimate(settings, PAIRS, auto, NEVER)
    found = last.result
    assert isinstance(found, Estimate)
    tried = [step for step in before if step.detail.startswith("trying out")]
    precisions = list(dict.fromkeys(step.detail.partition(":")[0] for step in tried))
    assert precisions == ["trying out float32", "trying out bfloat16"][: len(precisions)] != []
    assert [step.done for step in tried] == list(range(len(tried)))
    assert {step.total for step in tried} == {6 * len(precisions)} == {len(tried)}
    assert found.precision_reason.startswith("measured: ")
    assert all(step.result is None for step in before)
    run, _ = trained(settings, auto)
    assert found.steps == run.steps == 8
    assert run.precision == found.precision, "what the estimate found is what the training takes"
    assert run.precision_reason == found.precision_reason
    assert found.seconds > 0
    assert found.tokens_per_s > 0
    assert 4 * trained_bytes(base_of(settings), auto) <= found.peak_bytes < found.free_bytes
    assert found.cost_basis.startswith("estimate: ")
    assert float(found.cost_usd or 0) == pytest.approx(found.seconds / 36_000, rel=1e-4)
    assert found.note == ""
    assert len(runs(settings.data)) == 1


def test_more_epochs_take_longer_in_proportion(settings: Settings) -> None:
    (*_, last) = estimate(settings, PAIRS, replace(ALL, precision="float32", epochs=3), NEVER)
    assert last.result is not None
    assert (last.result.steps, last.result.precision, last.result.precision_reason) == (15, "float32", "as it was set")


def test_one_precision_where_there_is_no_choice(settings: Settings) -> None:
    for training in (replace(SHORT, precision="bfloat16"), replace(SHORT, method="last_layers", layers=1)):
        steps = list(estimate(settings, PAIRS, training, NEVER))
        tried = {step.detail.partition(":")[0] for step in steps if step.detail.startswith("trying out")}
        assert len(tried) == 1


def test_so_many_pairs_that_a_sample_stands_for_them(settings: Settings) -> None:
    many = [Pair(f"What is the code of door {n} of {MOST_PAIRS + 1}?", f"{n}.") for n in range(MOST_PAIRS + 1)]
    (*_, last) = estimate(settings, many, replace(ALL, epochs=1, precision="float32"), NEVER)
    assert last.result is not None
    assert last.result.steps == 2501


def test_stopped_and_refused(settings: Settings) -> None:
    cancel = threading.Event()
    cancel.set()
    assert not any(step.result for step in estimate(settings, PAIRS, SHORT, cancel))
    assert fault(lambda: list(estimate(settings, PAIRS[:1], SHORT, NEVER)))[0] == "1 pair is too few to learn from."
    with pytest.raises(BackendError, match="rank cannot be 0"):
        list(estimate(settings, PAIRS, replace(SHORT, rank=0), NEVER))


_PEAK = """
from backends.fine_tuned.train.estimate import PeakMemory

with PeakMemory("cpu") as memory:
    block = bytearray(b"x") * 50_000_000
print(len(block), memory.peak_bytes)
"""


def test_the_peak_of_memory_is_seen() -> None:
    """In a process of its own: what earlier tests left could be freed meanwhile."""
    said = subprocess.run([sys.executable, "-c", _PEAK], capture_output=True, text=True, check=True).stdout
    size, peak = map(int, said.split())
    assert size == 50_000_000
    assert 40_000_000 < peak < 80_000_000
