"""`crossroads train`, `prove` and `attribute`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from backends.settings import Settings
from backends.storage.files import prepared
from terminal.shared import REPORT_S, Collection, Json, Set, report, say, settings_of

if TYPE_CHECKING:
    from evaluation.training import TrainingRequest


_Modules = Annotated[
    str | None, typer.Option(metavar="NAMES", help="LoRA beside these linear layers, with commas; all if left out.")
]
_SplitBy = Annotated[
    str | None, typer.Option(help="Hold out by phrasing (is it learned?) or by group (does it generalise?).")
]
_LastPass = Annotated[
    bool, typer.Option("--last-pass", help="At the end once more over everything, the held-out part too.")
]
_Reading = Annotated[
    bool, typer.Option("--reading", help="Teach to read: each question with the sentences found for it.")
]
_Unanswerable = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="With --reading: share of examples without an answer; 0.25 if left out."),
]
"""The longer options of `train`."""


def train(
    pairs: Annotated[Path | None, typer.Argument(help="CSV, JSONL or JSON; with --resume, the training's id.")] = None,
    name: Annotated[str | None, typer.Option(help="The adapter's name; made from the file's name if left out.")] = None,
    method: Annotated[str, typer.Option(help="lora or last_layers")] = "lora",
    epochs: Annotated[
        int | None, typer.Option(min=1, max=1000, help="5 to 10 by the number of pairs if left out.")
    ] = None,
    rank: Annotated[int | None, typer.Option(help="LoRA's rank.")] = None,
    alpha: Annotated[int | None, typer.Option(help="LoRA's alpha.")] = None,
    modules: _Modules = None,
    layers: Annotated[int | None, typer.Option(help="How many final blocks last_layers trains.")] = None,
    batch: Annotated[int | None, typer.Option(help="Pairs in one step.")] = None,
    accumulate: Annotated[int | None, typer.Option(help="Batches whose gradients make one step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="The method's own if left out.")] = None,
    warmup: Annotated[float | None, typer.Option(metavar="SHARE", help="Share of steps while the rate rises.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, float32 or bfloat16, for LoRA's base.")] = None,
    held_out: Annotated[float | None, typer.Option(metavar="SHARE", help="Share that is never trained on.")] = None,
    split_by: _SplitBy = None,
    last_pass: _LastPass = False,
    sample: Annotated[int | None, typer.Option(min=2, help="Train on at most so many of the pairs.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training, or the newest one.")] = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only measure what it would take.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where adapters go, in place of the data folder's.")] = None,
    score: Annotated[Path | None, typer.Option(help="A question set that base and adapter answer afterwards.")] = None,
    reading: _Reading = False,
    collection: Collection = None,
    unanswerable: _Unanswerable = None,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Train an adapter on question/answer pairs, or to read what is found for them. Ctrl-C keeps the best so far."""
    from backends.fine_tuned.adapters.catalogue import usable_name
    from evaluation import training as job
    from evaluation.reading import UNANSWERABLE

    _check_usage(pairs, method, resume, reading or (collection is None and unanswerable is None))
    settings = settings_of(set_, rag__collection=collection)
    prepared(settings.data)
    with job.interruptible(report) as cancel:
        if resume or pairs is None:
            run = job.find_unfinished(str(pairs or ""), settings.data)
        else:
            options = job.training_settings(
                settings.seed,
                reading,
                **{"method": method, "epochs": epochs, "rank": rank, "alpha": alpha, "target_modules": _names(modules)},
                **{"layers": layers, "batch": batch, "accumulate": accumulate, "learning_rate": learning_rate},
                **{"warmup": warmup, "precision": precision, "held_out_share": held_out, "split_by": split_by},
                last_pass=last_pass,
            )
            share = (UNANSWERABLE if unanswerable is None else unanswerable) if reading else None
            request = job.TrainingRequest(pairs, name or usable_name(pairs.stem), options, sample, folder, score, share)
            if epochs is None and not reading:
                request = job.with_usual_epochs(request)
            if estimate:
                _print_estimate(settings, request, cancel, json_)
                return
            run = job.create_run(settings, request, cancel, report)
        _print_record(job.train_and_score(settings, run, cancel, report, score), score is not None, json_)


def _check_usage(pairs: Path | None, method: str, resume: bool, options_fit: bool) -> None:
    """Raises `BadParameter` for options of `train` that do not go together."""
    from backends.fine_tuned.train.method import Method

    if method not in (methods := get_args(Method)):
        raise typer.BadParameter(
            f"There is no method {method!r}; there are {' and '.join(methods)}.", param_hint="--method"
        )
    if pairs is None and not resume:
        raise typer.BadParameter("Missing argument: a file of pairs.", param_hint="PAIRS")
    if not options_fit:
        raise typer.BadParameter("It belongs to --reading.", param_hint="--collection or --unanswerable")


