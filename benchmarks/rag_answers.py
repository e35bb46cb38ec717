"""What the RAG approach answers to the questions of a corpus, and how often it is right, refuses or repeats."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import backends
from backends.base import Answer
from backends.rag.prompt import refuses
from backends.run.compare import compare
from backends.settings import Settings
from benchmarks.figures import Figure, Goal
from benchmarks.repeats import repeats
from evaluation.metrics import NOT_ANSWERED, contains_fact
from evaluation.samples import Sample
from evaluation.scorers.right import is_right
from evaluation.statistics import share_text

KINDS = ("single_fact", "two_passages", "comparison", NOT_ANSWERED)
TAGS = ("close_miss", "foreign", "edition", "superseded", "own_words", "other_words", "short", "typo", "story")
"""Tags whose share of right answers is shown too, where they occur."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer with what is wrong with it. `stale`: it gives a superseded value, and not the one in force."""

    sample: Sample
    answer: Answer
    right: bool
    refused: bool
    stale: bool
    repeated: str


def judge(sample: Sample, answer: Answer, superseded: Mapping[str, tuple[str, ...]]) -> Judged:
    """Judge one answer; `superseded` has the old value by sample id where there is one."""
    right = is_right(answer.text, sample)
    old = superseded.get(sample.id)
    stale = old is not None and not right and contains_fact(answer.text, old)
    return Judged(sample, answer, right, refuses(answer.text), stale, repeats(answer.text, sample.question))


def ask(
    settings: Settings,
    samples: Sequence[Sample],
    superseded: Mapping[str, tuple[str, ...]],
    report: Callable[[str], None],
) -> list[Judged]:
    """Put every question to RAG, one after another. Raises `BackendError` if it cannot be loaded."""
    rag = backends.make("rag", settings)
    list(rag.load(threading.Event()))
    list(compare([rag], settings.question("What is read into memory here?"), threading.Event()))
    judged: list[Judged] = []
    for number, sample in enumerate(samples, 1):
        events = compare([rag], settings.question(sample.question), threading.Event())
        answer = next(event for _, event in events if isinstance(event, Answer))
        judged.append(judge(sample, answer, superseded))
        if number % 20 == 0 or number == len(samples):
            report(f"question {number} of {len(samples)}, {sum(one.right for one in judged)} right so far")
    return judged


_REPEATS = "repeats itself or the question"
_NOTHING = Goal(0, "at most", "%")
GOALS: Mapping[str, Mapping[str, Goal]] = {
    "handbook": {
        "right, all": Goal(70, "at least", "%"),
        "right, single_fact": Goal(80, "at least", "%"),
        "right, two_passages": Goal(40, "at least", "%"),
        f"right, {NOT_ANSWERED}": Goal(80, "at least", "%"),
        "superseded value given as current": _NOTHING,
    }
}
"""By name of the corpus. That no answer repeats itself is a goal everywhere."""


def figures(
    name: str,
    label: str,
    judged: Sequence[Judged],
    superseded: Mapping[str, tuple[str, ...]],
    goals: Mapping[str, Goal],
) -> list[Figure]:
    """Shares with their intervals, and times."""
    shares = {"right, all": [one.right for one in judged]}
    for tag in (*KINDS, *TAGS):
        shares[f"right, {tag}"] = [one.right for one in judged if tag in one.sample.tags]
    answerable = [one for one in judged if NOT_ANSWERED not in one.sample.tags]
    shares["refused although it is answered"] = [one.refused and not one.right for one in answerable]
    shares["superseded value given as current"] = [one.stale for one in judged if one.sample.id in superseded]
    shares[_REPEATS] = [bool(one.repeated) for one in judged]
    rows = [
        Figure(
            name,
            f"{label}: {what}",
            "%",
            (100 * sum(values) / len(values),),
            goal=_NOTHING if what == _REPEATS else goals.get(what),
            shown=share_text(sum(values), len(values)),
        )
        for what, values in shares.items()
        if values
    ]
    return [*rows, *_times(name, label, judged)]


def _times(name: str, label: str, judged: Sequence[Judged]) -> Iterator[Figure]:
    timings = [one.answer.timings for one in judged if one.answer.status != "error"]
    for what, seconds in (
        ("latency", [found.latency_s for found in timings]),
        ("time to the first text", [found.ttft_s for found in timings]),
        ("retrieval", [found.retrieval_s for found in timings]),
    ):
        known = tuple(value for value in seconds if value is not None)
        if len(known) > 1:
            shown = f"median {median(known):.3g} s; 95 % below {quantiles(known, n=20)[-1]:.3g} s"
            yield Figure(name, f"{label}: {what}", "s", known, shown=shown)
    if failed := sum(one.answer.status == "error" for one in judged):
        yield Figure(name, f"{label}: answers that failed (counted as wrong)", "", (failed,))


def record(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """One answer each, as JSON."""
    return [
        {
            "id": one.sample.id,
            "tags": list(one.sample.tags),
            "question": one.sample.question,
            "text": one.answer.text,
            "status": one.answer.status,
            "error": one.answer.error,
            "right": one.right,
            "refused": one.refused,
            "superseded": one.stale,
            "repeats": one.repeated,
            "latency_s": one.answer.timings.latency_s,
            "ttft_s": one.answer.timings.ttft_s,
            "completion_tokens": one.answer.usage.completion_tokens,
        }
        for one in judged
    ]
