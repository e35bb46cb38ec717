"""What a run is expected to cost and to take, before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from typing import Any

from backends.base import Backend, Question
from backends.errors import BackendError
from backends.registry import make, spec_of
from backends.settings import Settings
from backends.spend.budget import rounded_up
from backends.spend.estimate import Expectations
from backends.store.database import Store
from backends.text import counted
from evaluation.durations import duration
from evaluation.runs.judge import prompted, question_for
from evaluation.runs.model import Run
from evaluation.runs.pairwise import pair_prompt
from evaluation.runs.records import counts_by_approach
from evaluation.samples import Sample, evenly
from evaluation.scorers.judged import can_be_judged

_BATCHES = "it answers in batches, faster than it was timed"
_MOST = 500
"""Questions that are estimated, evenly from all; the others are taken to cost as much."""


@dataclass(frozen=True, slots=True)
class ApproachEstimate:
    """What `cells` of one approach come to. None: not known; `why` says so for the cost. `here`: on this machine.

    `reserved_usd`: what a cap has to cover while the longest questions are asked, as many as are asked at once; None
    where that is not known, 0 where nobody charges.
    """

    approach: str
    cells: int
    usd: Decimal | None
    seconds: float | None
    here: bool
    charged: bool
    why: str = ""
    reserved_usd: Decimal | None = Decimal(0)


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """What all approaches come to together, and the judge of their answers, if there is one."""

    approaches: tuple[ApproachEstimate, ...]
    cap_usd: Decimal | None
    judge: ApproachEstimate | None = None

    @property
    def seconds(self) -> float | None:
        """What is computed here goes one after another, the rest beside it; None if any is unknown."""
        known = [one.seconds for one in self.parts]
        if any(one is None for one in known):
            return None
        here = sum(one.seconds or 0 for one in self.approaches if one.here)
        asked = max([here, *(one.seconds or 0 for one in self.approaches if not one.here)])
        return asked + (self.judge.seconds or 0 if self.judge else 0)  # it judges when all have answered

    @property
    def parts(self) -> tuple[ApproachEstimate, ...]:
        """The approaches, and the judge."""
        return (*self.approaches, *([self.judge] if self.judge else []))

    @property
    def charged_usd(self) -> Decimal | None:
        """What servers are expected to charge; None if any of it is unknown."""
        amounts = [one.usd for one in self.parts if one.charged]
        return None if any(one is None for one in amounts) else sum((one or Decimal(0) for one in amounts), Decimal(0))

    @property
    def may_be_charged(self) -> bool:
        """Whether somebody else may charge for any of it."""
        return any(one.charged for one in self.parts)

    def words(self) -> list[str]:
        """In sentences, what each approach is expected to cost, how long it takes, and whether the cap covers it."""
        lines = []
        for one in self.parts:
            cost = "cost unknown" if one.usd is None else f"about ${one.usd:.3g}"
            why = f" ({one.why})" if one.usd is None and one.why else ""
            time = "" if one.seconds is None else f", {duration(one.seconds)}"
            verdicts = counted(one.cells, "verdict of the judge", "verdicts of the judge")
            what = f"{verdicts if one is self.judge else counted(one.cells, 'answer')} to come"
            lines.append(f"{one.approach}: {what}, {cost}{why}{time}")
        if self.seconds is not None:
            lines.append(f"Expected to take {duration(self.seconds)} in all.")
        return lines + ([] if self.cap_usd is None else self.cap_words(self.cap_usd))

    def cap_words(self, cap_usd: Decimal) -> list[str]:
        """In sentences, what a cap keeps from being asked."""
        charged, lines = self.charged_usd, []
        unpriced = [spec_of(one.approach).name for one in self.parts if one.charged and one.reserved_usd is None]
        if unpriced:
            lines.append(
                f"The price of {', '.join(unpriced)} is not known: with a cap it is only asked if you allow that "
                "(budget.allow_unknown)."
            )
        if charged is not None and charged > cap_usd:
            lines.append(
                f"The cap of {rounded_up(cap_usd)} for a run (budget.per_run_usd) does not cover the expected "
                f"{rounded_up(charged)}: the run will stop at the cap, and can go on once it is raised."
            )
        return lines

    @property
    def suggested_cap_usd(self) -> Decimal:
        """Twice what servers are expected to charge, and what has to be set aside on the way, in whole cents; 1 USD
        where that is not known."""
        charged, aside = self.charged_usd, [one.reserved_usd for one in self.parts]
        if charged is None or None in aside:
            return Decimal(1)
        enough = 2 * charged + sum((one for one in aside if one is not None), Decimal(0))
        return enough.quantize(Decimal("0.01"), ROUND_CEILING)


def cells_left(store: Store, run: Run, retry: bool = False) -> dict[str, int]:
    """By approach, how many cells of a run are missing, or with `retry` how many failed. Raises `BackendError`."""
    each, so_far = run.questions * run.repeats, counts_by_approach(store, run.id)
    found = {one.approach: so_far.get(one.approach, (0, 0)) for one in run.approaches}
    return {approach: failed if retry else each - there for approach, (there, failed) in found.items()}


def estimate_run(
    settings: Settings, samples: Sequence[Sample], cells: Mapping[str, int], throughput: bool = False
) -> RunEstimate:
    """What so many `cells` by approach id are expected to come to. Nothing is loaded, and nobody is asked.

    With `throughput`, neither time nor cost of what this machine computes is known beforehand.
    """
    some = evenly(samples, _MOST)
    return RunEstimate(
        tuple(_approach(settings, some, approach, count, throughput) for approach, count in cells.items()),
        settings.budget.per_run_usd,
        _judge(settings, some, sum(cells.values()), len(cells)),
    )


def _judge(settings: Settings, samples: Sequence[Sample], cells: int, approaches: int) -> ApproachEstimate | None:
    """A verdict for each answer, and where answers are compared, two for each two approaches; the reference stands for
    the answer, whose length is not known yet."""
    if not settings.judge.connection or not settings.store.keep_texts:
        return None
    asked = [question_for(settings, one, one.reference_answer or one.question) for one in samples if can_be_judged(one)]
    count = round(cells * len(asked) / len(samples)) if samples else 0
    verdicts = estimate_questions(settings, asked, settings.judge.connection, count)
    if not settings.judge.pairwise or approaches < 2:
        return verdicts
    rubric = settings.judge.pairwise_rubric
    texts = [(one, one.reference_answer or one.question) for one in samples]
    pairs = [prompted(settings, rubric, pair_prompt(one, text, text)) for one, text in texts]
    both_orders = estimate_questions(settings, pairs, settings.judge.connection, cells * (approaches - 1))
    return _together(verdicts, both_orders)


def _together(one: ApproachEstimate, other: ApproachEstimate) -> ApproachEstimate:
    """What two kinds of questions to the same approach come to."""

    def total(a: Any, b: Any) -> Any:
        return None if a is None or b is None else a + b

    aside = None if None in (one.reserved_usd, other.reserved_usd) else max(one.reserved_usd, other.reserved_usd)  # type: ignore[type-var]
    return replace(
        one,
        cells=one.cells + other.cells,
        usd=total(one.usd, other.usd),
        seconds=total(one.seconds, other.seconds),
        why=one.why or other.why,
        reserved_usd=aside,
    )


def _approach(
    settings: Settings, samples: Sequence[Sample], approach: str, cells: int, throughput: bool
) -> ApproachEstimate:
    questions = [settings.question(sample.question) for sample in samples]
    return estimate_questions(settings, questions, approach, cells, throughput)


def estimate_questions(
    settings: Settings, questions: Sequence[Question], approach: str, cells: int, throughput: bool = False
) -> ApproachEstimate:
    """What `cells` questions such as these are expected to come to with an approach."""
    try:
        backend = make(approach, settings)
    except BackendError as fault:
        return ApproachEstimate(approach, cells, None, None, True, False, fault.cause)
    if throughput and backend.lane is not None and not backend.lane_until_retrieved:
        return ApproachEstimate(approach, cells, None, None, True, False, _BATCHES)
    expectations = Expectations(backend, settings)
    here = backend.lane is not None
    seconds = expectations.seconds
    if seconds is not None:
        seconds = seconds * cells / (1 if here else min(backend.at_once, max(cells, 1)))
    found = [expectations.of(question).cost for question in questions]
    unknown = next((one for one in found if one.usd is None), None)
    usd = None
    if unknown is None and found:
        usd = sum((one.usd or Decimal(0) for one in found), Decimal(0)) * cells / len(found)
    why = unknown.basis if unknown else ""
    aside = _reserved(backend, questions, cells) if backend.may_be_charged else Decimal(0)
    return ApproachEstimate(approach, cells, usd, seconds, here, backend.may_be_charged, why, aside)


def _reserved(backend: Backend, questions: Sequence[Question], cells: int) -> Decimal | None:
    if not questions:
        return Decimal(0)
    try:
        one = backend.reserved_usd(max(questions, key=lambda question: len(question.text)))
    except BackendError:
        return None
    return None if one is None else one * min(backend.at_once, max(cells, 1))
