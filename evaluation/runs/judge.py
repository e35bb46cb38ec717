"""A model as judge of a run's answers (`judge.connection`): it is asked once for each answer, and what it said is kept.

What it said belongs to the question, the reference, the answer, the rubric and the judge: who scores anew, or another
run with the same answer, asks nobody. Only with another rubric or judge is it asked again. What it costs is in the
ledger, and counts towards the run's cap.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any

from backends.base import Answer, Backend, Question
from backends.registry import make
from backends.run.compare import compare
from backends.settings import RUBRIC, Settings
from backends.spend import ledger
from backends.store.database import Store
from evaluation.runs.model import Run
from evaluation.runs.records import stamp
from evaluation.runs.tables import runs, verdicts
from evaluation.samples import Sample
from evaluation.scorers import Score
from evaluation.scorers.judged import prompt_for

Asked = tuple[Sample, str]
"""A question and the text of an answer to it."""

Prompt = tuple[str, str]
"""What the judge is asked: the rubric, which is its system prompt, and the rest."""


class Judge:
    """The judge of the settings for one run. Raises `BackendError` if it cannot be had."""

    def __init__(self, store: Store, run: Run, settings: Settings) -> None:
        self._store, self._run = store, run
        self._settings = settings
        self._id = settings.judge.connection
        first = make(self._id, settings)
        self._backends: SimpleQueue[Backend] = SimpleQueue()
        self._backends.put(first)
        self._at_once = first.at_once if first.lane is None else 1
        self._who = {"approach": self._id, "model": first.model, **first.identity}
        self._stopped: Score | None = None

    def verdicts(self, asked: Sequence[Asked], cancel: threading.Event) -> list[str | Score | None]:
        """What the judge says of each answer, from the store or asked now; a failed score where it said nothing.

        None for what was not asked before `cancel` was set. Raises `BackendError` if the store fails.
        """
        return self.said([(self._settings.judge.rubric, prompt_for(sample, text)) for sample, text in asked], cancel)

    def said(self, asked: Sequence[Prompt], cancel: threading.Event) -> list[str | Score | None]:
        """What the judge says to each prompt; see `verdicts`."""
        keys = [self._key(one) for one in asked]
        known = self._known(keys)
        left = [(key, one) for key, one in dict(zip(keys, asked, strict=True)).items() if key not in known]
        self._note()
        threads = ThreadPoolExecutor(max(1, min(self._at_once, len(left))), "judge")
        try:
            said = threads.map(lambda one: self._asked(one[0], one[1], cancel), left)
            found = zip((key for key, _ in left), said, strict=True)
            known |= {key: verdict for key, verdict in found if verdict is not None}
        except BaseException:
            cancel.set()
            raise
        finally:
            threads.shutdown(cancel_futures=True)
        return [known.get(key) for key in keys]

    def _key(self, asked: Prompt) -> str:
        return hashlib.sha256(json.dumps([self._who, *asked], sort_keys=True).encode()).hexdigest()

    def _known(self, keys: Sequence[str]) -> dict[str, str | Score]:
        from sqlalchemy import select

        query = select(verdicts.c.key, verdicts.c.said).where(verdicts.c.key.in_(keys))
        with self._store.reading() as connection:
            return {key: said for key, said in connection.execute(query)}

    def _asked(self, key: str, one: Prompt, cancel: threading.Event) -> str | Score | None:
        """What it says now, kept before it is returned; nothing is kept of what failed."""
        if cancel.is_set():
            return None
        if self._stopped is not None:
            return self._stopped
        answer = self._answer(prompted(self._settings, *one, run=self._run.id), cancel)
        if answer.status == "cancelled":
            return None
        if answer.status == "not_asked" or answer.stopped_by is not None:
            self._stopped = Score.failed(f"The judge was not asked: {answer.error or 'it could not be.'}")
            return self._stopped
        ledger.recorder(self._settings, purpose="judge")(answer)
        if answer.status != "ok":
            return Score.failed(f"The judge gave no verdict: {answer.error or answer.status}")
        row = {"key": key, "judge": self._id, "model": answer.model, "said": answer.text.replace("\x00", "\ufffd")}
        usd = None if answer.cost.usd is None else f"{answer.cost.usd:f}"
        row |= {"at": stamp(datetime.now(UTC)), "cost_usd": usd}  # type: ignore[dict-item]

        def keep(connection: Any) -> None:
            connection.execute(verdicts.delete().where(verdicts.c.key == key))
            connection.execute(verdicts.insert(), row)

        self._store.write(keep)
        return answer.text

    def _answer(self, question: Question, cancel: threading.Event) -> Answer:
        """By a backend that nobody else asks now."""
        try:
            backend = self._backends.get_nowait()
        except Empty:
            backend = make(self._id, self._settings)
        *_, last = (event for _, event in compare([backend], question, cancel) if isinstance(event, Answer))
        self._backends.put(backend)
        return last

    def _note(self) -> None:
        """Keep with the run who judges it, by which rubrics."""
        with self._store.writing() as connection:
            note = judge_note(self._settings, self._run.judge, self._who)
            connection.execute(runs.update().where(runs.c.id == self._run.id), {"judge": note})


def judge_note(settings: Settings, before: Mapping[str, Any] | None, who: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept with a run of its judge. Comparisons that were made with an earlier one stay noted."""
    rubric, pairwise = settings.judge.rubric, settings.judge.pairwise_rubric
    note = {**who, "rubric": rubric, "rubric_sha256": sha256_of(rubric)}
    if settings.judge.pairwise:
        note["pairwise"] = {"judge": who["approach"], "rubric": pairwise, "rubric_sha256": sha256_of(pairwise)}
    elif before and before.get("pairwise"):
        note["pairwise"] = before["pairwise"]
    return note


