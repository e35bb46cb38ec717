"""An adapter's files: what they are, their hash, what they were trained for, and whether they fit a base.

An adapter is a folder in peft's own format: `adapter_config.json` and `adapter_model.safetensors`, with a card beside
them if it has one. Only headers are read, without torch or peft, so that a list of adapters is drawn at once.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.errors import BackendError
from backends.models.adapter_card import impossible
from backends.models.adapter_modules import PREFIX, with_plain_names
from backends.models.base_names import Kinship, kinship_of, other_vocabulary, snapshot_of
from backends.storage import strict_json
from backends.storage.files import sha256
from backends.text import visible

CONFIG, WEIGHTS, CARD = "adapter_config.json", "adapter_model.safetensors", "card.json"
ORIGIN = "origin.json"
"""Beside an imported adapter: `kind` (Hub, zip file or folder), `source` in words, `imported` (ISO 8601), `sha256`."""
WHOLE = ".ln_tuning_layers."
"""What peft puts into the name of a tensor that takes the place of the base's (its method LN_TUNING)."""

Shape = tuple[int, ...]

_KINDS = ("LORA", "LN_TUNING", "IA3", "LOHA", "LOKR")
# The other ways to begin (pissa, olora, corda, loftq, lora_ga) take something away from the base's own weights.
_STARTS_THAT_LEAVE_THE_BASE = ("gaussian", "eva", "orthogonal")
_HEADER_LIMIT_BYTES = 20_000_000
_TEXT_LIMIT_BYTES = 2_000_000
_RANK_AXES = {
    ".lora_A": 0,
    ".lora_B": 1,
    ".lora_embedding_A": 0,
    ".lora_embedding_B": 1,
    ".hada_w1_a": 1,
    ".hada_w1_b": 0,
}
_MOST_RANK = 100_000  # LoKr's way to say that a matrix is not taken apart; peft makes none of that size
_MOST_ALPHA = 1_000_000
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHOWN = 200  # characters of what an adapter says of its base
_USUAL_RANK = 256  # at most, where no tensor tells: only whole layers were trained
_SETTLED_NS = 1_000_000_000  # a file that changed less than this ago may change again within its clock's tick

_digests: dict[tuple[int, ...], str] = {}


@dataclass(frozen=True, slots=True)
class Base:
    """The model that an adapter is wanted for. `shapes` by parameter name, None while it is not in memory."""

    model_id: str
    folder: Path | None = None
    revision: str | None = None
    shapes: Mapping[str, Shape] | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether an adapter fits a base. `reason`: why not, or, where it fits, what one should know; may be empty.

    `by_name_alone`: nothing but the name of its base speaks against it, so one may use it nevertheless.
    """

    fits: bool
    reason: str = ""
    by_name_alone: bool = False


@dataclass(frozen=True, slots=True)
class AdapterFiles:
    """What an adapter's folder holds. `shapes` by tensor name as in the file; `card` is empty if there is none.

    `config` is peft's, with plain names where the file has patterns.
    """

    folder: Path
    config: dict[str, Any]
    card: dict[str, Any]
    shapes: dict[str, Shape]
    sha256: str
    size_bytes: int

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def base_model(self) -> str | None:
        """The base that it says it was trained on, from its card or from peft's file."""
        claim = self.card.get("base_model") or self.config.get("base_model_name_or_path")
        return claim if isinstance(claim, str) and claim else None

    @property
    def method(self) -> str:
        """lora, dora, last_layers, or peft's name of another method in lower case."""
        if self.config.get("peft_type") == "LN_TUNING" and self.config.get("modules_to_save"):
            return "last_layers"
        return "dora" if self.config.get("use_dora") else str(self.config.get("peft_type")).lower()


def read(folder: Path) -> AdapterFiles:
    """Read config, card and the weights' header. Raises `BackendError` for what is missing, damaged or unusable."""
    weights = folder / WEIGHTS
    if not weights.is_file() or not (folder / CONFIG).is_file():
        raise BackendError(f"There is no adapter in {folder}.", _without_adapter(folder))
    card = card_of(folder)
    origin = json_object(folder / ORIGIN) if (folder / ORIGIN).is_file() else {}
    config = json_object(folder / CONFIG)
    digest = file_digest(weights)
    for claims in (card, origin):
        if claims.get("sha256") and claims["sha256"] != digest:
            raise BackendError(
                f"The adapter {folder.name} is damaged: its sha256 is {digest}, not {claims['sha256']}.",
                "Restore the file, or train the adapter again.",
            )
    _check_kind(config, folder.name)
    shapes = _shapes(weights)
    config = _with_possible_sizes(config, shapes, folder.name)
    config = with_plain_names(config, shapes, folder.name)
    return AdapterFiles(folder, config, card, shapes, digest, weights.stat().st_size)


