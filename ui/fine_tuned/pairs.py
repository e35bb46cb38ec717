"""The section Pairs: what is to be learned. Bring it, look at it, mend it, and see what is kept aside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from backends.errors import BackendError
from backends.fine_tuned.pairs.check import PairReport
from backends.fine_tuned.pairs.held_out import Split, leak_sentence
from backends.question_files.records import SUFFIXES
from backends.settings import Settings
from ui.fine_tuned import chosen_pairs, drafts
from ui.fine_tuned.chosen_pairs import ChosenPairs
from ui.fine_tuned.pair_tables import csv_file, faults_table, frame, held_out_table, jsonl, pairs_of, split_words
from ui.fine_tuned.split_choice import split_choice
from ui.shared import numbers
from ui.shared.edited_table import HOW, edited_table
from ui.shared.errors import show_fault
from ui.shared.sections import section_button
from ui.shared.text import escaped

MOST_EDITED = 5_000
"""More rows than this are shown in part and cannot be edited: each edit sends the whole table."""

_ROW = 35  # pixels, Streamlit's own
_SHOWN_ROWS, _SHOWN_FAULTS = 12, 1_000
_METRIC = 190  # pixels: six beside each other at 1440
_FAULT_COLUMNS: dict[str, Any] = {
    name: st.column_config.TextColumn(width=width) for name, width in (("Row", 70), ("What", 90), ("Sentence", 900))
}
"""Widths in pixels; a column without one would get a third of the table, too little for a sentence."""

_UPLOAD = "pairs_upload"
_BASE = "pairs_base"


def draw(current: Settings) -> None:
    """Draw the section."""
    now = chosen_pairs.chosen()
    if now is None:
        _empty()
    else:
        _header(now)
        place = st.container()  # filled after the table, which may have been edited
        _table(now)
        now = chosen_pairs.chosen() or now
        report = chosen_pairs.report(now, current)
        split = _held_out(current, report)
        with place:
            _facts(current, report, split)
            _faults(now, report)
    drafts.draw(current)


def _empty() -> None:
    with st.container(border=True):
        st.markdown("## :material/school: No pairs yet")
        st.markdown(
            "A pair is a question and the answer that you want. A few hundred pairs about one thing, each fact in "
            "three or four phrasings, make a small model answer in your words. Nothing leaves this machine."
        )
        st.button(
            "Start with the sample pairs",
            key="sample_pairs",
            type="primary",
            icon=":material/auto_stories:",
            on_click=chosen_pairs.load_sample,
            help="376 pairs about the handbook of a made-up maker of espresso machines.",
        )
        _uploader()


def _uploader() -> None:
    st.file_uploader(
        "Or bring your own: CSV, JSONL or JSON with question and answer",
        type=list(SUFFIXES),
        key=_UPLOAD,
        on_change=_take_upload,
        max_upload_size=25,
        help="Also understood: other common names of these columns, Alpaca, ShareGPT, and chat messages, of which the "
        "first question and answer are read. Optional: group (pairs that ask for the same thing), source.",
    )


def _take_upload() -> None:
    if (file := st.session_state[_UPLOAD]) is not None:
        chosen_pairs.load(file.name, file.getvalue(), file.name)


def _header(now: ChosenPairs) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"## :material/dataset: {escaped(now.source[:120])}", width="stretch")
        icon = ":material/arrow_forward:"
        section_button("Train on these", "Train", key="to_train", icon=icon, disabled=not now.pairs)
        _download(now, "JSONL", jsonl, "application/jsonl", "Every character as it is.")
        _download(now, "CSV", csv_file, "text/csv", "For spreadsheets: an apostrophe goes before formulas.")
        st.button(
            "Back to what was loaded",
            key="pairs_back",
            icon=":material/undo:",
            on_click=chosen_pairs.reset,
            disabled=not now.edited,
        )
        with st.popover("Other pairs", icon=":material/swap_horiz:"):
            st.caption("They take the place of these. Download these first if you want to keep your edits.")
            st.button(
                "The sample pairs",
                key="sample_pairs",
                icon=":material/auto_stories:",
                on_click=chosen_pairs.load_sample,
            )
            st.button("None: begin anew", key="no_pairs", icon=":material/delete:", on_click=chosen_pairs.clear)
            _uploader()


def _download(now: ChosenPairs, label: str, write: Callable[..., bytes], mime: str, why: str) -> None:
    st.download_button(
        label,
        data=lambda: write((chosen_pairs.chosen() or now).pairs),
        file_name=f"pairs.{label.lower()}",
        mime=mime,
        key=f"download:{label}",
        icon=":material/download:",
        on_click="ignore",
        help=why,
    )


def _facts(current: Settings, report: PairReport, split: Split | None) -> None:
    tokens = report.tokens
    groups, held_out = (None, None) if split is None else (len(split.groups), len(split.held_out))
    mean = numbers.count(round(tokens.total / len(report.pairs))) if tokens else numbers.UNKNOWN
    context = chosen_pairs.context_tokens(current)
    longest = numbers.count(tokens.longest if tokens else None)
    facts = (
        ("Pairs to use", numbers.count(len(report.pairs)), "Those that can be trained on as they are."),
        (
            "Groups",
            numbers.count(groups),
            "Pairs about the same thing: by their group, answer or nearly same question.",
        ),
        ("Held out", numbers.count(held_out), "Never trained on."),
        ("Tokens, mean", mean, "Question, answer and what the chat template and the system prompt add."),
        (f"Longest, of {context:,}" if context else "Tokens, longest", longest, "Tokens, of the base's context."),
        ("Drafted", numbers.count(sum(pair.generated for pair in report.pairs)), "Written by a model."),
    )
    with st.container(horizontal=True):
        for label, value, why in facts:
            st.metric(label, value, border=True, width=_METRIC, help=why)
    if not tokens and report.pairs:
        st.caption("Tokens are counted once the base model is loaded.")


def _faults(now: ChosenPairs, report: PairReport) -> None:
    read = " \u00b7 ".join(part for part in (report.layout, report.encoding and f"read as {report.encoding}") if part)
    where = "rows as in the table below" if now.edited or now.content is None else f"rows as in {now.name}"
    if not report.faults:
        st.caption(escaped(" \u00b7 ".join(part for part in (read, "no faults found") if part)))
        return
    errors = len(report.errors)
    left_out = sum(fault.row is not None for fault in report.errors)
    looks = len(report.faults) - errors
    words = [f"{left_out:,} {'row is' if left_out == 1 else 'rows are'} left out" if left_out else ""]
    words.append("nothing can be used" if errors > left_out else "")
    words.append(f"{looks:,} to look at" if looks else "")
    label = escaped(f"{', '.join(word for word in words if word)} \u00b7 {where}" + (f" \u00b7 {read}" if read else ""))
    icon = ":material/error:" if errors else ":material/warning:"
    with st.expander(label, icon=icon, expanded=bool(errors) or not report.pairs):
        st.dataframe(
            faults_table(report, _SHOWN_FAULTS),
            hide_index=True,
            column_config=_FAULT_COLUMNS,
            height=_ROW * (min(len(report.faults), 8) + 1) + 3,
            alt="What is wrong, by row",
        )
        if len(report.faults) > _SHOWN_FAULTS:
            st.caption(f"The first {_SHOWN_FAULTS:,} of {len(report.faults):,}.")


def _table(now: ChosenPairs) -> None:
    if len(now.pairs) > MOST_EDITED:
        st.dataframe(frame(now.pairs[:MOST_EDITED]), hide_index=False, height=_ROW * (_SHOWN_ROWS + 1) + 3, alt="Pairs")
        st.caption(f"The first {MOST_EDITED:,} of {len(now.pairs):,} pairs. So many are edited in their file.")
        return
    key = f"pairs_table:{now.revision}"
    edited = edited_table(
        key,
        _BASE,
        lambda: frame(now.pairs),
        rows=(0, _SHOWN_ROWS),
        columns={
            "question": st.column_config.TextColumn("Question", width="large"),
            "answer": st.column_config.TextColumn("Answer", width="large"),
            "group": st.column_config.TextColumn("Group", width=110),
            "generated": st.column_config.CheckboxColumn("Drafted", width=80, disabled=True, default=False),
            "source": st.column_config.TextColumn("Source", width=160, disabled=True),
        },
        alt="The pairs, to edit, add and remove",
    )
    st.caption(HOW)
    if (pairs := pairs_of(edited)) != now.pairs:
        chosen_pairs.edit(pairs)
        st.rerun()  # what is drawn above depends on it


def _held_out(current: Settings, report: PairReport) -> Split | None:
    """Draw what is kept aside, and give it."""
    with st.container(border=True):
        st.markdown("## :material/lock: Held out to measure what was learned")
        chosen = split_choice(current)
        try:
            split = chosen_pairs.split_of(report.pairs, chosen.share, chosen.by, chosen.seed)
        except BackendError as fault:
            show_fault(fault)
            return None
        if split.reason:
            st.info(escaped(split.reason), icon=":material/info:")
            return split
        st.markdown(split_words(split))
        if split.leaks:
            st.warning(
                f"{leak_sentence(len(split.leaks))} The column at the right names them.", icon=":material/warning:"
            )
        with st.expander("The held-out pairs"):
            st.dataframe(
                held_out_table(split),
                hide_index=True,
                height=_ROW * (min(len(split.held_out), 10) + 1) + 3,
                alt="The pairs that are not trained on",
            )
        return split
