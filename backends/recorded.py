"""Recorded answers: what a real model answered earlier, read from a file and shown as a paid column, labelled as such.

Read are the JSON of `crossroads ask --json`, one or many, and the output of OpenAI's Batch API (a line each with
`custom_id`, `response.body` and `error`: platform.openai.com/docs/guides/batch, November 2026). A batch output names
its questions by `custom_id` alone, so that the batch input, or lines of `custom_id` and `question`, belong to it. How
long an answer took is not in a batch output, and stays unknown.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any

from backends.base import Backend, BackendEvent, Cost, Finished, Loading, Question, Recorded, TextDelta, Timings, Usage
from backends.errors import BackendError, NotAsked, disk_faults
from backends.matching import matchable
from backends.remote import connections
from backends.remote.connection_settings import PAID_API, approach_of
from backends.remote.usage import reported_usage
from backends.settings import OPENAI_URL, Settings
from backends.spend.pricing import manual_price, price
from backends.storage import strict_json

LARGEST_MB = 50
"""Of all files together, in megabytes of 1,000,000 bytes."""

ASKED = "crossroads ask --json"
BATCH = "OpenAI batch output"

_FORMATS = f"Give the output of `{ASKED}`, or the output and the input file of an OpenAI batch."
_ANSWERED = ("ok", "truncated", "refused", "empty")
_SHOWN = 80  # characters of a question in a sentence
_Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """One question with its answer as it was given. `tokens_missing`: the file does not say how many there were."""

    question: str
    text: str
    model: str
    finish_reason: str | None
    refusal: bool
    usage: Usage
    recorded: Recorded

    @property
    def tokens_missing(self) -> bool:
        """Whether prompt or answer were not counted."""
        return self.usage.prompt_tokens is None or self.usage.completion_tokens is None


@dataclass(frozen=True, slots=True)
class RecordedAnswers:
    """The answers of a file, or of one model of it; `notes` are sentences on what was left out or is not known."""

    answers: tuple[RecordedAnswer, ...]
    notes: tuple[str, ...] = ()
    _by_question: dict[str, RecordedAnswer] = field(default_factory=dict, compare=False, repr=False)

    @property
    def models(self) -> tuple[str, ...]:
        """Who answered, in the order of the file."""
        return tuple(dict.fromkeys(one.model for one in self.answers))

    def find(self, question: str) -> RecordedAnswer | None:
        """The answer to this question, case and white space apart; None if it is not among them."""
        return self._by_question.get(matchable(question))

    def of_model(self, model: str) -> RecordedAnswers:
        """Those of one model; without a name, of the only one there is.

        Raises `BackendError` for a model that is not among them, for several without a name, and for two answers to
        one question.
        """
        if model not in self.models and (model or len(self.models) > 1):
            found = ", ".join(self.models)
            cause = f"There is no answer of {model} among them." if model else "There are answers of several models."
            raise BackendError(cause, f"Choose one of these as the connection's model: {found}.")
        chosen = tuple(one for one in self.answers if not model or one.model == model)
        twice = [q for q, count in Counter(matchable(one.question) for one in chosen).items() if count > 1]
        if twice:
            shown = next(one.question for one in chosen if matchable(one.question) == twice[0])
            raise BackendError(
                f"{len(twice)} of the questions have more than one answer of {chosen[0].model}, such as "
                f"{_short(shown)!r}.",
                "Leave one answer to each question in the file.",
            )
        uncounted = sum(one.tokens_missing for one in chosen)
        unknown = f"{uncounted} of {len(chosen)} answers come without token counts: what they cost is not known."
        return RecordedAnswers(
            chosen,
            (*self.notes, *([unknown] if uncounted else [])),
            {matchable(one.question): one for one in chosen},
        )


def read_recorded(
    files: Sequence[tuple[str, bytes]], price_of: Callable[[Usage, str], Cost] | None = None
) -> RecordedAnswers:
    """The answers in `files`, each a name and its content, in any order. Nothing is asked and nothing is stored.

    `price_of` gives the cost of an answer of a batch, by its usage and model; the list price of OpenAI's batch tier if
    left out. Raises `BackendError` with cause and next step for what cannot be used.
    """
    if sum(len(content) for _, content in files) > LARGEST_MB * 1_000_000:
        raise BackendError(
            f"The files are larger than {LARGEST_MB} MB.", "Split them, and leave out what is not shown."
        )
    asked: list[_Object] = []
    outputs: list[_Object] = []
    questions: dict[str, str] = {}
    for name, content in files:
        for number, one in enumerate(_objects(name, content), 1):
            if isinstance(one.get("answers"), list) and isinstance(one.get("question"), str):
                asked.append(one)
            elif isinstance(one.get("custom_id"), str) and ("response" in one or "error" in one):
                outputs.append(one)
            elif isinstance(one.get("custom_id"), str) and (question := _batch_question(one)):
                questions[one["custom_id"]] = question
            else:
                raise BackendError(f"Record {number} of {name} is no recorded answer.", _FORMATS)
    if not asked and not outputs:
        what = "only the questions of a batch, and no answers" if questions else "nothing"
        raise BackendError(f"There is {what} in {_names(files)}.", _FORMATS)
    answers, notes = _of_exports(asked)
    more, more_notes = _of_batch(outputs, questions, price_of or _batch_price)
    return RecordedAnswers((*answers, *more), (*notes, *more_notes))


def read_batch(
    name: str,
    content: bytes,
    pricing: Callable[[str], Callable[[Usage, str], Cost]],
    broken: Callable[[str], object],
) -> dict[str, RecordedAnswer | str]:
    """The output of a batch by custom_id: the answer, or why there is none. The questions stay empty.

    `pricing` gives, for a custom_id, what its usage and model cost. `broken` is called with a sentence for each line
    that is cut short or damaged; the others stand for themselves. Raises `BackendError` for what is no output of a
    batch of chat completions, and for a custom_id that stands twice.
    """
    found: dict[str, RecordedAnswer | str] = {}
    for number, one in _batch_lines(name, content, broken):
        id = one.get("custom_id")
        if not isinstance(id, str) or not ("response" in one or "error" in one):
            raise BackendError(
                f"Record {number} of {name} is no answer of a batch.", "Give the output file of a batch."
            )
        if id in found:
            raise BackendError(f"The custom_id {_short(id)!r} stands in {name} twice.", "Keep one of them.")
        try:
            found[id] = _failure(one) or _of_completion(id, "", one["response"]["body"], pricing(id))
        except BackendError as fault:  # it is one of many
            found[id] = fault.cause
    return found


def _batch_lines(name: str, content: bytes, broken: Callable[[str], object]) -> Iterator[tuple[int, _Object]]:
    """The records of an output with their numbers: its lines, or those of one document where it is none of lines."""
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    written = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    read = [(number, _line(line)) for number, line in written]
    if not any(one and "custom_id" in one for _, one in read):
        yield from enumerate(_objects(name, content, "Give a batch's output file, whole."), 1)
        return
    for number, one in read:
        if one is None:
            last = " The file is cut short." if number == written[-1][0] else ""
            broken(f"Line {number:,} of {name} is not whole JSON, and was left out.{last}")
        else:
            yield number, one


def _line(line: bytes) -> _Object | None:
    """The object that a line holds; None if it holds none."""
    try:
        (found,) = strict_json.documents(line.decode())
    except ValueError:
        return None
    one = _with_numbers(found)
    return one if isinstance(one, Mapping) else None


def _failure(one: _Object) -> str:
    """Why a request of a batch has no answer; empty if it has one."""
    response = one.get("response")
    body = response.get("body") if isinstance(response, Mapping) else None
    status = response.get("status_code", 200) if isinstance(response, Mapping) else None
    if not one.get("error") and isinstance(body, Mapping) and status == 200:
        return ""
    said = one.get("error") or (body.get("error") if isinstance(body, Mapping) else None)
    message = said.get("message") if isinstance(said, Mapping) else said
    told = f": {_short(message)}" if isinstance(message, str) and message else ""
    return f"The request of the batch failed{f' with status {status}' if isinstance(status, int) else ''}{told}."


def _objects(name: str, content: bytes, next_step: str = _FORMATS) -> list[_Object]:
    """The JSON objects of a file: one, a list of them, or one after another, as in JSONL."""
    try:
        found = strict_json.documents(content.decode("utf-8-sig"))
        listed = [
            _with_numbers(one) for document in found for one in (document if isinstance(document, list) else [document])
        ]
    except UnicodeDecodeError:
        raise BackendError(f"{name} is not UTF-8 text.", next_step) from None
    except ValueError as error:
        raise BackendError(f"{name} is not JSON: {error}.", next_step) from None
    if broken := [number for number, one in enumerate(listed, 1) if not isinstance(one, Mapping)]:
        raise BackendError(f"Record {broken[0]} of {name} is no object.", next_step)
    return listed


def _with_numbers(value: Any) -> Any:
    """Numbers as numbers. Raises `ValueError` for one that is none, such as 1e999."""
    if isinstance(value, strict_json.Number):
        return strict_json.loads(value)
    if isinstance(value, list):
        return [_with_numbers(one) for one in value]
    if isinstance(value, dict):
        return {name: _with_numbers(one) for name, one in value.items()}
    return value


def _names(files: Sequence[tuple[str, bytes]]) -> str:
    return ", ".join(name for name, _ in files) or "no file"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _of_exports(asked: Sequence[_Object]) -> tuple[list[RecordedAnswer], list[str]]:
    """The answers of paid models in what `crossroads ask --json` printed."""
    found, others, undated = [], 0, 0
    for export in asked:
        at = _moment(export.get("asked_at"))
        for one in export["answers"]:
            if not _is_real(one):
                others += 1
                continue
            undated += at is None
            found.append(_of_export(export["question"], one, at))
    if asked and not found:
        raise BackendError(
            "There is no answer of a paid model among them: what a stand-in, a model of this machine or a script "
            "answered, and what failed, is no recorded answer.",
            "Ask a paid model with its key, and keep that output.",
        )
    notes = [f"{others} answers of other models, or without an answer, are left out."] if others else []
    return found, notes + ([f"{undated} answers come without a date."] if undated else [])


def _is_real(one: Any) -> bool:
    if not isinstance(one, Mapping) or one.get("stand_in") or one.get("recorded"):
        return False
    paid = str(one.get("approach", "")).partition(":")[0] == PAID_API
    return paid and one.get("status") in _ANSWERED and isinstance(one.get("model"), str)


def _of_export(question: str, one: _Object, at: datetime | None) -> RecordedAnswer:
    usage, _ = reported_usage(one.get("usage"))
    tier = one.get("service_tier")
    counted = replace(usage, source="server", service_tier=tier if isinstance(tier, str) else None)
    basis = one.get("cost_basis")
    cost = Cost(_amount(one.get("cost_usd")), basis if isinstance(basis, str) else "its basis was not recorded")
    names = ("retry_s", "first_reasoning_s", "ttft_s", "latency_s", "tokens_per_s")
    timings = Timings(**{name: _seconds(one.get(name)) for name in names})
    reason = one.get("finish_reason")
    return RecordedAnswer(
        question,
        _text(one.get("text")),
        one["model"],
        reason if isinstance(reason, str) else None,
        one["status"] == "refused",
        counted,
        Recorded(at, ASKED, timings, cost),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _seconds(value: object) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and value >= 0 else None  # type: ignore[arg-type, operator]


def _amount(value: object) -> Decimal | None:
    try:
        usd = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None
    return usd if usd is not None and usd.is_finite() and usd >= 0 else None


def _moment(value: object) -> datetime | None:
    """UTC, from an ISO date or from seconds since 1970; None for anything else."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _batch_question(one: _Object) -> str:
    """What a line of a batch input asks: its last message of the user. Or the `question` of a line; or nothing."""
    if isinstance(one.get("question"), str):
        return str(one["question"])
    body = one.get("body")
    messages = body.get("messages") if isinstance(body, Mapping) else None
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, Mapping) and message.get("role") == "user":
            return _content(message.get("content"))
    return ""


