"""Which approach to take: what a run measured, against what somebody needs, in USD for 1,000 questions.

Weights are prices: what a wrong answer costs, and what an hour of waiting does. So quality, time and cost are added up
in one unit that can be argued about, and what would have to change for another approach to win is a price as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from backends.registry import spec_of
from backends.remote.address import host_of, is_loopback, is_private
from evaluation.judging import RIGHT
from evaluation.runs.breakdown import Figure, quantile_of
from evaluation.runs.columns import Reading
from evaluation.runs.results import RunResult
from evaluation.statistics import Estimate, spread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Standing = Literal["meets", "fails", "unsure", "unknown"]
"""How an approach stands to a need: `unsure` if the interval holds the limit, `unknown` if nothing was measured."""

_HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Needs:
    """What somebody needs; None: no such need. `usd_per_wrong` and `usd_per_hour` (of waiting) are prices."""

    stays_here: bool = False
    usd_per_month: float | None = None
    questions_per_month: int = 10_000
    first_text_s: float | None = None
    right: float | None = None
    usd_per_wrong: float = 0.0
    usd_per_hour: float = 0.0


@dataclass(frozen=True, slots=True)
class Check:
    """One need, how an approach stands to it, and the figure in words."""

    what: str
    standing: Standing
    words: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One approach: its checks, and what 1,000 questions cost with wrong answers and waiting. `total` is None where a
    part is unknown, and `why` says which.

    `answering`, `wrong` and `waiting` are the parts of the total, in USD for 1,000 questions.
    """

    approach: str
    checks: tuple[Check, ...]
    total: Estimate | None
    answering: float | None
    wrong: float | None
    waiting: float | None
    why: str = ""

    @property
    def out(self) -> bool:
        """Whether it fails a need for sure."""
        return any(one.standing == "fails" for one in self.checks)


@dataclass(frozen=True, slots=True)
class Gap:
    """How much more 1,000 questions cost with `other` than with `approach`, over the questions that both have.

    `break_even`: the price of a wrong answer at which they cost the same; None where no price does that. `below`:
    whether `other` is the cheaper one below that price. `split`: on how many questions just one of them is right.
    """

    approach: str
    other: str
    usd: Estimate
    questions: int
    break_even: float | None
    below: bool
    split: int

    @property
    def clear(self) -> bool:
        """Whether the evidence separates the two."""
        return self.usd.low > 0


@dataclass(frozen=True, slots=True)
class Decision:
    """Candidates, the cheapest first, those that are out behind them. `gaps`: of the first one to each other one that
    is not out."""

    needs: Needs
    candidates: tuple[Candidate, ...]
    gaps: tuple[Gap, ...]

    @property
    def first(self) -> Candidate | None:
        """The one to take; None if none is known to be possible."""
        found = self.candidates[0] if self.candidates else None
        return None if found is None or found.out or found.total is None else found


def decide(reading: Reading, result: RunResult, needs: Needs) -> Decision:
    """What follows from a run that was read with the scores of `right`."""
    found = [_candidate(reading, result, one.approach, needs) for one in reading.run.approaches]
    ordered = sorted(found, key=lambda one: (one.out, one.total is None, one.total.value if one.total else 0.0))
    first = ordered[0] if ordered and not ordered[0].out and ordered[0].total is not None else None
    others = [one for one in ordered[1:] if not one.out and one.total is not None] if first else []
    gaps = [_gap(reading, first.approach, one.approach, needs) for one in others if first]
    return Decision(needs, tuple(ordered), tuple(gap for gap in gaps if gap is not None))


# --- one approach ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Questions:
    """Of the questions whose cost and verdict are known: which, USD of answering, and how wrong each is (0 to 1)."""

    positions: NDArray[np.int64]
    usd: NDArray[np.float64]
    wrong: NDArray[np.float64]
    waited_s: float | None

    def totals(self, needs: Needs) -> NDArray[np.float64]:
        """USD of each question with everything."""
        waiting = (self.waited_s or 0.0) * needs.usd_per_hour / _HOUR_S
        return self.usd + self.wrong * needs.usd_per_wrong + waiting


