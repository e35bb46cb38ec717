"""`crossroads evaluate`."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backends.errors import BackendError
from backends.storage.files import prepared
from backends.text import counted
from terminal.shared import REPORT_S, Json, Set, overrides_of, progress, report, say, settings_of, time_left

if TYPE_CHECKING:
    from backends.settings import Settings
    from backends.store.database import Store
    from evaluation.runs.execution import Execution
    from evaluation.runs.model import Run
    from evaluation.runs.results import RunResult
    from evaluation.samples import Sample

Baseline = Annotated[
    str | None, typer.Option(metavar="ID", help="The approach that others are compared with; the first if left out.")
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, how it begins, or latest.")]


def evaluate(
    questions: Annotated[
        Path | None,
        typer.Argument(help="CSV, TSV, XLSX, JSONL or JSON; with --resume, --retry or --again those of the run."),
    ] = None,
    sheet: Annotated[
        str | None, typer.Option(metavar="NAME", help="The sheet of a workbook of which several have questions.")
    ] = None,
    approach: Annotated[list[str] | None, typer.Option(help="As for `ask`; all that can be asked if left out.")] = None,
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="How often each question is asked.")] = 1,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Ask what is missing in a run.")] = None,
    retry: Annotated[str | None, typer.Option(metavar="RUN", help="Ask again what failed in a run.")] = None,
    again: Annotated[
        str | None, typer.Option(metavar="RUN", help="Repeat a run as it was, and say what is no longer the same.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write every answer: .csv, .jsonl, .parquet, or .eval or .json for inspect_ai.")
    ] = None,
    baseline: Baseline = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(metavar="APPROACH:METRIC:VALUE", help="Exit with 1 below it, such as rag:right:0.8."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="With --fail-under: the lower end of the interval has to reach it.")
    ] = False,
    throughput: Annotated[
        bool,
        typer.Option("--throughput", help="Let models of this machine answer many questions at once, without times."),
    ] = False,
    on: Annotated[
        str | None,
        typer.Option(metavar="ray|ADDRESS", help="Execute it on Ray: workers of this machine, or a cluster's address."),
    ] = None,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Put a question set to the approaches, keep every answer, and say who is right, how fast and at what cost."""
    from backends.store.database import Store
    from evaluation.runs.results import below, results_of
    from terminal.run_records import further_lines, further_record

    _check_usage(questions, approach, throughput, {"--resume": resume, "--retry": retry, "--again": again})
    limits = [_limit(one) for one in fail_under or ()]
    _check_out(out)
    if sheet is not None and questions is None:
        raise typer.BadParameter("It is for a workbook of questions.", param_hint="--sheet")
    named = [("--baseline", baseline)] if baseline else []
    named += [("--fail-under", one) for one, _, _ in limits]
    today = settings_of(set_)
    if on is not None:
        from evaluation.runs.on_ray import check_possible

        check_possible(today)
    with closing(Store(today)) as store:
        go = _Go(store, today, set_, named)
        if wanted := next((one for one in (resume, retry, again) if one is not None), None):
            run, settings, samples, earlier = go.on_with(wanted, questions, sheet, again is not None)
        else:
            run, settings, samples = go.with_new(questions, approach, repeats, sheet, throughput)
            earlier = None
        run = _ask(store, run, settings, samples, retry is not None, on)
        result = results_of(store, run, baseline)
        record, failing = held_against_baseline(store, run)
        if earlier is not None:
            record["again"] = {"run": earlier.id, "changed": _said_changes(earlier, run)}
        print_result(result, json_, record | further_record(store, run))
        for line in () if json_ else further_lines(store, run):
            say(line)
        reasons = [*failing, *(below(result, *limit, strict) for limit in limits)]
        if out is not None:
            reasons.append(_written(store, run, out))
        reasons.append(_lacking(result))
    for reason in filter(None, reasons):
        report(reason)
    if any(reasons):
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Go:
    """Where a run comes from. `set_` are the settings of this call, `named` the approaches that options name."""

    store: Store
    today: Settings
    set_: list[str] | None
    named: list[tuple[str, str]]

    def on_with(
        self, wanted: str, questions: Path | None, sheet: str | None, again: bool
    ) -> tuple[Run, Settings, list[Sample], Run | None]:
        """A run that goes on, or with `again` one that repeats it, and then the repeated one as well."""
        run, settings, samples = known_run(self.store, self.today, wanted, questions, self.set_, sheet)
        _check_named(self.named, [one.approach for one in run.approaches])
        _check_rubrics(settings, self.set_)
        if again:
            return _begun_again(self.store, run, settings, samples), settings, samples, run
        report(f"Going on with the run {run.id}.")
        return run, settings, samples, None

    def with_new(
        self, questions: Path | None, approach: list[str] | None, repeats: int, sheet: str | None, throughput: bool
    ) -> tuple[Run, Settings, list[Sample]]:
        """A run that begins."""
        chosen = chosen_approaches(self.today, approach)
        _check_named(self.named, chosen)
        _check_rubrics(self.today, self.set_)
        run, samples = begun_run(self.store, self.today, questions, chosen, repeats, sheet, throughput)
        return run, self.today, samples


