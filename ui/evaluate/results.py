"""The section Results: what the run that is open came to, in words first; each figure leads to its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from backends.store.database import Store
from backends.text import counted
from evaluation.judging import RIGHT
from evaluation.runs.background import find_work
from evaluation.runs.baseline import baseline_of, newly_failing, newly_failing_words
from evaluation.runs.breakdown import Figure, TagResult, by_tag, headline_of
from evaluation.runs.columns import Reading, fingerprint, read_run, scorers_of, with_scores
from evaluation.runs.judge import judge_words
from evaluation.runs.matrix import Wanted
from evaluation.runs.model import Run
from evaluation.runs.results import ApproachResult, Difference, RunResult, difference_words, in_order, result_of
from evaluation.scorers import title_of as scorer_title
from ui.evaluate.address import BASELINE, choice_from_address, open_answers, run_to_show
from ui.evaluate.cell import agreement_line
from ui.evaluate.charts import draw_charts
from ui.evaluate.figures import (
    LABELS,
    Cell,
    Shown,
    count_cell,
    figure_cell,
    lacking_cell,
    name_of,
    quality_cell,
    results_file,
    score_figure,
    table_head,
    table_row,
    tags_file,
)
from ui.evaluate.page import Evaluation, run_label
from ui.evaluate.pairwise import draw_comparison
from ui.shared.downloads import heading_with_download
from ui.shared.text import escaped

_TAGS = 12  # that are shown at first
_CRITICAL = 5  # questions that are named


def draw(page: Evaluation) -> None:
    """Draw the section."""
    words = "What a run came to stands here: who is right, how sure that is, how fast, at what cost. No run yet."
    if (run := run_to_show(page, words)) is None:
        return
    kept = kept_as_it_is(page, run)
    unfinished, choices = st.container(), st.container(horizontal=True, vertical_alignment="bottom")
    with choices:
        shown = _chosen(kept)
    with unfinished:
        _incomplete(shown.result)
        show_newly_failing(page, run)
    st.caption(escaped(f"{run_label(run)} \u00b7 {counted(run.questions, 'question')}, {_asked(run.repeats)}"))
    _decision(shown)
    _headline(shown)
    draw_charts(shown)
    _by_tag(shown)
    _by_scorer(result_in(kept.mark, (), shown.result.baseline, kept))  # last: it takes longest
    draw_comparison(page.store, run)
    agreement_line(page, run, shown.scorer)


def _asked(repeats: int) -> str:
    return "each asked once" if repeats == 1 else f"each asked {repeats} times"


@dataclass(frozen=True, slots=True)
class Kept:
    """A run, and what tells its answers and scores from those of before: what was made of them is kept by that."""

    store: Store
    run: Run
    mark: tuple[str | float, ...]


def kept_as_it_is(page: Evaluation, run: Run) -> Kept:
    """The run with its answers and scores of now. Raises `BackendError`."""
    return Kept(page.store, run, (page.store.place, run.id, *fingerprint(page.store, run)))


def _chosen(kept: Kept) -> Shown:
    """Draw the choice of baseline and scorer; what is shown by them."""
    ids = [one.approach for one in kept.run.approaches]
    baseline = ids[0]
    if len(ids) > 1:
        baseline = choice_from_address("Compared with", BASELINE, ids, format_func=name_of, width=230)
    known = _scorers(kept.mark, kept)
    scorer = RIGHT if RIGHT in known or not known else known[0]
    if len(known) > 1:
        ordered = [scorer, *(name for name in known if name != scorer)]
        scorer = choice_from_address("Quality is", "scorer", ordered, format_func=scorer_title, width=260)
    return _shown(kept.mark, scorer, baseline, kept)


@st.cache_resource(show_spinner=False, max_entries=16)
def _scorers(mark: tuple[str | float, ...], _kept: Kept) -> list[str]:
    """The scorers that gave any answer a value, in the order of the registry."""
    return in_order(scorers_of(_kept.store, _kept.run))


@st.cache_resource(show_spinner="Reading the answers", max_entries=4)
def reading_of(mark: tuple[str | float, ...], scorers: tuple[str, ...], _kept: Kept) -> Reading:
    """The run with the scores of these scorers; of all if none is named."""
    if scorers:
        return read_run(_kept.store, _kept.run, scorers)
    return with_scores(_kept.store, reading_of(mark, (RIGHT,), _kept))


@st.cache_resource(show_spinner=False, max_entries=8)
def result_in(mark: tuple[str | float, ...], scorers: tuple[str, ...], baseline: str, _kept: Kept) -> RunResult:
    """What came of it, compared with `baseline`; with the first approach if that is empty."""
    return result_of(reading_of(mark, scorers, _kept), baseline)


@st.cache_resource(show_spinner=False, max_entries=8)
def _shown(mark: tuple[str | float, ...], scorer: str, baseline: str, _kept: Kept) -> Shown:
    scorers = (RIGHT,) if scorer == RIGHT else (RIGHT, scorer)
    reading, result = reading_of(mark, scorers, _kept), result_in(mark, scorers, baseline, _kept)
    return Shown(result, headline_of(reading, result, scorer), by_tag(reading, scorer), scorer)


# --- what is lacking, and the decision ------------------------------------------------------------


def _incomplete(result: RunResult) -> None:
    """Say on top what every figure below lacks."""
    if words := incomplete_words(result):
        st.warning(escaped(words), icon=":material/incomplete_circle:")
    for one in result.approaches:
        if one.stopped:
            st.warning(escaped(f"{name_of(one.approach)} was given up: {one.stopped}"), icon=":material/block:")


def incomplete_words(result: RunResult) -> str:
    """How many answers are missing, and whose; empty if none is."""
    missing = [(one.approach, one.missing) for one in result.approaches if one.missing]
    if not missing:
        return ""
    total = sum(count for _, count in missing)
    each = ", ".join(f"{name_of(approach)} {count:,}" for approach, count in missing)
    is_ours = (work := find_work(result.run.id)) is not None and work.phase != "ended"
    how = "still going on" if is_ours else "incomplete"
    return (
        f"This run is {how}: {total:,} of {result.run.cells:,} answers are missing ({each}). All figures are of "
        "the answers that are there."
    )


def show_newly_failing(page: Evaluation, run: Run) -> None:
    """The critical questions that were right in the approved baseline of these questions and are not any more."""
    baseline = baseline_of(page.store, run.set_hash)
    if baseline is None or baseline.id == run.id:
        return
    if found := newly_failing(page.store, run, baseline):
        lines = newly_failing_words(found, baseline)
        st.error("  \n".join(map(escaped, lines[:_CRITICAL])), icon=":material/priority_high:")
        if len(lines) > _CRITICAL:
            st.caption(f"And {len(lines) - _CRITICAL:,} more critical questions.")


def _stand_ins(result: RunResult) -> None:
    """Whom no sentence is about."""
    names = [name_of(one.approach) for one in result.approaches if one.stand_in]
    if names and len(names) < len(result.approaches):
        st.caption(
            f":material/swap_horiz: A stand-in answered in place of {escaped(', '.join(names))}: what it says is not "
            "what they would say, so it is not compared."
        )


def _decision(shown: Shown) -> None:
    """One sentence for each approach against the baseline, with the way to the questions on which they differ."""
    found = [one for one in shown.result.differences if one.scorer == shown.scorer]
    if all(one["quality"].value is None for one in shown.headline.figures.values()):
        st.info(escaped(_unscored_words(shown.result)), icon=":material/help:")
    for difference in (one for one in found if one.clear):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"## {escaped(difference_words(difference))}", anchors=False, width="stretch")
            if difference.yes_no:
                ahead, behind = difference.approach, difference.baseline
                if difference.mean < 0:
                    ahead, behind = behind, ahead
                _only_right(ahead, behind, shown.scorer)
    _unclear([one for one in found if not one.clear], shown.scorer)
    _stand_ins(shown.result)
    if not found:
        for one in shown.result.approaches:
            cell = figure_cell(shown, one, "quality")
            if cell.beside:
                st.markdown(f"## {escaped(f'{name_of(one.approach)}: {cell.figure} ({cell.beside})')}", anchors=False)


def _unclear(found: Sequence[Difference], scorer: str) -> None:
    """The differences that may be chance, in smaller letters: one heading says that of all, one link leads to all."""
    if not found:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        names = ", ".join(name_of(one.approach) for one in found)
        base = name_of(found[0].baseline)
        said = f"The answers do not separate {names} from {base}."
        st.markdown(f"## {escaped(said)}", anchors=False, width="stretch")
        st.button(
            "Where they disagree",
            key="disagree",
            type="tertiary",
            icon=":material/arrow_forward:",
            on_click=open_answers,
            args=(Wanted("disagree", scorer=scorer),),
        )
    st.caption("  \n".join(escaped(difference_words(one)) for one in found))


def _only_right(right: str, wrong: str, scorer: str) -> None:
    st.button(
        f"Only {escaped(name_of(right))} right",
        key=f"split:{right}:{wrong}",
        type="tertiary",
        icon=":material/arrow_forward:",
        on_click=open_answers,
        args=(Wanted("split", right, wrong, scorer=scorer),),
    )


def _unscored_words(result: RunResult) -> str:
    """Why there is no quality."""
    if not any(one.scores for one in result.approaches):
        return "No answer has a score yet. Latency, cost and failures are below."
    return (
        "The questions do not say what a right answer is, so nothing is scored: quality is unknown, not 0. Give "
        "reference answers or key facts. Latency, cost and failures are below."
    )


# --- the headline table ---------------------------------------------------------------------------


def _headline(shown: Shown) -> None:
    run = shown.result.run
    heading_with_download(
        "## What it came to",
        f"crossroads-{run.id}-results.csv",
        lambda: results_file(shown),
        what="Every figure with its interval, by approach.",
    )
    listed = shown.result.approaches
    table_head("", listed)
    for measure, label in LABELS.items():
        name = scorer_title(shown.scorer) if measure == "quality" else label
        table_row(name, [figure_cell(shown, one, measure) for one in listed], measure)
    table_row("Failed", [count_cell(one, "failed", run) for one in listed], "failed")
    table_row("Missing", [count_cell(one, "missing", run) for one in listed], "missing")
    if shown.headline.incomparable:
        each = "; ".join(f"{name_of(id)}: {why}" for id, why in shown.headline.incomparable.items())
        st.caption(f"Times and costs that compare with no other: {escaped(each)}.")
    counts_failed = shown.scorer == RIGHT and any(one.failed for one in listed)
    st.caption(
        f"{'A failed answer counts as not right. ' if counts_failed else ''}Small figures: 95 % intervals. "
        "\u2605 is best where that is clear: quality by the paired differences, times and costs where intervals do not "
        "overlap, nothing where no answer is right. A share leads to its answers that are not right, a time or an "
        "amount to the slowest or dearest. Whether chance may be the reason is adjusted for the number of "
        f"comparisons (Holm).{escaped(_groups_words(shown.result))}"
    )


def _groups_words(result: RunResult) -> str:
    """How intervals are formed where questions share a source."""
    found = [score for one in result.approaches for score in one.scores.values() if score.questions]
    groups = max((one.clusters for one in found if one.clusters < one.questions), default=0)
    if not groups:
        return ""
    if groups == 1:
        return " All questions are on the same source, so the intervals say nothing of others."
    return (
        f" Questions that share a source count as one group ({groups:,} groups): the intervals of shares, means, "
        "amounts and differences are then by Student's t, with one degree of freedom less than there are groups."
    )


# --- by tag, by scorer ----------------------------------------------------------------------------


def _by_tag(shown: Shown) -> None:
    if not shown.tags:
        return
    run = shown.result.run
    heading_with_download(
        "## By tag",
        f"crossroads-{run.id}-tags.csv",
        lambda: tags_file(shown),
        what="Quality by tag and approach, with intervals and numbers of questions.",
    )
    listed = shown.result.approaches
    table_head("Tag", listed)
    every = len(shown.tags) <= _TAGS or st.session_state.get("every_tag", False)
    for place, tag in enumerate(shown.tags if every else shown.tags[:_TAGS]):
        words = f"{tag.tag} ({tag.questions:,} question{'s' if tag.questions != 1 else ''})"
        table_row(words, [_tag_cell(shown, tag, one) for one in listed], f"tag-{place}", Wanted(tag=tag.tag))
    if len(shown.tags) > _TAGS:
        st.toggle(f"All {len(shown.tags):,} tags", key="every_tag")


def _tag_cell(shown: Shown, tag: TagResult, one: ApproachResult) -> Cell:
    mean, count = tag.means.get(one.approach, (None, 0))
    if mean is None:
        return Cell("no score")
    figure = Figure(mean.value, mean.low, mean.high, count)
    found = quality_cell(figure, one.scores.get(shown.scorer), one.approach, shown.scorer, tag.questions)
    return replace(found, wanted=found.wanted and replace(found.wanted, tag=tag.tag))


def _lacking_alike(listed: Sequence[ApproachResult], names: Sequence[str]) -> list[list[str]]:
    """The scorers that some answers have no score of, together where that is said of as many answers for as many."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        alike.setdefault(tuple(lacking_cell(one, name).figure for one in listed), []).append(name)
    return [those for counts, those in alike.items() if any(counts)]


def _by_scorer(result: RunResult) -> None:
    """Every score of every approach, with what could not be scored."""
    listed = result.approaches
    names = list(dict.fromkeys(name for one in listed for name in one.scores))
    if not names:
        return
    questions = result.run.questions
    st.markdown("## By score", anchors=False)
    table_head("Score", listed)
    for name in names:
        cells = [
            quality_cell(score_figure(one, name), one.scores.get(name), one.approach, name, questions) for one in listed
        ]
        table_row(scorer_title(name), cells, f"score-{name}")
    for those in _lacking_alike(listed, names):
        titles = ", ".join(map(scorer_title, those))
        table_row(f"Without: {titles}", [lacking_cell(one, those[0]) for one in listed], f"lacking-{those[0]}")
    for sentence in judge_words(result.run):
        st.caption(escaped(sentence))
