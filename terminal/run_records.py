"""Evaluation runs as the terminal shows them: JSON in the contract's fields, a table, and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from backends.text import visible
from evaluation.judging import RIGHT
from evaluation.runs.about import failed_score_words, failed_scores
from evaluation.runs.judge import contestants, judge_words
from evaluation.runs.pairwise import Comparison, comparison_of, comparison_words
from evaluation.runs.results import Difference, Percentiles, difference_words
from evaluation.scorers import title_of

if TYPE_CHECKING:
    from backends.store.database import Store
    from evaluation.runs.baseline import NewlyFailing
    from evaluation.runs.model import Run
    from evaluation.runs.results import ApproachResult, RunResult, ScoreSummary

HEADLINES = (RIGHT, "judged")
"""The scorers of the first table and of the sentences on differences; JSON has the differences of all."""

_WIDTH = 160
"""Characters of a table that goes into a file."""


def run_line(run: Run, state: str, cells: int, failed: int, approved: bool) -> str:
    """A run in a list: its id, how it stands, its question set and its approaches."""
    failures = f", {failed:,} failed" if failed else ""
    names = ", ".join(one.approach for one in run.approaches)
    mark = "; approved baseline" if approved else ""
    gone = f"; deleted {run.deleted_at:%Y-%m-%d %H:%M} UTC" if run.deleted_at else ""
    return f"{run.id}  {state}, {cells:,} of {run.cells:,} answers{failures}; {run.set_name}: {names}{mark}{gone}"


def run_record(run: Run, state: str, cells: int, failed: int) -> dict[str, Any]:
    """A run without its answers; times are UTC."""
    return {
        "run": run.id,
        "state": state,
        "created_at": run.created_at.isoformat(),
        "finished_at": run.finished_at and run.finished_at.isoformat(),
        "fault": run.fault or None,
        "question_set": run.set_name,
        "question_set_sha256": run.set_hash,
        "questions": run.questions,
        "repeats": run.repeats,
        "seed": run.seed,
        "cells": cells,
        "failed": failed,
        "approaches": [
            {
                "approach": one.approach,
                "model": one.model,
                "identity": dict(one.identity),
                "stopped": one.stopped or None,
            }
            for one in run.approaches
        ],
        "machine": dict(run.machine),
        "packages": dict(run.packages),
        "prices": run.prices,
        "texts_kept": run.keeps_texts,
        "judge": run.judge and {**run.judge, "contestants": contestants(run)},
        "deleted_at": run.deleted_at and run.deleted_at.isoformat(),
    }


def baseline_record(approved: Run | None, failing: Sequence[NewlyFailing]) -> dict[str, Any]:
    """The approved baseline of a question set, and which critical questions newly fail against it."""
    return {
        "approved_baseline": approved and approved.id,
        "newly_failing": [
            {"approach": one.approach, "question_id": one.id, "wrong": one.wrong, "answers": one.answers}
            for one in failing
        ],
    }


def result_record(result: RunResult) -> dict[str, Any]:
    """What a run came to; durations in seconds, amounts of USD a string or None."""
    return {
        "run": result.run.id,
        "questions": result.run.questions,
        "repeats": result.run.repeats,
        "complete": result.complete,
        "approaches": [approach_record(one) for one in result.approaches],
        "baseline": result.baseline,
        "differences": [difference_record(one) for one in result.differences],
    }


def approach_record(one: ApproachResult) -> dict[str, Any]:
    """One approach; durations in seconds, amounts of USD a string or None."""
    return {
        "approach": one.approach,
        "model": one.model,
        "stand_in": one.stand_in,
        "stopped": one.stopped or None,
        "cells": one.cells,
        "missing": one.missing,
        "failed": one.failed,
        "scores": {name: _score_record(summary) for name, summary in one.scores.items()},
        "latency_s": _percentiles(one.latency_s),
        "ttft_s": _percentiles(one.ttft_s),
        "untimed": one.untimed or None,
        "cost_usd": _usd(one.cost_usd),
        "least_usd": _usd(one.least_usd),
        "unpriced": one.unpriced,
        "cost_per_1000_usd": _usd(one.cost_per_1000_usd),
        "usd_per_right": _usd(one.usd_per_right),
    }


def _score_record(one: ScoreSummary) -> dict[str, Any]:
    mean = one.mean
    value, low, high = (mean.value, mean.low, mean.high) if mean else (None, None, None)
    counts = {"scored": one.scored, "not_applicable": one.not_applicable, "failed": one.failed}
    return {"mean": value, "low": low, "high": high, "n": one.questions, "clusters": one.clusters, **counts}


def difference_record(one: Difference) -> dict[str, Any]:
    """A difference; `p` is adjusted for the number of comparisons (Holm)."""
    return {
        "approach": one.approach,
        "baseline": one.baseline,
        **({"earlier_run": one.earlier} if one.earlier else {}),
        "scorer": one.scorer,
        "mean": one.mean,
        "low": one.low,
        "high": one.high,
        "n": one.questions,
        "changed": one.changed,
        "p": one.adjusted_p,
        "clear": one.clear,
        "sentence": difference_words(one),
    }


def _percentiles(one: Percentiles) -> dict[str, float | None]:
    return {"p50": one.p50, "p95": one.p95}


def _usd(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def result_table(result: RunResult) -> None:
    """Print a row for each approach, on standard output: who is right, latency, cost, and what is lacking; then the
    other scores, a row for each."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, emoji=False, width=_WIDTH)
    summaries = [(name, summary) for one in result.approaches for name, summary in one.scores.items()]
    scored = list(dict.fromkeys(name for name, summary in summaries if summary.mean is not None))
    headline = [name for name in scored if name in HEADLINES]
    console.print(_headline_table(result, headline, wraps=console.is_terminal))
    if further := [name for name in scored if name not in HEADLINES]:
        console.print()
        console.print(_score_table(result, further))


