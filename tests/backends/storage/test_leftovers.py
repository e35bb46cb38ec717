"""What killed processes leave unfinished is removed at the next start, and what others are writing stays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backends.fine_tuned.train.lock import training
from backends.storage.files import clear_drafts, clear_leftovers, draft_folder
from terminal.shared import settings_of

_WRITER = """
import sys
from pathlib import Path
from backends.storage.files import draft_folder
with draft_folder(Path(sys.argv[1])) as part:
    part.mkdir()
    (part / "model.safetensors").write_bytes(b"half")
    print(part.name, flush=True)
    sys.stdin.read()
"""


@contextmanager
def writer(target: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that is writing `target`, and where."""
    command = [sys.executable, "-c", _WRITER, str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, target.with_name(process.stdout.readline().strip())
        process.kill()


@pytest.mark.parametrize("kind", ["models", "adapters", "exports", "trainings"])
def test_a_killed_process_leaves_nothing_for_good(tmp_path: Path, kind: str) -> None:
    with writer(tmp_path / kind / "one") as (process, part):
        assert (part / "model.safetensors").is_file()
        process.kill()
        process.wait()
    clear_leftovers(tmp_path)
    assert list((tmp_path / kind).iterdir()) == []


def test_what_is_being_written_stays(tmp_path: Path) -> None:
    with writer(tmp_path / "models" / "one") as (process, part), draft_folder(tmp_path / "models" / "one") as own:
        own.mkdir()
        clear_leftovers(tmp_path)
        assert (part / "model.safetensors").is_file()
        assert own.is_dir()
        process.communicate()
    assert list((tmp_path / "models").iterdir()) == []


def test_any_command_clears_at_its_start(tmp_path: Path) -> None:
    with writer(tmp_path / "models" / "one"):
        pass
    settings_of([f"data={tmp_path}"])
    assert list((tmp_path / "models").iterdir()) == []


def test_parts_of_earlier_versions_carry_the_number_of_their_process(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = [f"m.{gone.pid}.part", f"m.{os.getppid()}.part", "m.ab12cd34.part", "m", "other.part"]
    for name in names:
        (tmp_path / "models" / name).mkdir(parents=True)
    clear_leftovers(tmp_path)
    assert sorted(folder.name for folder in (tmp_path / "models").iterdir()) == sorted(names[1:])


def test_a_name_is_no_pattern(tmp_path: Path) -> None:
    with writer(tmp_path / "[ab]") as (process, part):
        process.kill()
        process.wait()
        clear_drafts(tmp_path, "a")
        assert part.is_dir()
        clear_drafts(tmp_path, "[ab]")
        assert not part.exists()


def test_half_a_checkpoint_goes_unless_somebody_trains(tmp_path: Path) -> None:
    run = tmp_path / "trainings" / "one"
    (run.with_name("two.1.gone")).mkdir(parents=True)
    run.mkdir()
    for name in ("checkpoint.safetensors", "checkpoint.safetensors.7.part"):
        (run / name).write_bytes(b"x")
    with training("one", tmp_path):
        clear_leftovers(tmp_path)
        assert len(list(run.iterdir())) == 2
    clear_leftovers(tmp_path)
    assert [file.name for file in run.iterdir()] == ["checkpoint.safetensors"]
    assert not run.with_name("two.1.gone").exists()


def test_half_a_download_goes_unless_it_goes_on(tmp_path: Path) -> None:
    from filelock import FileLock

    blobs, locks = (tmp_path / "hub" / name for name in ("models--acme--tiny/blobs", ".locks/models--acme--tiny"))
    for folder in (blobs, locks):
        folder.mkdir(parents=True)
    for name in ("aa", "aa.12345678.incomplete", "bb.12345678.incomplete"):
        (blobs / name).write_bytes(b"x")
    with FileLock(locks / "aa.lock"):
        clear_leftovers(tmp_path)
        assert sorted(file.name for file in blobs.iterdir()) == ["aa", "aa.12345678.incomplete"]
    clear_leftovers(tmp_path)
    assert [file.name for file in blobs.iterdir()] == ["aa"]


def test_a_data_folder_that_is_none_is_no_fault() -> None:
    clear_leftovers(Path(os.devnull))
    assert os.path.exists(os.devnull)
