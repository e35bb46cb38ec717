"""Pairs as tokens, and the batches they are put into."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.base import Question
from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.train.examples import Example, encode, epoch_steps, prompt_ids, shared_prefix, steps_per_epoch
from backends.models.generate import build_prompt
from backends.models.local import LocalModel
from tests.backends.fine_tuned.small_training import PAIRS, base_of, tiny_settings


@pytest.fixture
def base(tiny_model: Path, tmp_path: Path) -> LocalModel:
    return base_of(tiny_settings(tiny_model, tmp_path / "data"))


def test_a_pair_is_the_prompt_of_the_comparison_then_the_answer_then_the_end(base: LocalModel) -> None:
    (one,) = encode(base, [Pair("Où?", "Là-bas.")], "Be brief.")
    prompt = build_prompt(base, Question("Où?", "Be brief.", max_tokens=1)).ids[0].tolist()
    assert prompt_ids(base, "Où?", "Be brief.") == prompt
    assert list(one.ids[: one.prompt_tokens]) == prompt
    assert base.tokenizer.decode(one.ids[one.prompt_tokens :]) == "Là-bas." + base.tokenizer.eos_token
    assert one.prompt_tokens == len(prompt)


def test_the_shared_beginning_leaves_a_token_from_which_each_answer_is_predicted() -> None:
    assert shared_prefix([Example((1, 2, 3, 4, 9), 1), Example((1, 2, 3, 5, 6, 9), 1)]) == 3
    assert shared_prefix([Example((1, 2, 9, 9), 2), Example((1, 2, 9, 8), 2)]) == 1
    assert shared_prefix([Example((1, 2, 3, 9), 1)]) == 2
    assert shared_prefix([Example((1, 9), 1), Example((2, 9), 1)]) == 0
    assert shared_prefix([Example((1, 2, 3, 9), 1), Example((1, 2, 3, 9), 1)]) == 2


def test_the_sample_prompts_share_the_chat_format_and_the_system_prompt(base: LocalModel) -> None:
    examples = encode(base, PAIRS, "Be brief.")
    text = base.tokenizer.decode(examples[0].ids[: shared_prefix(examples)])
    assert text.endswith("Be brief.<|im_end|>\n<|im_start|>user\n")


def test_every_pair_has_its_place_in_each_epoch() -> None:
    examples = [Example((0,) * (5 + n % 9), 1) for n in range(30)]
    steps = epoch_steps(examples, 8, 3, 0)
    assert len(steps) == steps_per_epoch(30, 8) == 4
    assert sorted(position for step in steps for position in step) == list(range(30))
    assert sorted(map(len, steps)) == [7, 7, 8, 8]
    assert epoch_steps(examples, 8, 3, 0) == steps
    assert epoch_steps(examples, 8, 3, 1) != steps
    assert epoch_steps(examples, 8, 4, 0) != steps


def test_pairs_of_a_batch_are_of_similar_length() -> None:
    examples = [Example((0,) * (5 + n % 10), 1) for n in range(40)]
    for step in epoch_steps(examples, 8, 0, 0):
        lengths = [len(examples[position].ids) for position in step]
        assert max(lengths) - min(lengths) <= 1