def _known(reading: Reading, approach: str) -> tuple[_Questions | None, str]:
    """What is known of an approach, or why nothing can be added up."""
    import numpy as np

    column, scored = reading.cells[approach], reading.scored.get((approach, RIGHT))
    if scored is None or not len(scored.values):
        return None, "nobody says which answers are right"
    if not column.comparable:
        return None, "a stand-in answered" if column.stand_ins else "answers were recorded earlier"
    usd = column.costs[scored.positions] / scored.answers
    priced = ~np.isnan(usd)
    if not priced.any():
        return None, "its cost is unknown"
    waited = float(np.mean(column.latencies_s)) if column.latencies_s else None
    return _Questions(scored.positions[priced], usd[priced], 1.0 - scored.values[priced], waited), ""


def _candidate(reading: Reading, result: RunResult, approach: str, needs: Needs) -> Candidate:
    known, why = _known(reading, approach)
    if known is not None and needs.usd_per_hour and known.waited_s is None:
        known, why = None, "its latency was not measured"
    checks = tuple(_checks(reading, result, approach, needs))
    if known is None:
        return Candidate(approach, checks, None, None, None, None, why)
    total = _estimate(1_000 * known.totals(needs), reading.clusters[known.positions])
    waiting = 1_000 * (known.waited_s or 0.0) * needs.usd_per_hour / _HOUR_S
    wrong = 1_000 * float(known.wrong.mean()) * needs.usd_per_wrong
    return Candidate(approach, checks, total, 1_000 * float(known.usd.mean()), wrong, waiting)


def _estimate(values: NDArray[np.float64], clusters: Any) -> Estimate:
    found = spread(values, clusters)
    half = found.quantile * found.standard_error
    return Estimate(found.mean, found.mean - half, found.mean + half)


def _checks(reading: Reading, result: RunResult, approach: str, needs: Needs) -> Sequence[Check]:
    found: list[Check] = []
    column = reading.cells[approach]
    if needs.stays_here:
        leaves = leaves_house(reading.run.settings, approach, bool(column.stand_ins))
        words = "where it answers is not known" if leaves is None else leaves or "everything stays on this machine"
        found.append(Check("Data stays here", "unknown" if leaves is None else "fails" if leaves else "meets", words))
    if needs.usd_per_month is not None:
        one = result.approach(approach)
        usd = None if one is None or one.cost_per_1000_usd is None else float(one.cost_per_1000_usd)
        month = None if usd is None else usd * needs.questions_per_month / 1_000
        words = "unknown" if month is None else f"${month:,.2f} a month for the answers"
        standing: Standing = "unknown" if month is None else "meets" if month <= needs.usd_per_month else "fails"
        found.append(Check(f"At most ${needs.usd_per_month:,.2f} a month", standing, words))
    if needs.first_text_s is not None:
        figure = quantile_of(column.first_texts_s, 0.95, reading.run.questions)
        words = "unknown" if figure.value is None else f"95 of 100 answers begin within {figure.value:.2f} s"
        found.append(Check(f"First text within {needs.first_text_s:g} s", _within(figure, needs.first_text_s), words))
    if needs.right is not None:
        one = result.approach(approach)
        summary = one.scores.get(RIGHT) if one else None
        mean = summary.mean if summary else None
        figure = Figure() if mean is None else Figure(-mean.value, -mean.high, -mean.low)
        words = "unknown"
        if mean is not None:
            words = f"{100 * mean.value:.0f} % right ({100 * mean.low:.0f} to {100 * mean.high:.0f} %)"
        found.append(Check(f"At least {100 * needs.right:.0f} % right", _within(figure, -needs.right), words))
    return found


def _within(figure: Figure, limit: float) -> Standing:
    """Whether a figure is at most at the limit, by its interval; an end that is not known may be anywhere."""
    if figure.value is None:
        return "unknown"
    if figure.high is not None and figure.high <= limit:
        return "meets"
    if figure.low is not None and figure.low > limit:
        return "fails"
    return "unsure"


