"""Export and fetching in the background."""

from __future__ import annotations

import threading
from pathlib import Path

from backends.fine_tuned.adapters.export import Exported
from backends.fine_tuned.adapters.jobs import export_folder, export_key, start_export, start_import
from backends.run.jobs import find
from backends.run.lane import THIS_MACHINE, lane
from backends.settings import load_settings
from tests.backends.models.made_adapters import make_lora
from tests.scripted import PATIENCE_S


def test_a_merged_model_is_written_when_it_is_this_machines_turn(tiny_model: Path, tmp_path: Path) -> None:
    settings = load_settings({"data": str(tmp_path), "raw.model": str(tiny_model)})
    make_lora(tmp_path / "adapters" / "doors")
    line = lane(THIS_MACHINE)
    with line.turn(line.join("raw"), threading.Event()):
        job = start_export("doors", settings)
        assert not job.wait(0.2)
        assert job.state.detail == "waiting for a turn"
        assert not export_folder("doors", tmp_path).exists()
    assert job.wait(PATIENCE_S)
    assert job.state.fault is None
    (made,) = (result for result in job.state.results if isinstance(result, Exported))
    assert made.folder == tmp_path / "exports" / "doors"
    assert (made.folder / "model.safetensors").is_file()
    assert find(export_key(tmp_path)) is job


def test_an_export_can_be_cancelled_while_it_waits(tiny_model: Path, tmp_path: Path) -> None:
    settings = load_settings({"data": str(tmp_path), "raw.model": str(tiny_model)})
    make_lora(tmp_path / "adapters" / "doors")
    line = lane(THIS_MACHINE)
    with line.turn(line.join("raw"), threading.Event()):
        job = start_export("doors", settings)
        job.cancel()
        assert job.wait(PATIENCE_S)
    assert job.state.fault is None
    assert job.state.results == ()
    assert not export_folder("doors", tmp_path).exists()


def test_what_the_hub_refuses_is_the_jobs_fault(tmp_path: Path) -> None:
    job = start_import("not a repository", tmp_path)
    assert job.wait(PATIENCE_S)
    assert job.state.fault is not None
    assert list(tmp_path.glob("adapters/*")) == []
