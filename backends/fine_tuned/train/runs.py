"""Trainings on disk: what was asked for, the pairs, the log, and the state that each is in.

trainings/ID/run.json               name, settings, system prompt, where the pairs are from, base, created
trainings/ID/train.jsonl            the pairs that are trained on
trainings/ID/held_out.jsonl         the pairs that never are
trainings/ID/log.jsonl              what the training said, one object per line
trainings/ID/state.json             how far it is and why it ended
trainings/ID/checkpoint.safetensors from where it goes on (`checkpoint`)
trainings/ID/best.safetensors       the state with the lowest held-out loss, by phrasing
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from backends.errors import BackendError, disk_faults
from backends.fine_tuned.adapters.card import Reading
from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.train.events import LiveAnswers, StepRecord, Trained, TrainingNote, TrainingResult
from backends.fine_tuned.train.lock import holder
from backends.fine_tuned.train.method import TrainingSettings
from backends.models.adapter_card import usable_date
from backends.storage import strict_json
from backends.storage.files import draft_folder, write_text

RunState = Literal["running", "stopped", "interrupted", "finished", "failed"]

_KINDS: dict[str, type[TrainingResult]] = {
    "step": StepRecord,
    "answers": LiveAnswers,
    "note": TrainingNote,
    "trained": Trained,
}


@dataclass(frozen=True, slots=True)
class Run:
    """One training. `step` of `steps` are done; `reason` says in a sentence why it is in its state, or is "".

    `interrupted`: its process died, or it was not begun. `resumable`: whether it can go on. `folder` is the run's, not
    the adapter's; `created` in UTC; `pairs` are trained on, `held_out` ones are not. `adapters`: the folder that gets
    the adapter, None for the data folder's. `command` starts the same training again, "" if none did. `precision` and
    `precision_reason` are what `auto` took and why, "" until it is begun; a resumed training keeps them. `saved`: the
    step of the checkpoint, from which it goes on after its process died. `reading`: from what its pairs were made, if
    they are examples of reading.
    """

    id: str
    name: str
    folder: Path
    created: datetime
    state: RunState
    step: int
    steps: int
    reason: str
    resumable: bool
    pairs: int
    held_out: int
    settings: TrainingSettings
    system_prompt: str
    source: str
    base_model: str
    base_revision: str
    adapters: Path | None = None
    command: str = ""
    precision: str = ""
    precision_reason: str = ""
    saved: int = 0
    reading: Reading | None = None

    @property
    def data(self) -> Path:
        """The data folder that it belongs to."""
        return self.folder.parents[1]


def runs(data: Path) -> list[Run]:
    """Every training in a data folder, newest first; damaged ones are left out."""
    trains = holder(data)
    found = []
    for folder in (data / "trainings").glob("*"):
        if (folder / "run.json").is_file():
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                found.append(_read(folder, trains is not None and trains.run == folder.name))
    return sorted(found, key=lambda run: (run.created, run.id), reverse=True)


def find_run(id: str, data: Path) -> Run:
    """The training with this id, as it is now. Raises `BackendError` if there is none."""
    found = next((run for run in runs(data) if run.id == id), None)
    if found is None:
        raise BackendError(f"There is no training {id[:80]!r}.", "Choose one from the list, or start a new one.")
    return found


def discard(id: str, data: Path) -> None:
    """Remove a training's folder; an adapter that came of it stays. Raises `BackendError` while it runs."""
    run = find_run(id, data)
    if run.state == "running":
        raise BackendError(f"The training of {run.name} is still running.", "Stop it first.")
    gone = run.folder.with_name(f"{run.id}.{os.getpid()}.gone")
    run.folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def write_run(run: Run, train: Sequence[Pair], held_out: Sequence[Pair]) -> None:
    """Write a new training down; its folder appears whole or not at all."""
    with disk_faults("The training"), draft_folder(run.folder) as part:
        part.mkdir()
        for name, pairs in (("train", train), ("held_out", held_out)):
            lines = (json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in pairs)
            (part / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        record = {
            "name": run.name,
            "settings": asdict(run.settings),
            "system_prompt": run.system_prompt,
            "source": run.source,
            "base_model": run.base_model,
            "base_revision": run.base_revision,
            "created": run.created.isoformat(),
            "pairs": run.pairs,
            "held_out": run.held_out,
            "command": run.command,
            "adapters": None if run.adapters is None else str(run.adapters),
            "reading": None if run.reading is None else asdict(run.reading),
        }
        (part / "run.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        write_text(part / "state.json", _state_of(run))
        part.rename(run.folder)


def set_state(run: Run, **changes: Any) -> Run:
    """Note how the training stands: `state`, `step`, `reason`, `resumable`. Returns the run as it is then."""
    run = replace(run, **changes)
    write_text(run.folder / "state.json", _state_of(run))
    return run


def new_id() -> str:
    """An id that no other training has."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"


def read_part(run: Run, part: Literal["train", "held_out"]) -> list[Pair]:
    """The pairs of one part. Raises `BackendError` if its file is damaged."""
    file = run.folder / f"{part}.jsonl"
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
        return [TypeAdapter(Pair).validate_python(strict_json.an_object(line)) for line in lines if line]
    except (OSError, ValueError):
        raise BackendError(f"{file.name} of the training {run.name} is damaged.", "Start a new training.") from None


def log(run: Run, result: TrainingResult) -> None:
    """Add a line to the log."""
    kind = next(kind for kind, one in _KINDS.items() if isinstance(result, one))
    line = json.dumps({"kind": kind} | asdict(result), ensure_ascii=False, default=str)
    with (run.folder / "log.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def history(run: Run) -> list[TrainingResult]:
    """What the training said so far, in order, from its log; a look back for whoever was not there."""
    return [result for _, result in _logged(run)]


def truncate_log(run: Run, step: int) -> None:
    """Forget what was logged after `step`: it is going to be done again."""
    kept = "".join(line + "\n" for line, result in _logged(run) if _step(result) <= step)
    write_text(run.folder / "log.jsonl", kept)


def _step(result: TrainingResult) -> int:
    return result.steps if isinstance(result, Trained) else result.step


def _logged(run: Run) -> list[tuple[str, TrainingResult]]:
    """The lines of the log that are whole; the last one may be cut off where a process was killed."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for line in (run.folder / "log.jsonl").read_text(encoding="utf-8", errors="replace").split("\n"):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                found.append((line, _result(strict_json.an_object(line))))
    return found


def _result(record: dict[str, Any]) -> TrainingResult:
    return TypeAdapter(_KINDS[record.pop("kind")]).validate_python(record)


def _read(folder: Path, runs_now: bool) -> Run:
    record, state = (strict_json.an_object((folder / f"{name}.json").read_bytes()) for name in ("run", "state"))
    run = TypeAdapter(Run).validate_python({**record, **state, "id": folder.name, "folder": folder})
    if usable_date(run.created.isoformat()) is None or run.created.tzinfo is None:
        raise ValueError("the date is no date")
    if runs_now:
        return replace(run, state="running", resumable=False)
    if run.state == "running":
        return replace(run, state="interrupted", reason=_broke_off(run), resumable=True)
    return run


def _broke_off(run: Run) -> str:
    again = f"goes on from step {run.saved}, which was saved" if run.saved else "begins anew, since no step was saved"
    return f"It broke off at step {run.step}. Resumed, it {again}."


def _state_of(run: Run) -> str:
    """What `state.json` holds."""
    names = ("state", "step", "steps", "reason", "resumable", "precision", "precision_reason", "saved")
    return json.dumps({name: getattr(run, name) for name in names}) + "\n"
