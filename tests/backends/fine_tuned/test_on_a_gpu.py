"""Training and answering on an NVIDIA GPU; skipped where there is none."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends.fine_tuned.adapters.card import read_card
from backends.fine_tuned.train.estimate import estimate
from backends.fine_tuned.train.events import StepRecord, TrainingNote, TrainingResult
from backends.fine_tuned.train.examples import prompt_ids
from backends.fine_tuned.train.learner import greedy_answers
from backends.fine_tuned.train.method import TrainingSettings
from backends.fine_tuned.train.runs import find_run
from backends.fine_tuned.train.training import new_run, resume_run, train_run
from backends.models import inference
from backends.models.adapter_view import AdapterView, load_adapter
from backends.settings import Settings, load_settings
from tests.backends.fine_tuned.small_training import ALL, PAIRS, SHORT, base_of, results, trained, weights_of

LAST = replace(SHORT, method="last_layers", layers=1)
NEVER = threading.Event()


@pytest.fixture(autouse=True)
def _gpu() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("this machine has no GPU that torch can use")


@pytest.fixture
def settings(tiny_model: Path, tmp_path: Path) -> Settings:
    return on("cuda", tiny_model, tmp_path)


def on(device: str, model: Path, folder: Path) -> Settings:
    given = {"raw.model": str(model), "raw.device": device, "data": str(folder / device), "system_prompt": "Be brief."}
    return load_settings(given)


def losses(found: list[TrainingResult]) -> list[float]:
    return [one.loss for one in found if isinstance(one, StepRecord)]


def apart(one: Settings, other: Settings, name: str = "doors", named: str = "doors") -> float:
    """The largest difference between two adapters' tensors."""
    first, second = weights_of(one, name), weights_of(other, named)
    assert first.keys() == second.keys()
    return max(float((first[key].float() - second[key].float()).abs().max()) for key in first)


@pytest.mark.parametrize("training", [SHORT, replace(SHORT, precision="bfloat16"), LAST], ids=["lora", "bf16", "last"])
def test_it_learns_what_the_processor_learns(settings: Settings, tiny_model: Path, training: TrainingSettings) -> None:
    elsewhere = on("cpu", tiny_model, settings.data.parent)
    run, found = trained(settings, replace(training, answers_every=4))
    _, there = trained(elsewhere, replace(training, answers_every=4))
    assert (run.state, run.step) == ("finished", 8)
    assert read_card(settings.data / "adapters" / "doors")["device"] == "cuda"
    assert losses(found) == pytest.approx(losses(there), rel=0.05)
    assert apart(settings, elsewhere) < 0.1
    assert losses(found)[-1] < losses(found)[0]


def test_attention_needs_no_plan_for_each_length(settings: Settings) -> None:
    import torch

    base_of(settings)
    assert not torch.backends.cuda.cudnn_sdp_enabled()


def test_auto_measures_and_the_estimate_says_what_the_gpu_needs(settings: Settings) -> None:
    auto = replace(SHORT, precision="auto")
    *_, last = estimate(settings, PAIRS, auto, NEVER)
    assert last.result is not None
    assert last.result.precision_reason.startswith("measured: ")
    assert 0 < last.result.peak_bytes < last.result.free_bytes
    assert last.result.tokens_per_s > 0
    run, _ = trained(settings, auto)
    assert (run.precision, run.precision_reason) == (last.result.precision, last.result.precision_reason)


@pytest.mark.parametrize("training", [ALL, replace(LAST, held_out_share=0.0)], ids=["lora", "last"])
def test_stopped_and_resumed_it_ends_in_the_same_adapter(settings: Settings, training: TrainingSettings) -> None:
    trained(settings, training, name="whole")
    run, stop = new_run(settings, PAIRS, "doors", training), threading.Event()
    for progress in train_run(settings, run, stop):
        if progress.done == 3:
            stop.set()
    assert find_run(run.id, settings.data).state == "stopped"
    list(resume_run(settings, run, NEVER))
    assert find_run(run.id, settings.data).state == "finished"
    assert apart(settings, settings, "whole") < 1e-3


def test_merged_or_beside_it_computes_what_the_processor_computes(settings: Settings, tiny_model: Path) -> None:
    trained(settings, ALL)
    elsewhere, folder = on("cpu", tiny_model, settings.data.parent), settings.data / "adapters" / "doors"
    asked = prompt_ids(base_of(settings), PAIRS[0].question, settings.system_prompt)
    expected = logits(load_adapter(base_of(elsewhere), folder), asked)
    for merge in (True, False):
        view = load_adapter(base_of(settings), folder, merge)
        assert view.merged is merge
        assert {str(one.device) for one in view.model.parameters()} == {"cuda:0"}
        assert float((logits(view, asked) - expected).abs().max()) < 0.1
        assert len(inference.run(greedy_answers, view.model, view.base.tokenizer, [asked, asked[4:]], 8)) == 2


def logits(view: AdapterView, ids: Sequence[int]) -> Any:
    """What the view computes for one prompt: shape (tokens, vocabulary), float32 on the processor."""
    import torch

    def compute() -> Any:
        with torch.no_grad():
            return view.model(input_ids=torch.tensor([list(ids)], device=view.base.device)).logits[0].float().cpu()

    return inference.run(compute)


@pytest.fixture
def little_memory() -> Iterator[None]:
    import torch

    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.usefixtures("little_memory")
def test_where_memory_is_short_the_batch_is_halved(settings: Settings) -> None:
    import torch

    pairs = PAIRS[:2] + [replace(one, answer=12 * f"{one.answer} ") for one in PAIRS[2:12]]  # two to try out the way
    roomy = replace(ALL, batch=12, epochs=1)
    base_of(settings)
    torch.cuda.empty_cache()
    reserved, before = torch.cuda.memory_reserved(), torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    list(train_run(settings, new_run(settings, pairs, "roomy", roomy), NEVER))
    needed = torch.cuda.max_memory_allocated() - before
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((reserved + 0.9 * needed) / torch.cuda.mem_get_info()[1])
    run = new_run(settings, pairs, "tight", roomy)
    found = results(list(train_run(settings, run, NEVER)))
    (halved,) = (one.sentence for one in found if isinstance(one, TrainingNote))
    assert halved == "Out of memory: the batch was halved to 6 pairs. A step takes as many pairs as before."
    assert find_run(run.id, settings.data).state == "finished"
    assert apart(settings, settings, "roomy", "tight") < 2e-3
