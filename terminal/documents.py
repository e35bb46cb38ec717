"""`crossroads index` and `crossroads search`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.markup import escape

from backends.errors import BackendError
from backends.settings import RetrievalMode
from backends.storage.files import prepared
from backends.text import counted, encodable, visible
from terminal.records import search_record
from terminal.shared import REPORT_S, Collection, Json, Set, progress, report, say, settings_of, time_left

if TYPE_CHECKING:
    from backends.rag.search.retriever import Hit
    from backends.rag.store.index import Index
    from backends.rag.store.progress import IndexProgress
    from backends.run import jobs

_FILE_STATES = ("indexed", "replaced", "skipped", "duplicate", "rejected")
_RARE = ("updated", "left_out")
"""What becomes of some files; it is counted where there are such files."""


def index(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files or folders.")] = None,
    collection: Collection = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Forget the collection first.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Build the vectors again from the stored chunks.")] = False,
    rechunk: Annotated[bool, typer.Option("--rechunk", help="Cut and embed the stored text again.")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Bring up to date what an earlier version has indexed; nothing is lost.")
    ] = False,
    encoding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What text files are encoded in where it would be guessed: koi8-r, cp850, ..."
        ),
    ] = None,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Put documents into the index; unchanged files are skipped."""
    from backends.encodings import checked_encoding
    from backends.rag.approach import open_index
    from backends.rag.documents.files import in_encoding, unsupported_types

    if not paths and (rebuild or not (repair or rechunk or update)):
        raise typer.BadParameter("Missing argument: files or folders.", param_hint="PATHS")
    settings = settings_of(set_, rag__collection=collection)
    never = threading.Event()
    prepared(settings.data)
    codec = checked_encoding(encoding) if encoding else None
    store = open_index(settings)
    if rebuild:
        store.drop()
    if repair:
        _report_steps(store.rebuild(never), "vectors")
    if rechunk:
        _report_steps(store.rechunk(*store.chunk_settings(), never), "chunks")
    if paths and (foreign := unsupported_types(paths)):
        report(f"Left out, of a type that is not read: {', '.join(foreign)}.")
    files = _add(store.add(in_encoding(paths, codec) if codec else paths, never)) if paths else []
    if update:
        files += _add(store.update(never))
    _print_indexed(store, files, json_, named=bool(paths))
    if files and all(file["state"] == "rejected" for file in files):
        raise typer.Exit(1)


def _print_indexed(store: Index, files: list[dict[str, Any]], json_: bool, named: bool) -> None:
    """What the collection holds now and what became of the files; what it lacks, and how that is mended.

    `named`: files were given, so that their counts are told.
    """
    from backends.rag.store.health import command

    counts = {state: sum(file["state"] == state for file in files) for state in _FILE_STATES}
    counts |= {state: count for state in _RARE if (count := sum(file["state"] == state for file in files))}
    lacking = store.lacking()
    lacks = " ".join(filter(None, (lacking.sentence, lacking.kept)))
    result: dict[str, Any] = {"collection": store.collection, "chunks": store.count(), **counts}
    result |= {"lacks": lacks} if lacks else {}
    if json_:
        print(json.dumps(result | {"files": files}, indent=1))
    else:
        changes = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in counts.items())
        chunks = f"{counted(result['chunks'], 'chunk')} in all."
        say(f"{changes}; {chunks}" if named else chunks)
    if lacks:
        step = f" Run {command(store.collection, '--update')}." if lacking.can_update else ""
        report(f"{lacks}{step}")