def _lacking(result: RunResult) -> str:
    """How many answers are missing, and how they are asked; nothing if none is."""
    missing = sum(one.missing for one in result.approaches)
    are = "is" if missing == 1 else "are"
    lacking = f"{missing:,} of {counted(result.run.cells, 'answer')} {are} missing"
    return f"{lacking}: `crossroads evaluate --resume {result.run.id}`." if missing else ""


def held_against_baseline(store: Store, run: Run) -> tuple[dict[str, Any], list[str]]:
    """What newly fails against the approved baseline of the question set: for the record, and in sentences."""
    from evaluation.runs.baseline import baseline_of, newly_failing, newly_failing_words
    from terminal.run_records import baseline_record

    approved = baseline_of(store, run.set_hash)
    if approved is None or approved.id == run.id:
        return baseline_record(approved, []), []
    found = newly_failing(store, run, approved)
    return baseline_record(approved, found), newly_failing_words(found, approved)


def _check_out(out: Path | None) -> None:
    """A file that cannot be written is wrong usage, and is said before anybody is asked."""
    from evaluation.runs.export import check_ending

    if out is None:
        return
    try:
        check_ending(out)
    except BackendError as fault:
        raise typer.BadParameter(str(fault), param_hint="--out") from None


def _written(store: Store, run: Run, out: Path) -> str:
    """Write the answers; why that failed, or nothing. The result was shown by then."""
    from evaluation.runs.export import export_cells

    try:
        export_cells(store, run, out)
    except BackendError as fault:
        return f"{fault.cause} Give another --out to `crossroads evaluate --resume {run.id}`."
    return ""


def _check_usage(
    questions: Path | None, approach: list[str] | None, throughput: bool, runs: dict[str, str | None]
) -> None:
    """`runs`: the run that each option names, of those options of which one can be given."""
    given = {option: run for option, run in runs.items() if run is not None}
    if len(given) > 1:
        raise typer.BadParameter("Give one of them.", param_hint=" and ".join(given))
    for option, run in given.items():
        if not run.strip():
            raise typer.BadParameter("It is empty. Give the id of a run, or latest.", param_hint=option)
    if not given and questions is None:
        raise typer.BadParameter("Missing argument: a file of questions.", param_hint="QUESTIONS")
    if given and approach:
        raise typer.BadParameter("A run keeps its approaches.", param_hint="--approach")
    if given and throughput:
        raise typer.BadParameter("A run keeps whether its answers are timed.", param_hint="--throughput")


def _check_rubrics(settings: Settings, set_: list[str] | None) -> None:
    """What a judge is to go by is wrong usage where nobody judges: it would be kept and do nothing."""
    named = [name for name in overrides_of(set_) if name in ("judge.rubric", "judge.pairwise_rubric")]
    if named and not settings.judge.connection:
        raise typer.BadParameter(
            f"Nobody judges, so {named[0]} says nothing. Name the judge: --set judge.connection=paid_api.",
            param_hint="--set",
        )
    if "judge.pairwise_rubric" in named and not settings.judge.pairwise:
        raise typer.BadParameter(
            "Answers are not compared, so judge.pairwise_rubric says nothing. Compare them: --set judge.pairwise=true.",
            param_hint="--set",
        )


