"""Weights in memory, once per folder and device, and views of them that carry an adapter.

A view is a second tree of modules over the *same* parameter tensors. The adapter is added to the view, so the
base model's own modules are never touched: base and adapter cannot answer for each other, and the base runs at
its full speed.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.base import BackendError, Loading
from backends.engines import inference
from backends.weights import Weights, pending, resolve, sha256

_models: dict[tuple[str, str | None, str], LocalModel] = {}
_adapters: dict[tuple[int, Path], AdapterView] = {}
_lock = threading.RLock()

_IMPORTS_S, _BYTES_PER_S = 3.0, 150e6  # what importing torch and reading weights took on two cores, November 2026


@dataclass(frozen=True)
class LocalModel:
    """One copy of a model's weights on one device, with its tokenizer and where it came from."""

    model: Any
    tokenizer: Any
    weights: Weights
    device: str
    dtype: str

    @property
    def context_tokens(self) -> int | None:
        """The context window in tokens, or None if the model does not state it."""
        return getattr(self.model.config, "max_position_embeddings", None)

    @property
    def description(self) -> str:
        """Everything that decides what answers: id, quantisation, revision, origin, precision, device."""
        parts = [self.weights.label, f"revision {self.weights.revision}", f"from {self.weights.origin}"]
        return " · ".join([*parts, self.dtype, self.device])


@dataclass(frozen=True)
class AdapterView:
    """A LoRA adapter over the base's own tensors: `model` answers with it, `digest` is its file's sha256."""

    model: Any
    name: str
    digest: str
    card: dict[str, Any]


def choose_device(wanted: str) -> str:
    """`auto` -> cuda, mps or cpu, whichever is there. Raises `BackendError` for a device that is not."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(device for device, present in there.items() if present)
    if not there[wanted]:
        raise BackendError(f"This machine has no {wanted} device.", "Set raw.device to auto or cpu.")
    return wanted


def _dtype(device: str) -> Any:
    """The weights' own precision; on a CPU without bfloat16 instructions, float32."""
    import torch

    if device == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.float32
    return "auto"


def loaded(model_id: str, revision: str | None, device: str) -> LocalModel | None:
    """The model if it is in memory already."""
    return _models.get((model_id, revision, device))


def load_model(model_id: str, revision: str | None, device: str, data: Path) -> Iterator[Loading]:
    """Bring a model into memory, saying what takes time; nothing to say if it is there.

    Raises `BackendError` if it does not exist or cannot be read.
    """
    if loaded(model_id, revision, device):
        return
    if waiting := pending(model_id, data, revision):
        yield waiting
    else:
        yield Loading("checking the weights")
    weights = resolve(model_id, data, revision)
    size = sum(file.stat().st_size for file in weights.folder.glob("*.safetensors"))
    yield Loading(f"loading {weights.label}", _IMPORTS_S + size / _BYTES_PER_S)
    with _lock:
        if not loaded(model_id, revision, device):
            _models[model_id, revision, device] = inference.run(_read, weights, device)


def _read(weights: Weights, wanted: str) -> LocalModel:
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
    device = choose_device(wanted)
    try:
        tokenizer = AutoTokenizer.from_pretrained(weights.folder, local_files_only=True, trust_remote_code=False)
        read: Any = AutoModelForCausalLM.from_pretrained(
            weights.folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=_dtype(device),
            output_loading_info=True,
        )
    except Exception as error:  # the loader raises its own types per file format; all mean the same to the user
        if "trust_remote_code" in str(error):
            raise BackendError(
                f"{weights.label} brings its own code, which is never run.", "Choose a model that transformers knows."
            ) from error
        raise BackendError(
            f"{weights.label} could not be loaded ({_first_line(error)}).",
            "Check that it is a causal language model and that its files are complete.",
        ) from error
    model, report = read
    if missing := report["missing_keys"]:  # the loader fills these with random numbers and goes on
        raise BackendError(
            f"{weights.label} could not be loaded: it lacks tensors, such as {min(missing)} ({len(missing)} in all).",
            "Check that it is a causal language model and that its files are complete.",
        )
    model = model.to(device).eval().requires_grad_(False)
    return LocalModel(model, tokenizer, weights, device, str(model.dtype).removeprefix("torch."))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def shared_copy(model: Any) -> Any:
    """A second tree of modules that holds the very same parameter and buffer tensors; costs no weight memory."""
    memo = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, memo)


def load_adapter(base: LocalModel, folder: Path) -> AdapterView:
    """Put the adapter in `folder` over the base's tensors. Cached per base and adapter file.

    Raises `BackendError` for a missing, damaged or foreign adapter.
    """
    key = (id(base.model), folder.resolve())
    digest = _adapter_digest(folder)
    with _lock:
        cached = _adapters.get(key)
        if cached is None or cached.digest != digest:
            view = inference.run(_attach, base, folder, digest)
            _adapters[key] = cached = view
        return cached


def _adapter_digest(folder: Path) -> str:
    file = folder / "adapter_model.safetensors"
    if not file.is_file() or not (folder / "adapter_config.json").is_file():
        raise BackendError(
            f"There is no adapter in {folder}.", "Train one with `crossroads train PAIRS`, or choose another folder."
        )
    return sha256(file)


def _attach(base: LocalModel, folder: Path, digest: str) -> AdapterView:
    from peft import PeftModel

    card = _card(folder)
    trained_on = card.get("base_model") or _peft_config(folder).get("base_model_name_or_path")
    if trained_on and trained_on not in (base.weights.model_id, str(base.weights.folder)):
        raise BackendError(
            f"The adapter {folder.name} was trained for {trained_on}, not for {base.weights.model_id}.",
            "Choose an adapter of this base, or set raw.model to the adapter's base.",
        )
    if card.get("sha256") and card["sha256"] != digest:
        raise BackendError(
            f"The adapter {folder.name} is damaged: its sha256 is {digest}, not {card['sha256']}.",
            "Train it again with `make adapter`, or restore the file.",
        )
    try:
        model = PeftModel.from_pretrained(shared_copy(base.model), folder, autocast_adapter_dtype=False)
    except Exception as error:  # peft raises several types for shapes, modules and files that do not fit
        raise BackendError(
            f"The adapter {folder.name} does not fit {base.weights.model_id} ({_first_line(error)}).",
            "Choose an adapter that was trained on this base.",
        ) from error
    if missing := _missing_tensors(model, folder):  # peft only warns, and the base would answer in the adapter's name
        raise BackendError(
            f"The adapter {folder.name} lacks tensors, such as {min(missing)} ({len(missing)} in all).",
            "Train it again, or restore the file.",
        )
    return AdapterView(model.eval(), folder.name, digest, card)


def _missing_tensors(model: Any, folder: Path) -> set[str]:
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        return set(get_peft_model_state_dict(model, save_embedding_layers=False)) - set(file.keys())


def _card(folder: Path) -> dict[str, Any]:
    file = folder / "card.json"
    return _json_object(file) if file.is_file() else {}


def _peft_config(folder: Path) -> dict[str, Any]:
    return _json_object(folder / "adapter_config.json")


def _json_object(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BackendError(f"{file.name} of the adapter {file.parent.name} is damaged.", "Restore the adapter.")
    return value
