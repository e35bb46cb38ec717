"""What is trained and how: the settings of a training, and the model whose chosen parameters learn."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from backends.errors import BackendError
from backends.fine_tuned.pairs.held_out import SplitBy
from backends.fine_tuned.train.lora import use_one_product
from backends.models.adapter_files import CONFIG, PREFIX, WEIGHTS, WHOLE
from backends.models.adapter_weights import peft_library, with_weights
from backends.models.local import LocalModel, shared_copy


@dataclass(frozen=True, slots=True)
class LastLayers:
    """Module names in the base: the final blocks, first to last, the final norm and the head."""

    blocks: tuple[str, ...]
    norm: str
    head: str

    def parameters(self, model: Any) -> dict[str, Any]:
        """Parameter name -> the model's tensor, for everything that is trained. A tied head is named as well."""
        chosen = (*self.blocks, self.norm, self.head)
        every = model.named_parameters(remove_duplicate=False)
        return {name: one for name, one in every if any(name.startswith(f"{module}.") for module in chosen)}


def last_layers(model: Any, blocks: int) -> LastLayers:
    """The final `blocks` blocks of a causal language model, with its norm and head.

    Raises `BackendError` if it has fewer, or is built in a way that is not known here.
    """
    import torch

    names = {id(module): name for name, module in model.named_modules()}
    backbone = model.base_model
    lists = [child for child in backbone.children() if isinstance(child, torch.nn.ModuleList)]
    norms = [child for child in backbone.children() if "norm" in type(child).__name__.lower()]
    head = model.get_output_embeddings()
    if not lists or not norms or head is None:
        raise BackendError(
            f"The last layers of {type(model).__name__} could not be identified.", "Train a LoRA adapter."
        )
    stack = max(lists, key=len)
    if not 1 <= blocks <= len(stack):
        raise BackendError(f"The model has {len(stack)} blocks, so {blocks} cannot be trained.", "Choose fewer.")
    return LastLayers(tuple(names[id(block)] for block in stack[-blocks:]), names[id(norms[-1])], names[id(head)])