def _content(value: object) -> str:
    """The text of a message, which may come in parts."""
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if isinstance(part, Mapping))
    return _text(value)


def _of_batch(
    outputs: Sequence[_Object], questions: Mapping[str, str], price_of: Callable[[Usage, str], Cost]
) -> tuple[list[RecordedAnswer], list[str]]:
    ids = Counter(one["custom_id"] for one in outputs)
    if twice := [name for name, count in ids.items() if count > 1]:
        raise BackendError(f"The custom_id {_short(twice[0])!r} stands in the batch output twice.", "Keep one of them.")
    if outputs and not questions:
        raise BackendError(
            "A batch output names its questions by custom_id alone.",
            "Give the batch input file with it, or a file of lines with `custom_id` and `question`.",
        )
    found, failed, nameless = [], 0, 0
    for one in outputs:
        if _failure(one):
            failed += 1
        elif one["custom_id"] not in questions:
            nameless += 1
        else:
            body = one["response"]["body"]
            found.append(_of_completion(one["custom_id"], questions[one["custom_id"]], body, price_of))
    if outputs and not found:
        cause = "Every request of the batch failed." if failed == len(outputs) else "No custom_id has its question."
        raise BackendError(cause, "Give the output and the input file of the same batch.")
    notes = [f"{failed} requests of the batch failed and are left out."] if failed else []
    return found, notes + ([f"{nameless} answers without their question are left out."] if nameless else [])


