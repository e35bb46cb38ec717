"""One training job from file to scored adapter: what `crossroads train` and `make adapter` run."""

from __future__ import annotations

import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from backends.base import Answer, Backend
from backends.errors import BackendError
from backends.fine_tuned.adapters.card import Reading, amend_card, is_reader, read_card
from backends.fine_tuned.adapters.card import reading as reading_of
from backends.fine_tuned.adapters.catalogue import adapter_folders
from backends.fine_tuned.pairs.check import check_pairs
from backends.fine_tuned.pairs.files import Pair, read_pairs
from backends.fine_tuned.train.estimate import Estimate, estimate
from backends.fine_tuned.train.events import StepRecord, Trained, TrainingNote, TrainingResult
from backends.fine_tuned.train.job import refuse_second
from backends.fine_tuned.train.method import TrainingSettings, usual_epochs
from backends.fine_tuned.train.runs import Run, find_run, history, read_part, runs
from backends.fine_tuned.train.training import MOST_PAIRS, new_run, resume_run, sample_pairs
from backends.run.jobs import Progress
from backends.run.timing import run_timed
from backends.settings import RagSettings, RawSettings, Settings
from evaluation.asking import ArmAnswer, arm_answer, greedy
from evaluation.attribution import BOTH, RAG, for_attribution, reader_arms
from evaluation.durations import duration
from evaluation.judging import gradable, judge, scores_record, share
from evaluation.proof import proof_arms
from evaluation.reading import READING_EPOCHS, make_reading_examples, reading_samples
from evaluation.samples import Sample, evenly, read_question_set

