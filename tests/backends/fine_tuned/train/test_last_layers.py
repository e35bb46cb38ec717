"""Last layers: what is trained, the format it is kept in, and that plain peft reads it as we do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backends.fine_tuned.train.method import LastLayers, last_layers, save_last_layers
from backends.models import inference
from backends.models.adapter_files import read
from backends.models.adapter_view import is_ready, load_adapter
from backends.models.generate import build_prompt
from backends.models.local import LocalModel
from tests.backends.fine_tuned.plain_peft import PlainPeft
from tests.backends.models.made_adapters import QUESTION, fault, load_base, logits, pointers, same

LAYERS = LastLayers(("model.layers.1",), "model.norm", "lm_head")


@pytest.fixture(scope="module")
def base(tiny_model: Path) -> LocalModel:
    return load_base(str(tiny_model))


@pytest.fixture(scope="module")
def trained(base: LocalModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last block, norm and head of the tiny model, shaken as a training would."""
    folder = tmp_path_factory.mktemp("adapters") / "doors"
    folder.mkdir()

    def write() -> None:
        import torch

        torch.manual_seed(1)
        tensors = {
            name: one + (0.1 * torch.randn(one.shape)).to(one.dtype)
            for name, one in LAYERS.parameters(base.model).items()
        }
        save_last_layers(folder, LAYERS, tensors, "tiny")

    inference.run(write)
    return folder


def test_which_layers_are_the_last(base: LocalModel) -> None:
    assert last_layers(base.model, 1) == LAYERS
    assert last_layers(base.model, 2).blocks == ("model.layers.0", "model.layers.1")
    names = set(LAYERS.parameters(base.model))
    assert len(names) == 9 + 1 + 1
    assert {"model.layers.1.mlp.up_proj.weight", "model.norm.weight", "lm_head.weight"} <= names
    assert "model.embed_tokens.weight" not in names


@pytest.mark.parametrize("blocks", [0, 3])
def test_more_layers_than_there_are(base: LocalModel, blocks: int) -> None:
    assert fault(lambda: last_layers(base.model, blocks)) == (
        f"The model has 2 blocks, so {blocks} cannot be trained.",
        "Choose fewer.",
    )


def test_a_model_of_another_build() -> None:
    def find(config: str, **sizes: int) -> Any:
        import transformers

        model = getattr(transformers, config.replace("Config", "LMHeadModel"))
        return last_layers(model(getattr(transformers, config)(**sizes)), 1)

    found = inference.run(find, "GPT2Config", vocab_size=64, n_embd=8, n_layer=3, n_head=2, n_positions=8)
    assert found == LastLayers(("transformer.h.2",), "transformer.ln_f", "lm_head")


def test_the_files_are_pefts_own(trained: Path, base: LocalModel) -> None:
    assert sorted(file.name for file in trained.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((trained / "adapter_config.json").read_text())
    assert (config["peft_type"], config["target_modules"]) == ("LN_TUNING", ["model.norm"])
    assert config["modules_to_save"] == ["model.layers.1", "lm_head"]
    files = read(trained)
    assert (files.method, files.base_model) == ("last_layers", "tiny")
    assert "base_model.model.model.norm.ln_tuning_layers.weight" in files.shapes
    assert "base_model.model.lm_head.weight" in files.shapes


def test_a_view_shares_every_tensor_that_was_not_trained(trained: Path, base: LocalModel) -> None:
    before, at = logits(base, base.model), pointers(base.model)
    view = load_adapter(base, trained)
    own = {name for name, pointer in pointers(view.model).items() if pointer != at[name]}
    assert own == set(LAYERS.parameters(base.model))
    assert view.model.get_input_embeddings().weight is not view.model.get_output_embeddings().weight
    assert (view.model.config.tie_word_embeddings, base.model.config.tie_word_embeddings) == (False, True)
    assert view.own_bytes == sum(one.numel() * one.element_size() for one in LAYERS.parameters(base.model).values())
    assert not same(logits(base, view.model), before)
    assert same(logits(base, base.model), before)
    assert view.how == f"its own layers in place of the base's ({view.own_bytes / 1e6:.3g} MB)"
    assert load_adapter(base, trained, merge=False) is view  # there is nothing that could stay beside
    assert is_ready(base, trained, merge=False)


@pytest.mark.slow
def test_plain_peft_in_another_process_computes_the_same(
    trained: Path, base: LocalModel, tiny_model: Path, tmp_path: Path, plain_peft: PlainPeft
) -> None:
    ids = build_prompt(base, QUESTION).ids[0].tolist()
    elsewhere = plain_peft.logits(tiny_model, trained, ids, tmp_path / "logits.safetensors", base.dtype)
    assert same(elsewhere, logits(base, load_adapter(base, trained).model))


def test_a_missing_tensor_is_named(trained: Path, base: LocalModel, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    folder.mkdir()

    def write() -> None:
        tensors = LAYERS.parameters(base.model)
        del tensors["model.layers.1.mlp.up_proj.weight"]
        save_last_layers(folder, LAYERS, {name: one.clone() for name, one in tensors.items()}, "tiny")

    inference.run(write)
    assert fault(lambda: load_adapter(base, folder))[0] == (
        "The adapter cut lacks tensors, such as base_model.model.model.layers.1.mlp.up_proj.weight (1 in all)."
    )
