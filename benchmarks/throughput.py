"""Answers an hour: a run for throughput against a plain loop that asks the same questions one after another.

Local: the raw model through the run's batches, against plain `generate` of the same loaded model, one question at a
time; answers that differ are counted. In bfloat16 what is padded, or computed with other rows, is rounded otherwise,
so that near ties may fall to another token; in float32 hardly ever. Elsewhere: a run with 20 requests at once against
a bare openai client that asks one after another, at a server that answers after 300 ms. Kept answers, scores and
charges are part of the time of a run. Processor time is stated too, since it says more on a machine that is not idle.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from backends.models import inference
from backends.models.generate import build_prompt
from backends.models.local import GREEDY, base_of, load_base
from backends.settings import Settings
from backends.store.database import Store
from benchmarks.bench import HOME, Bench, Outcome
from benchmarks.children import child, line_from
from benchmarks.figures import Figure, Goal
from benchmarks.paid_overhead import bare_client, bare_request
from evaluation.runs.execution import Execution
from evaluation.runs.identity import new_run
from evaluation.runs.records import add_run, cells_of
from evaluation.samples import Sample, evenly, read_question_set

NAME = "throughput"
QUESTIONS, TOKENS, REPEATS = 48, 60, 3
ELSEWHERE, AT_ONCE, DELAY_MS = 200, 20, 300


def run(bench: Bench) -> Outcome:
    """Both kinds of run, each beside its loop."""
    samples = read_question_set(HOME / "sample_docs" / "questions.csv", bench.report)
    figures, raw = _local(bench, evenly(samples, bench.limit or (4 if bench.quick else QUESTIONS)))
    more, elsewhere = _elsewhere(bench, 20 if bench.quick else ELSEWHERE)
    return Outcome((*figures, *more), _NOTES, raw | elsewhere)


_NOTES = (
    "Answers are kept, charged and written to the disk in the runs, and in the loops not.",
    f"Local: {QUESTIONS} sample questions, greedy, at most {TOKENS} tokens.",
    f"Elsewhere: {ELSEWHERE} questions, {AT_ONCE} at once, a server that answers after {DELAY_MS} ms.",
)


def _local(bench: Bench, samples: Sequence[Sample]) -> tuple[list[Figure], dict[str, Any]]:
    settings = bench.settings(max_tokens=TOKENS)
    list(load_base(settings))
    runs: list[tuple[float, float]] = []
    loops: list[tuple[float, float]] = []
    differing: list[int] = []
    for number in range(bench.repeats(REPEATS)):
        bench.report(f"local: {number}")
        texts: list[str] = []
        plain: list[str] = []
        arms: list[tuple[list[tuple[float, float]], Callable[[], None]]] = [
            (runs, lambda texts=texts: texts.extend(_run(settings, samples, "raw"))),  # type: ignore[misc]
            (loops, lambda plain=plain: plain.extend(inference.run(_plain, settings, samples))),  # type: ignore[misc]
        ]
        for kept, work in arms if number % 2 else reversed(arms):
            kept.append(_spent(work))
        differing.append(sum(one.strip() != other.strip() for one, other in zip(texts, plain, strict=True)))
    figures = _figures("raw model", len(samples), runs, loops, "plain generate, one after another", 3)
    share = tuple(100 * count / len(samples) for count in differing)
    return [*figures, Figure(NAME, "answers that differ from those alone", "%", share)], {
        "local": {"runs": runs, "loops": loops, "differing": differing, "questions": len(samples)}
    }


def _plain(settings: Settings, samples: Sequence[Sample]) -> list[str]:
    """On the inference thread, as the run is: what the model says to each question alone."""
    import torch

    base, texts = base_of(settings), []
    for sample in samples:
        ids = build_prompt(base, settings.question(sample.question)).ids.to(base.device)
        made = base.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=settings.max_tokens, **GREEDY
        )
        texts.append(base.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True))
    return texts


def _run(settings: Settings, samples: Sequence[Sample], approach: str) -> list[str]:
    """A run from the beginning to the end, in a store of its own; the texts in order."""
    with tempfile.TemporaryDirectory() as folder:
        own = settings.model_copy(update={"data": Path(folder)}) if approach == "paid_api" else settings
        with closing(Store(own)) as store:
            run = new_run(own, samples, "benchmark", [approach], throughput=True)
            add_run(store, run, samples)
            for _ in Execution(store, run, own, samples).steps(threading.Event()):
                pass
            found = {one.position: one.text or "" for one in cells_of(store, run.id)}
    return [found[place] for place in range(len(samples))]


def _elsewhere(bench: Bench, count: int) -> tuple[list[Figure], dict[str, Any]]:
    samples = [Sample(f"q{number}", f"Question {number}?", "token") for number in range(count)]
    runs: list[tuple[float, float]] = []
    loops: list[tuple[float, float]] = []
    with child(["-m", "benchmarks.sse_server"]) as server:
        url = f"http://127.0.0.1:{int(line_from(server))}/1/{DELAY_MS}/v1"
        settings = bench.settings(paid_api__base_url=url, paid_api__api_key="bench-key", paid_api__max_at_once=AT_ONCE)
        for number in range(bench.repeats(2)):
            bench.report(f"elsewhere: {number}")
            runs.append(_spent(lambda: _run(settings, samples, "paid_api")))
            loops.append(_spent(lambda: _bare(settings, url, samples)))
    return _figures("API, 20 at once", count, runs, loops, "openai client, one after another", 15), {
        "elsewhere": {"runs": runs, "loops": loops, "questions": count}
    }


def _bare(settings: Settings, url: str, samples: Sequence[Sample]) -> None:
    with bare_client(url, keep_alive=True) as client:
        for sample in samples:
            for _ in bare_request(client, settings.paid_api.model, settings.question(sample.question)):
                pass


def _spent(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    began, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - used


def _figures(
    what: str,
    questions: int,
    runs: Sequence[tuple[float, float]],
    loops: Sequence[tuple[float, float]],
    reference: str,
    goal: float,
) -> list[Figure]:
    rates, plain = (tuple(questions / wall for wall, _ in some) for some in (runs, loops))
    cpu, plain_cpu = (tuple(1000 * used / questions for _, used in some) for some in (runs, loops))
    return [
        Figure(NAME, f"{what}: answers a second", "/s", rates, reference, plain, "ratio", Goal(goal, "at least", "")),
        Figure(NAME, f"{what}: processor time of an answer", "ms", cpu, reference, plain_cpu, "ratio"),
    ]