OPTIONS = {
    "--method": "method",
    "--epochs": "epochs",
    "--rank": "rank",
    "--alpha": "alpha",
    "--modules": "target_modules",
    "--layers": "layers",
    "--batch": "batch",
    "--accumulate": "accumulate",
    "--learning-rate": "learning_rate",
    "--warmup": "warmup",
    "--precision": "precision",
    "--held-out": "held_out_share",
    "--split-by": "split_by",
}
"""The terminal's options, and the settings of a training that they set."""


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What `crossroads train` was asked for. `sample`: at most so many of the pairs; `score`: a question set.

    `unanswerable`: to teach reading, with this share of examples without an answer; None to teach the pairs' answers.
    """

    pairs: Path
    name: str
    training: TrainingSettings
    sample: int | None = None
    adapters: Path | None = None
    score: Path | None = None
    unanswerable: float | None = None


def command(settings: Settings, request: TrainingRequest) -> str:
    """The command that makes this adapter again, with every setting that has a say and is not the usual one.

    Settings that came from the environment are in it too.
    """
    usual = TrainingSettings()
    options: dict[str, object] = {"--name": request.name}
    for option, field in OPTIONS.items():
        if (value := getattr(request.training, field)) != getattr(usual, field):
            options[option] = ",".join(value) if isinstance(value, tuple) else value
    if request.unanswerable is not None:
        options |= {"--collection": settings.rag.collection, "--unanswerable": request.unanswerable}
    options |= {"--sample": request.sample, "--folder": request.adapters, "--score": request.score}
    words = [str(word) for option in options.items() if option[1] is not None for word in option]
    kind = [] if request.unanswerable is None else ["--reading"]
    kind += ["--last-pass"] if request.training.last_pass else []
    return shlex.join(["crossroads", "train", str(request.pairs), *kind, *words, *_settings(settings, request)])


def _settings(settings: Settings, request: TrainingRequest) -> Iterator[str]:
    seed, raw, usual = request.training.seed, settings.raw, RawSettings()
    chosen: dict[str, tuple[object, object]] = {
        "seed": (seed, Settings.model_fields["seed"].default),
        "system_prompt": (settings.system_prompt, Settings.model_fields["system_prompt"].default),
        "raw.model": (raw.model, usual.model),
        "raw.revision": (raw.revision, usual.revision),
        "raw.device": (raw.device, usual.device),
    }
    if request.unanswerable is not None:
        rag, usual_rag = settings.rag, RagSettings()
        chosen |= {f"rag.{name}": (getattr(rag, name), getattr(usual_rag, name)) for name in _SEARCHED_WITH}
    for name, (value, default) in chosen.items():
        if value != default:
            yield from ("--set", f"{name}={value}")


_SEARCHED_WITH = (
    *("k", "mode", "keyword_weight", "candidates", "merge_above", "reranker", "min_score", "embedder", "sentences"),
)
"""Settings of RAG that decide what is found for the examples of reading."""

_FAULTS_SHOWN = 10


def fault_words(file: Path) -> Iterator[str]:
    """What deserves a look in a file of pairs, by row: duplicates, pairs that contradict each other, and so on."""
    faults = check_pairs(file).faults
    for fault in faults[:_FAULTS_SHOWN]:
        yield fault.sentence if fault.row is None else f"row {fault.row}: {fault.sentence}"
    if len(faults) > _FAULTS_SHOWN:
        yield f"and {len(faults) - _FAULTS_SHOWN:,} more to look at"


def estimate_words(found: Estimate) -> str:
    """An estimate in a sentence, with its warning."""
    cost = f"${found.cost_usd:.3g}" if found.cost_usd is not None else "cost unknown"
    return (
        f"{found.steps} steps, about {duration(found.seconds)}, {cost} ({found.cost_basis}), "
        f"{found.tokens_per_s:,.0f} tokens/s in {found.precision} ({found.precision_reason}), "
        f"{found.peak_bytes / 1e6:,.0f} MB of memory. " + found.note
    ).strip()


def step_line(step: StepRecord, total: int, seconds_per_step: float) -> str:
    """`step 12 of 60, loss 1.234, held-out loss 1.300, 410 tokens/s, about 24 s left`."""
    held_out = "" if step.held_out_loss is None else f", held-out loss {step.held_out_loss:.3f}"
    left = duration(seconds_per_step * (total - step.step))
    return (
        f"step {step.step} of {total}, loss {step.loss:.3f}{held_out}, {step.tokens_per_s:.0f} tokens/s, "
        f"about {left} left"
    )


Report = Callable[[str], None]

_REPORT_S = 2.0
_TWICE_S = 0.5
_SCORED = 40
"""Held-out questions that base and adapter answer, spread evenly: `crossroads prove` asks all of them."""


def create_run(settings: Settings, request: TrainingRequest, cancel: threading.Event, report: Report) -> Run:
    """Read the pairs and write the training down.

    Raises `BackendError` for what cannot be trained, and while another training runs; of too many pairs it tells how
    long they would take.
    """
    if request.score:
        read_question_set(request.score, report)  # a fault in it is reported now, not when everything is trained
    pairs = pairs_of(request)
    refuse_second(settings)
    if len(pairs) > MOST_PAIRS:
        found = measure_estimate(settings, request, cancel, report)
        raise BackendError(
            f"{len(pairs):,} pairs are more than the {MOST_PAIRS:,} that are trained on at once; they would take about "
            f"{duration(found.seconds)} here ({found.tokens_per_s:,.0f} tokens/s, measured).",
            f"Train on a part of them with --sample {MOST_PAIRS}.",
        )
    for sentence in fault_words(request.pairs):
        report(sentence)
    again = command(settings, request)
    pairs, reading = _examples(settings, request, pairs, cancel, report)
    run = new_run(settings, pairs, request.name, request.training, str(request.pairs), request.adapters, again, reading)
    what = "pairs" if reading is None else "examples of reading"
    report(f"training on {run.pairs} {what}, {_held_out_words(run)}: {run.steps} steps")
    for note in history(run):
        if isinstance(note, TrainingNote):
            report(note.sentence)
    return run


def with_usual_epochs(request: TrainingRequest) -> TrainingRequest:
    """The request with as many epochs as its pairs need. Raises `BackendError` if they cannot be read."""
    epochs = usual_epochs(len(pairs_of(request)))
    return replace(request, training=replace(request.training, epochs=epochs))


def _held_out_words(run: Run) -> str:
    """What is held out, what that tells, and how to have it otherwise."""
    if not run.held_out:
        return "none held out"
    if run.settings.split_by == "group":
        return f"{run.held_out} held out in whole groups, to see whether it generalises"
    also = "a last pass learns them too" if run.settings.last_pass else "--last-pass learns them too"
    return f"{run.held_out} other phrasings of them held out, to see whether the facts are found ({also})"


def pairs_of(request: TrainingRequest) -> list[Pair]:
    """The pairs of the request's file, each once, or the sample of them that was asked for."""
    each: dict[tuple[str, str], Pair] = {}
    for pair in read_pairs(request.pairs):
        each.setdefault((pair.question, pair.answer), pair)
    pairs = list(each.values())
    return pairs if request.sample is None else sample_pairs(pairs, request.sample, request.training.seed)