def save_last_layers(folder: Path, layers: LastLayers, tensors: Mapping[str, Any], base_model: str) -> None:
    """Write peft's two files to `folder`, which exists. `tensors` by parameter name, in the base's precision."""
    import peft
    from safetensors.torch import save_file

    saved = [*layers.blocks, layers.head]
    config = {
        "peft_type": "LN_TUNING",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "inference_mode": True,
        "target_modules": [layers.norm],
        "modules_to_save": saved,
        "peft_version": peft.__version__,
    }
    named = {_file_name(name, layers): one.detach().cpu().contiguous() for name, one in tensors.items()}
    save_file(named, folder / WEIGHTS, {"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def _file_name(parameter: str, layers: LastLayers) -> str:
    module, _, leaf = parameter.rpartition(".")
    return f"{PREFIX}{module}{WHOLE}{leaf}" if module == layers.norm else PREFIX + parameter


Method = Literal["lora", "last_layers"]
Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train. `python -m benchmarks training` measures the defaults.

    `rank`, `alpha` and `target_modules` are LoRA's (Hu et al. 2021, arXiv:2106.09685); no modules named means every
    linear layer of the blocks. `layers`: the final blocks that the method `last_layers` trains. `batch` in pairs;
    an optimizer's step takes `batch` × `accumulate` of them. `learning_rate` None means the method's own; it rises
    over the first `warmup` (share of all steps) and falls as a cosine to 0. `answers_every`: steps between two looks
    at the held-out part, 0 for none, None for five or six in all. `held_out_share` of the pairs, split `split_by`,
    is never trained on. By phrasing, the state with the lowest held-out loss becomes the adapter; by group the last one
    does, since that loss tells nothing about what was taught. `last_pass`: the state that would become the adapter then
    goes once more over all pairs, the held-out ones too, at a low rate. `precision` is that of LoRA's base, `auto` the
    one that trains faster here (see `precision`); the last layers always learn in float32.
    """

    method: Method = "lora"
    rank: int = 8
    alpha: int = 16
    target_modules: tuple[str, ...] = ()
    layers: int = 2
    epochs: int = 5
    batch: int = 8
    accumulate: int = 1
    learning_rate: float | None = None
    warmup: float = 0.05
    seed: int = 0
    precision: Precision = "auto"
    answers_every: int | None = None
    held_out_share: float = 0.15
    split_by: SplitBy = "phrasing"
    last_pass: bool = False

    @property
    def top_rate(self) -> float:
        """The highest learning rate: the one that was set, or the method's own."""
        return _RATES[self.method] if self.learning_rate is None else self.learning_rate


def usual_epochs(pairs: int) -> int:
    """Epochs for so many pairs about facts: five, and up to ten where that were fewer than 100 steps of eight pairs.

    After five epochs on 80 pairs about 20 facts the loss still falls (docs/measurements.md).
    """
    usual = TrainingSettings()
    steps = math.ceil(max(pairs, 1) / usual.batch)
    return min(10, max(usual.epochs, math.ceil(100 / steps)))


_RATES: dict[Method, float] = {"lora": 2e-3, "last_layers": 5e-4}
"""With these and five epochs, either method learned twenty invented facts; twice LoRA's rate lost more of the sample
questions (docs/measurements.md)."""

_LIMITS: tuple[tuple[str, float, float], ...] = (
    ("rank", 1, 512),
    ("alpha", 1, 4096),
    ("layers", 1, 1000),
    ("epochs", 1, 1000),
    ("batch", 1, 1024),
    ("accumulate", 1, 1024),
    ("warmup", 0, 1),
    ("seed", 0, 2**32 - 1),
)


def check(settings: TrainingSettings) -> None:
    """Raises `BackendError` naming the first setting that is impossible."""
    for name, chosen in (("method", Method), ("precision", Precision), ("split_by", SplitBy)):
        if getattr(settings, name) not in get_args(chosen):
            raise BackendError(
                f"There is no {name} {getattr(settings, name)!r}.", f"Choose from {', '.join(get_args(chosen))}."
            )
    for name, least, most in _LIMITS:
        if not least <= getattr(settings, name) <= most:
            raise BackendError(
                f"{name} cannot be {getattr(settings, name):g}.", f"Choose a value from {least:g} to {most:g}."
            )
    if settings.learning_rate is not None and not 0 < settings.learning_rate <= 1:
        raise BackendError(
            f"learning_rate cannot be {settings.learning_rate:g}.", "Choose one above 0, such as 0.001, up to 1."
        )
    if not 0 <= settings.held_out_share < 1:
        raise BackendError(
            f"held_out_share cannot be {settings.held_out_share:g}.", "Choose a share from 0 to less than 1."
        )
    if settings.answers_every is not None and settings.answers_every < 0:
        raise BackendError("answers_every cannot be negative.", "Choose a number of steps, or 0 for none.")


def rate_at(settings: TrainingSettings, step: int, steps: int) -> float:
    """The learning rate of a step (from 0) of `steps`: a linear rise, then a cosine down to 0, as transformers has it.

    Loshchilov and Hutter 2017, arXiv:1608.03983; transformers' `get_cosine_schedule_with_warmup`.
    """
    top = settings.top_rate
    rising = math.ceil(settings.warmup * steps)
    if step < rising:
        return top * (step + 1) / rising
    return top * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


@dataclass(frozen=True, eq=False)
class Trainable:
    """A model whose `parameters`, by their names in the adapter's file, learn in float32; everything else is frozen.

    `model` is the causal language model itself; it shares memory with the base wherever that costs no speed.
    `write` puts an adapter of these tensors into a folder that exists, in peft's format.
    """

    model: Any
    parameters: dict[str, Any]
    precision: str
    write: Callable[[Path, Mapping[str, Any]], None]


def prepare(base: LocalModel, settings: TrainingSettings) -> Trainable:
    """What `settings` train of the base, which stays as it is. Runs on the inference thread.

    `auto` is float32 here; `precision` decides what a training takes. Raises `BackendError` for modules or layers that
    the base does not have.
    """
    import torch

    torch.manual_seed(settings.seed)
    if settings.method == "last_layers":
        return _last_layers(base, settings)
    return _lora(base, settings, "float32" if settings.precision == "auto" else settings.precision)


def trained_bytes(base: LocalModel, settings: TrainingSettings) -> int:
    """Bytes of what is trained, in float32; an upper bound for LoRA on chosen modules."""
    import torch

    if settings.method == "last_layers":
        chosen = last_layers(base.model, settings.layers).parameters(base.model)
        return 4 * sum(one.numel() for one in chosen.values())
    head = base.model.get_output_embeddings()
    linear = [one for one in base.model.modules() if isinstance(one, torch.nn.Linear) and one is not head]
    return 4 * settings.rank * sum(one.in_features + one.out_features for one in linear)


def _lora(base: LocalModel, settings: TrainingSettings, precision: str) -> Trainable:
    from safetensors.torch import save_file

    peft = peft_library()

    targets = list(settings.target_modules) or "all-linear"
    config = peft.LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=targets, task_type="CAUSAL_LM")
    try:
        whole = peft.get_peft_model(_in_precision(base.model, precision), config)
    except ValueError as error:
        raise BackendError(
            f"The base has no modules called {', '.join(settings.target_modules)} that LoRA can train.",
            "Leave them out for every linear layer, or name modules of the base such as q_proj.",
        ) from error
    use_one_product(whole)
    parameters = {name.replace(".default.", "."): one for name, one in whole.named_parameters() if one.requires_grad}

    def write(folder: Path, tensors: Mapping[str, Any]) -> None:
        kept = {name: one.detach().cpu().to(_saved_dtype(base)).contiguous() for name, one in tensors.items()}
        save_file(kept, folder / WEIGHTS, {"format": "pt"})
        peft_config: Any = whole.peft_config["default"]
        peft_config.base_model_name_or_path, peft_config.inference_mode = base.weights.model_id, True
        peft_config.target_modules = sorted(peft_config.target_modules)
        peft_config.save_pretrained(str(folder))

    return Trainable(whole.get_base_model(), parameters, precision, write)


def _last_layers(base: LocalModel, settings: TrainingSettings) -> Trainable:
    import torch

    layers = last_layers(base.model, settings.layers)
    changed = layers.parameters(base.model)
    model = with_weights(base.model, {name: one.detach().to(torch.float32, copy=True) for name, one in changed.items()})
    every = dict(model.named_parameters(remove_duplicate=False))
    parameters = {name: every[name].requires_grad_(True) for name in changed}
    if base.model.dtype != torch.float32:
        for name in layers.blocks:
            _into_float32(model.get_submodule(name))

    def write(folder: Path, tensors: Mapping[str, Any]) -> None:
        kept = {name: one.detach().cpu().to(base.model.dtype) for name, one in tensors.items()}
        save_last_layers(folder, layers, kept, base.weights.model_id)

    return Trainable(model, parameters, "float32", write)


def _into_float32(block: Any) -> None:
    """The block computes in float32: what the frozen blocks, and the mask that all share, hand over is converted."""
    import torch

    def raised(value: Any) -> Any:
        if torch.is_tensor(value) and value.is_floating_point():
            return value.float()
        return tuple(map(raised, value)) if isinstance(value, tuple) else value

    def cast_inputs(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return raised(arguments), {name: raised(value) for name, value in named.items()}

    block.register_forward_pre_hook(cast_inputs, with_kwargs=True)


def _in_precision(model: Any, precision: str) -> Any:
    """A tree of modules over the base's own weights, or over a copy where they are of another precision."""
    import torch

    return shared_copy(model).to(getattr(torch, precision))


def _saved_dtype(base: LocalModel) -> Any:
    """The precision of an adapter's file: the base's; bfloat16 beside a float32 base, which is half the size."""
    import torch

    return torch.bfloat16 if base.model.dtype == torch.float32 else base.model.dtype
