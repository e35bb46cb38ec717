"""Patterns in an adapter's configuration: peft gets plain names, and no engine that goes back and tries again runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backends.fine_tuned.adapters.catalogue import SAMPLE_ADAPTERS
from backends.models.adapter_files import read
from backends.models.adapter_modules import with_plain_names
from backends.models.adapter_view import load_adapter
from backends.models.local import LocalModel
from tests.backends.models.made_adapters import change_config, load_base, logits, make_lora, same

# What Python's engine does not finish on a name like model.layers.0.mlp.up_proj.
ENDLESS = ["((.)+)+!", "(.|.)*!", "(a+)+b", "(?:(?:.)*)*!", "((((.)*)*)*)*!"]
PREFIX = "base_model.model."
QUERY, UP = "model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj"
SHAPES = {f"{PREFIX}{one}.lora_{half}.weight": (4, 4) for one in (QUERY, UP) for half in "AB"}


@pytest.fixture(scope="module")
def base(tiny_model: Path) -> LocalModel:
    return load_base(str(tiny_model))


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    return make_lora(tmp_path / "doors")


def named(shapes: dict[str, tuple[int, ...]] = SHAPES, **config: object) -> dict[str, Any]:
    """A configuration with plain names."""
    return with_plain_names({"peft_type": "LORA", **config}, shapes, "doors")


@pytest.mark.parametrize("pattern", ENDLESS)
@pytest.mark.parametrize("merge", [True, False])
def test_a_pattern_over_modules_is_never_matched(base: LocalModel, lora: Path, pattern: str, merge: bool) -> None:
    expected = logits(base, load_adapter(base, lora, merge).model)
    change_config(lora, target_modules=pattern, exclude_modules=pattern, layers_pattern=[pattern])
    files = read(lora)
    assert sorted(files.config["target_modules"]) == sorted(
        {name.removeprefix(PREFIX).partition(".lora_")[0] for name in files.shapes}
    )
    assert not files.config["exclude_modules"]
    assert not files.config["layers_pattern"]
    assert same(logits(base, load_adapter(base, lora, merge).model), expected)


@pytest.mark.parametrize("pattern", ENDLESS)
def test_patterns_for_alpha_and_rank_are_matched_in_linear_time(base: LocalModel, lora: Path, pattern: str) -> None:
    expected = logits(base, load_adapter(base, lora).model)
    change_config(lora, alpha_pattern={pattern: 3}, rank_pattern={pattern: 3})
    assert read(lora).config["alpha_pattern"] == read(lora).config["rank_pattern"] == {}
    assert same(logits(base, load_adapter(base, lora).model), expected)


def test_names_stay_as_they_are() -> None:
    config = {
        "target_modules": ["q_proj", "up_proj"],
        "exclude_modules": None,
        "layers_pattern": ["layers"],
        "layers_to_transform": [0, 1],
        "modules_to_save": ["lm_head"],
        "rank_pattern": {"q_proj": 2},
        "alpha_pattern": {QUERY: 3},
        "trainable_token_indices": [1, 2],
    }
    assert named(**config) == {"peft_type": "LORA", **config}
    assert named(target_modules="all-linear")["target_modules"] == "all-linear"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"^model.layers.0.self_attn.q_proj": 3}, {QUERY: 3}),
        ({r".*\.(q|k)_proj": 3, "up_proj": 5}, {QUERY: 3, UP: 5}),
        ({r"layers\.1\..*": 3, r".*": 7}, {UP: 3, QUERY: 7}),
        ({r"proj|_proj": 3}, {}),
        ({r"nothing.*": 3}, {}),
    ],
)
def test_a_pattern_gives_what_peft_would_take(pattern: dict[str, int], expected: dict[str, int]) -> None:
    from peft.utils.other import get_pattern_key

    found = named(alpha_pattern=pattern)["alpha_pattern"]
    assert {module.replace("\\", ""): value for module, value in found.items()} == expected
    for module in (QUERY, UP):
        key = get_pattern_key(list(pattern), module)
        assert pattern.get(key) == expected.get(module) == found.get(get_pattern_key(list(found), module))


def test_feedforward_modules_of_ia3_follow_from_the_shapes() -> None:
    shapes = {f"{PREFIX}{QUERY}.ia3_l": (8, 1), f"{PREFIX}{UP}.ia3_l": (1, 8)}
    found = named(shapes, peft_type="IA3", target_modules="(.)+!", feedforward_modules="(.|.)*!")
    assert (found["target_modules"], found["feedforward_modules"]) == ([QUERY, UP], [UP])


def test_a_target_parameter_is_no_target_module() -> None:
    shapes = SHAPES | {f"{PREFIX}model.layers.0.mlp.experts.base_layer.lora_A.weight": (4, 4)}
    found = named(shapes, target_modules="(.|.)*!", target_parameters=["experts.down_proj"])
    assert found["target_modules"] == [QUERY, UP]


def test_a_tensor_s_own_name_is_no_pattern_either() -> None:
    assert named({f"{PREFIX}((.)+)+!.lora_A.weight": (4, 4)}, target_modules="x.*")["target_modules"] == []


def test_the_sample_is_read_as_it_is_written() -> None:
    folder = SAMPLE_ADAPTERS / "brambleworth"
    assert read(folder).config == json.loads((folder / "adapter_config.json").read_text())
