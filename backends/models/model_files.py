"""What a model's folder may hold: nothing that a library would unpickle, run, or match for ever."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from backends.errors import BackendError
from backends.models.adapter_modules import is_quick
from backends.storage import strict_json
from backends.storage.files import links_outside

_PICKLED, _SAFE = "pytorch_model.bin", "model.safetensors"


def check_model_files(folder: Path) -> None:
    """Raise `BackendError` for a module with pickled weights only, a module outside the folder, or a slow pattern.

    sentence-transformers reads each module's weights (2_Dense, for example) from a folder of its own, from
    `pytorch_model.bin` if there are no safetensors. transformers matches the names in `quantization_config` as regular
    expressions, with an engine that a hostile one keeps busy for ever.
    """
    named = [*_module_paths(folder)]
    if any(".." in path.parts or path.is_absolute() for path in named) or (named and _leads_outside(folder)):
        raise BackendError(f"{folder.name} names a module outside its folder.", "Choose another model.")
    if named:
        for pickled in sorted(folder.rglob(_PICKLED)):
            if not (pickled.parent / _SAFE).is_file():
                where = pickled.relative_to(folder).as_posix()
                raise BackendError(
                    f"{folder.name} holds pickled weights without safetensors ({where}).",
                    "Only safetensors are loaded; convert the model or choose another.",
                )
    for config in (folder / "config.json", *(folder / path / "config.json" for path in named)):
        for pattern in _patterns(_read(config)):
            if not is_quick(pattern):
                raise BackendError(
                    f"{folder.name} has a pattern in quantization_config that may take forever to match.",
                    "Choose another model, or write the modules' names there.",
                )


def _leads_outside(folder: Path) -> bool:
    """Whether a folder within is a link to one elsewhere, which the search for pickled weights does not enter.

    In the cache of the Hub's library, files are links and folders are not.
    """
    within = (Path(where) / name for where, names, _ in os.walk(folder) for name in names)
    return any(links_outside(one, folder) for one in within)


def _module_paths(folder: Path) -> Iterator[PurePosixPath]:
    modules = _read(folder / "modules.json")
    for module in modules if isinstance(modules, list) else ():
        if isinstance(module, dict):
            yield PurePosixPath(str(module.get("path", "")).replace("\\", "/"))


def _patterns(config: Any) -> Iterator[object]:
    """The strings in lists, and the keys of what lies deeper, of a configuration's `quantization_config`."""
    quantization = config.get("quantization_config") if isinstance(config, dict) else None
    left = [quantization]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield from one
            left += one.values()
        elif isinstance(one, list):
            yield from (item for item in one if isinstance(item, str))
            left += [item for item in one if isinstance(item, dict | list)]


def _read(file: Path) -> Any:
    """None where there is no such file or it is damaged: its reader says so."""
    try:
        return strict_json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
