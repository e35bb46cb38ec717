"""The fast way to a gradient gives the plain way's, and is not used where it would not."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends.fine_tuned.train import step
from backends.fine_tuned.train.examples import Example, encode, shared_prefix
from backends.fine_tuned.train.learner import Learner
from backends.fine_tuned.train.method import TrainingSettings, prepare
from backends.fine_tuned.train.step import computed_tokens, pack, packing_works, summed_loss
from backends.models import inference
from backends.models.local import LocalModel
from tests.backends.fine_tuned.small_training import PAIRS, SHORT, base_of, tiny_settings
from tests.backends.models.made_adapters import in_float32

SIZES = {
    "vocab_size": 49152,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


@pytest.fixture
def base(tiny_model: Path, tmp_path: Path) -> LocalModel:
    return in_float32(base_of(tiny_settings(tiny_model, tmp_path / "data")))


def gradients(model: Any, batch: list[Example], parameters: list[Any], fast: bool) -> tuple[float, list[Any]]:
    import torch

    def work() -> tuple[float, list[Any]]:
        loss = summed_loss(model, batch, fast)
        return float(loss.detach()), list(torch.autograd.grad(loss, parameters))

    return inference.run(work)


def stirred(made: Any) -> list[Any]:
    """The parameters, away from the zeros that LoRA begins with, so that every one has a gradient."""
    import torch

    def stir() -> None:
        torch.manual_seed(1)
        with torch.no_grad():
            for one in made.parameters.values():
                one.add_(0.05 * torch.randn(one.shape))

    inference.run(stir)
    return list(made.parameters.values())


@pytest.mark.parametrize("training", [SHORT, TrainingSettings(method="last_layers", layers=1)])
@pytest.mark.parametrize(("size", "row_tokens"), [(1, 512), (5, 512), (5, 50), (8, 70), (5, 20)])
def test_the_fast_way_gives_the_same_gradient(
    base: LocalModel, training: TrainingSettings, size: int, row_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "ROW_TOKENS", row_tokens)
    made = inference.run(prepare, base, training)
    parameters, batch = stirred(made), encode(base, PAIRS, "Be brief.")[:size]
    assert shared_prefix(batch) > 10
    plain_loss, plain = gradients(made.model, batch, parameters, fast=False)
    fast_loss, fast = gradients(made.model, batch, parameters, fast=True)
    assert fast_loss == pytest.approx(plain_loss, rel=1e-5)
    for one, other in zip(plain, fast, strict=True):
        assert float((one - other).norm()) <= 1e-4 * float(one.norm())
        assert float(one.norm()) > 0


def pair(rest: int, first: int = 100) -> Example:
    """A pair of a beginning of three tokens, and so many after it."""
    return Example((1, 2, 3, *range(first, first + rest)), 1)


def test_pairs_share_a_row_with_the_beginning_written_once() -> None:
    batch = [Example((1, 2, 3, 4, 9), 1), Example((1, 2, 3, 5, 6, 9), 1)]
    assert pack(batch).rows == ((batch[1], batch[0]),)
    assert computed_tokens(batch) == 3 + 3 + 2


def test_rows_are_filled_alike_and_no_longer_than_they_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "ROW_TOKENS", 20)
    batch = [pair(rest, 100 * rest) for rest in (4, 7, 5, 8, 6)]
    layout = pack(batch)
    assert sorted(one.ids for row in layout.rows for one in row) == sorted(one.ids for one in batch)
    assert (layout.prefix, len(layout.rows), layout.width) == (3, 2, 3 + 17)
    assert computed_tokens([pair(40), pair(30, 500)]) == 2 * 43, "one longer than a row has a row of its own"
    monkeypatch.setattr(step, "ROW_TOKENS", 30)
    assert computed_tokens([pair(12, 100 * n) for n in range(1, 6)]) == 5 * 15, "less than three rows of two each"
    long = pack([pair(5), pair(28, 500), pair(6, 900)])
    assert (len(long.rows), long.width) == (3, 31), "beside a pair longer than a row, every pair has its own"


def test_the_loss_is_summed_over_the_answers_tokens(base: LocalModel) -> None:
    import torch

    batch = encode(base, PAIRS[:1], "Be brief.")
    ids = torch.tensor([batch[0].ids])
    with torch.no_grad():
        scores = inference.run(lambda: base.model(input_ids=ids).logits[0].log_softmax(-1))
        summed = inference.run(lambda: float(summed_loss(base.model, batch, fast=True)))
    wanted = -sum(float(scores[place - 1, ids[0, place]]) for place in range(batch[0].prompt_tokens, len(batch[0].ids)))
    assert summed == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("training", [SHORT, TrainingSettings(method="last_layers", layers=2)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_fast_way_is_found_to_work_and_leaves_no_gradient(
    base: LocalModel, training: TrainingSettings, dtype: str
) -> None:
    import torch

    other = replace(base, model=inference.run(copy.deepcopy(base.model).to, getattr(torch, dtype)), dtype=dtype)
    made = inference.run(prepare, other, training)
    parameters = stirred(made)
    assert inference.run(packing_works, made.model, encode(base, PAIRS, ""), parameters)
    assert all(one.grad is None for one in parameters)


def test_a_model_that_changes_a_layers_result_in_place_learns(base: LocalModel) -> None:
    import torch
    from transformers import OlmoConfig, OlmoForCausalLM

    def build() -> Any:
        torch.manual_seed(0)
        more = {"pad_token_id": 2, "bos_token_id": 1, "eos_token_id": 2, "clip_qkv": 0.5}
        return OlmoForCausalLM(OlmoConfig(**SIZES, **more, num_key_value_heads=2))

    made = inference.run(prepare, replace(base, model=inference.run(build)), SHORT)
    parameters, batch = stirred(made), encode(base, PAIRS, "Be brief.")[:5]
    assert inference.run(packing_works, made.model, batch, parameters)
    plain, fast = (gradients(made.model, batch, parameters, way)[1] for way in (False, True))
    for one, other in zip(plain, fast, strict=True):
        assert float((one - other).norm()) <= 1e-4 * float(one.norm())


@pytest.mark.parametrize("odd", ["sliding", "scaled", "capped", "local"])
def test_an_architecture_that_differs_is_trained_the_plain_way(base: LocalModel, odd: str) -> None:
    import torch
    from transformers import (
        CohereConfig,
        CohereForCausalLM,
        GPTNeoConfig,
        GPTNeoForCausalLM,
        MistralConfig,
        MistralForCausalLM,
    )

    def build() -> Any:
        torch.manual_seed(0)
        more = {"pad_token_id": 2, "bos_token_id": 1, "eos_token_id": 2}
        if odd in ("sliding", "capped"):
            window = 8 if odd == "sliding" else None
            model = MistralForCausalLM(MistralConfig(**SIZES, **more, num_key_value_heads=2, sliding_window=window))
            model.config.final_logit_softcapping = 30.0 if odd == "capped" else None
            return model
        if odd == "local":  # every second layer has a window, by the place in the row
            sizes = {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "vocab_size": 49152}
            return GPTNeoForCausalLM(GPTNeoConfig(**sizes, **more, attention_types=[[["global", "local"], 1]]))
        return CohereForCausalLM(CohereConfig(**SIZES, **more, logit_scale=0.5))  # it scales what the head gives

    other = replace(base, model=inference.run(build))
    made = inference.run(prepare, other, SHORT)
    parameters, batch = stirred(made), encode(base, PAIRS, "Be brief.")[:3]
    assert not inference.run(packing_works, made.model, batch, parameters)
    loss, found = gradients(made.model, batch, parameters, fast=False)
    assert loss > 0
    assert all(float(one.norm()) > 0 for one in found)


def test_too_little_memory_for_the_trial_is_tried_on_one_pair_and_then_said(base: LocalModel) -> None:
    batch = encode(base, PAIRS[:3], "Be brief.")
    with little_memory(base, tokens=len(batch[0].ids)):
        roomy = inference.run(Learner, base, SHORT, batch)
    assert (roomy.fast, roomy.slow_because) == (True, "")
    with little_memory(base, tokens=0):
        tight = inference.run(Learner, base, SHORT, batch)
    assert (tight.fast, tight.slow_because) == (
        False,
        "There was too little memory to try out the fast way, so it is trained the plain way, which is slower. "
        "Close other programs, or lower the rank.",
    )


@contextmanager
def little_memory(base: LocalModel, tokens: int) -> Iterator[None]:
    """The fast way, which alone says at which positions its tokens stand, has memory for so many of them."""
    import torch

    asked: list[int] = []

    def refuse(module: Any, arguments: Any, given: dict[str, Any]) -> None:
        if given.get("position_ids") is not None:
            asked.append(given["input_ids"].numel())
            if asked[-1] > tokens:
                torch.empty(1 << 60, dtype=torch.uint8)

    hook = base.model.base_model.register_forward_pre_hook(refuse, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
    assert any(one > tokens for one in asked)
