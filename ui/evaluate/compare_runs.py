"""The section Compare runs: how far each approach of a run is ahead of the same one in an earlier run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import streamlit as st

from backends.registry import spec_of
from evaluation.judging import RIGHT
from evaluation.runs.model import Run
from evaluation.runs.records import all_runs
from evaluation.runs.results import ApproachResult, Difference, RunComparison, compared, difference_words
from evaluation.scorers import title_of
from ui.evaluate.figures import name_of
from ui.evaluate.page import RUN, Evaluation, run_label
from ui.evaluate.results import show_newly_failing
from ui.shared import numbers
from ui.shared.jobs import computed_in_background
from ui.shared.tables import literal_table
from ui.shared.text import escaped, shortened

_LATER, _EARLIER = "compare_later", "compare_earlier"


def draw(page: Evaluation) -> None:
    """Draw the section."""
    runs = {run.id: run for run in all_runs(page.store)}
    if page.run is None or len(runs) < 2:
        st.info(
            "Two runs are needed to compare them. Run the same questions again after a change: with another model, "
            "adapter, collection or prompt."
        )
        return
    later, earlier = _choice(page.run, runs)
    if later.id == earlier.id:
        st.caption("Choose two different runs.")
        return
    found = computed_in_background(
        "compare_runs",
        (later.id, later.state, later.finished_at, earlier.id, earlier.state, earlier.finished_at),
        "Comparing the runs",
        lambda: compared(page.store, later, earlier),
    )
    if found is not None:
        _show(page, later, earlier, found)


def _choice(opened: Run, runs: dict[str, Run]) -> tuple[Run, Run]:
    """The two runs: the one that is open, and before it the last one of the same questions, or else any."""
    ids = list(runs)
    others = [id for id in ids if id != opened.id]
    before = [id for id in others if runs[id].created_at < opened.created_at]
    alike = [id for id in others if runs[id].set_hash == opened.set_hash]
    own = {one.approach for one in opened.approaches}
    shared = [id for id in others if own & {one.approach for one in runs[id].approaches}]
    same = [id for id in alike if id in before and id in shared] or alike or [id for id in before if id in shared]
    same = same or shared or others
    left, right = st.columns(2)
    with left:
        key = f"{_LATER}:{opened.id}"
        st.selectbox(
            "Run",
            ids,
            ids.index(opened.id),
            format_func=lambda id: run_label(runs[id]),
            key=key,
            on_change=_open_chosen,
            args=(key,),
        )
    with right:
        earlier = st.selectbox(
            "Compared with",
            ids,
            ids.index(same[0]),
            format_func=lambda id: run_label(runs[id]),
            key=f"{_EARLIER}:{opened.id}",
        )
    return opened, runs[earlier]


def _open_chosen(key: str) -> None:
    st.query_params[RUN] = st.session_state[key]


def _show(page: Evaluation, later: Run, earlier: Run, comparison: RunComparison) -> None:
    """Sentences first, those of right answers before the others; then times and costs, and every score."""
    found = comparison.differences
    ordered = [one for one in found if one.scorer == RIGHT] + [one for one in found if one.scorer != RIGHT]
    for one in ordered:
        if one.scorer == RIGHT:
            st.markdown(f"{title_icon(one)} {escaped(difference_words(one))}")
    if later.set_hash != earlier.set_hash:
        most = max((one.questions for one in found), default=0)
        st.caption(f"The question sets differ: the {most:,} questions that both have are compared.")
    show_newly_failing(page, later)
    _changed(later, earlier)
    _times_and_costs(later, earlier, comparison.approaches)
    if not found:
        st.info("No answer of theirs is scored, so their quality cannot be compared.")
        return
    st.markdown("## Scores", anchors=False)
    literal_table(
        [
            {
                "Approach": spec_of(one.approach).name,
                "Score": title_of(one.scorer),
                "Difference": _signed(one.mean, one.yes_no),
                "95 % interval": f"{_signed(one.low, one.yes_no)} to {_signed(one.high, one.yes_no)}",
                "Questions": f"{one.questions:,}",
                "Changed": f"{one.changed:,}",
                "Clear": "yes" if one.clear else "no",
            }
            for one in ordered
        ]
    )
    st.caption(
        "Paired by question. Clear: chance is an unlikely reason, after adjusting for the number of approaches (Holm), "
        "and enough questions changed to say so."
    )


def _times_and_costs(later: Run, earlier: Run, both: Sequence[tuple[ApproachResult, ApproachResult]]) -> None:
    """What each approach measured in both, over all its answers there."""
    st.markdown("## Times, costs and failures", anchors=False)
    literal_table(
        [
            {
                "Approach": name_of(now.approach),
                "Latency, p50": _then(numbers.seconds(now.latency_s.p50), numbers.seconds(then.latency_s.p50)),
                "Latency, p95": _then(numbers.seconds(now.latency_s.p95), numbers.seconds(then.latency_s.p95)),
                "First text, p50": _then(numbers.seconds(now.ttft_s.p50), numbers.seconds(then.ttft_s.p50)),
                "USD per 1,000": _then(_per_1000(now), _per_1000(then)),
                "Failed": _then(f"{now.failed:,} of {now.cells:,}", f"{then.failed:,} of {then.cells:,}"),
            }
            for now, then in both
        ]
    )
    if later.machine == earlier.machine:
        st.caption("Over all answers of each run.")
    else:
        st.caption("Over all answers of each run. They were made on different machines: local times do not compare.")


def _then(now: str, then: str) -> str:
    return f"{now} (was {then})"


def _per_1000(one: ApproachResult) -> str:
    if one.cost_per_1000_usd is None and one.least_per_1000_usd is not None:
        return f"at least {numbers.dollars(one.least_per_1000_usd)}"
    return numbers.dollars(one.cost_per_1000_usd)


def title_icon(one: Difference) -> str:
    """Up, down or as before; in grey where chance may be the reason."""
    icon = "trending_flat" if not one.mean else "trending_up" if one.mean > 0 else "trending_down"
    return f":{'gray' if not one.clear else 'green' if one.mean > 0 else 'red'}[:material/{icon}:]"


def _signed(value: float, yes_no: bool) -> str:
    """Points of a hundred for shares, else the score's own unit; with a sign."""
    shown = f"{100 * value:+.1f} points" if yes_no else f"{value:+.3f}"
    return shown.replace("-", "\u2212")


def _changed(later: Run, earlier: Run) -> None:
    """What was not the same when they were made, settings included."""
    lines = []
    for one in later.approaches:
        other = next((two for two in earlier.approaches if two.approach == one.approach), None)
        if other is None:
            lines.append(f"{spec_of(one.approach).name} is not in the earlier run.")
            continue
        names = [name for name in one.identity if name in other.identity and one.identity[name] != other.identity[name]]
        lines += [
            f"{spec_of(one.approach).name}: {name} was {other.identity[name]}, and is {one.identity[name]}."
            for name in names
        ]
        if one.model != other.model and not names:
            lines.append(f"{spec_of(one.approach).name}: {other.model} answered, and then {one.model}.")
    lines += _settings_changed(earlier.settings, later.settings)
    for sentence in lines:
        st.caption(f":material/difference: {escaped(sentence)}")


def _settings_changed(before: Mapping[str, Any], now: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """A sentence for each setting that is another one now, by its dotted name."""
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _settings_changed(old, new, f"{within}{name}.")
        elif old != new:
            yield f"{within}{name} was {_said(old)}, and is {_said(new)}."


def _said(value: object) -> str:
    return "not set" if value is None else shortened(str(value), 120)