def _of_completion(
    custom_id: str, question: str, body: _Object, price_of: Callable[[Usage, str], Cost]
) -> RecordedAnswer:
    choices, model = body.get("choices"), body.get("model")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, Mapping) else None
    if not isinstance(message, Mapping) or not isinstance(model, str):
        raise BackendError(
            f"The answer to {_short(custom_id)!r} in the batch output is no chat completion.",
            "Only batches of /v1/chat/completions can be read.",
        )
    assert isinstance(first, Mapping)
    usage, _ = reported_usage(body.get("usage"))
    usage = replace(usage, source="server" if usage.completion_tokens is not None else None, service_tier="batch")
    refusal = _text(message.get("refusal"))
    reason = first.get("finish_reason")
    return RecordedAnswer(
        question,
        _content(message.get("content")) or refusal,
        model,
        reason if isinstance(reason, str) else None,
        bool(refusal),
        usage,
        Recorded(_moment(body.get("created")), BATCH, Timings(), price_of(usage, model)),
    )


def _batch_price(usage: Usage, model: str) -> Cost:
    return price(usage, model, OPENAI_URL)


def recorded_answers(settings: Settings, name: str) -> RecordedAnswers:
    """The recorded answers of a connection. Raises `BackendError` if its files cannot be used."""
    chosen = connections.settings_of(settings, name)
    paths = tuple(Path(part.strip()).expanduser() for part in (chosen.recorded or "").split(";") if part.strip())
    stamps = []
    for path in paths:
        with disk_faults(f"The file {path.name} of recorded answers", "read"):
            found = path.stat()
        if found.st_size > LARGEST_MB * 1_000_000:
            raise BackendError(f"{path.name} is larger than {LARGEST_MB} MB.", "Split it.")
        stamps.append((found.st_mtime_ns, found.st_size))
    url = connections.price_url(settings, name) or OPENAI_URL
    return _read(paths, tuple(stamps), chosen.model, _Priced(url, chosen.price, pricing_of(settings, name)))