def _limit(text: str) -> tuple[str, str, float]:
    from evaluation.scorers import scorers

    approach, _, rest = text.rpartition(":")
    approach, _, metric = approach.rpartition(":")
    try:
        value = float(rest)
    except ValueError:
        value = float("nan")
    if not approach or not metric or not math.isfinite(value):
        raise typer.BadParameter(
            f"{text[:60]!r} is not APPROACH:METRIC:VALUE, such as rag:right:0.8.", param_hint="--fail-under"
        )
    if metric not in (known := [one.name for one in scorers()]):
        raise typer.BadParameter(
            f"There is no metric {metric[:40]!r}; there are {', '.join(known)}.", param_hint="--fail-under"
        )
    return approach, metric, value


def chosen_approaches(settings: Settings, approach: list[str] | None) -> list[str]:
    """The ids that are asked."""
    import backends

    known = backends.approaches(settings)
    chosen = list(dict.fromkeys(approach or known))
    if unknown := [name for name in chosen if name not in known]:
        raise typer.BadParameter(
            f"There is no approach {unknown[0]!r}; the ids are {', '.join(known)}.", param_hint="--approach"
        )
    return chosen


def _check_named(named: list[tuple[str, str]], asked: list[str]) -> None:
    """What is compared has to be asked: said before anybody is."""
    for option, id in named:
        if id not in asked:
            raise typer.BadParameter(f"{id!r} is not asked; the ids are {', '.join(asked)}.", param_hint=option)


def begun_run(
    store: Store,
    settings: Settings,
    questions: Path | None,
    chosen: list[str],
    repeats: int,
    sheet: str | None = None,
    throughput: bool = False,
) -> tuple[Run, list[Sample]]:
    """A run that begins."""
    from evaluation.runs.identity import new_run
    from evaluation.runs.records import add_run
    from evaluation.samples import read_question_set

    assert questions is not None
    samples = read_question_set(questions, report, sheet)
    prepared(settings.data)
    run = new_run(settings, samples, questions.name, chosen, repeats, throughput)
    add_run(store, run, samples)
    report(f"Run {run.id}: {counted(run.questions, 'question')}, {counted(run.cells, 'answer')}.")
    return run, samples


def known_run(
    store: Store,
    today: Settings,
    wanted: str,
    questions: Path | None,
    set_: list[str] | None,
    sheet: str | None = None,
) -> tuple[Run, Settings, list[Sample]]:
    """A run that goes on, with its own settings and questions."""
    from evaluation.runs.identity import settings_as_then
    from evaluation.runs.judge import with_judge_of
    from evaluation.runs.model import content_hash
    from evaluation.runs.records import find_run, samples_of
    from evaluation.samples import read_question_set

    prepared(today.data)
    run = find_run(store, wanted)
    settings = with_judge_of(run, settings_as_then(run.settings, overrides_of(set_)))
    if questions is not None:
        samples = read_question_set(questions, report, sheet)
        if content_hash(samples) != run.set_hash:
            raise BackendError(f"{questions.name} has other questions than the run {run.id}.", "Begin a new run.")
    elif (kept := samples_of(store, run)) is not None:
        samples = kept
    else:
        raise BackendError(
            f"The questions of the run {run.id} were not kept.", "Give the same file of questions again."
        )
    return run, settings, samples


def _begun_again(store: Store, run: Run, settings: Settings, samples: list[Sample]) -> Run:
    """A run that repeats an earlier one."""
    from evaluation.runs.identity import run_again
    from evaluation.runs.records import add_run

    again = run_again(run, settings, samples)
    add_run(store, again, samples)
    size = f"{counted(again.questions, 'question')}, {counted(again.cells, 'answer')}"
    report(f"Run {again.id} repeats {run.id}: {size}.")
    return again


def _said_changes(earlier: Run, run: Run) -> list[str]:
    """What is no longer the same as in the run that was repeated, said and returned."""
    from evaluation.runs.identity import changed_circumstances

    changed = changed_circumstances(earlier, run)
    for sentence in changed:
        report(f"No longer the same. {sentence}")
    if not changed:
        report(f"Weights, adapters, documents, packages, prices and machine are those of the run {earlier.id}.")
    return changed


