"""What an adapter makes of its base's parameters, and model trees that hold the result.

A LoRA adapter (Hu et al. 2021, arXiv:2106.09685) turns a weight W into W + s·B·A. That is computed in float32 and
rounded once to the base's precision, which is as near to float32 as the adapter beside its base is
(docs/measurements.md).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from types import ModuleType
from typing import Any

from backends.errors import BackendError, is_out_of_memory, too_little_memory
from backends.models.adapter_files import WEIGHTS, WHOLE, AdapterFiles, parameter_of
from backends.models.adapter_modules import PREFIX
from backends.models.local import LocalModel, first_line, shared_copy


def peft_library() -> ModuleType:
    """The module `peft`. Version 0.21 asks transformers by a name that goes in v6, and a warning about it is printed.

    Only that one is left out; peft and transformers have to agree on the name, whoever trains cannot.
    """
    import peft

    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
    return peft


_LARGE_BYTES = 1_000_000_000
_A, _B = ".lora_A.weight", ".lora_B.weight"
# Fields of adapter_config.json that say nothing about how B·A is added. Any other field that is set asks for peft.
_PLAIN = {
    *("peft_type", "task_type", "peft_version", "auto_mapping", "base_model_name_or_path", "revision"),
    *("inference_mode", "r", "lora_alpha", "lora_dropout", "rank_pattern", "use_rslora", "target_modules"),
    *("modules_to_save", "init_lora_weights", "eva_config", "qalora_group_size", "megatron_core", "runtime_config"),
    *("layers_pattern", "ensure_weight_tying"),
}


def changed_weights(base: LocalModel, files: AdapterFiles) -> dict[str, Any]:
    """Parameter name -> tensor with the adapter in it, in the base's precision and on its device.

    Parameters that the adapter does not change are left out. The base is only read. Raises `BackendError` for an
    adapter that does not fit or lacks tensors.
    """
    import torch

    try:
        with torch.no_grad(), _few_threads(base, files):
            if _is_plain(files):
                return dict(_merge_plain(base, files))
            return _through_peft(attach_with_peft(base, files, full_precision=True))
    except (RuntimeError, ValueError, TypeError, IndexError, ZeroDivisionError) as error:  # torch's, for what is odd
        raise _fault(files, base, error) from error


def with_weights(model: Any, changed: Mapping[str, Any]) -> Any:
    """A tree over the model's own tensors, but for the parameters in `changed`, which take their places there.

    A head that was tied to the embeddings and is changed alone is no longer tied in the tree.
    """
    import torch

    tree = shared_copy(model)
    for name, tensor in changed.items():
        module, _, leaf = name.rpartition(".")
        setattr(tree.get_submodule(module), leaf, torch.nn.Parameter(tensor, requires_grad=False))
    ends = (tree.get_input_embeddings(), tree.get_output_embeddings())
    if all(hasattr(end, "weight") for end in ends) and ends[0].weight is not ends[1].weight:
        tree.config.tie_word_embeddings = False
    return tree.eval()


def attach_with_peft(base: LocalModel, files: AdapterFiles, full_precision: bool = False) -> Any:
    """peft's own model over the base's tensors, the adapter's matrices beside them and not merged.

    `full_precision` reads the adapter as float32. Raises `BackendError` for an adapter that does not fit or lacks
    tensors.
    """
    peft = peft_library()
    try:
        # The configuration as it was checked; from the folder, peft would read it again, patterns and all.
        config = peft.PeftConfig.from_peft_type(**files.config)
        model = peft.PeftModel.from_pretrained(
            shared_copy(base.model),
            files.folder,
            config=config,
            autocast_adapter_dtype=full_precision,
            low_cpu_mem_usage=True,  # makes no room for what the configuration asks for, only for the tensors
            torch_device=base.device,
        )
    except Exception as error:  # peft raises several types for shapes, modules and files that do not fit
        raise _fault(files, base, error) from error
    # peft only warns about these, and the base would answer in the adapter's name.
    _refuse_missing(
        files, set(peft.get_peft_model_state_dict(model, save_embedding_layers=False)) - files.shapes.keys()
    )
    return model.eval()


def changed_bytes(base: LocalModel, files: AdapterFiles) -> int:
    """Bytes that `changed_weights` will take, from the shapes alone."""
    parameters = dict(base.model.named_parameters(remove_duplicate=False))
    touched = {parameter_of(tensor) for tensor in files.shapes} & parameters.keys()
    return sum(parameters[name].numel() * parameters[name].element_size() for name in touched)


@contextmanager
def _few_threads(base: LocalModel, files: AdapterFiles) -> Iterator[None]:
    """One thread for hundreds of small sums: several wait for each other at every sum (docs/measurements.md).

    A large model's sums are worth more threads.
    """
    import torch

    threads = torch.get_num_threads()
    if base.device == "cpu" and changed_bytes(base, files) < _LARGE_BYTES:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _is_plain(files: AdapterFiles) -> bool:
    """Whether the adapter is made of pairs A, B and of whole tensors, and nothing else has a say."""
    config = files.config
    if any(value for name, value in config.items() if name not in _PLAIN and (name, value) != ("bias", "none")):
        return False
    if config["peft_type"] == "LORA":
        named = isinstance(config.get("target_modules"), list)
        numbers = all(isinstance(config.get(name), int | float) for name in ("r", "lora_alpha"))
        return named and numbers and all(".lora_" not in n or n.endswith((_A, _B)) for n in files.shapes)
    return config["peft_type"] == "LN_TUNING" and isinstance(config.get("target_modules"), list)


def _merge_plain(base: LocalModel, files: AdapterFiles) -> Iterator[tuple[str, Any]]:
    import torch
    from safetensors.torch import load_file

    parameters = dict(base.model.named_parameters(remove_duplicate=False))
    _refuse_missing(files, _expected(files, parameters) - files.shapes.keys())
    tensors = load_file(files.folder / WEIGHTS, device=base.device)
    scratch: dict[Any, Any] = {}  # one float32 copy at a time: fresh memory for each costs more than the sums
    for name, tensor in tensors.items():
        if name.endswith(_B):
            continue
        weight = parameters.get(parameter_of(name))
        if weight is None:
            raise _misfit(files, base, f"it has no {parameter_of(name)}")
        if name.endswith(_A):
            room = scratch.setdefault(weight.shape, torch.empty(weight.shape, device=base.device))
            up = tensors[name.removesuffix(_A) + _B].float()
            room.copy_(weight).addmm_(up, tensor.float(), alpha=_scaling(files, int(tensor.shape[0])))
            yield parameter_of(name), room.to(weight.dtype, copy=True)
        else:
            yield parameter_of(name), tensor.to(weight.dtype, copy=True)


def _scaling(files: AdapterFiles, rank: int) -> float:
    """s = alpha / rank, or alpha / sqrt(rank) for rank-stabilised LoRA (Kalajdzievski 2023, arXiv:2312.03732)."""
    alpha = float(files.config["lora_alpha"])
    return alpha / math.sqrt(rank) if files.config.get("use_rslora") else alpha / rank


def _expected(files: AdapterFiles, parameters: Mapping[str, Any]) -> set[str]:
    """The tensors that an adapter with this configuration has, by peft's rules for names."""
    saved = files.config.get("modules_to_save") or ()
    targets = files.config["target_modules"]
    halves = {name.removesuffix(end) for name in files.shapes for end in (_A, _B) if name.endswith(end)}
    expected = {half + end for half in halves for end in (_A, _B)}
    for name, parameter in parameters.items():
        module, _, leaf = name.rpartition(".")
        parents = accumulate(module.split("."), lambda path, part: f"{path}.{part}")
        if any(parent.endswith(one) for parent in parents for one in saved):
            expected.add(PREFIX + name)
        elif any(module == target or module.endswith(f".{target}") for target in targets):
            if files.config["peft_type"] == "LN_TUNING":
                expected.add(f"{PREFIX}{module}{WHOLE}{leaf}")
            elif leaf == "weight" and parameter.dim() == 2:
                expected |= {PREFIX + module + _A, PREFIX + module + _B}
    return expected