def _examples(
    settings: Settings, request: TrainingRequest, pairs: list[Pair], cancel: threading.Event, report: Report
) -> tuple[list[Pair], Reading | None]:
    """The pairs as they are trained on: of a reader, the examples made of them. Raises `BackendError` if stopped."""
    if request.unanswerable is None:
        return pairs, None
    found, said_at = None, time.monotonic()
    for step in make_reading_examples(settings, pairs, request.unanswerable, cancel):
        if not step.done or time.monotonic() - said_at > _REPORT_S:
            report(step.detail)
            said_at = time.monotonic()
        found = step.result
    if found is None:
        raise BackendError("It was stopped before the examples were made.", "Start again.")
    report(found.words)
    return list(found.pairs), found.made_from


def measure_estimate(settings: Settings, request: TrainingRequest, cancel: threading.Event, report: Report) -> Estimate:
    """What the training would take. Raises `BackendError` if it was stopped before that was known."""
    found = None
    pairs, _ = _examples(settings, request, pairs_of(request), cancel, report)
    for step in estimate(settings, pairs, request.training, cancel):
        report(step.detail)
        found = step.result
    if found is None:
        raise BackendError("The estimate was stopped.", "Ask again.")
    return found


@contextmanager
def interruptible(report: Report, clock: Callable[[], float] = time.monotonic) -> Iterator[threading.Event]:
    """What the first Ctrl-C, or SIGTERM, sets; a later one ends the program at once. For the main thread.

    `timeout`, and a shell whose group is signalled, send the same one twice in a moment: that counts once.
    `clock` is monotonic, in seconds.
    """
    cancel = threading.Event()
    asked = 0.0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if cancel.is_set() and clock() - asked > _TWICE_S:
            if callable(outer := before[signal.Signals(number)]):
                outer(number, frame)
            raise KeyboardInterrupt
        if not cancel.is_set():
            cancel.set()
            asked = clock()
            report("stopping; what was learned so far is kept")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def find_unfinished(id: str, data: Path) -> Run:
    """The training with this id, or the newest that can be resumed if `id` is "". Raises `BackendError` without one."""
    if id:
        return find_run(id, data)
    run = next((run for run in runs(data) if run.resumable), None)
    if run is None:
        raise BackendError("There is no training to resume.", "Start one with `crossroads train PAIRS`.")
    return run


def train_and_score(
    settings: Settings, run: Run, cancel: threading.Event, report: Report, score: Path | None = None
) -> dict[str, Any]:
    """Train to the end, let base and adapter answer the held-out questions and those of `score`. Returns the record.

    Raises `BackendError` if it was stopped, naming how to go on, or if it failed.
    """
    samples = read_question_set(score) if score else []
    trained = _trained(resume_run(settings, run, cancel), report)
    run = find_run(run.id, settings.data)
    if run.state != "finished":
        kept = "" if trained is None else f" The adapter so far is {trained.folder}."
        raise BackendError(f"{run.reason}{kept}", f"Go on with `crossroads train --resume {run.id}`.")
    assert trained is not None, "a finished training has an adapter"
    pairs = read_part(run, "held_out")
    if run.reading is None:
        held_out = [Sample(str(n), pair.question, pair.answer) for n, pair in enumerate(pairs, 1)]
    else:
        held_out = reading_samples(pairs)
    asked = evenly(gradable(held_out), _SCORED) if held_out else []
    name = "its held-out part" if run.reading is None else "its held-out part, both with RAG"
    name += ", which the last pass taught as well" if "last_pass" in read_card(trained.folder) else ""
    found = {"held_out_score": _score(settings, trained.folder, asked, report, name)}
    of_card = found["held_out_score"]
    if samples:
        assert score is not None
        facts = [sample for sample in samples if "single_fact" in sample.tags]
        name = f"the single facts of {score.name}" if 0 < len(facts) < len(samples) else score.name
        of_card = _score(settings, trained.folder, facts or samples, report, name)
    if of_card:
        amend_card(trained.folder, {"score": of_card})
    losses = [one for one in history(run) if isinstance(one, StepRecord)]
    return {
        "name": run.name,
        "path": str(trained.folder),
        "losses": [[one.step, one.loss] for one in losses],
        "held_out_losses": [[one.step, one.held_out_loss] for one in losses if one.held_out_loss is not None],
        **found,
        **read_card(trained.folder),
    }


