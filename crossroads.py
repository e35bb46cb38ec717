"""The terminal face: the same jobs as the browser app, for scripts. `crossroads --help` lists them."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.console import Console
from rich.markup import escape

from backends.base import Answer, BackendError, Event, Loading, Queued
from backends.questions import encodable, visible
from backends.settings import RetrievalMode, Settings, load_settings
from evaluation.records import answer_record, search_record

if TYPE_CHECKING:
    from backends.rag.index import IndexProgress, RebuildProgress
    from backends.rag.search import Hit

app = typer.Typer(
    help="Send one question to a raw model, a fine-tuned one, a paid API and RAG, and compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_progress = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
_out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting for this call.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Collection = Annotated[str | None, typer.Option(help="Name of the document collection.")]

_FILE_STATES = ("indexed", "replaced", "skipped", "duplicate", "rejected")
_REPORT_S = 2.0
"""How often progress within a file is reported."""


def say(text: str) -> None:
    """Print a result. Text from models and documents cannot steer the terminal: control characters are left out."""
    _out.print(visible(text))


def report(text: str) -> None:
    """Print progress or a fault, on standard error."""
    _progress.print(visible(text))


def main() -> None:
    """Entry point of the console script."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is also ended
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app()


@contextmanager
def _faults() -> Iterator[None]:
    """A fault becomes one sentence on standard error and exit status 1."""
    try:
        yield
    except BackendError as fault:
        report(f"{fault.cause} {fault.next_step}")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        report("Stopped.")
        raise typer.Exit(1) from None


def _settings(pairs: list[str] | None, **more: str | int | None) -> Settings:
    """Settings with `--set` applied. A malformed or unknown one is wrong usage: exit status 2."""
    overrides: dict[str, object] = {name.replace("__", "."): value for name, value in more.items() if value is not None}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r} is not KEY=VALUE.", param_hint="--set")
        overrides[name.strip()] = value
    try:
        return load_settings(overrides)
    except BackendError as fault:
        raise typer.BadParameter(f"{fault.cause} {fault.next_step}", param_hint="--set") from None