def pricing_of(settings: Settings, name: str) -> Callable[[Usage, str], Cost]:
    """How answers of a connection are priced that came in a batch: as entered, or by the list's price of the batch."""
    chosen, url = connections.settings_of(settings, name), connections.price_url(settings, name) or OPENAI_URL

    def price_of(usage: Usage, model: str) -> Cost:
        return manual_price(usage, chosen.price, model) if chosen.price else price(usage, model, url)

    return price_of


@dataclass(frozen=True)
class _Priced:
    """How a batch is priced, told apart by address and entered price."""

    url: str
    entered: object
    of: Callable[[Usage, str], Cost] = field(compare=False)


@lru_cache(maxsize=16)
def _read(paths: tuple[Path, ...], stamps: tuple[tuple[int, int], ...], model: str, priced: _Priced) -> RecordedAnswers:
    files = []
    for path in paths:
        with disk_faults(f"The file {path.name} of recorded answers", "read"):
            files.append((path.name, path.read_bytes()))
    return read_recorded(files, priced.of).of_model(model)


def events_of(answer: RecordedAnswer) -> Iterator[BackendEvent]:
    """The answer as a backend gives it, at once."""
    yield answer.recorded
    yield TextDelta(answer.text, streamed=False)
    yield Finished(answer.usage, answer.finish_reason, refusal=answer.refusal)


class RecordedBackend(Backend):
    """Shows what was recorded, in place of asking. Nothing is sent, so nothing is charged and nothing is timed."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.approach = approach_of(name)
        self._settings, self._name = settings, name

    @property
    def model(self) -> str:
        """Whose answers they are, as far as the files can be read."""
        try:
            return f"recorded: {recorded_answers(self._settings, self._name).models[0]}"
        except BackendError:
            return "recorded answers"

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        """Read the files. Raises `BackendError` if they cannot be used."""
        recorded_answers(self._settings, self._name)
        yield from ()

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        """What was answered then, at once. Raises `NotAsked` for a question that was not recorded."""
        known = recorded_answers(self._settings, self._name)
        found = known.find(question.text)
        if found is None:
            count = len(known.answers)
            raise NotAsked(
                f"This question is not among the {count} recorded {'question' if count == 1 else 'questions'} of "
                f"{known.models[0]}.",
                "The page Paid API lists them; so does `crossroads connections --json`.",
            )
        yield from events_of(found)

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        """None: what it cost then comes with the answer."""
        return Cost(None, "nothing is asked, the answers were recorded")
