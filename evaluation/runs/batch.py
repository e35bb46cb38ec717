"""Cells of a run that leave as a batch of requests and come back as its output.

The format is that of OpenAI's Batch API: a line of JSON for each request, with `custom_id`, `method`, `url` and `body`
(platform.openai.com/docs/guides/batch, November 2026). Providers answer such files at about half the price, and `vllm
run-batch` on one's own machine. The custom_id names the cell: `RUN/APPROACH/POSITION/REPEAT`, both numbers from 0.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from backends.base import FAILED, Answer, Backend, BackendEvent, Cost, Question, Timings, Usage
from backends.errors import BackendError, disk_faults
from backends.recorded import RecordedAnswer, events_of, pricing_of, read_batch
from backends.registry import make
from backends.remote.connection_settings import name_in
from backends.run.timing import run_timed
from backends.settings import Settings
from backends.spend.pricing import manual_price
from backends.storage.files import replacing
from backends.store.database import Store
from evaluation.runs.model import Run
from evaluation.runs.records import add_cell, cell_of, find_run, note_approach, set_state, statuses
from evaluation.runs.scoring import score_answer
from evaluation.samples import Sample

MOST_REQUESTS = 50_000
"""Of one file, at OpenAI."""

_URL = "/v1/chat/completions"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")
_Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of the lines of an output: answers and failures that were kept, cells that had an answer already, and
    lines that are of no cell of the run. `unreadable` has a sentence for each line that is damaged or cut short."""

    answered: int
    failed: int
    known: int
    foreign: int
    unreadable: tuple[str, ...] = ()


def export_batch(
    store: Store, run: Run, settings: Settings, samples: Sequence[Sample], approach: str, file: Path
) -> int:
    """Write a request for each cell of `approach` that is missing or failed; how many. Nothing is sent.

    Raises `BackendError` for an approach that is not asked by a chat completion alone, if nothing is missing, and if
    the file cannot be written.
    """
    run.approach(approach)
    there = {
        (position, repeat)
        for id, position, repeat, status in statuses(store, run.id)
        if id == approach and status not in FAILED
    }
    backend = make(approach, settings)
    asked = 0
    with disk_faults(f"The file {file.name}"), replacing(file) as part, part.open("w", encoding="utf-8") as lines:
        for repeat in range(run.repeats):
            for position, sample in enumerate(samples):
                if (position, repeat) in there:
                    continue
                lines.write(json.dumps(_line(run, backend, settings, sample, (approach, position, repeat))) + "\n")
                asked += 1
        if not asked:
            raise BackendError(f"No answer of {approach} is missing in the run {run.id}.", "Nothing is exported.")
    return asked


def check_exportable(settings: Settings, approach: str) -> None:
    """Raise `BackendError` for an approach whose cells cannot leave as a batch: said before a run is begun for one."""
    _request(make(approach, settings), settings.question("?"))


def _request(backend: Backend, question: Question) -> Mapping[str, object]:
    """The body of the request that asks it. Raises `BackendError` where it is not asked by one alone."""
    if (body := backend.chat_request(question)) is not None:
        return body
    if backend.stand_in and name_in(backend.approach) is not None:
        raise BackendError(
            f"{backend.approach} has no key, so a stand-in on this machine answers in its place, and that cannot be "
            "answered in a batch.",
            "Set its key (OPENAI_API_KEY for the default connection), or leave the stand-in off: "
            "--set paid_api.stand_in=false. The requests themselves hold no key.",
        )
    raise BackendError(
        f"{backend.approach} is not asked by a request to a server alone, so it cannot be answered in a batch.",
        "Take a paid API, or a fine-tuned model that a server answers for.",
    )


def _line(run: Run, backend: Backend, settings: Settings, sample: Sample, place: _Place) -> Mapping[str, object]:
    approach, position, repeat = place
    question = replace(settings.question(sample.question), seed=settings.seed + repeat, run=run.id)
    body = _request(backend, question)
    return {"custom_id": f"{run.id}/{approach}/{position}/{repeat}", "method": "POST", "url": _URL, "body": body}


