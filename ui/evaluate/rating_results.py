"""What a rating session came to: who is preferred, how sure that is, who won against whom, how far to trust it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from math import exp
from pathlib import Path

import altair as alt
import streamlit as st

from backends.text import counted as number_of
from evaluation.ratings import agreement, breakdown, sessions
from evaluation.ratings.export import export_session
from evaluation.ratings.model import Item, Rater, Rating, RatingSession
from evaluation.ratings.planner import components_of, plan_words
from evaluation.ratings.preference import Preference, counted, pair_preference, place_effects, preferences, wins
from evaluation.ratings.strength import Strength, Strengths, strengths
from evaluation.statistics import Estimate
from ui.evaluate.figures import name_of
from ui.evaluate.page import Evaluation
from ui.shared.charts import readable
from ui.shared.tables import literal_table
from ui.shared.text import escaped, plain

_FILES = {
    ".zip": ("All of it (ZIP)", "application/zip"),
    ".csv": ("CSV", "text/csv"),
    ".parquet": ("Parquet", "application/vnd.apache.parquet"),
    ".jsonl": ("JSON lines", "application/jsonl"),
}


def draw(page: Evaluation, session: RatingSession) -> None:
    """Draw it: how far raters are, and the result once the session is closed or locked.

    While people rate, nobody sees who leads: not the owner either, who could talk about it.
    """
    items = {item.number: item for item in sessions.items_of(page.store, session.id)}
    raters = sessions.raters_of(page.store, session.id)
    every = sessions.ratings_of(page.store, session.id)
    _progress(session, items, raters, every)
    own = [one for one in every if one.round == session.round]
    if not counted(own):
        st.caption("Nothing was rated yet." if session.round == 1 else "Nothing was rated in this round yet.")
        return
    if session.state in ("open", "paused"):
        st.caption("Who is preferred is shown once the session is closed or locked, so that nobody is swayed.")
        return
    _export(page, session)
    people = [one for one in raters if one.kind == "person"]
    human = _of(people, own)
    found = preferences(human, session.approaches)
    _decision(session, human, found)
    _chart(found)
    _strengths(session, items, human)
    _matrix(session, human)
    _breakdown(session, items, human)
    _trust(session, items, people, human, _of(people, every))
    _comments(items, raters, own)


def _export(page: Evaluation, session: RatingSession) -> None:
    with st.popover("Export", icon=":material/download:"):
        for ending, (label, mime) in _FILES.items():
            st.download_button(
                label,
                data=partial(_exported, page, session, ending),
                file_name=f"ratings-{session.id}{ending}",
                mime=mime,
                key=f"rating_export:{ending}",
                on_click="ignore",
            )
        st.caption(
            "Raters are numbers, their comments are as they wrote them. The archive has the questions and answers as "
            "well, and a script that recomputes preferences, strengths and agreement from them."
        )


def _exported(page: Evaluation, session: RatingSession, ending: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"ratings{ending}"
        export_session(page.store, session, file)
        return file.read_bytes()


def _of(raters: Sequence[Rater], ratings: Sequence[Rating]) -> list[Rating]:
    ids = {one.id for one in raters}
    return [one for one in ratings if one.rater in ids]


def _progress(
    session: RatingSession, items: Mapping[int, Item], raters: Sequence[Rater], every: Sequence[Rating]
) -> None:
    said = Counter(one.rater for one in every if one.round == session.round)
    first = [one for one in every if one.round == session.round and not one.again]
    want = len(items) * (session.plan.per_item or max(1, len(raters)))
    st.progress(
        min(1.0, len(first) / want),
        escaped(_how_far(len(first), len(items), len(raters))),
    )
    if raters:
        st.caption(escaped(" \u00b7 ".join(f"{one.name}: {said[one.id]:,}" for one in raters)))


def _how_far(ratings: int, items: int, raters: int) -> str:
    people = number_of(raters, "person", "people")
    return f"{number_of(ratings, 'rating')} of {number_of(items, 'item')} by {people}"


def _decision(session: RatingSession, ratings: Sequence[Rating], found: Sequence[Preference]) -> None:
    """In words: who is ahead of whom, and by how much."""
    rated = [one for one in found if one.net is not None]
    ordered = sorted(rated, key=lambda one: -_net(one).value)
    if len(ordered) < 2:
        return
    first, second = ordered[0], ordered[1]
    gap = pair_preference(ratings, first.approach, second.approach)
    if gap is not None and gap.low > 0:
        words = f"{name_of(first.approach)} is preferred to {name_of(second.approach)}"
    else:
        words = f"The ratings do not separate {name_of(first.approach)} and {name_of(second.approach)}"
    st.markdown(f"## {escaped(words)}", anchors=False)
    if gap is not None:
        st.caption(
            escaped(
                f"Won minus lost between the two: {_signed(gap)}. Intervals draw raters and items anew, so they hold "
                f"for other raters and other questions of this kind."
            )
        )
    if len({one.rater for one in ratings}) < 3:
        st.warning("Fewer than three people rated: the intervals say little of other raters.", icon=":material/group:")


def _net(one: Preference) -> Estimate:
    assert one.net is not None
    return one.net


def _signed(one: Estimate) -> str:
    shown = f"{one.value:+.2f} (95 % interval {one.low:+.2f} to {one.high:+.2f})"
    return shown.replace("-", "\u2212")


def _chart(found: Sequence[Preference]) -> None:
    rows = [
        {"Approach": name_of(one.approach), "Net": one.net.value, "Low": one.net.low, "High": one.net.high}
        for one in found
        if one.net is not None
    ]
    if not rows:
        return
    base = alt.Chart(alt.Data(values=rows)).encode(y=alt.Y("Approach:N", title=None, sort=None))
    scale = alt.Scale(domain=[-1, 1])
    bars = base.mark_rule(strokeWidth=3).encode(
        x=alt.X("Low:Q", title="Net preference: share won minus share lost", scale=scale), x2="High:Q"
    )
    points = base.mark_point(filled=True, size=120).encode(x=alt.X("Net:Q", scale=scale))
    zero = alt.Chart(alt.Data(values=[{"x": 0}])).mark_rule(strokeDash=[4, 4]).encode(x="x:Q")
    with st.container(key="chart-preference"):
        words = "; ".join(f"{row['Approach']} {row['Net']:+.2f}" for row in rows)
        drawn = readable(alt.LayerChart(layer=[zero, bars, points], height=alt.Step(36)))
        st.altair_chart(drawn, width="stretch", alt=f"Net preference: {plain(words)}")
    literal_table(
        [
            {
                "Approach": name_of(one.approach),
                "Net preference": "unknown" if one.net is None else _signed(one.net),
                "Ratings": f"{one.ratings:,}",
                "Raters": f"{one.raters:,}",
                "Items": f"{one.items:,}",
            }
            for one in found
        ]
    )


def _strengths(session: RatingSession, items: Mapping[int, Item], ratings: Sequence[Rating]) -> None:
    """A second view of the same ratings, by a model of them; style is taken off if that is wanted."""
    st.markdown("## Strength by the Bradley-Terry model", anchors=False)
    plain_ones = strengths(ratings, session.approaches)
    if plain_ones.why:
        st.caption(escaped(f"There is none: {plain_ones.why}."))
        return
    styled = st.toggle(
        "Take off what length and citations do",
        key="rating_style",
        help="What is left if all answers were equally long, and all or none of them cited.",
    )
    found = strengths(ratings, session.approaches, items) if styled else plain_ones
    before = {one.approach: one.log.value for one in plain_ones.of}
    literal_table([_strength_row(one, before[one.approach] if styled else None) for one in found.of])
    st.caption("  \n".join(map(escaped, _style_words(found) if styled else _MODEL_WORDS)))


_MODEL_WORDS = (
    "Strengths are natural logarithms, 0 in the mean, with ties as Davidson has them. A rating is one observation, "
    "however many answers it puts in order. Intervals draw raters and items anew.",
)


def _strength_row(one: Strength, before: float | None) -> dict[str, str]:
    row = {"Approach": name_of(one.approach), "Strength": _signed(one.log)}
    if before is not None:
        row["With style"] = f"{before:+.2f}".replace("-", "\u2212")
    low, high = 100 * one.beats.low, 100 * one.beats.high
    return row | {
        "Beats an average approach": f"{100 * one.beats.value:.0f} % (95 % interval {low:.0f} to {high:.0f} %)"
    }


def _style_words(found: Strengths) -> list[str]:
    """What style did to preferences."""
    said = []
    effects = ((found.doubling, "twice as long", _NO_LENGTHS), (found.citing, "that cites", _NO_CITES))
    for effect, what, none in effects:
        if effect is None:
            said.append(none)
            continue
        times = exp(effect.value)
        sure = "" if effect.low > 0 or effect.high < 0 else ", which may be chance"
        said.append(
            f"An answer {what} is preferred with {times:.2g} times the odds (95 % interval {exp(effect.low):.2g} to "
            f"{exp(effect.high):.2g}){sure}."
        )
    return said


_NO_LENGTHS = "All answers to a question are equally long."
_NO_CITES = "No question has both an answer that cites and one that does not."


def _matrix(session: RatingSession, ratings: Sequence[Rating]) -> None:
    st.markdown("## Who won against whom", anchors=False)
    literal_table(
        [
            {
                "Pair": f"{name_of(one.approach)} against {name_of(one.other)}",
                "Won": f"{one.won:,}",
                "Lost": f"{one.lost:,}",
                "As good": f"{one.tied:,}",
            }
            for one in wins(ratings, session.approaches)
            if one.compared
        ]
    )
    bad = sum(one.all_bad for one in counted(ratings))
    skipped = sum(one.skipped for one in ratings)
    st.caption(f"All bad: {bad:,} of {len(counted(ratings)):,} ratings. Skipped: {skipped:,}.")


def _breakdown(session: RatingSession, items: Mapping[int, Item], ratings: Sequence[Rating]) -> None:
    """What preferences hang on: the kind of question, length, citations, and whether scores say the same."""
    tags = breakdown.by_tag(ratings, items, session.approaches)
    if tags:
        st.markdown("## By tag", anchors=False)
        literal_table(
            [
                {"Tag": one.tag, "Items": f"{one.items:,}"}
                | {name_of(own.approach): "unknown" if own.net is None else _signed(own.net) for own in one.of}
                for one in tags
            ]
        )
        st.caption("Net preference. Intervals are of each figure alone; of many, one in twenty misses by chance.")
    leans = {
        "The longer one": breakdown.longer(ratings, items),
        "One that cited": breakdown.citing(ratings, items),
        **{f"The higher {scorer}": one for scorer, one in breakdown.by_score(ratings, items).items()},
    }
    if any(leans.values()):
        st.markdown("## What was preferred", anchors=False)
        literal_table(
            [
                {"Of two answers": what, "Won minus lost": _signed(one.net), "Pairs": f"{one.pairs:,}"}
                for what, one in leans.items()
                if one is not None
            ]
        )
        st.caption(
            "Where two answers differ in it. A score that goes with people is near 1, one that has nothing to do with "
            "them near 0. Raters did not see citations; an answer that cited may differ otherwise."
        )


def _trust(
    session: RatingSession,
    items: Mapping[int, Item],
    people: Sequence[Rater],
    ratings: Sequence[Rating],
    every: Sequence[Rating],
) -> None:
    """How far raters agree, whether they were blind, and what more of them would buy."""
    st.markdown("## How far to trust it", anchors=False)
    lines = [f"Agreement of raters (Krippendorff's alpha): {_alpha(agreement.alpha(ratings))}."]
    if session.round > 1:
        before = [one for one in every if one.round == 1]
        lines.append(f"In the first round, before the answers were revealed: {_alpha(agreement.alpha(before))}.")
    lines += [
        f"Agreement on {criterion}: {_alpha(agreement.alpha(ratings, criterion=criterion))}."
        for criterion in session.plan.criteria
    ]
    twice = agreement.self_consistency(ratings)
    if twice.of:
        lines.append(f"Of the items that a person rated twice, {_share(twice)} were rated the same.")
    names = {one.id: one.name for one in people}
    lines += [
        f"{names[rater]} put the known best answer first on {_share(found)} gold items."
        for rater, found in agreement.gold_accuracy(ratings, items).items()
    ]
    blind = agreement.blinding(people, session.approaches)
    if blind.p is not None:
        said = "more than chance explains: they were not blind" if blind.p < 0.05 else "no more than chance explains"
        lines.append(
            f"Whose answer was whose: {blind.right} of {blind.of} guesses were right, {blind.expected:g} by chance "
            f"(p = {blind.p:.2g}), {said}."
        )
    else:
        lines.append("Nobody guessed whose answers they were, so it is not known whether raters were blind.")
    for effect in place_effects(ratings):
        lines.append(
            f"Answers shown as number {effect.place}: net {_signed(effect.net)} over {effect.shown:,} ratings."
        )
    components = components_of(counted(ratings), session.approaches)
    if components is not None:
        lines += plan_words(components, len(people), len(items), session.plan.per_item)
    st.caption("  \n".join(map(escaped, lines)))
    if found := agreement.disputed(ratings):
        with st.expander("The most disputed questions", icon=":material/forum:"):
            for number, share in found:
                st.markdown(f"**{escaped(items[number].question)}**")
                st.caption(f"{100 * share:.0f} % of pairs of raters put different answers first.")
                if session.state == "locked":
                    for name, text in items[number].answers.items():
                        st.markdown(f"{escaped(name_of(name))}: {escaped(text)}")


def _alpha(found: agreement.Alpha) -> str:
    if found.value is None:
        return f"undefined, because {found.why}"
    interval = "" if found.low is None else f" (95 % interval {found.low:.2f} to {found.high:.2f})"
    return f"{found.value:.2f}{interval}".replace("-", "\u2212")


def _share(found: agreement.Share) -> str:
    return f"{found.hits:,} of {found.of:,}"


def _comments(items: Mapping[int, Item], raters: Sequence[Rater], ratings: Sequence[Rating]) -> None:
    said = [one for one in ratings if one.comment]
    if not said:
        return
    names = {one.id: one.name for one in raters}
    with st.expander(f"Comments ({len(said):,})", icon=":material/comment:"):
        for one in said:
            st.markdown(f"**{escaped(names.get(one.rater, ''))}** on {escaped(items[one.item].question)}")
            st.markdown(escaped(one.comment))
