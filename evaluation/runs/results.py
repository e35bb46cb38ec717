"""What a run came to: quality with intervals, latency, cost per approach, and differences between approaches.

Questions are what is counted: several answers of an approach to one question are one value, their mean, so that repeats
make no interval narrower. Questions of one cluster (`model.cluster_of`) are not independent, and the intervals say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from backends.errors import BackendError
from backends.registry import spec_of
from backends.store.database import Store
from evaluation.judging import FEWEST_CHANGED, RIGHT
from evaluation.runs.columns import CellColumn, Reading, ScoreColumn, Scores, read_run
from evaluation.runs.model import Run
from evaluation.runs.records import question_heads
from evaluation.scorers import scorers, title_of
from evaluation.statistics import (
    DifferenceEstimate,
    Estimate,
    clustered_difference,
    clustered_mean,
    clustered_share,
    holm,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Clusters = NDArray[np.int64]
    """For every question of the run the number of its cluster."""

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Seconds that half of the answers, and 95 of 100, did not exceed; None where nothing was measured."""

    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """One approach by one scorer. `mean` is over `questions`, None if nothing could be scored.

    `scored`, `not_applicable` and `failed` count answers; `clusters` says how many groups the questions form (as many
    as questions: each stands for itself). `yes_no`: the values are True and False, so the mean is a share.
    """

    mean: Estimate | None
    questions: int
    yes_no: bool
    scored: int
    not_applicable: int
    failed: int
    clusters: int


@dataclass(frozen=True, slots=True)
class ApproachResult:
    """One approach in a run. Amounts are None where the cost of an answer is unknown (`unpriced` of them); `least_usd`
    is what those of known cost came to, None if there are none.

    `cells` were asked, `missing` were not; `failed` got no answer. Times are those of answers that were given now;
    `untimed` says why some have none, and is empty if each has its own.
    `usd_per_right` is None without a right answer, too.
    """

    approach: str
    model: str
    stand_in: bool
    stopped: str
    cells: int
    missing: int
    failed: int
    scores: Mapping[str, ScoreSummary]
    latency_s: Percentiles
    ttft_s: Percentiles
    cost_usd: Decimal | None
    least_usd: Decimal | None
    unpriced: int
    cost_per_1000_usd: Decimal | None
    usd_per_right: Decimal | None
    right: Decimal
    """How many answers are right."""
    untimed: str = ""

    @property
    def least_per_1000_usd(self) -> Decimal | None:
        """What 1,000 questions cost at least, whatever the answers of unknown cost did."""
        return None if self.least_usd is None else self.least_usd * 1000 / self.cells

    @property
    def least_per_right_usd(self) -> Decimal | None:
        """Likewise for a right answer."""
        return None if self.least_usd is None or not self.right else self.least_usd / self.right


@dataclass(frozen=True, slots=True)
class Difference:
    """How far an approach is ahead of the baseline by one scorer, over the questions that both have a value for.

    `p` and `adjusted_p` (Holm, over all comparisons by this scorer) are probabilities of so large a difference by
    chance. `changed`: questions on which the two differ. `earlier`: the run whose answers are the baseline; empty if it
    is the same one.
    """

    approach: str
    baseline: str
    scorer: str
    mean: float
    low: float
    high: float
    questions: int
    changed: int
    yes_no: bool
    p: float
    adjusted_p: float
    earlier: str = ""

    @property
    def clear(self) -> bool:
        """Whether chance is an unlikely reason, after adjusting, and enough questions differ to say so."""
        return self.changed >= FEWEST_CHANGED and self.adjusted_p < ALPHA


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run with what came of it, approaches in their order."""

    run: Run
    approaches: tuple[ApproachResult, ...]
    baseline: str
    differences: tuple[Difference, ...]

    @property
    def complete(self) -> bool:
        """Whether every cell was asked."""
        return not any(one.missing for one in self.approaches)

    def approach(self, id: str) -> ApproachResult | None:
        """One of the approaches; None if the run has none of that id."""
        return next((one for one in self.approaches if one.approach == id), None)


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs: the differences on the questions that both have, and each shared approach in both, over all questions
    of its own run."""

    differences: tuple[Difference, ...]
    approaches: tuple[tuple[ApproachResult, ApproachResult], ...]
    """The later one and the earlier one."""


def results_of(store: Store, run: Run, baseline: str | None = None) -> RunResult:
    """What a run came to, as far as it is. `baseline`: the approach that others are compared with; the first if None.

    Raises `BackendError` for a baseline that is not in the run, and if the store cannot be read.
    """
    _checked(run, baseline)
    return result_of(read_run(store, run), baseline)


def result_of(reading: Reading, baseline: str | None = None) -> RunResult:
    """The same of a run that was read. Raises `BackendError` for a baseline that is not in it."""
    run, chosen = reading.run, _checked(reading.run, baseline)
    found = tuple(_approach(reading, one.approach) for one in run.approaches)
    return RunResult(run, found, chosen, differences_from(reading, chosen, _names(reading.scored)))