def leaves_house(settings: Mapping[str, Any], approach: str, stand_in: bool = False) -> str | None:
    """Where questions go that leave this machine, in words; empty if they stay, None where that is not known.

    By the settings of the run: of a connection its address, of RAG who writes and where its vectors are.
    """
    kind, _, name = approach.partition(":")
    if settings.get("scripted") or stand_in or kind == "raw":
        return ""
    if kind == "rag":
        rag = settings.get("rag", {})
        if (url := rag.get("chroma_url")) and not is_loopback(url):
            return f"documents and questions go to {host_of(url)}"
        return leaves_house(settings, str(rag.get("generator", "raw")))
    if kind == "fine_tuned":
        return _goes_to(settings.get("fine_tuned", {}), "") if settings.get("fine_tuned", {}).get("base_url") else ""
    if kind == "paid_api":
        own = settings.get("connections", {}).get(name, {}) if name else settings.get("paid_api", {})
        return _goes_to(own, str(own.get("provider") or "the provider"))
    return None


def _goes_to(section: Mapping[str, Any], otherwise: str) -> str:
    url = section.get("base_url")
    if not url:
        return f"questions go to {otherwise}"
    if is_loopback(url):
        return ""
    host = host_of(url)
    return f"questions go to {host}{', within a private network' if is_private(host) else ''}"


# --- two approaches -------------------------------------------------------------------------------


def _gap(reading: Reading, approach: str, other: str, needs: Needs) -> Gap | None:
    import numpy as np

    mine, _ = _known(reading, approach)
    theirs, _ = _known(reading, other)
    if mine is None or theirs is None:
        return None
    both, here, there = np.intersect1d(mine.positions, theirs.positions, assume_unique=True, return_indices=True)
    if not len(both):
        return None
    more = 1_000 * (theirs.totals(needs)[there] - mine.totals(needs)[here])
    wrong = float((theirs.wrong[there] - mine.wrong[here]).mean())
    rest = float(more.mean()) / 1_000 - wrong * needs.usd_per_wrong
    price = -rest / wrong if wrong else None
    split = int(np.count_nonzero(theirs.wrong[there] != mine.wrong[here]))
    usd = _estimate(more, reading.clusters[both])
    return Gap(approach, other, usd, len(both), price if price is not None and price > 0 else None, wrong > 0, split)


# --- in words -------------------------------------------------------------------------------------


def decision_words(found: Decision) -> list[str]:
    """The advice, the evidence behind it, and what would have to change; the first sentence is the headline."""
    first = found.first
    if first is None or first.total is None:
        why = "every approach fails a need" if found.candidates and all(one.out for one in found.candidates) else ""
        return [f"No approach can be recommended: {why or 'what the needs rest on is not known'}."]
    name = spec_of(first.approach).name
    close = [gap for gap in found.gaps if not gap.clear]
    headline = f"Take {name}"
    if close:
        headline = f"The evidence does not separate {name} from {', '.join(spec_of(one.other).name for one in close)}"
    lines = [f"{headline}."]
    total = first.total
    lines.append(
        f"1,000 questions cost {usd_words(total.value)} with {name}, wrong answers and waiting included (95 % interval "
        f"{usd_words(max(0.0, total.low))} to {usd_words(total.high)})."
    )
    for gap in found.gaps:
        other = spec_of(gap.other).name
        lines.append(
            f"With {other} they cost {usd_words(gap.usd.value)} more (95 % interval {usd_words(gap.usd.low)} to "
            f"{usd_words(gap.usd.high)}, over {gap.questions:,} questions that both have)."
        )
        if gap.break_even is not None:
            side = "less" if gap.below else "more"
            lines.append(f"{other} would win if a wrong answer cost {side} than {usd_words(gap.break_even)}.")
    doubts = [one for one in first.checks if one.standing in ("unsure", "unknown")]
    lines += [f"Not sure: {one.what.lower()} ({one.words})." for one in doubts]
    for candidate in found.candidates:
        failed = [one for one in candidate.checks if one.standing == "fails"]
        lines += [f"{spec_of(candidate.approach).name} is out: {one.what.lower()} ({one.words})." for one in failed]
        if candidate.total is None and not candidate.out:
            lines.append(f"{spec_of(candidate.approach).name} cannot be compared: {candidate.why}.")
    return lines


def usd_words(value: float) -> str:
    """An amount with three digits that count, however small: `$0.0000985`, `\u2212$12.3`."""
    digits = f"{Decimal(f'{abs(value):.3g}'):,f}"
    return f"{chr(0x2212) if value < 0 else ''}${digits}"