def _ask(store: Store, run: Run, settings: Settings, samples: list[Sample], retry: bool, on: str | None = None) -> Run:
    """Ask what is to be asked, then score. Returns the run as it stands then."""
    from backends.spend import ledger
    from evaluation.runs.estimate import estimate_run
    from evaluation.runs.records import counts_by_approach, find_run
    from evaluation.runs.scoring import score_run

    each = run.questions * run.repeats
    so_far = counts_by_approach(store, run.id)
    left = {
        one.approach: so_far.get(one.approach, (0, 0))[1] if retry else each - so_far.get(one.approach, (0, 0))[0]
        for one in run.approaches
    }
    if any(left.values()):
        some = {name: count for name, count in left.items() if count}
        for sentence in estimate_run(settings, samples, some, run.throughput).words():
            report(sentence)
    else:
        report("No answer failed." if retry else "No answer is missing.")
    cancel = threading.Event()
    execution = _execution(store, run, settings, samples, retry, on)
    try:
        with closing(execution.steps(cancel)) as steps, _shown(execution) as show:
            for _ in steps:
                show()
        for step in score_run(store, run, samples, settings, cancel):
            if step.done == step.total:
                report(f"{'Compared' if step.detail == 'comparing' else 'Scored'} {counted(step.done, 'answer')}.")
    except (KeyboardInterrupt, BackendError):
        if execution.progress:  # it had begun, and was not refused
            report(f"What was answered is kept. Go on with `crossroads evaluate --resume {run.id}`.")
        raise
    if unrecorded := ledger.fault(settings):
        report(str(unrecorded))
    run = find_run(store, run.id)
    for one in run.approaches:
        if one.stopped:
            report(f"{one.approach} was given up: {one.stopped}")
    return run


def _execution(
    store: Store, run: Run, settings: Settings, samples: list[Sample], retry: bool, on: str | None
) -> Execution:
    """Who asks: this process, or the workers of a Ray."""
    from evaluation.runs.execution import Execution

    if on is None:
        return Execution(store, run, settings, samples, retry=retry)
    from evaluation.runs.on_ray import RayExecution

    return RayExecution(store, run, settings, samples, address=on, retry=retry)


@contextmanager
def _shown(execution: Execution) -> Iterator[Callable[[], None]]:
    """What shows how far it is: bars on a terminal, else a line now and then."""
    if not progress.is_terminal:
        yield _Lines(execution)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[more]}"))
    with Progress(*columns, time_left(), console=progress, transient=True) as bars:
        tasks: dict[str, object] = {}

        def show() -> None:
            for one in execution.progress:
                if one.approach not in tasks:
                    tasks[one.approach] = bars.add_task(one.approach, total=one.total, more="")
                more = f"waits for {one.waits}" if one.waits else f"{one.failed} failed" if one.failed else ""
                bars.update(tasks[one.approach], completed=one.done, more=f"{more} given up" if one.stopped else more)  # type: ignore[arg-type]

        yield show


class _Lines:
    """A line on standard error now and then, and at the end."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._said_at = time.monotonic()
        self._waits = ""

    def __call__(self) -> None:
        """Say how far it is, if it was not said a moment ago."""
        found = self._execution.progress
        waits = next((one.waits for one in found if one.waits), "")
        if waits and waits != self._waits:
            report(f"Waiting for {waits}.")
        self._waits = waits
        done, total = sum(one.done for one in found), sum(one.total for one in found)
        if time.monotonic() - self._said_at < REPORT_S and done < total:
            return
        self._said_at = time.monotonic()
        each = ", ".join(
            f"{one.approach} {one.done}/{one.total}" + (f" ({one.failed} failed)" if one.failed else "")
            for one in found
        )
        report(f"{done}/{total}: {each}")


def print_result(result: RunResult, json_: bool, more: dict[str, Any]) -> None:
    """The result, as JSON with `more` fields, or as a table with sentences."""
    from terminal.run_records import result_record, result_table, result_words

    if json_:
        print(json.dumps(result_record(result) | more, indent=1))
        return
    result_table(result)
    for sentence in result_words(result):
        say(sentence)
