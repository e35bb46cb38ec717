"""Weights in memory, once per folder and device."""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from backends.base import Loading
from backends.errors import BackendError, is_out_of_memory, too_little_memory
from backends.models import inference
from backends.models.inference import stable_step_s
from backends.models.weights import Weights, pending, resolve
from backends.settings import Settings

_models: dict[tuple[str, str | None, str], LocalModel] = {}
_lock = threading.RLock()

_log = logging.getLogger(__name__)

_IMPORTS_S, _BYTES_PER_S = 3.0, 150e6  # for the expected time: importing torch, reading weights (docs/measurements.md)

GREEDY: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
"""For `generate`: the likeliest token each time, whatever the model's own configuration samples."""

_SHORT_PROMPT, _LONG_PROMPT, _ANSWERED = 32, 512, 16  # tokens


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
    def parameters(self) -> int:
        """How many parameters the model has, shared ones once."""
        return int(self.model.num_parameters())

    @property
    def description(self) -> str:
        """Everything that decides what answers: id, quantisation, revision, origin, precision, device."""
        parts = [self.weights.label, f"revision {self.weights.revision}", f"from {self.weights.origin}"]
        return " · ".join([*parts, self.dtype, self.device])


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
    """The weights' own precision; float32 on a processor that has no instructions for products in bfloat16.

    There bfloat16 saves memory and no time, and several answers at once are slower (docs/measurements.md).
    """
    import torch

    if device == "cpu" and not _multiplies_bfloat16():
        return torch.float32
    return "auto"


def _multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for it; oneDNN says so of AVX512 alone, where it converts instead."""
    import torch

    can = torch.cpu.get_capabilities()
    return any(can.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


def loaded(model_id: str, revision: str | None, device: str) -> LocalModel | None:
    """The model if it is in memory already."""
    return _models.get((model_id, revision, device))


def in_memory(name: str) -> LocalModel | None:
    """A model that is in memory, by its id or by the folder of its weights, on whichever device."""
    return next(
        (one for one in list(_models.values()) if name in (one.weights.model_id, str(one.weights.folder))), None
    )


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
            try:
                _models[model_id, revision, device] = inference.run(_read, weights, device)
            except (RuntimeError, MemoryError) as error:
                if is_out_of_memory(error):
                    raise too_little_memory(weights.label) from error
                raise


def load_base(settings: Settings) -> Iterator[Loading]:
    """Bring the raw model of the settings into memory, which adapters share; see `load_model`."""
    raw = settings.raw
    yield from load_model(raw.model, raw.revision, raw.device, settings.data)


def base_of(settings: Settings) -> LocalModel:
    """The raw model of the settings, in memory. Raises `BackendError` before `load_base`."""
    raw = settings.raw
    if base := loaded(raw.model, raw.revision, raw.device):
        return base
    raise BackendError(f"{raw.model} is not loaded.", "Ask again.")


def base_label(settings: Settings) -> str:
    """What the raw model of the settings is called: as its weights are once they are in memory, before that its id."""
    raw = settings.raw
    base = loaded(raw.model, raw.revision, raw.device)
    return base.weights.label if base else raw.model


def weights_identity(settings: Settings) -> dict[str, str]:
    """Which weights the raw model of the settings has; empty before `load_base`."""
    raw = settings.raw
    base = loaded(raw.model, raw.revision, raw.device)
    return {"weights": base.weights.label, "revision": base.weights.revision} if base else {}


def _read(weights: Weights, wanted: str) -> LocalModel:
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
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
        if is_out_of_memory(error):
            raise
        if "trust_remote_code" in str(error):
            raise BackendError(
                f"{weights.label} brings its own code, which is never run.", "Choose a model that transformers knows."
            ) from error
        raise BackendError(
            f"{weights.label} could not be loaded ({first_line(error)}).",
            "Check that it is a causal language model and that its files are complete.",
        ) from error
    model, report = read
    if missing := report["missing_keys"]:  # the loader fills these with random numbers and goes on
        raise BackendError(
            f"{weights.label} could not be loaded: it lacks tensors, such as {min(missing)} ({len(missing)} in all).",
            "Check that it is a causal language model and that its files are complete.",
        )
    model = model.to(device).eval().requires_grad_(False)
    if device != "cpu":
        warm_up_kernels(model, device)
    return LocalModel(model, tokenizer, weights, device, str(model.dtype).removeprefix("torch."))


def warm_up_kernels(model: Any, device: str) -> None:
    """Answer a short and a longer prompt until that gets no faster: what a GPU does on first use is part of loading.

    Otherwise the first answer, of whichever approach comes first, takes longer than the next (docs/measurements.md).
    """
    import torch

    # For each new length, cuDNN's attention plans anew, which makes tokens slower (docs/measurements.md).
    torch.backends.cuda.enable_cudnn_sdp(False)
    window = getattr(model.config, "max_position_embeddings", None) or _LONG_PROMPT
    for tokens in (min(_SHORT_PROMPT, window // 4), min(_LONG_PROMPT, window // 2)):
        ids = torch.ones((1, max(1, tokens)), dtype=torch.long, device=model.device)
        try:
            stable_step_s(device, partial(_answer_s, model, ids, min(_ANSWERED, window // 4)))
        except Exception as error:  # the model may still learn, or answer what it is asked
            if is_out_of_memory(error):
                raise
            _log.warning("getting %s going on %s failed", model.config.model_type, device, exc_info=True)


def _answer_s(model: Any, ids: Any, tokens: int) -> float:
    import torch

    began = time.perf_counter()
    made = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        pad_token_id=0,
        min_new_tokens=tokens,
        max_new_tokens=tokens,
        **GREEDY,
    )
    made.tolist()  # which waits for a GPU
    return time.perf_counter() - began


def first_line(error: Exception) -> str:
    """The error's type and the beginning of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def shared_copy(model: Any) -> Any:
    """A second tree of modules over the memory of the same parameters and buffers; costs no weight memory.

    Its parameters are objects of their own, so one that is given another tensor leaves the model alone. What is written
    into a tensor in place (as an optimizer does) is written into the model's: clone what is to be trained.
    """
    import torch

    memo: dict[int, Any] = {id(buffer): buffer for buffer in model.buffers()}
    memo |= {id(one): torch.nn.Parameter(one.detach(), requires_grad=False) for one in model.parameters()}
    return copy.deepcopy(model, memo)