def _headline_table(result: RunResult, scored: Sequence[str], wraps: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="")
    table.add_column("approach")
    for name in scored:
        table.add_column(f"{title_of(name)}, 95 %", no_wrap=not wraps)
    for head in ("latency p50", "p95", "first text", "USD/1,000", "USD/right", "failed", "missing"):
        table.add_column(head, justify="right")
    for one in result.approaches:
        label = one.approach + (" (stand-in)" if one.stand_in else "")
        latency = (_seconds(one.latency_s.p50), _seconds(one.latency_s.p95))
        amounts = (_dollars(one.cost_per_1000_usd, one.least_per_1000_usd), _per_right(one))
        counts = (f"{one.failed:,}", f"{one.missing:,}")
        scores = (_score_words(one.scores.get(name), result.run.questions) for name in scored)
        cells = (label, *scores, *latency, _seconds(one.ttft_s.p50), *amounts, *counts)
        table.add_row(*(visible(cell) for cell in cells))
    return table


def _score_table(result: RunResult, scored: Sequence[str]) -> Table:
    """A row for each scorer, a column for each approach."""
    table = Table(box=None, pad_edge=False, header_style="")
    for head in ("score, 95 %", *(one.approach for one in result.approaches)):
        table.add_column(visible(head))
    for name in scored:
        shown = (_score_words(one.scores.get(name), result.run.questions) for one in result.approaches)
        table.add_row(*(visible(cell) for cell in (title_of(name), *shown)))
    return table


def change_words(now: ApproachResult, then: ApproachResult) -> str:
    """One approach's times, cost and failures in a run and in an earlier one."""
    parts = [
        f"latency p50 {_seconds(now.latency_s.p50)} (was {_seconds(then.latency_s.p50)})",
        f"p95 {_seconds(now.latency_s.p95)} (was {_seconds(then.latency_s.p95)})",
        f"USD per 1,000 {_dollars(now.cost_per_1000_usd, now.least_per_1000_usd)} "
        f"(was {_dollars(then.cost_per_1000_usd, then.least_per_1000_usd)})",
        f"failed {now.failed:,} of {now.cells:,} (were {then.failed:,} of {then.cells:,})",
    ]
    return f"{now.approach}: {', '.join(parts)}."


def _score_words(one: ScoreSummary | None, questions: int) -> str:
    if one is None or one.mean is None:
        return "no score"
    mean = one.mean
    if one.yes_no:
        shown = f"{100 * mean.value:.0f} % ({100 * mean.low:.0f} to {100 * mean.high:.0f})"
    else:
        shown = f"{mean.value:.2f} ({mean.low:.2f} to {mean.high:.2f})"
    return shown if one.questions == questions else f"{shown} of {one.questions}"


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g} s" if value >= 0.001 else "< 0.001 s"


