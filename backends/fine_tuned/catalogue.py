"""Which adapters there are and where: trained ones in the data folder, the sample one in the repository."""

from __future__ import annotations

import re
from pathlib import Path

from backends.base import BackendError

SAMPLE_ADAPTERS = Path(__file__).resolve().parents[2] / "sample_docs" / "adapters"


def adapter_folders(data: Path) -> dict[str, Path]:
    """Name -> folder of every adapter that is complete; one in the data folder goes before a sample of its name."""
    found: dict[str, Path] = {}
    for root in (SAMPLE_ADAPTERS, data / "adapters"):
        if root.is_dir():
            found |= {f.name: f for f in sorted(root.iterdir()) if (f / "adapter_model.safetensors").is_file()}
    return found


def adapter_folder(name: str, data: Path) -> Path:
    """The folder for an adapter's name or path. Raises `BackendError` that lists the names there are."""
    known = adapter_folders(data)
    if name in known:
        return known[name]
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser()
    names = ", ".join(known) or "none"
    raise BackendError(
        f"There is no adapter called {name!r} (known: {names}).", "Train one with `crossroads train PAIRS --name NAME`."
    )


def check_name(name: str) -> str:
    """A name that is safe as a folder name. Raises `BackendError` otherwise."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise BackendError(
            f"{name[:80]!r} can not be an adapter's name.", "Use up to 64 letters, digits, dots, hyphens, underscores."
        )
    return name
