"""Adapters that would spoil the base, or let it answer in their name, are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from backends.models import inference
from backends.models.adapter_files import read
from backends.models.adapter_view import NEVERTHELESS, load_adapter
from backends.models.adapter_weights import attach_with_peft
from backends.models.local import LocalModel
from backends.storage.files import sha256
from tests.backends.conftest import make_tiny
from tests.backends.models.made_adapters import (
    change_config,
    fault,
    load_base,
    logits,
    make_lora,
    same,
)


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_4", "olora", "corda", "loftq", {"a": 1}])
def test_an_adapter_that_changes_the_bases_own_weights_is_refused(base: LocalModel, lora: Path, start: object) -> None:
    before = logits(base, base.model)
    change_config(lora, init_lora_weights=start)
    cause, next_step = fault(lambda: load_adapter(base, lora))
    assert cause == f"The adapter doors needs a base whose weights were changed first ({start})."
    assert next_step.startswith("Convert it to a plain LoRA with peft")
    assert same(logits(base, base.model), before)


def test_even_peft_cannot_reach_the_base_through_a_view(exact: LocalModel, lora: Path) -> None:
    before = logits(exact, exact.model)
    change_config(lora, init_lora_weights="pissa")
    files = read_unchecked(lora)
    view = inference.run(attach_with_peft, exact, files)
    assert not same(logits(exact, view), before)
    assert same(logits(exact, exact.model), before)


def read_unchecked(folder: Path) -> Any:
    """The adapter's files with a configuration that would be refused."""
    config = json.loads((folder / "adapter_config.json").read_text())
    change_config(folder, init_lora_weights=True)
    files = read(folder)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return files


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"target_modules": ["q_proj", "lm_head"]}, "lacks tensors, such as base_model.model.lm_head.lora_A.weight"),
        ({"modules_to_save": ["model.norm"]}, "lacks tensors, such as base_model.model.model.norm.weight"),
        ({"peft_type": "PREFIX_TUNING"}, "is of a kind that cannot be used here (PREFIX_TUNING)."),
        ({"peft_type": ["LORA"]}, "is of a kind that cannot be used here (['LORA'])."),
        ({"layer_replication": [[0, 2], [1, 2]]}, "changes the base's structure (layer_replication)."),
        ({"megatron_config": {"a": 1}}, "changes the base's structure (megatron_config)."),
        ({"alpha_pattern": {"(?=a)x": 1}}, "has in alpha_pattern a pattern that cannot be matched safely."),
        (
            {"rank_pattern": {"((.{0,9}){0,9}){0,9}!": 1}},
            "has in rank_pattern a pattern that cannot be matched safely.",
        ),
        ({"alpha_pattern": {"(" * 501: 1}}, "has in alpha_pattern a pattern that cannot be matched safely."),
        ({"rank_pattern": {r"\w*" * 50_000: 1}}, "has in rank_pattern a pattern that cannot be matched safely."),
        ({"modules_to_save": ["((.)+)+!"]}, "has in modules_to_save what is no name of a module."),
        ({"modules_to_save": "((.)+)+!"}, "has in modules_to_save what is no name of a module."),
        ({"trainable_token_indices": {"(.|.)*!": [1]}}, "has in trainable_token_indices what is no name of a module."),
    ],
)
def test_a_configuration_that_does_not_fit(base: LocalModel, lora: Path, change: dict[str, object], cause: str) -> None:
    change_config(lora, **change)
    assert fault(lambda: load_adapter(base, lora))[0].startswith(f"The adapter doors {cause}")


def rewrite(folder: Path, change: Any) -> None:
    """Change an adapter's tensors."""
    from safetensors.torch import load_file, save_file

    def work() -> None:
        tensors = {name: one.clone() for name, one in load_file(folder / "adapter_model.safetensors").items()}
        change(tensors)
        save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})

    inference.run(work)


def test_half_of_a_pair_is_refused(base: LocalModel, lora: Path) -> None:
    half = "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight"
    rewrite(lora, lambda tensors: tensors.pop(half))
    change_config(lora, target_modules=["q_proj"])
    assert fault(lambda: load_adapter(base, lora)) == (
        f"The adapter doors lacks tensors, such as {half} (1 in all).",
        "Train it again, or restore the file.",
    )


def test_a_tensor_that_the_base_does_not_have_is_refused(base: LocalModel, lora: Path) -> None:
    import torch

    rewrite(lora, lambda tensors: tensors.update({"base_model.model.model.extra.weight": torch.ones(3)}))
    assert fault(lambda: load_adapter(base, lora)) == (
        "The adapter doors does not fit tiny (it has no model.extra.weight).",
        "Choose an adapter that was trained on this base.",
    )


