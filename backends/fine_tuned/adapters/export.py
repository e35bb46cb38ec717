"""An adapter merged into its base and written as a model of its own, for `transformers serve`, vLLM or plain use.

The folder holds config, generation config, tokenizer with its chat template, weights as safetensors, a README and a
manifest that names the adapter by its hash. The weights are those with which the merged adapter answers here.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.errors import BackendError, disk_error
from backends.fine_tuned.adapters.card import readme
from backends.models import inference
from backends.models.adapter_view import AdapterView, load_adapter
from backends.models.adapter_weights import changed_weights, with_weights
from backends.models.local import LocalModel
from backends.storage import strict_json
from backends.storage.files import draft_folder, sha256

_MANIFEST = "crossroads.json"
_SPARE_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class Exported:
    """A standalone model: its folder, size on disk, the base, and name, sha256 and card of the adapter in it."""

    folder: Path
    size_bytes: int
    base_model: str
    base_revision: str
    adapter: dict[str, Any]


def export_merged(base: LocalModel, adapter: Path, target: Path, any_base_name: bool = False) -> Exported:
    """Write base and adapter as one model to `target`, which appears only when it is complete.

    An earlier export there is replaced. `any_base_name` as in `load_adapter`. Raises `BackendError` if the adapter does
    not fit, if `target` holds anything else, or if the disk is full.
    """
    if target.exists() and manifest(target) is None:
        raise BackendError(f"{target} exists and is not an earlier export.", "Name a new folder, or remove that one.")
    view = load_adapter(base, adapter, any_base_name=any_base_name)
    _check_room(base, target)
    try:
        with draft_folder(target) as part:
            part.mkdir()
            inference.run(_write, view, part)
            _describe(view, part)
            shutil.rmtree(target, ignore_errors=True)
            part.rename(target)
    except Exception as error:  # safetensors and tokenizers tell of the disk in exceptions of their own
        if (refused := disk_error(error)) is None:
            raise
        raise BackendError(
            f"The model could not be written to {target}: {refused.strerror}.", "Make room, or name another folder."
        ) from error
    exported = manifest(target)
    assert exported is not None, "it has just been written"
    return exported


def manifest(folder: Path) -> Exported | None:
    """What an exported folder says of itself, or None if it is none."""
    try:
        record = strict_json.an_object((folder / _MANIFEST).read_bytes())
        adapter = dict(record["adapter"])
        named = all(isinstance(adapter[key], str) for key in ("name", "sha256"))
        base, revision = str(record["base_model"]), str(record["base_revision"])
        size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Exported(folder, size, base, revision, adapter) if named else None


def _check_room(base: LocalModel, target: Path) -> None:
    needed = sum(one.numel() * one.element_size() for one in base.model.parameters()) + _SPARE_BYTES
    parent = next(folder for folder in target.absolute().parents if folder.is_dir())
    if shutil.disk_usage(parent).free < needed:
        raise BackendError(
            f"The model takes {needed / 1e6:,.0f} MB, more than is free at {parent}.",
            "Make room, or name another folder.",
        )


def _write(view: AdapterView, folder: Path) -> None:
    """On the inference thread: the model as transformers writes it."""
    whole = view.model if view.merged else with_weights(view.base.model, changed_weights(view.base, view.files))
    whole.save_pretrained(folder)
    view.base.tokenizer.save_pretrained(folder)


def _describe(view: AdapterView, folder: Path) -> None:
    """README and manifest."""
    about = view.card | {"name": view.name, "sha256": view.digest} | ({"note": view.note} if view.note else {})
    record = {
        "base_model": view.base.weights.model_id,
        "base_revision": view.base.weights.revision,
        "base_quantisation": view.base.weights.quantisation,
        "precision": view.base.dtype,
        "adapter": about,
        "files": {file.name: sha256(file) for file in sorted(folder.glob("*.safetensors"))},
    }
    (folder / _MANIFEST).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    card = {"base_model": view.base.weights.model_id, "base_revision": view.base.weights.revision} | view.card
    (folder / "README.md").write_text(readme(view.name, card | {"sha256": view.digest}, merged=True), encoding="utf-8")
