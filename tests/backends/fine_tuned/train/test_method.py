"""What a training changes of its base, how fast it learns, and which settings are impossible."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from backends.fine_tuned.train.method import (
    Precision,
    TrainingSettings,
    check,
    prepare,
    rate_at,
    trained_bytes,
    usual_epochs,
)
from backends.models import inference
from backends.models.local import LocalModel
from tests.backends.fine_tuned.small_training import SHORT, base_of, tiny_settings
from tests.backends.models.made_adapters import fault, logits, pointers, same

LAST = TrainingSettings(method="last_layers", layers=1)


@pytest.fixture
def base(tiny_model: Path, tmp_path: Path) -> LocalModel:
    return base_of(tiny_settings(tiny_model, tmp_path / "data"))


def test_lora_trains_two_matrices_beside_every_linear_layer_of_the_blocks(base: LocalModel) -> None:
    made = inference.run(prepare, base, SHORT)
    assert len(made.parameters) == 2 * 7 * 2
    name = "base_model.model.model.layers.1.mlp.down_proj.lora_A.weight"
    assert (tuple(made.parameters[name].shape), str(made.parameters[name].dtype)) == ((4, 64), "torch.float32")
    learning = [one for one in made.model.parameters() if one.requires_grad]
    assert {id(one) for one in learning} == {id(one) for one in made.parameters.values()}
    assert sum(4 * one.numel() for one in learning) == trained_bytes(base, SHORT)


def test_lora_on_chosen_modules(base: LocalModel) -> None:
    made = inference.run(prepare, base, replace(SHORT, target_modules=("q_proj", "v_proj")))
    assert {name.split(".")[-3] for name in made.parameters} == {"q_proj", "v_proj"}
    assert fault(lambda: inference.run(prepare, base, replace(SHORT, target_modules=("nope",)))) == (
        "The base has no modules called nope that LoRA can train.",
        "Leave them out for every linear layer, or name modules of the base such as q_proj.",
    )


def test_the_last_layers_learn_in_float32_beside_the_bases_own_memory(base: LocalModel) -> None:
    made = inference.run(prepare, base, LAST)
    assert len(made.parameters) == 9 + 1 + 1
    assert {name.split(".")[2] for name in made.parameters if "layers" in name} == {"1"}
    assert {str(one.dtype) for one in made.parameters.values()} == {"torch.float32"}
    shared = pointers(base.model).items() & pointers(made.model).items()
    assert {name for name, _ in shared} == pointers(base.model).keys() - made.parameters.keys()
    assert sum(4 * one.numel() for one in made.parameters.values()) == trained_bytes(base, LAST)
    assert fault(lambda: inference.run(prepare, base, replace(LAST, layers=3))) == (
        "The model has 2 blocks, so 3 cannot be trained.",
        "Choose fewer.",
    )


@pytest.mark.parametrize("training", [SHORT, LAST])
def test_nothing_was_learned_yet_and_the_base_is_as_it_was(base: LocalModel, training: TrainingSettings) -> None:
    before, where = logits(base, base.model), pointers(base.model)
    made = inference.run(prepare, base, training)
    assert float((logits(base, made.model) - before).abs().max()) < 0.05  # the base is in bfloat16
    assert same(logits(base, base.model), before)
    assert pointers(base.model) == where
    assert not any(one.requires_grad for one in base.model.parameters())


def test_the_same_seed_begins_with_the_same_weights(base: LocalModel) -> None:
    def first(seed: int) -> object:
        made = inference.run(prepare, base, replace(SHORT, seed=seed))
        return made.parameters["base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"].sum().item()

    assert first(1) == first(1) != first(2)


@pytest.mark.parametrize(("precision", "computed"), [("auto", "float32"), ("bfloat16", "bfloat16")])
def test_the_base_is_computed_in_the_precision_and_the_adapter_learns_in_float32(
    base: LocalModel, precision: Precision, computed: str
) -> None:
    made = inference.run(prepare, base, replace(SHORT, precision=precision))
    assert (str(made.model.dtype), made.precision) == (f"torch.{computed}", computed)
    assert {str(one.dtype) for one in made.parameters.values()} == {"torch.float32"}
    if base.model.dtype == made.model.dtype:
        assert set(pointers(base.model).values()) <= set(pointers(made.model).values())
    assert inference.run(prepare, base, replace(LAST, precision=precision)).precision == "float32"


def test_the_learning_rate_rises_and_falls_as_a_cosine() -> None:
    training = TrainingSettings(learning_rate=0.1, warmup=0.2)
    rates = [rate_at(training, step, 10) for step in range(10)]
    assert rates[:3] == pytest.approx([0.05, 0.1, 0.1])
    assert rates[6] == pytest.approx(0.05)
    assert rates[9] == pytest.approx(0.05 * (1 + math.cos(math.pi * 7 / 8)))
    assert rate_at(replace(training, warmup=0), 0, 1) == 0.1
    assert rate_at(TrainingSettings(warmup=0), 0, 9) == TrainingSettings().top_rate


FAULTS = {
    "method": ({"method": "full"}, "There is no method 'full'.", "Choose from lora, last_layers."),
    "split": ({"split_by": "row"}, "There is no split_by 'row'.", "Choose from group, phrasing."),
    "rank": ({"rank": 0}, "rank cannot be 0.", "Choose a value from 1 to 512."),
    "warmup": ({"warmup": 1.5}, "warmup cannot be 1.5.", "Choose a value from 0 to 1."),
    "rate": ({"learning_rate": 0.0}, "learning_rate cannot be 0.", "Choose one above 0, such as 0.001, up to 1."),
    "no rate": (
        {"learning_rate": math.nan},
        "learning_rate cannot be nan.",
        "Choose one above 0, such as 0.001, up to 1.",
    ),
    "share": ({"held_out_share": 1.0}, "held_out_share cannot be 1.", "Choose a share from 0 to less than 1."),
    "answers": (
        {"answers_every": -1},
        "answers_every cannot be negative.",
        "Choose a number of steps, or 0 for none.",
    ),
}


@pytest.mark.parametrize(("changes", "cause", "next_step"), FAULTS.values(), ids=FAULTS)
def test_impossible_settings(changes: dict[str, object], cause: str, next_step: str) -> None:
    check(TrainingSettings())
    assert fault(lambda: check(replace(TrainingSettings(), **changes))) == (cause, next_step)


@pytest.mark.parametrize(("pairs", "epochs"), [(0, 10), (1, 10), (80, 10), (100, 8), (160, 5), (376, 5), (20_000, 5)])
def test_few_pairs_need_more_epochs(pairs: int, epochs: int) -> None:
    assert usual_epochs(pairs) == epochs
