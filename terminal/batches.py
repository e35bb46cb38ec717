"""`crossroads batch`: the missing answers of a run, asked and given as a batch of requests."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from backends.text import counted
from terminal.evaluating import RunId, begun_run, chosen_approaches, known_run
from terminal.shared import Json, Set, report, say, settings_of

batch_app = typer.Typer(
    help="Let a provider's batch API, or `vllm run-batch`, answer what is missing in a run.", no_args_is_help=True
)


def begin_command(
    questions: Annotated[Path, typer.Argument(help="CSV, TSV, XLSX, JSONL or JSON.")],
    approach: Annotated[list[str], typer.Option(metavar="ID", help="Whose answers are to come; give it for each.")],
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="How often each question is asked.")] = 1,
    set_: Set = None,
) -> None:
    """Begin a run and ask nothing, so that a batch answers it. Prints the id of the run."""
    from backends.store.database import Store
    from evaluation.runs.batch import check_exportable
    from evaluation.runs.records import set_state

    today = settings_of(set_)
    chosen = chosen_approaches(today, approach)
    for one in chosen:
        check_exportable(today, one)
    with closing(Store(today)) as store:
        run, _ = begun_run(store, today, questions, chosen, repeats)
        set_state(store, run.id, "stopped")
    say(run.id)


def export_command(
    run: RunId,
    file: Annotated[Path, typer.Argument(help="Where the requests go, a line of JSON each.")],
    approach: Annotated[
        str | None, typer.Option(metavar="ID", help="Whose answers are missing; only needed where there are several.")
    ] = None,
    set_: Set = None,
) -> None:
    """Write the requests for the answers of one approach that are missing or failed. Nothing is sent."""
    from backends.store.database import Store
    from evaluation.runs.batch import MOST_REQUESTS, export_batch

    today = settings_of(set_)
    with closing(Store(today)) as store:
        found, settings, samples = known_run(store, today, run, None, set_)
        ids = [one.approach for one in found.approaches]
        chosen = approach or (ids[0] if len(ids) == 1 else "")
        if chosen not in ids:
            what = f"The run has no approach {chosen!r}" if chosen else "The run has several approaches"
            raise typer.BadParameter(f"{what}; give one of {', '.join(ids)}.", param_hint="--approach")
        count = export_batch(store, found, settings, samples, chosen, file)
    report(f"{counted(count, 'request')} {'is' if count == 1 else 'are'} in {file.name}. Nothing was sent.")
    if count > MOST_REQUESTS:
        report(f"OpenAI takes at most {MOST_REQUESTS:,} requests a file; split it by lines.")


def import_command(
    run: RunId,
    file: Annotated[Path, typer.Argument(help="The output of the batch.")],
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Keep the answers of a batch's output in the run, labelled as given earlier, and score them."""
    import threading

    from backends.store.database import Store
    from evaluation.runs.batch import import_batch
    from evaluation.runs.scoring import score_run

    today = settings_of(set_)
    with closing(Store(today)) as store:
        found, settings, samples = known_run(store, today, run, None, set_)
        imported = import_batch(store, found, settings, samples, file)
        for _ in score_run(store, found, samples, settings, threading.Event()):
            pass
    for sentence in imported.unreadable:
        report(sentence)
    if json_:
        print(json.dumps({"run": found.id} | {name: getattr(imported, name) for name in imported.__slots__}, indent=1))
        return
    were = "was" if imported.answered == 1 else "were"
    kept = f"{counted(imported.answered, 'answer')} {were} kept in the run {found.id}"
    say(f"{kept}, and {counted(imported.failed, 'failure')}.")
    if imported.known:
        say(f"{imported.known:,} had an answer already, which stays.")
    if imported.foreign:
        lines = "1 line is" if imported.foreign == 1 else f"{imported.foreign:,} lines are"
        left = "was" if imported.foreign == 1 else "were"
        say(f"{lines} of no cell of this run and {left} left out.")
    say(f"`crossroads runs show {found.id}` shows the result.")