def fit(files: AdapterFiles, base: Base, any_base_name: bool = False) -> Fit:
    """Whether the adapter was trained for this base: by names, and by shapes and tokenizer if the base is in memory.

    A base that is named otherwise is taken with a note where its name means the same model: a folder, a mirror, a
    quantised copy. One of quite another name is taken only with `any_base_name`. The note does not depend on that.
    """
    claim = files.base_model
    kinship = "the same" if claim is None else kinship_of(claim, base.model_id, base.folder)
    transposed = bool(files.config.get("fan_in_fan_out"))
    shown = " ".join(visible(claim or "").split())[:_SHOWN]
    foreign = f"It was trained for {shown}, not for {base.model_id}." if kinship == "foreign" else ""
    if base.shapes is not None and (misfit := _misfit(files.shapes, base.shapes, transposed)):
        return Fit(False, f"{foreign} {misfit}".strip())
    if claim is not None and kinship != "the same":
        if otherwise := _misfit_of_a_namesake(files, base):
            return Fit(False, f"{foreign} {otherwise}".strip())
        if foreign and not any_base_name:
            return Fit(False, foreign, by_name_alone=True)
        return Fit(True, _otherwise_words(shown, base, kinship))
    revision = files.card.get("base_revision")
    if revision is None and base.revision and _COMMIT.fullmatch(base.revision):  # weights of a package have none
        revision = files.config.get("revision") or snapshot_of(claim or "")
    if revision and base.revision and revision not in (base.revision, "main"):
        return Fit(True, f"It was trained on revision {revision}; this base is revision {base.revision}.")
    return Fit(True, "" if claim is not None else "It does not say which base it was trained on.")


def _otherwise_words(claim: str, base: Base, kinship: Kinship) -> str:
    known = "Shapes fit" if base.shapes is not None else "Shapes are compared once the base is loaded"
    by_name = "by its name a copy of" if kinship == "a copy" else "by its name not"
    return (
        f"It was trained for {claim}, {by_name} {base.model_id}. {known}; whether its weights are those of this base "
        "is not known."
    )


def _misfit_of_a_namesake(files: AdapterFiles, base: Base) -> str:
    """What keeps an adapter from a base of another name, beside shapes: the number of layers, and the tokenizer."""
    if base.shapes is not None and files.config.get("layers_to_transform") is None:
        adapted, there = _layers(map(parameter_of, files.shapes)), _layers(base.shapes)
        if adapted and there and adapted < there and files.method != "last_layers":
            return f"It adapts {adapted} of the base's {there} layers."
    return other_vocabulary(files.folder, base.folder) if base.folder is not None else ""


def _layers(parameters: Iterable[str]) -> int:
    """How many blocks of a model the names speak of: the highest number among them, and one."""
    numbers = (part for name in parameters for part in name.split(".") if part.isdecimal() and len(part) < 6)
    return max((int(number) + 1 for number in numbers), default=0)


def file_digest(file: Path, now_ns: Callable[[], int] = time.time_ns) -> str:
    """The file's sha256; computed again only when the file has changed. `now_ns` is Unix time in nanoseconds."""
    status = file.stat()
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if key not in _digests:
        digest = sha256(file)
        if now_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < _SETTLED_NS:
            return digest
        _digests[key] = digest
    return _digests[key]


def card_of(folder: Path) -> dict[str, Any]:
    """The card of an adapter, empty if it has none. Raises `BackendError` if it is damaged or says the impossible."""
    if not (folder / CARD).is_file():
        return {}
    card = json_object(folder / CARD)
    if (field := impossible(card)) is not None:
        raise BackendError(
            f"{CARD} of the adapter {folder.name} says the impossible under {field}.",
            "Correct the card, or delete the adapter.",
        )
    return card


def json_object(file: Path) -> dict[str, Any]:
    """The JSON object in a file of an adapter. Raises `BackendError` if there is none."""
    value = None
    with contextlib.suppress(OSError, ValueError):
        with file.open("rb") as stream:
            text = stream.read(_TEXT_LIMIT_BYTES + 1)
        if len(text) <= _TEXT_LIMIT_BYTES:
            value = strict_json.loads(text)
    if not isinstance(value, dict):
        raise BackendError(f"{file.name} of the adapter {file.parent.name} is damaged.", "Restore the adapter.")
    return value


def _without_adapter(folder: Path) -> str:
    if any((folder / name).is_file() for name in ("adapter_model.bin", "adapter_model.pt")):
        return "Only safetensors are loaded; save the adapter with `save_pretrained(..., safe_serialization=True)`."
    return "Train one with `crossroads train PAIRS`, or choose another folder."