@pytest.mark.parametrize("merge", [True, False])
def test_no_room_is_made_for_what_the_tensors_do_not_have(base: LocalModel, lora: Path, merge: bool) -> None:
    """A tensor of no module lends its size to the rank: peft would make matrices of it for every layer."""
    import torch

    rank = 200_000
    rewrite(lora, lambda tensors: tensors.update({"x.lora_A": torch.zeros(rank, dtype=torch.uint8)}))
    change_config(lora, r=rank, use_dora=True, target_modules="all-linear")
    written: set[str] = set()

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            found = func(*args, **(kwargs or {}))
            if (
                isinstance(found, torch.Tensor)
                and found.device.type != "meta"
                and rank in found.shape
                and found.dim() > 1
            ):
                written.add(str(func))
            return found

    def watched() -> None:
        with Watch():
            load_adapter(base, lora, merge)

    assert fault(lambda: inference.run(watched))[0].startswith("The adapter doors ")
    assert written <= {"aten.empty.memory_format", "aten.detach.default"}  # addresses, and no memory behind them


def test_halves_of_different_ranks_are_refused(base: LocalModel, lora: Path) -> None:
    import torch

    name = "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight"
    rewrite(lora, lambda tensors: tensors.update({name: torch.ones(64, 5)}))
    assert fault(lambda: load_adapter(base, lora))[0].startswith("The adapter doors does not fit tiny (RuntimeError: ")


def test_a_file_that_changes_after_it_was_hashed_is_not_used(base: LocalModel, lora: Path, tmp_path: Path) -> None:
    view = load_adapter(base, lora)
    load_adapter(base, make_lora(tmp_path / "windows", seed=1))
    shutil.copy(tmp_path / "windows" / "adapter_model.safetensors", lora / "adapter_model.safetensors")
    assert fault(lambda: view.model) == ("The adapter doors has changed meanwhile.", "Ask again.")


# --- adapters of another base, and damaged ones ---------------------------------------------------


@pytest.fixture
def carded(lora: Path, base: LocalModel) -> Path:
    """The adapter with a card that names its base and its digest."""
    card = {"base_model": "tiny", "base_revision": base.weights.revision}
    card["sha256"] = sha256(lora / "adapter_model.safetensors")
    (lora / "card.json").write_text(json.dumps(card))
    return lora


def change_card(folder: Path, **values: object) -> None:
    """Replace values of an adapter's card."""
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | values))


def test_a_damaged_adapter_names_both_hashes(base: LocalModel, carded: Path) -> None:
    file = carded / "adapter_model.safetensors"
    expected = sha256(file)
    content = bytearray(file.read_bytes())
    content[-1] ^= 0xFF
    file.write_bytes(content)
    assert fault(lambda: load_adapter(base, carded)) == (
        f"The adapter doors is damaged: its sha256 is {sha256(file)}, not {expected}.",
        "Restore the file, or train the adapter again.",
    )


def test_an_adapter_of_another_base_is_refused(base: LocalModel, carded: Path) -> None:
    change_card(carded, base_model="acme/other")
    refusal = (
        "The adapter doors does not fit tiny. It was trained for acme/other, not for tiny.",
        f"Choose an adapter of this base, or set raw.model to the adapter's base. {NEVERTHELESS}",
    )
    assert fault(lambda: load_adapter(base, carded)) == refusal
    (carded / "card.json").unlink()  # an adapter that was trained elsewhere has none
    config = json.loads((carded / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    (carded / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "acme/other"}))
    assert fault(lambda: load_adapter(base, carded)) == refusal


def test_an_adapter_that_was_trained_elsewhere_needs_no_card(base: LocalModel, carded: Path) -> None:
    with_card = load_adapter(base, carded).model
    elsewhere = Path(shutil.copytree(carded, carded.with_name("elsewhere")))
    (elsewhere / "card.json").unlink()
    view = load_adapter(base, elsewhere)
    assert (view.name, view.card) == ("elsewhere", {})
    assert same(logits(base, view.model), logits(base, with_card))


def test_an_adapter_with_other_shapes_is_refused(base_weights: Path, carded: Path, tmp_path: Path) -> None:
    wider = load_base(str(make_tiny(tmp_path / "tiny", base_weights, hidden=64)))
    assert wider.weights.model_id == "tiny"
    assert fault(lambda: load_adapter(wider, carded)) == (
        "The adapter doors does not fit tiny. It needs model.layers.0.mlp.down_proj.weight to be 32 wide; "
        "in the base it is 64.",
        "Choose an adapter of this base, or set raw.model to the adapter's base.",
    )


@pytest.mark.parametrize("name", ["adapter_config.json", "card.json"])
@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_a_damaged_description_of_an_adapter(base: LocalModel, carded: Path, name: str, content: bytes) -> None:
    (carded / "card.json").write_text("{}")
    (carded / name).write_bytes(content)
    assert fault(lambda: load_adapter(base, carded)) == (
        f"{name} of the adapter doors is damaged.",
        "Restore the adapter.",
    )


@pytest.mark.parametrize("missing", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_folder_without_an_adapter(base: LocalModel, carded: Path, missing: str) -> None:
    (carded / missing).unlink()
    assert fault(lambda: load_adapter(base, carded)) == (
        f"There is no adapter in {carded}.",
        "Train one with `crossroads train PAIRS`, or choose another folder.",
    )