def _checked(run: Run, baseline: str | None) -> str:
    ids = [one.approach for one in run.approaches]
    chosen = baseline or ids[0]
    if chosen not in ids:
        raise BackendError(f"The run has no approach {chosen[:40]!r} to compare with.", f"It has {', '.join(ids)}.")
    return chosen


def differences_from(reading: Reading, baseline: str, scorers: Sequence[str]) -> tuple[Difference, ...]:
    """How far each other approach is ahead of the baseline, by these scorers. Where the baseline itself answered, those
    in whose place a stand-in did are left out: they say nothing of what they stand for."""
    scored, found = reading.scored, list[Difference]()
    others = [one.approach for one in reading.run.approaches if one.approach != baseline]
    if not reading.cells[baseline].stand_ins:
        others = [id for id in others if not reading.cells[id].stand_ins]
    for scorer in scorers:
        pairs = [(id, scored.get((id, scorer)), scored.get((baseline, scorer))) for id in others]
        found += _adjusted(
            [_difference(id, baseline, scorer, one, other, reading.clusters) for id, one, other in pairs]
        )
    return tuple(found)


def compared(store: Store, run: Run, earlier: Run) -> RunComparison:
    """How far each approach of `run` is ahead of the same one in an `earlier` run, on the questions that both have.

    Raises `BackendError` if they share no question or no approach.
    """
    places = _same_questions(store, run, earlier)
    reading, before = read_run(store, run), read_run(store, earlier)
    now, clusters = reading.scored, reading.clusters
    moved = {key: one.moved(places) for key, one in before.scored.items()}
    shared = [
        one.approach for one in run.approaches if any(one.approach == other.approach for other in earlier.approaches)
    ]
    if not shared or not places:
        raise BackendError(
            f"The runs {run.id} and {earlier.id} have no {'question' if shared else 'approach'} in common.",
            "Compare runs of the same question set and approaches.",
        )
    found: list[Difference] = []
    for scorer in _names(now):
        pairs = [(id, now.get((id, scorer)), moved.get((id, scorer))) for id in shared]
        found += _adjusted([_difference(id, id, scorer, one, other, clusters) for id, one, other in pairs])
    return RunComparison(
        tuple(replace(one, earlier=earlier.id) for one in found),
        tuple((_approach(reading, id), _approach(before, id)) for id in shared),
    )


def _same_questions(store: Store, run: Run, earlier: Run) -> dict[int, int]:
    """Positions of the earlier run's questions -> those of the same questions in `run`."""
    if run.set_hash == earlier.set_hash:
        return {position: position for position in range(run.questions)}
    places: dict[tuple[str, str | None], int] = {
        (id, text): position for position, (id, _, text) in enumerate(question_heads(store, run)) if text is not None
    }
    listed = enumerate(question_heads(store, earlier))
    return {position: places[id, text] for position, (id, _, text) in listed if (id, text) in places}


def _approach(reading: Reading, id: str) -> ApproachResult:
    run, scored, column = reading.run, reading.scored, reading.cells[id]
    usd = column.usd if column.cells and not column.unpriced else None
    summaries = {name: _summary(scored[id, name], reading.clusters) for name in _names(scored) if (id, name) in scored}
    right = scored.get((id, RIGHT))
    rights = Decimal(right.total if right else 0)
    return ApproachResult(
        approach=id,
        model=column.model,
        stand_in=column.stand_ins > 0,
        stopped=run.approach(id).stopped,
        cells=column.cells,
        missing=run.questions * run.repeats - column.cells,
        failed=column.failed,
        scores=summaries,
        latency_s=_percentiles(column.latencies_s),
        ttft_s=_percentiles(column.first_texts_s),
        cost_usd=usd,
        least_usd=column.usd if column.cells > column.unpriced else None,
        unpriced=column.unpriced,
        cost_per_1000_usd=None if usd is None else usd * 1000 / column.cells,
        usd_per_right=None if usd is None or not rights else _scored_usd(run, column, right, usd) / rights,
        right=rights,
        untimed=column.untimed,
    )


def _scored_usd(run: Run, column: CellColumn, right: ScoreColumn | None, usd: Decimal) -> Decimal:
    """What the answers cost that could be right: those of questions without a reference pay for no right answer."""
    if right is None or len(right.positions) == run.questions:
        return usd
    return Decimal(str(float(column.costs[right.positions].sum())))


def _names(scored: Scores) -> list[str]:
    """The scorers that have said something."""
    return in_order(name for _, name in scored)


def in_order(names: Iterable[str]) -> list[str]:
    """Names of scorers in the order of the registry; those that are not installed any more last."""
    there = set(names)
    listed = [one.name for one in scorers()]
    return [name for name in listed if name in there] + sorted(there - set(listed))


def _summary(one: ScoreColumn, clusters: Clusters) -> ScoreSummary:
    mean, questions, groups = mean_of(one, clusters)
    scored, not_applicable, failed = (one.counts.get(said, 0) for said in ("scored", "not_applicable", "failed"))
    return ScoreSummary(mean, questions, questions > 0 and one.yes_no, scored, not_applicable, failed, groups)