def _check_kind(config: dict[str, Any], name: str) -> None:
    kind = config.get("peft_type")
    if kind not in _KINDS:
        raise BackendError(
            f"The adapter {name} is of a kind that cannot be used here ({str(kind)[:40]}).", "Choose a LoRA adapter."
        )
    start = config.get("init_lora_weights", True)
    if not isinstance(start, bool | None) and start not in _STARTS_THAT_LEAVE_THE_BASE:
        raise BackendError(
            f"The adapter {name} needs a base whose weights were changed first ({str(start)[:40]}).",
            "Convert it to a plain LoRA with peft (path_initial_model_for_weight_conversion), or choose another.",
        )
    for field in ("layer_replication", "megatron_config"):
        if config.get(field):
            raise BackendError(f"The adapter {name} changes the base's structure ({field}).", "Choose a LoRA adapter.")


def _with_possible_sizes(config: dict[str, Any], shapes: Mapping[str, Shape], name: str) -> dict[str, Any]:
    """The configuration, after a look at its numbers: peft makes room for a rank before it sees the tensors.

    Where every module has a rank of its own, the common one may be any number and is made small.
    """
    largest = max((size for tensor, shape in shapes.items() for size in _ranks(tensor, shape)), default=_USUAL_RANK)
    own = config.get("rank_pattern") or {}
    alphas = config.get("alpha_pattern") or {}
    if not isinstance(own, dict) or not isinstance(alphas, dict):
        raise BackendError(f"{CONFIG} of the adapter {name} is damaged.", "Restore the adapter.")
    ranks = [*own.values(), *([] if own else [config.get("r", 1)])]
    if not all(isinstance(one, int) and 0 < one <= largest for one in ranks):
        stated_ranks = ", ".join(sorted({str(one)[:20] for one in ranks})[:3])
        raise BackendError(
            f"The adapter {name} says rank {stated_ranks}; its tensors have at most rank {largest}.",
            f"Correct {CONFIG}, or export the adapter again.",
        )
    for one in (*alphas.values(), *(config.get(field, 1) for field in ("lora_alpha", "alpha"))):
        if not isinstance(one, int | float) or not abs(one) <= _MOST_ALPHA:
            raise BackendError(
                f"The adapter {name} says alpha {str(one)[:20]}; it has to be a number of at most {_MOST_ALPHA:,}.",
                f"Correct {CONFIG}, or export the adapter again.",
            )
    return {**config, "r": min(config["r"], largest)} if own and isinstance(config.get("r"), int) else config


def _ranks(tensor: str, shape: Shape) -> Iterator[int]:
    """The rank that a tensor has, by peft's names."""
    for part, axis in _RANK_AXES.items():
        if part in tensor and axis < len(shape):
            yield shape[axis]
    if ".lokr_" in tensor:
        yield _MOST_RANK


def _shapes(file: Path) -> dict[str, Shape]:
    """Tensor name -> shape. safetensors holds the header against the file's length; no tensor is read."""
    from safetensors import SafetensorError, safe_open

    damaged = BackendError(f"{file.name} of the adapter {file.parent.name} is damaged.", "Restore the adapter.")
    try:
        with file.open("rb") as stream:
            if int.from_bytes(stream.read(8), "little") > _HEADER_LIMIT_BYTES:
                raise damaged
        with safe_open(file, framework="numpy") as tensors:
            shapes = {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        raise damaged from None
    if not shapes:
        raise damaged
    return shapes


def parameter_of(tensor: str) -> str:
    """The base's parameter that a tensor of the adapter belongs to, by peft's rules for names."""
    name = tensor.removeprefix(PREFIX).replace(WHOLE, ".")
    module, found, _ = name.partition(".lora_")
    return f"{module}.weight" if found else name


def _misfit(adapter: Mapping[str, Shape], base: Mapping[str, Shape], transposed: bool) -> str:
    """What keeps tensors of the adapter from the base's, in a sentence; empty if nothing does.

    `transposed`: the base keeps its linear weights as (in, out), as GPT-2 does.
    """
    for tensor, shape in sorted(adapter.items()):
        name = parameter_of(tensor)
        weight = base.get(name)
        for part, axis in ((".lora_A.weight", 1), (".lora_B.weight", 0)):
            if not tensor.endswith(part) or len(shape) != 2:
                continue
            if weight is None:
                return f"It adapts {name}, which the base does not have."
            width = weight[1 - axis if transposed else axis] if len(weight) == 2 else shape[axis]
            if shape[axis] != width:
                return f"It needs {name} to be {shape[axis]} wide; in the base it is {width}."
        if ".lora_" not in tensor and weight is not None and weight != shape:
            return f"Its {name} is {_times(shape)}; in the base it is {_times(weight)}."
    return ""


def _times(shape: Shape) -> str:
    return " × ".join(str(size) for size in shape) or "one number"