def with_judge_of(run: Run, settings: Settings) -> Settings:
    """The settings with the judge and the rubrics that the run was begun with, where those of now name no judge."""
    if settings.judge.connection or not run.judge:
        return settings
    pairwise = run.judge.get("pairwise")
    known = {"connection": run.judge["approach"], "rubric": run.judge["rubric"], "pairwise": pairwise is not None}
    known |= {"pairwise_rubric": pairwise["rubric"]} if pairwise else {}
    return settings.model_copy(update={"judge": settings.judge.model_copy(update=known)})


def sha256_of(rubric: str) -> str:
    """By which a rubric is told from another one."""
    return hashlib.sha256(rubric.encode()).hexdigest()


def question_for(settings: Settings, sample: Sample, text: str, run: str = "") -> Question:
    """What the judge is asked of an answer."""
    return prompted(settings, settings.judge.rubric, prompt_for(sample, text), run)


def prompted(settings: Settings, rubric: str, prompt: str, run: str = "") -> Question:
    """A question to the judge: the rubric is its system prompt, and its answer is greedy."""
    plain = settings.question(prompt)
    most = settings.judge.max_tokens
    return replace(plain, system_prompt=rubric, max_tokens=most, temperature=0.0, run=run or plain.run)


def contestants(run: Run) -> list[str]:
    """The approaches of a run whose answers its judge may favour, since it is the same model; none without a judge."""
    if not run.judge:
        return []
    by = {run.judge["approach"]}, {run.judge["model"]} - {""}
    return [one.approach for one in run.approaches if one.approach in by[0] or one.model in by[1]]


def is_judged_as_set(run: Run, settings: Settings) -> bool:
    """Whether the verdicts of a run are those of the judge and the rubric of the settings, or there are none yet."""
    judge: Mapping[str, Any] = run.judge or {}
    if judge.get("model") == "":
        return True
    return (judge.get("approach"), judge.get("rubric")) == (settings.judge.connection, settings.judge.rubric)


def judge_words(run: Run) -> list[str]:
    """Who judged a run, by which rubric, and whether the judge is a contestant."""
    if not run.judge:
        return []
    if not run.judge["model"]:
        return [f"Judge: {run.judge['approach']}, which has not judged yet."]
    own = " (the default)" if run.judge["rubric"] == RUBRIC else ""
    rubric = f"rubric {run.judge['rubric_sha256'][:12]}{own}"
    sentences = [f"Judge: {run.judge['model']} ({run.judge['approach']}), {rubric}."]
    if same := contestants(run):
        sentences.append(f"The judge is a contestant itself ({', '.join(same)}), and may favour its own answers.")
    return sentences
