"""Which precision `auto` takes: what is measured decides, and what was found is kept."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends.fine_tuned.adapters.card import read_card
from backends.fine_tuned.train import loop, precision
from backends.fine_tuned.train.estimate import estimate
from backends.fine_tuned.train.events import StepRecord, TrainingNote
from backends.fine_tuned.train.examples import encode
from backends.fine_tuned.train.precision import (
    PrecisionChoice,
    faster_precision,
    load_choice,
    matmul_seconds,
    measure_precision,
    precision_from_settings,
    rule_out_bfloat16,
    save_choice,
)
from backends.fine_tuned.train.runs import find_run, history
from backends.fine_tuned.train.training import new_run, resume_run, train_run
from backends.models import inference
from backends.models.local import LocalModel
from backends.settings import Settings
from tests.backends.fine_tuned.small_training import ALL, PAIRS, SHORT, base_of, tiny_settings, trained

AUTO, AUTO_ALL = replace(SHORT, precision="auto"), replace(ALL, precision="auto")
FOUND = PrecisionChoice("bfloat16", "measured: 100 tokens/s in float32 and 300 tokens/s in bfloat16")


@pytest.fixture
def settings(tiny_model: Path, tmp_path: Path) -> Settings:
    return tiny_settings(tiny_model, tmp_path / "data")


def test_what_is_set_is_not_measured() -> None:
    assert precision_from_settings(AUTO) is None
    assert precision_from_settings(replace(AUTO, precision="bfloat16")) == PrecisionChoice("bfloat16", "as it was set")
    last = replace(AUTO, method="last_layers", precision="bfloat16")
    assert precision_from_settings(last) == PrecisionChoice("float32", "in which the last layers always learn")


def test_a_processor_without_the_instructions_is_told_by_a_product() -> None:
    assert rule_out_bfloat16({"float32": 0.001, "bfloat16": 0.002}) is None
    assert rule_out_bfloat16({"float32": 0.001, "bfloat16": 0.021}) == PrecisionChoice(
        "float32", "measured: a matrix product takes 21 times as long here in bfloat16"
    )


@pytest.mark.parametrize(
    ("bfloat16", "taken", "end"), [(90, "float32", ""), (105, "float32", ", too small a lead"), (130, "bfloat16", "")]
)
def test_bfloat16_has_to_be_a_tenth_faster(bfloat16: float, taken: str, end: str) -> None:
    choice = faster_precision({"float32": 100.0, "bfloat16": bfloat16})
    assert choice.precision == taken
    assert choice.reason == f"measured: 100 tokens/s in float32 and {bfloat16} tokens/s in bfloat16{end}"


def test_both_are_measured_on_the_base_itself(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    base = base_of(settings)
    assert all(spent > 0 for spent in inference.run(matmul_seconds, base).values())
    monkeypatch.setattr(precision, "matmul_seconds", alike)
    batch = encode(base, PAIRS[:2], "Be brief.")
    choice = inference.run(measure_precision, base, AUTO, batch)
    assert " tokens/s in float32 and " in choice.reason
    monkeypatch.setattr(precision.Learner, "add_gradient", no_memory)
    choice = inference.run(measure_precision, base, AUTO, batch)
    own = str(base.model.dtype).removeprefix("torch.")
    assert (str(choice), choice.worth_saving) == (f"{own}, since memory did for neither trial", False), "needs no copy"


@pytest.mark.parametrize(("lacking", "taken"), [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_what_memory_does_for_is_taken(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, lacking: str, taken: str
) -> None:
    learn = precision.Learner.add_gradient

    def little_memory(self: precision.Learner, *arguments: Any) -> float:
        return no_memory() if self.trainable.precision == lacking else learn(self, *arguments)

    monkeypatch.setattr(precision, "matmul_seconds", alike)
    monkeypatch.setattr(precision.Learner, "add_gradient", little_memory)
    base = base_of(settings)
    choice = inference.run(measure_precision, base, AUTO, encode(base, PAIRS[:2], "Be brief."))
    assert (choice.precision, choice.worth_saving) == (taken, False)
    assert choice.reason == "since there was too little memory to try out the other"
    *_, last = estimate(settings, PAIRS, AUTO, threading.Event())
    assert last.result is not None
    assert (last.result.precision, last.result.precision_reason) == (taken, choice.reason)
    assert load_choice(base, AUTO, settings.data) is None


def alike(base: LocalModel) -> dict[str, float]:
    """A processor that multiplies as fast in either precision, so that the steps are tried on every machine."""
    return {"float32": 1.0, "bfloat16": 1.0}


def no_memory(*_: Any) -> float:
    import torch

    return float(torch.empty(1 << 60, dtype=torch.uint8)[0])


def test_what_was_found_is_remembered_for_its_base_and_batch(settings: Settings) -> None:
    base, data = base_of(settings), settings.data
    assert load_choice(base, AUTO, data) is None
    save_choice(base, AUTO, data, FOUND)
    assert load_choice(base, AUTO, data) == FOUND
    assert load_choice(base, replace(AUTO, batch=64), data) is None
    for content in ("", "[]", "{}"):
        (data / "trainings" / "precision.json").write_text(content)
        assert load_choice(base, AUTO, data) is None
    save_choice(base, AUTO, data, FOUND)
    assert load_choice(base, AUTO, data) == FOUND


def test_a_training_takes_what_was_found_and_says_so(settings: Settings) -> None:
    save_choice(base_of(settings), AUTO, settings.data, FOUND)
    _, found = trained(settings, AUTO_ALL)
    assert [one for one in found if isinstance(one, TrainingNote)] == [TrainingNote(0, f"Trained in {FOUND}.")]
    card = read_card(settings.data / "adapters" / "doors")
    assert (card["precision"], card["precision_reason"]) == ("bfloat16", FOUND.reason)


def test_a_resumed_training_goes_on_in_its_precision(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop.precision, "measure_precision", lambda *_: FOUND)
    run, cancel = new_run(settings, PAIRS, "doors", AUTO_ALL), threading.Event()
    for progress in train_run(settings, run, cancel):
        if isinstance(progress.result, StepRecord) and progress.result.step == 3:
            cancel.set()
    run = find_run(run.id, settings.data)
    assert (run.state, run.precision, run.precision_reason) == ("stopped", "bfloat16", FOUND.reason)
    save_choice(base_of(settings), AUTO_ALL, settings.data, PrecisionChoice("float32", "measured otherwise since"))
    list(resume_run(settings, run, threading.Event()))
    assert read_card(settings.data / "adapters" / "doors")["precision"] == "bfloat16"
    assert [one.sentence for one in history(run) if isinstance(one, TrainingNote)] == [f"Trained in {FOUND}."]