def import_batch(store: Store, run: Run, settings: Settings, samples: Sequence[Sample], file: Path) -> Imported:
    """Keep the answers of a batch's output as cells, each labelled as given earlier: its times are not known.

    A cell that has an answer keeps it. Tokens are priced at the batch tier where the list of prices has one. Raises
    `BackendError` if the file cannot be used, if no line of it is of this run, and if another process works on the run.
    """
    content, unreadable = _content(file), list[str]()
    with store.claimed(run.id):
        run = find_run(store, run.id)
        kept = {(id, *place): status for id, *place, status in statuses(store, run.id)}
        counts = {"answered": 0, "failed": 0, "known": 0, "foreign": 0}
        backends: dict[str, Backend] = {}
        named: set[str] = set()
        answers = read_batch(file.name, content, partial(_pricing, settings), unreadable.append)
        for id, found in answers.items():
            place = _place(run, id)
            if place is None:
                counts["foreign"] += 1
                continue
            if kept.get(place, "error") not in FAILED:
                counts["known"] += 1
                continue
            if place[0] not in backends:
                backends[place[0]] = make(place[0], settings)
            backend, sample = backends[place[0]], samples[place[1]]
            answer = _answer(backend, settings.question(sample.question), found)
            failed = answer.status in FAILED
            if not failed and place[0] not in named:  # before its first cell, which must not be there without it
                named.add(place[0])
                note_approach(store, run.id, place[0], model=answer.model, identity=dict(backend.identity), stopped="")
            _keep(store, run, sample, answer, place)
            counts["failed" if failed else "answered"] += 1
        if not any(counts[name] for name in ("answered", "failed", "known")):
            raise BackendError(f"No line of {file.name} is of the run {run.id}.", "Give the output of its own batch.")
        if sum(1 for _ in statuses(store, run.id)) == run.cells:
            set_state(store, run.id, "done")
    return Imported(**counts, unreadable=tuple(unreadable))


def _content(file: Path) -> bytes:
    if file.is_dir():
        raise BackendError(f"{file} is a folder.", "Give the output file of the batch in it.")
    if not file.is_file():
        raise BackendError(f"There is no file {file}.", "Give the output file of the batch.")
    try:
        return file.read_bytes()
    except OSError as error:
        raise BackendError(f"{file} cannot be read: {error.strerror}.", "Check that you may read it.") from None


def _place(run: Run, id: str) -> _Place | None:
    """The cell that a custom_id names; None if it is none of this run."""
    of_run, _, rest = id.partition("/")
    approach, *numbers = rest.rsplit("/", 2)
    if of_run != run.id or len(numbers) != 2 or not all(map(_NUMBER.fullmatch, numbers)):
        return None
    position, repeat = map(int, numbers)
    known = any(one.approach == approach for one in run.approaches)
    return (approach, position, repeat) if known and position < run.questions and repeat < run.repeats else None


def _pricing(settings: Settings, id: str) -> Callable[[Usage, str], Cost]:
    """How the answer of a custom_id is priced: a connection's by its price, others by what was entered for them."""
    approach = id.split("/")[1] if id.count("/") > 1 else ""
    if (name := name_in(approach)) is not None:
        return pricing_of(settings, name)
    entered = settings.fine_tuned.price if approach == "fine_tuned" else None
    if entered is not None:
        return lambda usage, model: manual_price(usage, entered, model)
    return lambda usage, model: Cost(None, "what a batch costs there is not known here")


class _Returned(Backend):
    """An answer of a batch, given through the same clock and rules as every other: refused, cut off, empty."""

    def __init__(self, of: Backend, found: RecordedAnswer | str) -> None:
        self.approach, self._found = of.approach, found
        self._model = of.model if isinstance(found, str) else f"{found.model} (batch)"

    @property
    def model(self) -> str:
        return self._model

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        if isinstance(self._found, str):
            raise BackendError(self._found, "Ask it again.")
        yield from events_of(self._found)

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        return Cost(None, "what a request that failed in a batch cost is not known")


def _answer(of: Backend, question: Question, found: RecordedAnswer | str) -> Answer:
    *_, last = run_timed(_Returned(of, found), question, threading.Event())
    assert isinstance(last, Answer)
    return last


def _keep(store: Store, run: Run, sample: Sample, answer: Answer, place: _Place) -> None:
    _, position, repeat = place
    cell = replace(cell_of(answer, position, repeat, run.keeps_texts), recorded=True)
    add_cell(store, run.id, cell, None if run.keeps_texts else score_answer(sample, answer))