# --- ask ----------------------------------------------------------------------------------------


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question; - reads it from standard input.")],
    approach: Annotated[
        list[str] | None,
        typer.Option(help="raw, fine_tuned, paid_api, paid_api:NAME of a connection, rag; all if left out."),
    ] = None,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Ask a question and compare the answers."""
    import backends
    from backends import budget, ledger
    from backends.compare import compare
    from backends.expected import expected

    settings = _settings(set_)
    known = backends.approaches(settings)
    chosen = list(dict.fromkeys(approach or known))
    if unknown := [name for name in chosen if name not in known]:
        raise typer.BadParameter(
            f"There is no approach {unknown[0]!r}; the ids are {', '.join(known)}.", param_hint="--approach"
        )
    text = sys.stdin.buffer.read().decode(errors="replace") if question == "-" else encodable(question)
    answers: dict[str, Answer] = {}
    with _faults():
        makers = [backends.make(name, settings) for name in chosen]
        asked = settings.question(text)
        before = {one.approach: expected(one, asked, settings) for one in makers}
        record = ledger.recorder(settings, before)
        for name, known_before in before.items():
            usd = known_before.cost.usd
            report(f"{name}: expected cost " + (f"${usd:.3g}, " if usd is not None else "") + known_before.error)
        for name, event in compare(makers, asked, threading.Event()):
            if isinstance(event, Answer):
                answers[name] = event
                record(event)
            _report(name, event)
    if unrecorded := ledger.fault(settings.data):
        report(f"{unrecorded.cause} {unrecorded.next_step}")
    ordered = [answers[name] for name in chosen]
    if any(answer.attempts or answer.stopped_by for answer in ordered):
        report(budget.today_in_words(settings.data, settings.budget))
    if json_:
        print(json.dumps({"question": text, "answers": [answer_record(answer, text) for answer in ordered]}, indent=1))
    else:
        _print_answers(ordered)
    if not any(answer.status in ("ok", "truncated") and answer.text for answer in ordered):
        raise typer.Exit(1)


def _report(name: str, event: Event) -> None:
    match event:
        case Queued(behind):
            report(f"{name}: queued behind {', '.join(behind)}")
        case Loading(what, expected_s):
            report(f"{name}: {what}" + (f" (about {expected_s:.0f} s)" if expected_s else ""))
        case Answer(status=status, timings=timings):
            spent = f" in {timings.latency_s:.2f} s" if timings.latency_s is not None else ""
            report(f"{name}: {status}{spent}")


def _print_answers(answers: list[Answer]) -> None:
    for answer in answers:
        label = f"{answer.approach} · {answer.model}" + (" · STAND-IN" if answer.stand_in else "")
        say(f"\n== {label}")
        if answer.text.strip():
            say(answer.text.strip())
        if answer.error:
            say(f"[{answer.status}] {answer.error}")
        timings = answer.timings
        numbers = [
            f"latency {timings.latency_s:.2f} s" if timings.latency_s is not None else "",
            f"first text {timings.ttft_s:.2f} s" if timings.ttft_s is not None else "",
            f"{timings.tokens_per_s:.1f} tokens/s" if timings.tokens_per_s is not None else "",
            f"cost ${answer.cost.usd:.3g}" if answer.cost.usd is not None else "cost unknown",
        ]
        say(" · ".join(number for number in numbers if number) + f" ({answer.cost.basis})")


# --- connections --------------------------------------------------------------------------------


@app.command("connections")
def connections_command(
    test: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Test this connection; default is the one without a name.")
    ] = None,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """List the connections to paid and other servers, or test them step by step with an answer of one token."""
    from evaluation.connection_records import connection_record, tested_record

    settings = _settings(set_)
    failed = False
    with _faults():
        if test:
            found = [tested_record(settings, "" if name == "default" else name, report) for name in test]
            failed = not all(record["works"] for record in found)
        else:
            found = [connection_record(settings, name) for name in ("", *sorted(settings.connections))]
    if json_:
        print(json.dumps({"connections": found}, indent=1))
    else:
        for record in found:
            key = "with a key" if record["has_key"] else f"no key in {record['key_variable']}"
            say(f"{record['approach']}: {record['model'] or 'no model'} at {record['base_url'] or 'no address'}, {key}")
            for step in record.get("steps", ()):
                say(f"  {'ok' if step['passed'] else 'FAILED'} {step['step']}: {step['says']}")
    if failed:
        raise typer.Exit(1)


# --- index, search ------------------------------------------------------------------------------


@app.command()
def index(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files or folders.")] = None,
    collection: Collection = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Forget the collection first.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Build the vectors again from the stored chunks.")] = False,
    rechunk: Annotated[bool, typer.Option("--rechunk", help="Cut and embed the stored text again.")] = False,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Put documents into the index; unchanged files are skipped."""
    from backends.rag.approach import open_index
    from backends.rag.documents import left_out

    if not paths and (rebuild or not (repair or rechunk)):
        raise typer.BadParameter("Missing argument: files or folders.", param_hint="PATHS")
    settings = _settings(set_, rag__collection=collection)
    never = threading.Event()
    with _faults():
        store = open_index(settings)
        if rebuild:
            store.drop()
        if repair:
            _report_steps(store.rebuild(never), "vectors")
        if rechunk:
            _report_steps(store.rechunk(*store.chunk_settings(), never), "chunks")
        if paths and (foreign := left_out(paths)):
            report(f"Left out, of a type that is not read: {', '.join(foreign)}.")
        files = _add(store.add(paths, never)) if paths else []
        counts = {state: sum(file["state"] == state for file in files) for state in _FILE_STATES}
        result = {"collection": settings.rag.collection, "chunks": store.count(), **counts, "files": files}
    if json_:
        print(json.dumps(result, indent=1))
    else:
        changes = ", ".join(f"{count} {state}" for state, count in counts.items()) + "; " if paths else ""
        say(f"{changes}{result['chunks']} chunks in all.")
    if files and counts["rejected"] == len(files):
        raise typer.Exit(1)


def _add(steps: Iterator[IndexProgress]) -> list[dict[str, Any]]:
    """Index files and say so, under a bar where there is a terminal; returns what became of each."""
    from rich.progress import BarColumn, Progress, TimeRemainingColumn

    from backends.rag.background import measured
    from evaluation.index_records import file_line, file_record

    files: list[dict[str, Any]] = []
    began = said_at = time.monotonic()
    columns = ("{task.description}", BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_progress, transient=True, disable=not _progress.is_terminal) as bar:
        task = bar.add_task("reading")
        for step in measured(steps):
            bar.update(task, completed=step.done, total=step.total, description=escape(visible(step.detail)))
            now = time.monotonic()
            if step.result is not None:
                files.append(file_record(step.result))
                report(file_line(step.result))
            elif bar.disable and now - said_at > _REPORT_S:
                left = (now - began) / step.done * (step.total - step.done) if step.done else None
                report(step.detail + (f", about {left:.0f} s left" if left is not None else ""))
                said_at = now
    return files


def _report_steps(steps: Iterable[RebuildProgress], what: str) -> None:
    """Do the work and say now and then how far it is."""
    said_at = time.monotonic()
    for step in steps:
        if time.monotonic() - said_at > _REPORT_S:
            report(f"{what}: {step.detail}")
            said_at = time.monotonic()


