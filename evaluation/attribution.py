"""Which technique bought what: base, base with RAG, adapter, and adapter with RAG answer the same questions.

An adapter that was taught to read knows nothing without passages. It is compared where it reads: base with RAG, the
reader with RAG, and the quote that either has to beat.

The arms take turns question by question, so that a machine that is slow for a while is slow for all of them, and each
answer is one turn of the machine, so that other people's questions are answered in between. Finished answers are kept
under `data/attributions/ID/`; the ID stands for everything that decides the answers, so that an attribution that was
interrupted goes on where it was when the same is asked again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import backends
from backends.base import FAILED, Backend
from backends.fine_tuned.adapters.card import is_reader, training_seconds
from backends.fine_tuned.adapters.catalogue import adapter_folder
from backends.models.adapter_files import AdapterFiles, read
from backends.rag.approach import embedder, open_index
from backends.run import jobs
from backends.run.jobs import Job, Progress
from backends.run.lane import Cancelled, turns
from backends.settings import QUOTE, Settings
from evaluation.asking import MAX_TOKENS, AnswerLog, ArmAnswer, ask, get_ready, greedy, identity
from evaluation.judging import (
    DRAWS,
    SEMANTIC,
    Gain,
    Judged,
    Share,
    StoredRows,
    gain,
    gradable,
    judge,
    mean,
    scorer_names,
    share,
)
from evaluation.metrics import NOT_ANSWERED
from evaluation.samples import Sample
from evaluation.scorers import Score
from evaluation.spreadsheet import csv_bytes
from evaluation.statistics import Estimate, bootstrap
from evaluation.stored_results import newest, read_result, write_result
from evaluation.training_data import Seen, find_seen, training_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

BASE, RAG, ADAPTER, BOTH = ARMS = ("base", "base_rag", "adapter", "adapter_rag")
QUOTED = "quoted"
READER_ARMS = (RAG, BOTH, QUOTED)
"""What is asked of an adapter that was taught to read."""

TECHNIQUES: dict[str, dict[str, int]] = {
    "rag": {RAG: 1, BASE: -1},
    "adapter": {ADAPTER: 1, BASE: -1},
    "both": {BOTH: 1, BASE: -1},
    "rag_besides": {BOTH: 1, ADAPTER: -1},
    "adapter_besides": {BOTH: 1, RAG: -1},
    "interaction": {BOTH: 1, RAG: -1, ADAPTER: -1, BASE: 1},
    "over_quote": {BOTH: 1, QUOTED: -1},
}
"""What is computed from the arms, as weights of a sum, where these arms were asked. `rag_besides`: RAG where the
adapter is there already, and the other way round. `interaction`: what both bring beyond the sum of what each brings
alone; below 0 they partly buy the same thing (a 2 × 2 factorial comparison: G. Box, J. Hunter, W. Hunter, "Statistics
for Experimenters" (2005), chapter 5). `over_quote`: a reader in place of the quote."""

_FILE = "attribution.json"


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of answering. Latencies and seconds are of the work alone, without waiting or loading.

    `usd`: what all its answers cost together, the share of the training included; None where that is unknown.
    `failed`: answers that ended in an error; they count as not right.
    """

    name: str
    model: str
    right: Share
    semantic: Estimate | None
    latency_p50_s: float | None
    latency_s: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    usd: Decimal | None
    failed: int

    @property
    def usd_per_1000(self) -> Decimal | None:
        """Dollars for 1,000 answers like these."""
        return None if self.usd is None else self.usd * 1000 / self.right.questions


@dataclass(frozen=True, slots=True)
class Technique:
    """What one technique bought over the base: share of right answers, seconds for an answer, USD for 1,000 answers.

    Seconds and dollars are None where a part is unknown. For the interaction they say what both cost beyond the sum.
    """

    name: str
    gain: Gain
    seconds: Estimate | None
    usd_per_1000: Decimal | None


@dataclass(frozen=True, slots=True)
class Slice:
    """The questions of one tag, or those whose facts training taught."""

    name: str
    questions: int
    right: Mapping[str, Share]
    gains: Mapping[str, Gain]


@dataclass(frozen=True, slots=True)
class Attribution:
    """All of it. `seen` is None where the training pairs are not on this machine.

    `training_usd` is what training cost as the card tells it, None if it does not; a share of it is in the cost of
    each of the adapter's answers, spread over `answers_per_training`.
    """

    adapter: str
    sha256: str
    question_set: str
    collection: str
    passages: int
    embedder: str
    created: datetime
    max_tokens: int
    rows: StoredRows
    left_out: int
    arms: Mapping[str, Arm]
    techniques: Mapping[str, Technique]
    slices: tuple[Slice, ...]
    seen: Seen | None
    machine_usd_per_hour: Decimal
    training_usd: Decimal | None
    answers_per_training: int

    @property
    def training_usd_per_1000(self) -> Decimal | None:
        """The part of the training in the cost of 1,000 of the adapter's answers."""
        return None if self.training_usd is None else self.training_usd * 1000 / self.answers_per_training


def store_attribution(folder: Path, attribution: Attribution) -> None:
    """Write it. Raises `BackendError` if the disk does not take it."""
    write_result(folder / _FILE, Attribution, attribution)


def stored_attributions(data: Path) -> list[Path]:
    """The files of all attributions, newest first."""
    return newest(list((data / "attributions").glob(f"*/{_FILE}")))


def read_attribution(file: Path) -> Attribution:
    """A stored attribution. Raises `BackendError` if it is damaged."""
    return read_result(file, Attribution)


TAUGHT, NOT_TAUGHT = "facts in the training answers", "facts not in the training answers"


def arm(rows: Sequence[Judged], name: str) -> Arm:
    """One arm's totals. A failed answer has no latency; a total of which a part is unknown is unknown."""
    answers = [row.answers[name] for row in rows]
    seconds = [one.latency_s for one in answers if one.status not in FAILED and one.latency_s is not None]
    return Arm(
        name,
        answers[0].model,
        share(rows, name),
        mean(rows, SEMANTIC, {name: 1}),
        median(seconds) if seconds else None,
        sum(seconds) if seconds else None,
        _sum([one.prompt_tokens for one in answers]),
        _sum([one.completion_tokens for one in answers]),
        _usd(answers),
        sum(one.status in FAILED for one in answers),
    )


def technique(rows: Sequence[Judged], name: str, arms: Mapping[str, Arm]) -> Technique:
    """What a technique bought; seconds are paired by question, as the gain is."""
    weights = TECHNIQUES[name]
    prices = [(arms[one].usd_per_1000, weight) for one, weight in weights.items()]
    known = [usd * weight for usd, weight in prices if usd is not None]
    return Technique(
        name, gain(rows, weights), _seconds(rows, weights), sum(known, Decimal()) if len(known) == len(prices) else None
    )


def slices(rows: Sequence[Judged], seen: Seen | None) -> tuple[Slice, ...]:
    """One part for each tag, and one for what training taught and one for what it did not; none that is the whole set.

    Questions that nothing answers have no fact that could have been taught, so they are in neither of these two.
    """
    tags = dict.fromkeys(tag for row in rows for tag in row.sample.tags)
    parts = {tag.replace("_", " "): [row for row in rows if tag in row.sample.tags] for tag in tags}
    if seen is not None:
        taught = set(seen.taught)
        facts = [(position, row) for position, row in enumerate(rows) if NOT_ANSWERED not in row.sample.tags]
        parts[TAUGHT] = [row for position, row in facts if position in taught]
        parts[NOT_TAUGHT] = [row for position, row in facts if position not in taught]
    return tuple(_slice(name, part) for name, part in parts.items() if 0 < len(part) < len(rows))


def _slice(name: str, rows: Sequence[Judged]) -> Slice:
    arms = rows[0].answers
    gains = {technique: gain(rows, TECHNIQUES[technique]) for technique in _computed(arms)}
    return Slice(name, len(rows), {one: share(rows, one) for one in arms}, gains)


def _computed(arms: Mapping[str, object]) -> tuple[str, ...]:
    """The techniques all of whose arms are there."""
    return tuple(name for name, weights in TECHNIQUES.items() if weights.keys() <= arms.keys())


def _seconds(rows: Sequence[Judged], weights: Mapping[str, int]) -> Estimate | None:
    """The weighted sum of latencies, over the questions that no arm failed."""
    values = []
    for row in rows:
        parts = [(row.answers[one], weight) for one, weight in weights.items()]
        known = [a.latency_s * weight for a, weight in parts if a.status not in FAILED and a.latency_s is not None]
        if len(known) == len(parts):
            values.append(sum(known))
    return bootstrap(values, DRAWS) if values else None


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _usd(answers: Sequence[ArmAnswer]) -> Decimal | None:
    known = [Decimal(one.cost_usd) for one in answers if one.cost_usd is not None]
    return sum(known, Decimal()) if len(known) == len(answers) else None


def answers_csv(rows: Sequence[Judged]) -> bytes:
    """Questions, references and, for each arm, answer, status, its scores by scorer, seconds, USD; unknown is empty.

    A score of yes or no is 1 or 0; a scorer that failed has its reason in its cell. UTF-8 with its mark. Text that a
    spreadsheet would take for a formula has an apostrophe before it.
    """
    arms = list(rows[0].answers) if rows else []
    names = scorer_names(rows)
    parts = ("answer", "status", *names, "latency_s", "cost_usd")
    columns = ["id", "question", "reference_answer", "tags", *(f"{arm}_{part}" for arm in arms for part in parts)]
    table = []
    for row in rows:
        sample = row.sample
        cells: list[str | float] = [sample.id, sample.question, sample.reference_answer, ";".join(sample.tags)]
        for arm in arms:
            answer = row.answers[arm]
            cells += [answer.text, answer.status, *(_cell(row.score(name, arm)) for name in names)]
            cells += ["" if answer.latency_s is None else round(answer.latency_s, 3), answer.cost_usd or ""]
        table.append(cells)
    return csv_bytes(columns, table)


def _cell(score: Score) -> str | float:
    if score.status == "failed":
        return f"scorer failed: {score.reason}"
    if score.value is None:
        return ""
    return int(score.value) if isinstance(score.value, bool) else round(score.value, 4)


def attribution_key(data: Path) -> str:
    """The key of the job that attributes; there is one at a time."""
    return f"attribution {Path(data).resolve()}"


def start_attribution(settings: Settings, adapter: str, samples: Sequence[Sample], question_set: str, k: int) -> Job:
    """Attribute in the background. Raises `BackendError` while another attribution is being made."""
    return jobs.start(
        attribution_key(settings.data),
        f"Finding out what {adapter} and RAG buy",
        lambda cancel: attribute(settings, adapter, samples, question_set, k, cancel),
    )


def reader_arms(settings: Settings) -> dict[str, Backend]:
    """The `READER_ARMS` over the base, adapter and collection that are in force."""
    return {
        RAG: backends.make("rag", _generated_by(settings, "raw")),
        BOTH: backends.make("rag", _generated_by(settings, "fine_tuned")),
        QUOTED: backends.make("rag", _generated_by(settings, QUOTE)),
    }


def attribution_arms(settings: Settings) -> dict[str, Backend]:
    """The four arms over the base, adapter and collection that are in force."""
    return {
        BASE: backends.make("raw", settings),
        RAG: backends.make("rag", _generated_by(settings, "raw")),
        ADAPTER: backends.make("fine_tuned", settings),
        BOTH: backends.make("rag", _generated_by(settings, "fine_tuned")),
    }


def _generated_by(settings: Settings, generator: str) -> Settings:
    return settings.model_copy(update={"rag": settings.rag.model_copy(update={"generator": generator})})


def attribute(
    settings: Settings,
    adapter: str,
    samples: Sequence[Sample],
    question_set: str,
    k: int,
    cancel: threading.Event,
    arms: Mapping[str, Backend] | None = None,
) -> Iterator[Progress[Attribution]]:
    """Ask every arm every question with `k` passages where there is RAG, then judge and compute.

    `arms` answer, by their names; `attribution_arms` or `reader_arms` if left out. A cancelled attribution has no
    result, but keeps its answers. Raises `BackendError` for an adapter or a collection that cannot be asked, and
    for questions that cannot be judged.
    """
    files = read(adapter_folder(adapter, settings.data))
    settings = for_attribution(settings, adapter, k, is_reader(files.card))
    asked = gradable(samples)
    arms = arms or (reader_arms if is_reader(files.card) else attribution_arms)(settings)
    total, work = len(asked) * len(arms), f"attribution of {files.name}"
    try:
        for what in get_ready(arms, work, cancel):
            yield Progress(0, total, what)
        folder = settings.data / "attributions" / _identity(settings, files, asked)
        answers: list[dict[str, ArmAnswer]] = []
        log = AnswerLog(folder / "answers.jsonl")
        for position, sample in enumerate(asked):
            answers.append({})
            for number, (arm, backend) in enumerate(arms.items(), 1):
                answers[-1][arm] = ask(backend, arm, position, sample, settings, log, work, cancel)
                detail = f"question {position + 1} of {len(asked)}, {'four' if len(arms) == 4 else 'three'} ways"
                yield Progress(position * len(arms) + number, total, detail)
        yield Progress(total, total, "comparing the answers with the references")
        result = _judge_arms(settings, files, asked, answers, question_set, len(samples), turns(work, cancel))
    except Cancelled:
        return
    store_attribution(folder, result)
    yield Progress(total, total, "done", result)


def for_attribution(settings: Settings, adapter: str, k: int, reader: bool) -> Settings:
    """Greedy, with this adapter answering here and this many passages; a reader gets sentences, as it was taught."""
    chosen = settings.fine_tuned.model_copy(update={"adapter": adapter, "base_url": None})
    read_as = {"context": "sentences"} if reader else {}
    rag = settings.rag.model_copy(update={"k": k, "adapter": None, **read_as})
    return greedy(settings).model_copy(update={"fine_tuned": chosen, "rag": rag})


def _identity(settings: Settings, files: AdapterFiles, asked: Sequence[Sample]) -> str:
    """Everything that decides what is answered and what that costs. The collection is filled by now."""
    rag, raw = settings.rag.model_dump(mode="json"), settings.raw.model_dump(mode="json")
    version = open_index(settings).version
    tuned = settings.fine_tuned
    prices = [f"{settings.machine_usd_per_hour:f}", tuned.answers_per_training, tuned.merge, settings.scripted]
    questions = [sample.question for sample in asked]
    return identity(files.sha256, raw, rag, version, settings.system_prompt, settings.seed, prices, questions)


def _judge_arms(
    settings: Settings,
    files: AdapterFiles,
    asked: Sequence[Sample],
    answers: Sequence[Mapping[str, ArmAnswer]],
    question_set: str,
    samples: int,
    turn: Callable[[], AbstractContextManager[None]],
) -> Attribution:
    rows = judge(asked, answers, embedder(settings), turn)
    pairs = training_pairs(settings.data, files.card)
    known = None if pairs is None else find_seen(pairs, asked)
    arms = {name: arm(rows, name) for name in answers[0]}
    return Attribution(
        adapter=files.name,
        sha256=files.sha256,
        question_set=question_set,
        collection=settings.rag.collection,
        passages=settings.rag.k,
        embedder=settings.rag.embedder,
        created=datetime.now(UTC),
        max_tokens=MAX_TOKENS,
        rows=rows,
        left_out=samples - len(asked),
        arms=arms,
        techniques={name: technique(rows, name, arms) for name in _computed(arms)},
        slices=slices(rows, known),
        seen=known,
        machine_usd_per_hour=settings.machine_usd_per_hour,
        training_usd=_training_usd(settings, files),
        answers_per_training=settings.fine_tuned.answers_per_training,
    )


def _training_usd(settings: Settings, files: AdapterFiles) -> Decimal | None:
    """What training cost: the seconds of the card at the machine's rate, as in the cost of each answer."""
    seconds = training_seconds(files.card)
    return None if seconds is None else Decimal(str(seconds)) * settings.machine_usd_per_hour / 3600
