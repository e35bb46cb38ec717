"""`crossroads ask`."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from backends.base import STATUS_WORDS, Answer, BelowThreshold, Event, Loading, Queued
from backends.rag.evidence.answer import check
from backends.rag.search.sentences import in_words
from backends.text import encodable
from terminal.records import answer_record
from terminal.shared import Json, Set, report, say, settings_of

if TYPE_CHECKING:
    from backends.run.ask import PreparedQuestion
    from backends.spend.ledger import ExpectedCost


_UNFINISHED = "Stopped before its answer had ended."


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
    from backends.run.ask import prepare_question
    from backends.spend import budget, ledger

    settings = settings_of(set_)
    known = backends.approaches(settings)
    chosen = list(dict.fromkeys(approach or known))
    if unknown := [name for name in chosen if name not in known]:
        raise typer.BadParameter(
            f"There is no approach {unknown[0]!r}; the ids are {', '.join(known)}.", param_hint="--approach"
        )
    text = sys.stdin.buffer.read().decode(errors="replace") if question == "-" else encodable(question)
    asked = prepare_question(settings, chosen, text)
    for name, expected in asked.expected.items():
        usd = expected.cost.usd
        report(f"{name}: expected cost " + (f"${usd:.3g}, " if usd is not None else "") + expected.error)
    asked_at = datetime.now(UTC).replace(microsecond=0)
    answers: dict[str, Answer] = {}
    stopped = _fill(answers, asked)
    if unrecorded := ledger.fault(settings):
        report(str(unrecorded))
    ordered = [answers[name] for name in chosen]
    if any(answer.attempts or answer.stopped_by for answer in ordered):
        report(budget.today_in_words(settings, settings.budget))
    if json_:
        answered = [answer_record(one, text, asked.expected.get(one.approach)) for one in ordered]
        print(json.dumps({"question": text, "asked_at": asked_at.isoformat(), "answers": answered}, indent=1))
    else:
        _print_answers(ordered, asked.expected, text)
    if stopped:
        raise stopped
    if not any(answer.status in ("ok", "truncated", "below_threshold") and answer.text for answer in ordered):
        raise typer.Exit(1)


def _fill(answers: dict[str, Answer], asked: PreparedQuestion) -> KeyboardInterrupt | None:
    """Ask, and put the answers in as they end. Returns what stopped it; the other answers are then cancelled ones."""
    from backends.run.compare import compare

    cancel = threading.Event()
    try:
        for name, event in compare(asked.backends, asked.question, cancel):
            if isinstance(event, Answer):
                answers[name] = event
                asked.record(event)
            _report(name, event)
    except KeyboardInterrupt as stop:
        cancel.set()
        for one in asked.backends:
            cancelled = Answer(one.approach, one.model, "", "cancelled", error=_UNFINISHED, stand_in=one.stand_in)
            answers.setdefault(one.approach, cancelled)
        return stop
    return None


def _report(name: str, event: Event) -> None:
    match event:
        case Queued(behind):
            report(f"{name}: queued behind {', '.join(behind)}")
        case Loading(what, expected_s):
            report(f"{name}: {what}" + (f" (about {expected_s:.0f} s)" if expected_s else ""))
        case Answer(status=status, timings=timings):
            spent = f" in {timings.latency_s:.2f} s" if timings.latency_s is not None else ""
            report(f"{name}: {STATUS_WORDS[status]}{spent}")


def _print_answers(answers: list[Answer], expected: Mapping[str, ExpectedCost], question: str) -> None:
    for answer in answers:
        label = f"{answer.approach} · {answer.model}" + (" · STAND-IN" if answer.stand_in else "")
        if answer.recorded:
            label += " · RECORDED " + (f"{answer.recorded.at:%Y-%m-%d}" if answer.recorded.at else "at an unknown time")
        say(f"\n== {label}")
        if answer.status == "not_asked":
            say(f"[not asked] {answer.error}")
            if (would := expected.get(answer.approach)) and would.cost.usd is not None:
                say(f"It would cost about ${would.cost.usd:.3g} ({would.cost.basis})")
            continue
        if answer.text.strip():
            say(answer.text.strip())
        if answer.draft:
            say(f"[in place of: {' '.join(answer.draft.text.split())}] {answer.draft.why}")
        if answer.error:
            say(f"[{STATUS_WORDS[answer.status]}] {answer.error}")
        if answer.below_threshold:
            _print_nearest(answer.below_threshold)
        for conflict in check(answer, question).conflicts:
            say(f"[sources disagree] {conflict.sentence}")
        for note in answer.notes:
            say(f"Note: {note}")
        timings = answer.timings
        numbers = [
            f"latency {timings.latency_s:.2f} s" if timings.latency_s is not None else "",
            f"first text {timings.ttft_s:.2f} s" if timings.ttft_s is not None else "",
            f"{timings.tokens_per_s:.1f} tokens/s" if timings.tokens_per_s is not None else "",
            f"cost ${answer.cost.usd:.3g}" if answer.cost.usd is not None else "cost unknown",
        ]
        say(" · ".join(number for number in numbers if number) + f" ({answer.cost.basis})")


def _print_nearest(below: BelowThreshold) -> None:
    """What came nearest where nothing was good enough; and that an answer was wanted all the same, if it was."""
    if not below.refused:
        say(f"[{STATUS_WORDS['below_threshold']}] {below.sentence} It was answered all the same.")
    for passage, score in below.nearest:
        page = f", page {passage.page}" if passage.page is not None else ""
        say(f"Nearest: {in_words(passage)} ({passage.document}{page}; {score:.2f})")
