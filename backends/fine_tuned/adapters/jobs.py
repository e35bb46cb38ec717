"""What takes long in the catalogue, in the background: fetching from the Hub, and exporting a merged model."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backends.fine_tuned.adapters.catalogue import adapter_folder
from backends.fine_tuned.adapters.export import Exported, export_merged
from backends.fine_tuned.adapters.importing import import_from_hub
from backends.models.local import base_of, load_base
from backends.run import jobs
from backends.run.jobs import Job
from backends.run.lane import Cancelled, turns
from backends.settings import Settings


@dataclass(frozen=True, slots=True)
class CatalogueStep:
    """How far it is. `result`: what was exported, or the folder of what was imported."""

    done: int
    total: int
    detail: str
    result: Exported | Path | None = None


def import_key(data: Path) -> str:
    """The key of the job that fetches an adapter from the Hub."""
    return f"adapter import {Path(data).resolve()}"


def export_key(data: Path) -> str:
    """The key of the job that writes a merged model."""
    return f"adapter export {Path(data).resolve()}"


def export_folder(name: str, data: Path) -> Path:
    """Where the merged model of an adapter goes."""
    return Path(data).resolve() / "exports" / name


def start_import(repository: str, data: Path, revision: str | None = None) -> Job:
    """Fetch an adapter from the Hub. Raises `BackendError` while another one is fetched."""

    def steps(cancel: threading.Event) -> Iterator[CatalogueStep]:
        yield CatalogueStep(0, 1, "fetching")
        yield CatalogueStep(1, 1, "in the catalogue", import_from_hub(repository, data, revision))

    return jobs.start(import_key(data), f"Fetching {repository}", steps)


def start_export(name: str, settings: Settings) -> Job:
    """Write base and adapter as one model, when it is this machine's turn. Raises `BackendError` while another is."""

    def steps(cancel: threading.Event) -> Iterator[CatalogueStep]:
        yield CatalogueStep(0, 2, "waiting for a turn")
        with contextlib.suppress(Cancelled), turns(f"exporting {name}", cancel)():
            for loading in load_base(settings):
                yield CatalogueStep(0, 2, loading.what)
            yield CatalogueStep(1, 2, "merging and writing")
            folder = adapter_folder(name, settings.data)
            written = export_merged(base_of(settings), folder, export_folder(name, settings.data))
            yield CatalogueStep(2, 2, "written", written)

    return jobs.start(export_key(settings.data), f"Exporting {name}", steps)