def _per_right(one: ApproachResult) -> str:
    right = one.scores.get(RIGHT)
    if one.cells and not one.right and right is not None and right.mean is not None:
        return "none right"
    return _dollars(one.usd_per_right, one.least_per_right_usd)


def _dollars(value: Decimal | None, least: Decimal | None) -> str:
    if value is None:
        return "unknown" if least is None else f"at least {least:.3g}"
    return f"{value:.3g}"


def result_words(result: RunResult) -> Iterator[str]:
    """Sentences below the table: differences, how they are to be read, and what could not be scored."""
    for name in HEADLINES:
        yield from (difference_words(one) for one in result.differences if one.scorer == name)
    summaries = [summary for one in result.approaches for summary in one.scores.values()]
    clusters = {summary.clusters for summary in summaries if summary.questions and summary.clusters < summary.questions}
    if clusters == {1}:
        yield "All questions are on the same source, so the intervals say nothing of others."
    elif clusters:
        yield (
            f"Questions share sources ({max(clusters)} groups), and the intervals are those of groups of questions: by "
            "Student's t, with one degree of freedom less than there are groups."
        )
    if len(result.approaches) > 2 and result.differences:
        yield "Whether chance may be the reason is adjusted for the number of comparisons (Holm)."
    if untimed := [one for one in result.approaches if one.untimed]:
        each = "; ".join(f"{one.approach}: {one.untimed}" for one in untimed)
        yield f"Latency and first text are not known where answers have no times of their own. {each}."
    yield from judge_words(result.run)
    yield from _without_score(result)


def _without_score(result: RunResult) -> Iterator[str]:
    """How many answers have no score, and why: a sentence for all scorers and approaches of the same counts."""
    counted: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name in dict.fromkeys(name for one in result.approaches for name in one.scores):
        said = tuple(
            (one.approach, words)
            for one in result.approaches
            if (summary := one.scores.get(name)) and (words := _without_words(summary))
        )
        if said:
            counted.setdefault(said, []).append(title_of(name))
    for said, names in counted.items():
        of_words: dict[str, list[str]] = {}
        for approach, words in said:
            of_words.setdefault(words, []).append(approach)
        each = "; ".join(f"{words} ({', '.join(those)})" for words, those in of_words.items())
        yield f"{', '.join(names)}: {each}."


def _without_words(summary: ScoreSummary) -> str:
    counts = {"not applicable": summary.not_applicable, "scorer failed": summary.failed}
    lacking = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    return f"{summary.scored:,} answers scored, {lacking}" if lacking else ""


def comparison_record(found: Comparison | None) -> list[dict[str, Any]]:
    """The comparisons of the judge, one object for each two approaches; empty where none was made."""
    return [
        {
            **{"approach": one.approach, "other": one.other, "compared": one.compared, "preferred": one.wins},
            **{"other_preferred": one.losses, "ties": one.ties, "order_decides": one.order},
            **{f"favours_{place}": one.favoured.get(place, 0) for place in ("first", "second")},
            **{"failed": one.failed, "not_compared": one.not_compared, "reasons": list(one.reasons)},
            "net": one.net and {"mean": one.net.value, "low": one.net.low, "high": one.net.high, "p": one.p},
        }
        for one in (found.pairs if found else ())
    ]


def comparison_lines(run: Run, found: Comparison | None) -> Iterator[str]:
    """The matrix of preferences, a line for each approach, and sentences on it."""
    if found is None:
        return
    ids = [one.approach for one in run.approaches]
    for one in ids:
        counts = ((other, found.wins(one, other)) for other in ids if other != one)
        each = ", ".join(f"over {other} {wins[0]:,} of {wins[1]:,}" for other, wins in counts if wins is not None)
        yield f"{one} is preferred {each or 'over nobody: nothing was compared'}."
    yield from comparison_words(found)


def further_record(store: Store, run: Run) -> dict[str, Any]:
    """What a run came to beside its result: comparisons, and why scorers failed."""
    failed = failed_scores(store, run)
    return {
        "comparisons": comparison_record(comparison_of(store, run)),
        "score_failures": [{"scorer": name, "reason": reason, "answers": count} for name, reason, count in failed],
    }


def further_lines(store: Store, run: Run) -> list[str]:
    """The same in lines."""
    return [*failed_score_words(failed_scores(store, run)), *comparison_lines(run, comparison_of(store, run))]