def _add(steps: Iterator[IndexProgress]) -> list[dict[str, Any]]:
    """Index files and say so, under a bar where there is a terminal; returns what became of each."""
    from rich.progress import BarColumn, Progress

    from backends.rag.store.jobs import in_thousandths
    from terminal.records import file_line, file_record

    files: list[dict[str, Any]] = []
    began = said_at = time.monotonic()
    columns = ("{task.description}", BarColumn(), time_left())
    with Progress(*columns, console=progress, transient=True, disable=not progress.is_terminal) as bar:
        task = bar.add_task("reading")
        for step in in_thousandths(steps):
            bar.update(task, completed=step.done, total=step.total, description=escape(visible(step.detail)))
            now = time.monotonic()
            if step.result is not None:
                files.append(file_record(step.result))
                report(file_line(step.result))
            elif bar.disable and now - said_at > REPORT_S:
                left = (now - began) / step.done * (step.total - step.done) if step.done else None
                report(step.detail + (f", about {left:.0f} s left" if left is not None else ""))
                said_at = now
    return files


def _report_steps(steps: Iterable[jobs.Progress[None]], what: str) -> None:
    """Do the work and say now and then how far it is."""
    said_at = time.monotonic()
    for step in steps:
        if time.monotonic() - said_at > REPORT_S:
            report(f"{what}: {step.detail}")
            said_at = time.monotonic()


def search(
    question: Annotated[str | None, typer.Argument(help="What to look for.")] = None,
    queries: Annotated[Path | None, typer.Option(help="A file with one query per line.")] = None,
    collection: Collection = None,
    k: Annotated[int, typer.Option(min=1, max=1000, help="How many hits.")] = 5,
    document: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Search nothing but this document.")
    ] = None,
    format_: Annotated[
        list[str] | None, typer.Option("--format", metavar="NAME", help="Search nothing but this format: pdf, csv, ...")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Search nothing but this language: en, de, ...")
    ] = None,
    mode: Annotated[
        str | None, typer.Option(help="dense, keyword, fused, sentences or reranked; rag.mode if left out.")
    ] = None,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Search the index without asking a model. Documents, formats and languages can be given several times."""
    from backends.rag.approach import open_index, open_searcher
    from backends.rag.search.filters import Filters

    if (question is None) == (queries is None):
        raise typer.BadParameter("Give a question or --queries FILE, one of the two.")
    if mode is not None and mode not in (modes := get_args(RetrievalMode)):
        raise typer.BadParameter(f"There is no mode {mode!r}; there are {', '.join(modes)}.", param_hint="--mode")
    narrowed = {"rag__documents": document, "rag__formats": format_, "rag__languages": language}
    settings = settings_of(set_, rag__collection=collection, rag__mode=mode, **narrowed)
    prepared(settings.data)
    asked = [question] if question is not None else _lines(queries)
    open_index(settings).check()
    searcher = open_searcher(settings)
    for query in asked:
        found = searcher.search(encodable(query), k, filters=Filters.from_settings(settings.rag))
        if json_:
            print(json.dumps(search_record(found)), flush=True)
        else:
            _print_hits(query, found.hits)


def _lines(file: Path | None) -> list[str]:
    assert file is not None
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as fault:
        raise BackendError(f"{file} could not be read ({type(fault).__name__}).", "Give a UTF-8 text file.") from None
    return [line.strip() for line in lines if line.strip()]


def _print_hits(query: str, hits: tuple[Hit, ...]) -> None:
    say(f"\n== {query}" if hits else f"\n== {query}\nNothing was found.")
    for rank, hit in enumerate(hits, 1):
        passage = hit.passage
        page = f", page {passage.page}" if passage.page else ""
        stages = (
            ("dense", hit.dense),
            ("keyword", hit.keyword),
            ("sentences", hit.sentences),
            ("reranked", hit.reranked),
        )
        ranks = ", ".join(f"{name} {stage.rank}" for name, stage in stages if stage)
        text = " ".join(passage.text.split())[:200]
        say(f"{rank}. {passage.score:.3f} ({ranks}) {passage.document}{page}: {text}")
        if hit.near_duplicates:
            where = ", ".join(dict.fromkeys(one.document for one in hit.near_duplicates))
            say(f"   almost the same text, shown once: {where}")
