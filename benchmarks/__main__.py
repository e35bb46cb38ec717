"""`python -m benchmarks [NAME ...]`: measure, print a table, write the results."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from backends.errors import BackendError
from backends.fine_tuned.adapters.catalogue import adapter_folder
from backends.settings import FineTunedSettings
from benchmarks.bench import HOME, Bench, Outcome
from benchmarks.children import child
from benchmarks.corpora import CORPORA, Corpus
from benchmarks.machine import describe_machine
from benchmarks.report import table, write
from terminal.shared import Set, overrides_of

BENCHMARKS = (
    "start_up",
    "memory",
    "training",
    "paid_overhead",
    "paid_load",
    "throughput",
    "paid_faults",
    "paid_prices",
    "decode",
    "adapters",
    "quality",
    "retrieval",
    "rag",
    "small_collections",
    "search_speed",
    "evidence",
    "indexing",
    "int8_loss",
)
"""In this order: what is weighed from outside comes before this process itself loads a model."""

LATEST = HOME / "benchmarks" / "results" / "latest.json"

_PREPARED = "The weights were converted and the sample documents indexed before anything was measured."

_progress = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Any of {', '.join(BENCHMARKS)}; all if left out.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One repeat and few questions: does it run at all?")] = False,
    repeats: Annotated[int | None, typer.Option(min=1, help="Repeats per figure, in place of each one's own.")] = None,
    adapter: Annotated[
        str | None, typer.Option(help="Name or folder of the adapter; the sample's if left out.")
    ] = None,
    manual: Annotated[
        list[Path] | None,
        typer.Option(
            help="For retrieval: a manual whose headings are asked for, as a file or folder of any format that can be "
            "indexed, or policy.txt.gz of Debian Policy. May be given several times.",
            show_default="Debian Policy as installed",
        ),
    ] = None,
    reranker: Annotated[str | None, typer.Option(help="Hub id or folder of a cross-encoder, for retrieval.")] = None,
    corpus: Annotated[
        list[str] | None, typer.Option(help=f"For rag, any of {', '.join(CORPORA)}.", show_default="all")
    ] = None,
    documents: Annotated[Path | None, typer.Option(help="For rag: a folder of documents; with --questions.")] = None,
    questions: Annotated[Path | None, typer.Option(help="For rag: the question set on --documents.")] = None,
    search_only: Annotated[
        bool, typer.Option("--search-only", help="For rag: search, and ask no model; so it is where all are run.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="For rag: at most so many questions of each corpus, evenly spread.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="For rag: an earlier results file, compared question by question.")
    ] = None,
    chosen: Set = None,
    data: Annotated[Path | None, typer.Option(help="A data folder to keep; a temporary one if left out.")] = None,
    out: Annotated[
        Path, typer.Option(help="Where the results go.", show_default="benchmarks/results/latest.json")
    ] = LATEST,
) -> None:
    """Measure Crossroads against the bare libraries, on this machine, in the same run."""
    if unknown := [name for name in names or () if name not in BENCHMARKS]:
        raise typer.BadParameter(f"There is no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}.")
    corpora = _corpora(corpus, documents, questions)
    settings = overrides_of(chosen)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is also ended
    _only_defaults()
    needs_writer = not search_only or names != ["rag"]
    head: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": describe_machine(),
        "excluded": _PREPARED if needs_writer else "Documents were indexed before anything was measured.",
    }
    with _data_folder(data, needs_writer) as folder:
        bench = Bench(
            folder,
            quick,
            _adapter(adapter, folder) if needs_writer else None,
            _progress.print,
            repeats,
            tuple(manual or ()),
            reranker,
            corpora,
            search_only or not names,
            limit,
            against,
            settings,
        )
        outcomes, failed = _run(names or BENCHMARKS, bench, out, head)
    _print(head, outcomes, failed)
    _progress.print(f"Every repeat is in {out}.")
    if failed:
        raise typer.Exit(1)


def _only_defaults() -> None:
    """Nobody's keys or settings change what is measured, here or in the child processes; no foreign progress bars."""
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    for name in list(os.environ):
        if name.startswith(("CROSSROADS_", "OPENAI_")):
            del os.environ[name]


@contextmanager
def _data_folder(wanted: Path | None, prepare: bool) -> Iterator[Path]:
    """A data folder; with `prepare`, a process of its own converts weights and indexes the sample documents first."""
    with tempfile.TemporaryDirectory(prefix="crossroads-bench-") as temporary:
        folder = (wanted or Path(temporary)).resolve()
        if prepare:
            with child(["-m", "benchmarks.prepare", str(folder)]) as preparing:
                if status := preparing.wait():
                    raise SystemExit(f"preparing the data folder failed with status {status}")
        yield folder


def _corpora(names: list[str] | None, documents: Path | None, questions: Path | None) -> tuple[Corpus, ...]:
    """What rag is measured on; empty for everything."""
    if unknown := [name for name in names or () if name not in CORPORA]:
        raise typer.BadParameter(f"There is no corpus {unknown[0]!r}; there are {', '.join(CORPORA)}.")
    if (documents is None) != (questions is None):
        raise typer.BadParameter("--documents and --questions go together.")
    given = [Corpus(documents.name, documents, questions)] if documents and questions else []
    return (*(CORPORA[name] for name in names or ()), *given)


def _adapter(wanted: str | None, data: Path) -> str | None:
    """The adapter's folder. One that was asked for must exist; without the sample's, its figures are left out."""
    try:
        return str(adapter_folder(wanted or FineTunedSettings().adapter, data).resolve())
    except BackendError as fault:
        if wanted:
            raise typer.BadParameter(f"{fault.cause} {fault.next_step}", param_hint="--adapter") from None
        _progress.print(f"{fault.cause} Figures of the fine-tuned column are left out.")
        return None


def _run(
    names: list[str] | tuple[str, ...], bench: Bench, out: Path, head: dict[str, Any]
) -> tuple[dict[str, Outcome], dict[str, str]]:
    """One after another; the file is written after each, so that an interrupted run keeps what it has."""
    outcomes: dict[str, Outcome] = {}
    failed: dict[str, str] = {}
    for name in names:
        _progress.print(f"== {name}")
        try:
            outcomes[name] = importlib.import_module(f"benchmarks.{name}").run(bench)
        except Exception as fault:  # the others can still be measured; the exit status tells
            traceback.print_exc()
            failed[name] = f"{type(fault).__name__}: {fault}"
        write(out, head, outcomes, failed)
    return outcomes, failed


def _print(head: dict[str, Any], outcomes: dict[str, Outcome], failed: dict[str, str]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 200)
    machine = head["machine"]
    console.print(
        f"{head['date']} · {machine['cpu']} · {machine['cores_usable']} cores · {machine['ram_gb']} GB · "
        f"load {machine['load_average_at_start'][0]} · Python {machine['python']} · "
        + json.dumps(machine["packages"]).strip("{}").replace('"', ""),
        markup=False,
        highlight=False,
    )
    console.print(table([figure for outcome in outcomes.values() for figure in outcome.figures]))
    notes = [head["excluded"], *(f"{name}: {note}" for name, outcome in outcomes.items() for note in outcome.notes)]
    if head["quick"]:
        notes.insert(0, "A quick run shows that the benchmarks work; its figures mean little.")
    for note in notes:
        console.print(f"- {note}", markup=False, highlight=False)
    for name, sentence in failed.items():
        console.print(f"{name} FAILED: {sentence}", markup=False, highlight=False)


if __name__ == "__main__":
    typer.run(main)