@app.command()
def search(
    question: Annotated[str | None, typer.Argument(help="What to look for.")] = None,
    queries: Annotated[Path | None, typer.Option(help="A file with one query per line.")] = None,
    collection: Collection = None,
    k: Annotated[int, typer.Option(min=1, max=1000, help="How many hits.")] = 5,
    mode: Annotated[str | None, typer.Option(help="dense, keyword, fused or reranked; rag.mode if left out.")] = None,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Search the index without asking a model."""
    from backends.rag.approach import open_index, open_searcher

    if (question is None) == (queries is None):
        raise typer.BadParameter("Give a question or --queries FILE, one of the two.")
    if mode is not None and mode not in (modes := get_args(RetrievalMode)):
        raise typer.BadParameter(f"There is no mode {mode!r}; there are {', '.join(modes)}.", param_hint="--mode")
    settings = _settings(set_, rag__collection=collection, rag__mode=mode)
    with _faults():
        asked = [question] if question is not None else _lines(queries)
        open_index(settings).check()
        searcher = open_searcher(settings)
        for query in asked:
            found = searcher.search(encodable(query), k)
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
    say(f"\n== {query}")
    for rank, hit in enumerate(hits, 1):
        passage = hit.passage
        page = f", page {passage.page}" if passage.page else ""
        stages = (("dense", hit.dense), ("keyword", hit.keyword), ("reranked", hit.reranked))
        ranks = ", ".join(f"{name} {stage.rank}" for name, stage in stages if stage)
        text = " ".join(passage.text.split())[:200]
        say(f"{rank}. {passage.score:.3f} ({ranks}) {passage.document}{page}: {text}")


# --- train --------------------------------------------------------------------------------------


@app.command()
def train(
    pairs: Annotated[Path | None, typer.Argument(help="CSV or JSONL; with --resume, the training's id.")] = None,
    name: Annotated[str | None, typer.Option(help="The adapter's name; the file's name if left out.")] = None,
    method: Annotated[str, typer.Option(help="lora or last_layers")] = "lora",
    epochs: Annotated[int | None, typer.Option(min=1, max=1000)] = None,
    rank: Annotated[int | None, typer.Option(help="LoRA's rank.")] = None,
    alpha: Annotated[int | None, typer.Option(help="LoRA's alpha.")] = None,
    layers: Annotated[int | None, typer.Option(help="How many final blocks last_layers trains.")] = None,
    batch: Annotated[int | None, typer.Option(help="Pairs in one step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="The method's own if left out.")] = None,
    held_out: Annotated[float | None, typer.Option(metavar="SHARE", help="Share that is never trained on.")] = None,
    split_by: Annotated[str | None, typer.Option(help="Hold out by group or by phrasing.")] = None,
    sample: Annotated[int | None, typer.Option(min=2, help="Train on at most so many of the pairs.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training, or the newest one.")] = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only measure what it would take.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where adapters go, in place of the data folder's.")] = None,
    score: Annotated[Path | None, typer.Option(help="A question set that base and adapter answer afterwards.")] = None,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Train an adapter on question/answer pairs. Ctrl-C stops it and keeps the best so far."""
    from backends.fine_tuned.method import Method
    from evaluation import adapter_training as job
    from evaluation.training_words import estimate_words

    if method not in (methods := get_args(Method)):
        raise typer.BadParameter(
            f"There is no method {method!r}; there are {' and '.join(methods)}.", param_hint="--method"
        )
    if pairs is None and not resume:
        raise typer.BadParameter("Missing argument: a file of pairs.", param_hint="PAIRS")
    settings = _settings(set_)
    with _faults(), job.interruptible(report) as cancel:
        if resume:
            run = job.unfinished(str(pairs or ""), settings.data)
        else:
            assert pairs is not None
            options = job.training_settings(
                settings.seed,
                **{"method": method, "epochs": epochs, "rank": rank, "alpha": alpha, "layers": layers, "batch": batch},
                **{"learning_rate": learning_rate, "held_out_share": held_out, "split_by": split_by},
            )
            request = job.TrainingRequest(pairs, name or pairs.stem, options, sample, folder, score)
            if estimate:
                found = job.measure(settings, request, cancel, report)
                if json_:
                    print(json.dumps(asdict(found), indent=1, default=str))
                else:
                    say(estimate_words(found))
                return
            run = job.begin(settings, request, cancel, report)
        record = job.carry_out(settings, run, cancel, report, score)
    if json_:
        print(json.dumps(record, indent=1))
        return
    say(f"Trained {record['path']} in {record['seconds']:.0f} s, loss {record['final_loss']}.")
    for key, what in (("held_out_score", "Right answers to held-out questions"), ("score", "Right answers")):
        if (counts := record.get(key)) and (key != "score" or score):
            say(f"{what}: {counts['adapter']} of {counts['questions']}; the base {counts['base']}")


# --- prove, attribute ---------------------------------------------------------------------------


@app.command()
def prove(
    adapter: Annotated[str, typer.Argument(help="Name or folder of the adapter.")],
    questions: Annotated[Path | None, typer.Option(help="CSV or JSONL; its held-out part if left out.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Ask at most so many, evenly from all.")] = 10_000,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Let base and adapter answer the same questions: what was learned, and what was forgotten."""
    from evaluation.adapter_proof import prove as proving
    from evaluation.adapter_proof import questions_for
    from evaluation.result_records import proof_json
    from evaluation.verdicts import forgetting_verdict, proof_verdict, seen_words

    settings = _settings(set_)
    with _faults():
        samples, name = questions_for(settings, adapter, questions, most)
        proof = _last_result(proving(settings, adapter, samples, name, threading.Event()))
    if json_:
        print(json.dumps(proof_json(proof), indent=1))
        return
    say(f"base {proof.base}\nadapter {proof.tuned}")
    say(f"{proof_verdict(proof)}\n{forgetting_verdict(proof)}\n{seen_words(proof.seen, len(proof.rows))}")


@app.command()
def attribute(
    questions: Annotated[Path, typer.Argument(help="CSV or JSONL with question, and reference_answer or key_facts.")],
    adapter: Annotated[str | None, typer.Option(help="Name or folder of the adapter.")] = None,
    k: Annotated[int | None, typer.Option(min=1, max=50, help="Passages for an answer; rag.k if left out.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Ask at most so many, evenly from all.")] = 10_000,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Ask base, base with RAG, adapter, and adapter with RAG: what did each technique buy?"""
    from evaluation.attribution import attribute as attributing
    from evaluation.question_sets import read_question_set, some_of
    from evaluation.result_records import attribution_json
    from evaluation.verdicts import attribution_verdicts, seen_words

    settings = _settings(set_)
    chosen = adapter or settings.fine_tuned.adapter
    with _faults():
        samples, name = some_of(read_question_set(questions), most, questions.name)
        steps = attributing(settings, chosen, samples, name, k or settings.rag.k, threading.Event())
        found = _last_result(steps)
    if json_:
        print(json.dumps(attribution_json(found), indent=1))
        return
    say("\n".join([*attribution_verdicts(found), seen_words(found.seen, len(found.rows))]))


def _last_result(steps: Iterable[Any]) -> Any:
    """Do the work, say now and then how far it is, and give what its last step has."""
    said_at, result = time.monotonic(), None
    for step in steps:
        result = step.result
        if time.monotonic() - said_at > _REPORT_S:
            report(f"{step.done}/{step.total} {step.detail}")
            said_at = time.monotonic()
    return result


# --- stand-in, demo -----------------------------------------------------------------------------


@app.command("stand-in")
def stand_in(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free port.")] = 8377,
    set_: Set = None,
) -> None:
    """Serve the default model on loopback in place of a paid API, until interrupted."""
    from backends import stand_in as server
    from backends.settings import DEFAULT_MODEL
    from backends.weights import pending, resolve

    settings = _settings(set_)
    with _faults():
        if waiting := pending(DEFAULT_MODEL, settings.data):
            report(waiting.what)
        report("starting the stand-in, about 10 s")
        running = server.start(resolve(DEFAULT_MODEL, settings.data).folder, settings.data, port)
        report(f"Ready at {running.url} for model {running.model}. Stop with Ctrl-C.")
        try:
            server.wait(running)
        finally:
            server.stop(running, settings.data)


@app.command()
def demo(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
    headless: Annotated[bool, typer.Option(help="Do not open a browser window.")] = False,
    set_: Set = None,
) -> None:
    """Open the browser app."""
    home = Path(__file__).resolve().parent
    settings = _settings(set_)
    environment = os.environ | {"CROSSROADS_DATA": str(settings.data.resolve())}
    for pair in set_ or ():
        name, _, value = pair.partition("=")
        environment["CROSSROADS_" + name.upper().replace(".", "__")] = value
    command = [sys.executable, "-m", "streamlit", "run", str(home / "streamlit_app.py"), "--server.port", str(port)]
    command += ["--server.maxUploadSize", str(max(25, math.ceil(settings.rag.max_file_mb)))]
    if headless:
        command += ["--server.headless", "true"]
    try:
        raise typer.Exit(subprocess.run(command, cwd=home, env=environment, check=False).returncode)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


if __name__ == "__main__":
    main()
