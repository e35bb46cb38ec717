"""What takes long in the catalogue, in the background: fetching from the Hub, and exporting a merged model."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from backends.fine_tuned.adapters.catalogue import adapter_folder
from backends.fine_tuned.adapters.export import Exported, export_merged
from backends.fine_tuned.adapters.importing import import_from_hub
from backends.models.local import base_of, load_base
from backends.run import jobs
from backends.run.jobs import Job, Progress
from backends.run.lane import Cancelled, turns
from backends.settings import Settings


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

    def steps(cancel: threading.Event) -> Iterator[Progress[Exported | Path]]:
        yield Progress(0, 1, "fetching")
        yield Progress(1, 1, "in the catalogue", import_from_hub(repository, data, revision))

    return jobs.start(import_key(data), f"Fetching {repository}", steps)


def start_export(name: str, settings: Settings) -> Job:
    """Write base and adapter as one model, when it is this machine's turn. Raises `BackendError` while another is."""

    def steps(cancel: threading.Event) -> Iterator[Progress[Exported | Path]]:
        yield Progress(0, 2, "waiting for a turn")
        with contextlib.suppress(Cancelled), turns(f"exporting {name}", cancel)():
            for loading in load_base(settings):
                yield Progress(0, 2, loading.what)
            yield Progress(1, 2, "merging and writing")
            folder = adapter_folder(name, settings.data)
            target, any_name = export_folder(name, settings.data), settings.fine_tuned.any_base_name
            written = export_merged(base_of(settings), folder, target, any_name)
            yield Progress(2, 2, "written", written)

    return jobs.start(export_key(settings.data), f"Exporting {name}", steps)
