"""The figures of a run as they are shown: in words, and as cells of a table that lead to the answers behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import streamlit as st

from backends.registry import spec_of
from backends.text import counted
from evaluation.judging import RIGHT
from evaluation.runs.breakdown import Figure, Headline, Measure, TagResult
from evaluation.runs.matrix import Show, Wanted
from evaluation.runs.model import Run
from evaluation.runs.results import ApproachResult, RunResult, ScoreSummary
from evaluation.spreadsheet import csv_bytes
from ui.evaluate.address import open_answers
from ui.shared import numbers
from ui.shared.approaches import title_of
from ui.shared.text import escaped, plain

LABELS: dict[Measure, str] = {
    "quality": "Quality",
    "latency_p50_s": "Latency, p50",
    "latency_p95_s": "Latency, p95",
    "ttft_p50_s": "First text, p50",
    "usd_per_1000": "USD per 1,000 questions",
    "usd_per_right": "USD per right answer",
}
_BEHIND: dict[Measure, Show] = {
    "quality": "wrong",
    "latency_p50_s": "slowest",
    "latency_p95_s": "slowest",
    "ttft_p50_s": "latest",
    "usd_per_1000": "dearest",
    "usd_per_right": "right",
}
"""The answers that each figure leads to."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A run that was read and what came of it, by one baseline and one scorer. Shared by sessions, never changed."""

    result: RunResult
    headline: Headline
    tags: Sequence[TagResult]
    scorer: str


def name_of(approach: str) -> str:
    """The approach's name, as letters."""
    return plain(spec_of(approach).name)


def is_share(shown: Shown) -> bool:
    """Whether quality is a share of questions, and no mean of numbers."""
    found = [one.scores[shown.scorer] for one in shown.result.approaches if shown.scorer in one.scores]
    return all(one.yes_no for one in found if one.mean is not None)


# --- in words -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure in words, what belongs to it in smaller letters, and the answers that it leads to (None: to none)."""

    figure: str
    beside: str = ""
    wanted: Wanted | None = None


def figure_cell(shown: Shown, one: ApproachResult, measure: Measure) -> Cell:
    """A figure of the headline with its interval; why there is none, where that is known."""
    figure = shown.headline.figures[one.approach][measure]
    if measure == "quality":
        found = quality_cell(
            figure, one.scores.get(shown.scorer), one.approach, shown.scorer, shown.result.run.questions
        )
    elif figure.value is None:
        return _unknown(one, measure)
    else:
        usd = one.cost_per_1000_usd if measure == "usd_per_1000" else one.usd_per_right
        words = numbers.dollars(usd) if measure.startswith("usd") else numbers.seconds(figure.value)
        write = _dollars if measure.startswith("usd") else numbers.seconds
        found = Cell(words, _interval(figure, write), Wanted(_BEHIND[measure], one.approach))
    best = shown.headline.best.get(measure) == one.approach
    return replace(found, figure=f"{found.figure} \u2605 best") if best else found


def _unknown(one: ApproachResult, measure: Measure) -> Cell:
    """Why a figure is unknown, and what an amount is at least."""
    if measure == "usd_per_right" and one.cells and not one.right and score_figure(one, RIGHT).value is not None:
        return Cell("none right")
    if one.untimed and not measure.startswith("usd"):
        return Cell(f"unknown: {one.untimed}")
    if not measure.startswith("usd") or not one.unpriced:
        return Cell("unknown")
    why = f"unknown for {counted(one.unpriced, 'answer')}"
    least = one.least_per_1000_usd if measure == "usd_per_1000" else one.least_per_right_usd
    return Cell(why) if least is None else Cell(f"at least {numbers.dollars(least)}", why)


def quality_cell(figure: Figure, summary: ScoreSummary | None, approach: str, scorer: str, questions: int) -> Cell:
    """`62 %`, `53 to 70 %, 78 of 126`; a number where the score is one; and how many questions have none."""
    if summary is None:
        return Cell("no score")
    if figure.value is None:
        return Cell("no score", wanted=Wanted("unscored", approach, scorer=scorer))
    value, low, high, count = figure.value, figure.low or 0.0, figure.high or 0.0, figure.of
    if summary.yes_no:
        words = f"{100 * value:.0f} %"
        beside = f"{100 * low:.0f} to {100 * high:.0f} %, {round(value * count, 1):,g} of {count:,}"
    else:
        words = f"{value:.3g}"
        beside = f"{low:.3g} to {high:.3g}, {counted(count, 'question')}"
    if count < questions:
        beside += f", {questions - count:,} without a score"
    return Cell(words, beside, Wanted("wrong" if summary.yes_no else "lowest", approach, scorer=scorer))