def mean_of(
    one: ScoreColumn, clusters: Clusters, only: Sequence[int] | None = None
) -> tuple[Estimate | None, int, int]:
    """The mean over the questions that have a value (`only`: of those at these positions), how many these are, and in
    how many clusters."""
    import numpy as np

    positions, values = one.positions, one.values
    if only is not None:
        own = np.isin(positions, only)
        positions, values = positions[own], values[own]
    groups, count = clusters[positions], len(values)
    mean = (clustered_share if one.yes_no else clustered_mean)(values, groups) if count else None
    return mean, count, len(np.unique(groups))


def _difference(
    id: str, baseline: str, scorer: str, one: ScoreColumn | None, other: ScoreColumn | None, clusters: Clusters
) -> Difference | None:
    """Over the questions that both have a value for; None if there are none."""
    import numpy as np

    if one is None or other is None:
        return None
    both, mine, theirs = np.intersect1d(one.positions, other.positions, assume_unique=True, return_indices=True)
    if not len(both):
        return None
    values = one.values[mine] - other.values[theirs]
    found: DifferenceEstimate = clustered_difference(values, clusters[both])
    estimate = found.estimate
    return Difference(
        *(id, baseline, scorer, estimate.value, estimate.low, estimate.high, len(both)),
        *(int(np.count_nonzero(values)), one.yes_no and other.yes_no, found.p, found.p),
    )


def _adjusted(found: Sequence[Difference | None]) -> list[Difference]:
    known = [one for one in found if one is not None]
    adjusted = holm([one.p for one in known])
    return [replace(one, adjusted_p=p) for one, p in zip(known, adjusted, strict=True)]


def _percentiles(values: Sequence[float]) -> Percentiles:
    """By linear interpolation between the closest ranks, as numpy's default."""
    if not values:
        return Percentiles()
    import numpy as np

    middle, high = np.percentile(values, (50, 95))
    return Percentiles(float(middle), float(high))


def difference_words(one: Difference) -> str:
    """`RAG is right on 31 more of 80 questions than Raw model (95 % interval 22 to 40).`, and whether chance may be
    it."""
    name = spec_of(one.approach).name
    base = f"in the run {one.earlier}" if one.earlier else spec_of(one.baseline).name
    if one.yes_no:
        sign = -1 if one.mean < 0 else 1
        low, high = sorted(round(sign * end * one.questions, 1) for end in (one.low, one.high))
        count = (
            f"{round(abs(one.mean) * one.questions, 1):g} {'fewer' if sign < 0 else 'more'}" if one.mean else "as many"
        )
        does = "is right on" if one.scorer == RIGHT else f"has a yes for {title_of(one.scorer)} on"
        text = f"{name} {does} {count} of {one.questions} questions {'than' if one.mean else 'as'} {base}"
        interval = _ends(f"{abs(low):g}", f"{high:g}", one, low, "fewer", "more")
    else:
        amount = f"{abs(one.mean):.3g} {'lower' if one.mean < 0 else 'higher'} than" if one.mean else "the same as"
        scores = f"scores {amount} {base} for {title_of(one.scorer)}"
        text = f"{name} {scores} on {one.questions} questions"
        low, high = sorted((-one.low, -one.high)) if one.mean < 0 else (one.low, one.high)
        interval = _ends(f"{abs(low):.3g}", f"{high:.3g}", one, low, "lower", "higher")
    return f"{text} (95 % interval {interval}){_doubt(one)}."


def _doubt(one: Difference) -> str:
    """Why a difference may be chance, where its interval alone does not say so."""
    if not one.mean or one.clear:
        return ""
    if one.changed < FEWEST_CHANGED:
        return f"; chance may be the reason: they differ on {one.changed} alone"
    if one.low > 0 or one.high < 0:
        return "; chance may be the reason, after adjusting for the number of comparisons"
    return "; chance may be the reason"


def _ends(low_words: str, high_words: str, one: Difference, low: float, less: str, more: str) -> str:
    """`22 to 40`, and where the ends have different signs which way each counts: `3 fewer to 5 more`."""
    if low >= 0:
        return f"{low_words} to {high_words}"
    ahead, behind = (less, more) if one.mean < 0 else (more, less)
    return f"{low_words} {behind} to {high_words} {ahead}"


def below(result: RunResult, approach: str, scorer: str, value: float, strict: bool) -> str:
    """Why an approach is not at least at `value` by a scorer, or nothing. `strict`: the interval's lower end counts.

    What could not be scored is not at any value. Raises `BackendError` for an approach that the run does not have.
    """
    found = result.approach(approach)
    if found is None:
        known = ", ".join(one.approach for one in result.approaches)
        raise BackendError(f"The run has no approach {approach[:40]!r}.", f"It has {known}.")
    summary = found.scores.get(scorer)
    if summary is None or summary.mean is None:
        return f"{approach} has no score {scorer[:40]}, so it is not known to reach {value:g}."
    reached = summary.mean.low if strict else summary.mean.value
    what = "the lower end of the 95 % interval" if strict else "the mean"
    return "" if reached >= value else f"{approach} is below {value:g} for {scorer}: {what} is {reached:.3f}."
