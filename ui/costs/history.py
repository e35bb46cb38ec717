"""What was spent, and how fast and how reliable answers were, day by day, of all sessions together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, fields
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import streamlit as st

from backends.registry import spec_of, specs
from backends.settings import Settings
from backends.spend import ledger
from backends.spend.ledger import Entry, Kind
from evaluation.costs.history import Spend, answered_by, begin_of, daily, performance, spend
from evaluation.spreadsheet import csv_bytes, neutral_cell
from ui.costs import uncounted
from ui.costs.history_charts import by_day_chart, model_chart, spend_chart
from ui.shared import numbers
from ui.shared.charts import ink
from ui.shared.downloads import download_button
from ui.shared.tables import plain_frame
from ui.shared.text import escaped

BY_DAY = (
    *("day (UTC)", "approach", "model", "kind", "answers", "tests of the connection", "spent in USD", "cost unknown"),
    *("latency p50 in s", "latency p95 in s", "errors", "error rate in %"),
)


def by_day_file(entries: Sequence[Entry]) -> bytes:
    """A row per day, approach and model. What is not known is left empty: an amount where no cost of the day is known.

    `cost unknown` counts the answers and tests whose cost is not in the amount.
    """
    grouped: dict[tuple[date, str, str], list[Entry]] = defaultdict(list)
    for one in entries:
        grouped[one.at.date(), one.approach, one.model].append(one)
    rows = []
    for day in spend(entries):
        found = grouped[day.day, day.approach, day.model]
        went = performance(found)
        usd = None if day.unknown == len(found) else day.usd
        rate = None if went.error_rate is None else 100 * went.error_rate
        rows.append(
            (
                *(
                    day.day.isoformat(),
                    day.approach,
                    day.model,
                    found[0].kind,
                    day.answers,
                    day.tests,
                    usd,
                    day.unknown,
                ),
                *(went.latency_p50_s, went.latency_p95_s, went.errors, rate),
            )
        )
    return csv_bytes(BY_DAY, rows)


def answers_file(entries: Sequence[Entry]) -> bytes:
    """A row per answer or test as it was recorded: tokens, seconds, USD, and from which price or rate they come."""
    names = [field.name for field in fields(Entry)]
    rows = [(one.at.isoformat(), *astuple(one)[1:]) for one in entries]
    return csv_bytes(names, rows)


_PERIODS = {"7 days": 7, "30 days": 30, "90 days": 90}
_KINDS: dict[Kind, str] = {"real": "Real answers", "stand-in": "Stand-in", "scripted": "Script"}
_CHART = 440  # pixels at least: two beside each other at 1440, below each other at 800


def draw(current: Settings) -> None:
    """What nobody counted, then charts and the table. Raises `BackendError` for an unreadable ledger."""
    uncounted.draw(current)
    with st.container(horizontal=True, vertical_alignment="center"):
        period = st.segmented_control(
            "Period", _PERIODS, default="30 days", required=True, key="history_days", label_visibility="collapsed"
        )
        entries = ledger.entries(current, begin_of(_PERIODS[str(period or "30 days")], datetime.now(UTC)))
        kinds = [kind for kind in _KINDS if any(one.kind == kind for one in entries)]
        kind = _kind(kinds)
    if not kinds:
        _empty()
        return
    _charts([one for one in entries if one.kind == kind])


def _kind(kinds: Sequence[Kind]) -> Kind | None:
    """Which answers are shown: real ones, those of the stand-in and those of the script are kept apart."""
    if len(kinds) < 2:
        if kinds and kinds[0] != "real":
            st.caption(f"Only answers of the {_KINDS[kinds[0]].lower()} so far: they are not what a model costs.")
        return kinds[0] if kinds else None
    return st.segmented_control(
        "Answers",
        kinds,
        default=kinds[0],
        required=True,
        key="history_kind",
        format_func=lambda kind: _KINDS[kind],
        label_visibility="collapsed",
    )


def _empty() -> None:
    st.info(
        "Every answer of every session is recorded from now on: its tokens, its time, its cost, and no text. Nothing "
        "was asked in this period.",
        icon=":material/receipt_long:",
    )
    if st.button("Ask something on Compare", key="ask_first_history", icon=":material/signpost:", type="primary"):
        st.switch_page("pages/compare.py")


def _charts(entries: Sequence[Entry]) -> None:
    spent, days = spend(entries), daily(entries)
    with st.container(horizontal=True, vertical_alignment="top"):
        st.markdown(f"## {escaped(headline(spent))}", width="stretch", anchors=False)
        download_button(
            "crossroads-history-by-day.csv",
            lambda: by_day_file(entries),
            button="CSV by day",
            what="What the charts show: spend, latency and errors by day, approach and model.",
        )
        download_button(
            "crossroads-history.csv",
            lambda: answers_file(entries),
            button="CSV of every answer",
            what="Tokens, seconds and cost of every answer, with the price or rate that it comes from; no text.",
        )
    grid = st.grid(2, min_column_width=_CHART)
    asked = {one.approach for one in spent}
    shown = [*(spec.id for spec in specs() if spec.id in asked), *sorted(asked - {spec.id for spec in specs()})]
    colours = {spec_of(approach).name: spec_of(approach).hex for approach in shown}
    with grid.cell():
        st.caption("Spend by day (UTC). Local answers: machine time at your rate and a share of training")
        st.altair_chart(spend_chart(spent, colours, ink()), width="stretch", alt="Spend by day and approach")
    with grid.cell():
        st.caption("Spend by approach and model, in the whole period")
        st.altair_chart(model_chart(spent, colours, ink()), width="stretch", alt="Spend by approach and model")
    latency = [(one.day, spec_of(one.approach).name, one.performance.latency_p50_s) for one in days]
    with grid.cell():
        st.caption("Latency of complete answers by day: median")
        st.altair_chart(by_day_chart(latency, "seconds", ".3~r", colours), width="stretch", alt="Median latency by day")
    errors = [(one.day, spec_of(one.approach).name, percent(one.performance.error_rate)) for one in days]
    with grid.cell():
        st.caption("Answers that ended in an error, without those that were stopped")
        st.altair_chart(
            by_day_chart(errors, "% of answers", ".3~r", colours), width="stretch", alt="Share of errors by day"
        )
    st.header("By approach and model", anchor=False)
    st.dataframe(table(entries), hide_index=True, width="stretch", alt="Spend, latency and errors by model")


def headline(spent: Sequence[Spend]) -> str:
    """The sum, what it was spent on, and how much of that has an unknown cost."""
    usd = sum((one.usd for one in spent), Decimal(0))
    answers, tests = sum(one.answers for one in spent), sum(one.tests for one in spent)
    verdicts = sum(one.verdicts for one in spent)
    unknown = sum(one.unknown for one in spent)
    of_what = f"{answers:,} {'answer' if answers == 1 else 'answers'}" if answers or not (tests or verdicts) else ""
    tried = f"{tests:,} {'test of a connection' if tests == 1 else 'tests of connections'}" if tests else ""
    judged = f"{verdicts:,} {'verdict' if verdicts == 1 else 'verdicts'} of a judge" if verdicts else ""
    what = " and ".join(filter(None, (of_what, tried, judged)))
    if not unknown:
        return f"{numbers.dollars(usd)} for {what}."
    if unknown == answers + tests + verdicts:
        return f"The cost of {what} is unknown."
    return f"{numbers.dollars(usd)} for {what}; the cost of {unknown:,} of them is unknown."


def percent(share: float | None) -> float | None:
    """A share from 0 to 1 in percent."""
    return None if share is None else 100 * share


def table(entries: Sequence[Entry]) -> pd.DataFrame:
    """One row per approach and model over the whole period, as shown text; tests of connections where there are any."""
    rows = []
    tested, judged = (any(one.purpose == purpose for one in entries) for purpose in ("test", "judge"))
    for approach, model in dict.fromkeys((one.approach, answered_by(one)) for one in entries):
        found = [one for one in entries if (one.approach, answered_by(one)) == (approach, model)]
        spent = spend(found)
        whole = performance(found)
        unknown = sum(one.unknown for one in spent)
        rows.append(
            {
                "Approach": spec_of(approach).name,
                "Answers": f"{whole.answers:,}",
                **({"Tests": f"{sum(one.tests for one in spent):,}"} if tested else {}),
                **({"Verdicts": f"{sum(one.verdicts for one in spent):,}"} if judged else {}),
                "Spent": numbers.UNKNOWN
                if unknown == len(found)
                else numbers.dollars(sum((one.usd for one in spent), Decimal(0))),
                "Cost unknown": f"{unknown:,}",
                "Latency p50": numbers.seconds(whole.latency_p50_s),
                "p95": numbers.seconds(whole.latency_p95_s),
                "Errors": f"{whole.errors:,}",
                "Error rate": numbers.UNKNOWN if (rate := percent(whole.error_rate)) is None else f"{rate:.3g} %",
                "Model": neutral_cell(model),  # it can be saved; last: long names push nothing off a small screen
            }
        )
    return plain_frame(rows)