def _trained(steps: Iterator[Progress[TrainingResult]], report: Report) -> Trained | None:
    """Train and say now and then how far it is."""
    said_at, detail, trained = -_REPORT_S, "", None
    began, first = time.monotonic(), None
    for step in steps:
        if isinstance(step.result, Trained):
            trained = step.result
        elif isinstance(step.result, TrainingNote):
            report(step.result.sentence)
        elif step.detail != detail:
            report(step.detail)
            detail, began, first = step.detail, time.monotonic(), step.done
        elif isinstance(step.result, StepRecord):
            last = step.done == step.total
            if last or step.result.held_out_loss is not None or time.monotonic() - said_at > _REPORT_S:
                said_at = time.monotonic()
                report(step_line(step.result, step.total, (said_at - began) / max(1, step.done - (first or 0))))
    return trained


def _score(
    settings: Settings, folder: Path, asked: Sequence[Sample], report: Report, question_set: str
) -> dict[str, Any] | None:
    """How many questions the base and the adapter answer right, and every scorer's summary; None without questions.

    Nothing is embedded, so scorers that compare meanings are not applicable: `crossroads prove` asks them.
    """
    if not asked:
        return None
    settings = greedy(settings)
    answers: list[dict[str, ArmAnswer]] = [{} for _ in asked]
    for label, backend in _base_and_adapter(settings, folder).items():
        report(f"{label} answers {len(asked)} questions")
        for position, sample in enumerate(asked):
            answer = _answer(backend, settings, sample.question)
            answers[position][label] = arm_answer(label, position, answer)
    rows = judge(asked, answers, embedder=None)
    return {
        "question_set": question_set,
        "questions": len(asked),
        **{arm: share(rows, arm).right for arm in ("base", "adapter")},
        "scores": {arm: scores_record(rows, arm) for arm in ("base", "adapter")},
    }


def _base_and_adapter(settings: Settings, folder: Path) -> Mapping[str, Backend]:
    """Who answers for the base, and who for the adapter: a reader and its base with RAG, others without."""
    adapter, card = _named(folder, settings.data), read_card(folder)
    if is_reader(card):
        if made_from := reading_of(card):
            rag = settings.rag.model_copy(update={"collection": made_from.collection})
            settings = settings.model_copy(update={"rag": rag})
        both = reader_arms(for_attribution(settings, adapter, settings.rag.k, reader=True))
        return {"base": both[RAG], "adapter": both[BOTH]}
    return proof_arms(settings, adapter)


def _named(folder: Path, data: Path) -> str:
    """The adapter's name if it is in the catalogue, else its folder."""
    return folder.name if adapter_folders(data).get(folder.name) == folder else str(folder)


def _answer(backend: Backend, settings: Settings, question: str) -> Answer:
    """One answer, asked outside a comparison."""
    *_, last = run_timed(backend, settings.question(question), threading.Event())
    assert isinstance(last, Answer)
    return last


def training_settings(seed: int, reading: bool = False, **given: object) -> TrainingSettings:
    """The defaults with what was given; None means that something was not. No live answers: nobody watches them.

    `reading` needs fewer epochs, and is a skill: whole groups are held out, to see whether it carries over.
    """
    named: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    usual = TrainingSettings(seed=seed, answers_every=0)
    return replace(replace(usual, epochs=READING_EPOCHS, split_by="group") if reading else usual, **named)