def _through_peft(model: Any) -> dict[str, Any]:
    """For every other kind: peft merges each module in float32, and the result is taken out."""
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import ModulesToSaveWrapper

    changed: dict[str, Any] = {}
    for path, module in model.named_modules():
        name = path.removeprefix(PREFIX)
        if isinstance(module, BaseTunerLayer):
            layer = module.get_base_layer()
            before = dict(layer.named_parameters(recurse=False))
            for leaf, parameter in before.items():
                own = parameter.to(torch.float32, copy=True)  # peft adds in place, and this memory is the base's
                setattr(layer, leaf, torch.nn.Parameter(own, requires_grad=False))
            module.merge()
            for leaf, parameter in before.items():
                changed[f"{name}.{leaf}"] = getattr(layer, leaf).detach().to(parameter.dtype, copy=True)
                setattr(layer, leaf, parameter)
        elif isinstance(module, ModulesToSaveWrapper):
            saved = module.modules_to_save["default"]
            old = dict(module.original_module.named_parameters())
            changed |= {f"{name}.{leaf}": one.detach().to(old[leaf].dtype) for leaf, one in saved.named_parameters()}
    return changed


def _refuse_missing(files: AdapterFiles, missing: set[str]) -> None:
    if missing:
        raise BackendError(
            f"The adapter {files.name} lacks tensors, such as {min(missing)} ({len(missing)} in all).",
            "Train it again, or restore the file.",
        )


def _fault(files: AdapterFiles, base: LocalModel, error: Exception) -> BackendError:
    if is_out_of_memory(error):
        return too_little_memory(f"the adapter {files.name} over its base")
    return _misfit(files, base, first_line(error))


def _misfit(files: AdapterFiles, base: LocalModel, why: str) -> BackendError:
    return BackendError(
        f"The adapter {files.name} does not fit {base.weights.model_id} ({why}).",
        "Choose an adapter that was trained on this base.",
    )