def _names(modules: str | None) -> tuple[str, ...] | None:
    """`q_proj, v_proj` as names; None where none was given."""
    return tuple(part.strip() for part in modules.split(",") if part.strip()) if modules else None


def _print_estimate(settings: Settings, request: TrainingRequest, cancel: threading.Event, json_: bool) -> None:
    from evaluation.training import estimate_words, fault_words, measure_estimate

    for sentence in fault_words(request.pairs):
        report(sentence)
    found = measure_estimate(settings, request, cancel, report)
    if json_:
        print(json.dumps(asdict(found), indent=1, default=str))
    else:
        say(estimate_words(found))


def _print_record(record: dict[str, Any], with_score: bool, json_: bool) -> None:
    """What a training came to, in JSON or in words. `with_score`: a question set was asked as well."""
    if json_:
        print(json.dumps(record, indent=1))
        return
    say(f"Trained {record['path']} in {record['seconds']:.0f} s, loss {record['final_loss']}.")
    for key, what in (("held_out_score", "Right answers to held-out questions"), ("score", "Right answers")):
        if (counts := record.get(key)) and (key != "score" or with_score):
            say(f"{what}: {counts['adapter']} of {counts['questions']}; the base {counts['base']}")


def prove(
    adapter: Annotated[str, typer.Argument(help="Name or folder of the adapter.")],
    questions: Annotated[Path | None, typer.Option(help="CSV, JSONL or JSON; its held-out part if left out.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Ask at most so many, evenly from all.")] = 10_000,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Let base and adapter answer the same questions: what was learned, and what was forgotten."""
    from evaluation.proof import ADAPTER, BASE, questions_for
    from evaluation.proof import prove as proving
    from evaluation.verdicts import forgetting_verdict, further_scores, proof_verdict, seen_words
    from terminal.records import proof_json

    settings = settings_of(set_)
    prepared(settings.data)
    samples, name = questions_for(settings, adapter, questions, most, report)
    _tell_other_prompt(settings, adapter)
    _tell_scorer_faults()
    proof = _last_result(proving(settings, adapter, samples, name, threading.Event()))
    if json_:
        print(json.dumps(proof_json(proof), indent=1))
        return
    say(f"base {proof.base}\nadapter {proof.tuned}")
    further = further_scores(proof.rows, (BASE, ADAPTER))
    sentences = [proof_verdict(proof), forgetting_verdict(proof), *further, seen_words(proof.seen, len(proof.rows))]
    say("\n".join(sentences))


def attribute(
    questions: Annotated[
        Path | None,
        typer.Argument(help="A file with question, and reference_answer or key_facts; its held-out part if left out."),
    ] = None,
    adapter: Annotated[str | None, typer.Option(help="Name or folder of the adapter.")] = None,
    k: Annotated[int | None, typer.Option(min=1, max=50, help="Passages for an answer; rag.k if left out.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Ask at most so many, evenly from all.")] = 10_000,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Ask base, base with RAG, adapter, and adapter with RAG: what did each buy? A reader is asked with RAG alone."""
    from evaluation.attribution import attribute as attributing
    from evaluation.proof import questions_for
    from evaluation.verdicts import attribution_verdicts, further_scores, seen_words
    from terminal.records import attribution_json

    settings = settings_of(set_)
    chosen = adapter or settings.fine_tuned.adapter
    prepared(settings.data)
    samples, name = questions_for(settings, chosen, questions, most, report)
    _tell_other_prompt(settings, chosen)
    _tell_scorer_faults()
    steps = attributing(settings, chosen, samples, name, k or settings.rag.k, threading.Event())
    found = _last_result(steps)
    if json_:
        print(json.dumps(attribution_json(found), indent=1))
        return
    further = further_scores(found.rows, tuple(found.arms))
    say("\n".join([*attribution_verdicts(found), *further, seen_words(found.seen, len(found.rows))]))


def _tell_other_prompt(settings: Settings, adapter: str) -> None:
    from backends.fine_tuned.adapters.card import read_card
    from backends.fine_tuned.adapters.catalogue import adapter_folder
    from evaluation.verdicts import other_prompt_words

    if words := other_prompt_words(read_card(adapter_folder(adapter, settings.data)), settings.system_prompt):
        report(words)


def _tell_scorer_faults() -> None:
    from evaluation.scorers import faults as scorer_faults

    for sentence in scorer_faults():
        report(sentence)


def _last_result(steps: Iterable[Any]) -> Any:
    """Do the work, say now and then how far it is, and give what its last step has."""
    said_at, result = time.monotonic(), None
    for step in steps:
        result = step.result
        if time.monotonic() - said_at > REPORT_S:
            report(f"{step.done}/{step.total} {step.detail}")
            said_at = time.monotonic()
    return result
