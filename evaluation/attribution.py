"""Which technique bought what: base, base with RAG, adapter, and adapter with RAG answer the same questions.

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
from typing import TYPE_CHECKING, Literal

import backends
from backends import jobs
from backends.base import Backend
from backends.engines.adapter_files import AdapterFiles, read
from backends.fine_tuned.card import training_seconds
from backends.fine_tuned.catalogue import adapter_folder
from backends.jobs import Job
from backends.lane import Cancelled, turns
from backends.rag.approach import embedder, open_index
from backends.settings import Settings
from evaluation import reckoning
from evaluation.asking import MAX_TOKENS, AnswerLog, ArmAnswer, ask, get_ready, greedy, identity
from evaluation.attribution_record import (
    ADAPTER,
    ARMS,
    BASE,
    BOTH,
    RAG,
    TECHNIQUES,
    Attribution,
    store_attribution,
)
from evaluation.judging import gradable, judge
from evaluation.question_sets import Sample
from evaluation.training_data import seen, training_pairs

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class AttributionStep:
    """Progress in answers; the last step has the attribution."""

    done: int
    total: int
    detail: str
    result: Attribution | None = None


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


def attribution_arms(settings: Settings) -> dict[str, Backend]:
    """The four arms over the base, adapter and collection that are in force."""
    return {
        BASE: backends.make("raw", settings),
        RAG: backends.make("rag", _generated_by(settings, "raw")),
        ADAPTER: backends.make("fine_tuned", settings),
        BOTH: backends.make("rag", _generated_by(settings, "fine_tuned")),
    }


def _generated_by(settings: Settings, generator: Literal["raw", "fine_tuned"]) -> Settings:
    return settings.model_copy(update={"rag": settings.rag.model_copy(update={"generator": generator})})


def attribute(
    settings: Settings,
    adapter: str,
    samples: Sequence[Sample],
    question_set: str,
    k: int,
    cancel: threading.Event,
    arms: Mapping[str, Backend] | None = None,
) -> Iterator[AttributionStep]:
    """Ask every arm every question with `k` passages where there is RAG, then judge and reckon.

    `arms` (by `ARMS`) answer; `attribution_arms` if left out. A cancelled attribution has no result, but keeps its
    answers. Raises `BackendError` for an adapter or a collection that can not be asked, and for questions that can not
    be judged.
    """
    settings = _for_all(settings, adapter, k)
    files = read(adapter_folder(adapter, settings.data))
    asked = gradable(samples)
    arms = arms or attribution_arms(settings)
    total, work = len(asked) * len(ARMS), f"attribution of {files.name}"
    try:
        for what in get_ready(arms, work, cancel):
            yield AttributionStep(0, total, what)
        folder = settings.data / "attributions" / _identity(settings, files, asked)
        given: list[dict[str, ArmAnswer]] = []
        log = AnswerLog(folder / "answers.jsonl")
        for position, sample in enumerate(asked):
            given.append({})
            for number, arm in enumerate(ARMS, 1):
                given[-1][arm] = ask(arms[arm], arm, position, sample, settings, log, work, cancel)
                detail = f"question {position + 1} of {len(asked)}, four ways"
                yield AttributionStep(position * len(ARMS) + number, total, detail)
        yield AttributionStep(total, total, "comparing the answers with the references")
        result = _attribution(settings, files, asked, given, question_set, len(samples), turns(work, cancel))
    except Cancelled:
        return
    store_attribution(folder, result)
    yield AttributionStep(total, total, "done", result)


def _for_all(settings: Settings, adapter: str, k: int) -> Settings:
    """Greedy, with this adapter answering here and this many passages."""
    chosen = settings.fine_tuned.model_copy(update={"adapter": adapter, "base_url": None})
    rag = settings.rag.model_copy(update={"k": k})
    return greedy(settings).model_copy(update={"fine_tuned": chosen, "rag": rag})


def _identity(settings: Settings, files: AdapterFiles, asked: Sequence[Sample]) -> str:
    """Everything that decides what is answered and what that costs. The collection is filled by now."""
    rag, raw = settings.rag.model_dump(mode="json"), settings.raw.model_dump(mode="json")
    version = open_index(settings).version
    tuned = settings.fine_tuned
    prices = [f"{settings.machine_usd_per_hour:f}", tuned.answers_per_training, tuned.merge, settings.scripted]
    questions = [sample.question for sample in asked]
    return identity(files.sha256, raw, rag, version, settings.system_prompt, settings.seed, prices, questions)


def _attribution(
    settings: Settings,
    files: AdapterFiles,
    asked: Sequence[Sample],
    given: Sequence[Mapping[str, ArmAnswer]],
    question_set: str,
    samples: int,
    turn: Callable[[], AbstractContextManager[None]],
) -> Attribution:
    rows = judge(asked, given, embedder(settings), turn)
    pairs = training_pairs(settings.data, files.card)
    known = None if pairs is None else seen(pairs, asked)
    arms = {name: reckoning.arm(rows, name) for name in ARMS}
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
        techniques={name: reckoning.technique(rows, name, arms) for name in TECHNIQUES},
        slices=reckoning.slices(rows, known),
        seen=known,
        machine_usd_per_hour=settings.machine_usd_per_hour,
        training_usd=_training_usd(settings, files),
        answers_per_training=settings.fine_tuned.answers_per_training,
    )


def _training_usd(settings: Settings, files: AdapterFiles) -> Decimal | None:
    """What training cost: the seconds of the card at the machine's rate, as in the cost of each answer."""
    seconds = training_seconds(files.card)
    return None if seconds is None else Decimal(str(seconds)) * settings.machine_usd_per_hour / 3600