def score_figure(one: ApproachResult, scorer: str) -> Figure:
    """What an approach came to by a scorer; without a value where that could not score anything."""
    summary = one.scores.get(scorer)
    if summary is None or summary.mean is None:
        return Figure()
    return Figure(summary.mean.value, summary.mean.low, summary.mean.high, summary.questions)


def count_cell(one: ApproachResult, show: Show, run: Run) -> Cell:
    """How many answers failed or are missing (`show`); none lead nowhere."""
    count = one.failed if show == "failed" else one.missing
    words = f"{count:,} of {run.questions * run.repeats:,}"
    return Cell(words, wanted=Wanted(show, one.approach) if count else None)


def lacking_cell(one: ApproachResult, scorer: str) -> Cell:
    """How many answers have no score, and why; empty if all have one."""
    summary = one.scores.get(scorer)
    counts = {"not applicable": summary.not_applicable, "scorer failed": summary.failed} if summary else {}
    words = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    return Cell(words, wanted=Wanted("unscored", one.approach, scorer=scorer) if words else None)


def _interval(figure: Figure, write: Callable[[float], str]) -> str:
    if figure.low is None:
        return "" if figure.high is None else f"at most {write(figure.high)}"
    return f"at least {write(figure.low)}" if figure.high is None else f"{write(figure.low)} to {write(figure.high)}"


def _dollars(value: float) -> str:
    return numbers.dollars(Decimal(value))


# --- as a table -----------------------------------------------------------------------------------


def table_head(label: str, listed: Sequence[ApproachResult]) -> None:
    """The row with the names of the approaches."""
    first, *columns = _columns(len(listed))
    first.markdown(f"**{escaped(label)}**" if label else "")
    for column, one in zip(columns, listed, strict=True):
        badge = " :orange-badge[:material/swap_horiz: stand-in]" if one.stand_in else ""
        column.markdown(f"### {title_of(one.approach)}{badge}", anchors=False)


def table_row(label: str, cells: Sequence[Cell], key: str, wanted: Wanted | None = None) -> None:
    """A row of the table: its name, which may lead to answers too, and a cell for each approach."""
    first, *columns = _columns(len(cells))
    with first:
        _draw(Cell(label, wanted=wanted) if wanted else Cell(f"{label}"), f"{key}:name")
    for place, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        with column:
            _draw(cell, f"{key}:{place}")


def _columns(count: int) -> list[Any]:
    return st.columns([1.1, *([1.3] * count)], vertical_alignment="center")


def _draw(cell: Cell, key: str) -> None:
    with st.container(key=f"figure-{key}", gap=None):
        if cell.wanted is None:
            st.markdown(escaped(cell.figure))
        else:
            button = f"open:{key}"
            st.button(escaped(cell.figure), key=button, type="tertiary", on_click=open_answers, args=(cell.wanted,))
        if cell.beside:
            st.caption(escaped(cell.beside))


# --- as files ---------------------------------------------------------------------------------------


def results_file(shown: Shown) -> bytes:
    """A row for each approach and figure: value, interval, over how many questions or answers, and whether best."""
    rows: list[Sequence[str | float | None]] = []
    for one in shown.result.approaches:
        for measure, figure in shown.headline.figures[one.approach].items():
            name = shown.scorer if measure == "quality" else measure
            best = "yes" if shown.headline.best.get(measure) == one.approach else ""
            note = "" if measure == "quality" else shown.headline.incomparable.get(one.approach, "")
            note = note or (one.untimed if measure.endswith("_s") else "")
            rows.append((one.approach, one.model, name, figure.value, figure.low, figure.high, figure.of, best, note))
        for name, count in (("cells", one.cells), ("failed", one.failed), ("missing", one.missing)):
            rows.append((one.approach, one.model, name, count, None, None, None, "", ""))
    columns = ("approach", "model", "figure", "value", "low", "high", "over", "best", "compares with no other because")
    return csv_bytes(columns, rows)


def tags_file(shown: Shown) -> bytes:
    """A row for each tag and approach, also where nothing could be scored."""
    rows: list[Sequence[str | float | None]] = []
    for tag in shown.tags:
        for one in shown.result.approaches:
            mean, count = tag.means.get(one.approach, (None, 0))
            value = (mean.value, mean.low, mean.high) if mean else (None, None, None)
            rows.append((tag.tag, tag.questions, one.approach, shown.scorer, *value, count))
    return csv_bytes(("tag", "questions", "approach", "scorer", "value", "low", "high", "scored questions"), rows)
