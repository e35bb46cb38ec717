"""One answer of a run whole: text, reference and their difference, scores, times, cost, sources, and people's marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from backends.base import STATUS_WORDS
from backends.errors import BackendError
from evaluation.judging import RIGHT
from evaluation.marks import LONGEST_NOTE, person
from evaluation.runs.marks import THUMBS, VERDICTS, Agreement, CellMark, agreement, in_words, marks_of, set_mark
from evaluation.runs.matrix import (
    CellDetail,
    Standing,
    Summary,
    Wanted,
    answers_to,
    cell_at,
    id_at,
    place_of,
    position_of,
)
from evaluation.runs.model import Cell, Run
from evaluation.runs.records import CellKey
from evaluation.scorers import Score
from evaluation.scorers import title_of as scorer_title
from evaluation.scorers.right import why_wrong
from evaluation.word_difference import word_difference
from ui.evaluate.address import APPROACH, QUESTION, REPEAT, close_cell, number_in_address, open_answers, open_cell
from ui.evaluate.page import Evaluation
from ui.kept import browser_id
from ui.shared import numbers
from ui.shared.approaches import title_of
from ui.shared.errors import keep_fault, show_fault
from ui.shared.tables import literal_table
from ui.shared.text import MOST, escaped, plain

ICONS: dict[Standing, str] = {
    "right": ":material/check_circle:",
    "wrong": ":material/cancel:",
    "mixed": ":material/rule:",
    "scored": ":material/straighten:",
    "unscored": ":material/help:",
    "failed": ":material/error:",
    "missing": ":material/hourglass_empty:",
}

_WORDS = {"right": "right", "wrong": "not right", "unscored": "no score"}


def standing_words(one: Summary, repeats: int = 1) -> str:
    """How answers stand: `right`, `2 of 3 right`, `0.71`, `failed`, and what is lacking of them."""
    standing = one.standing
    if standing in ("right", "wrong"):
        words = _WORDS[standing] + (f", {one.scored} times" if one.scored > 1 else "")
    elif standing == "mixed":
        words = f"{one.score:g} of {one.scored} right"
    elif standing == "scored":
        words = f"{one.score / one.scored:.2f}"
    else:
        words = _WORDS.get(standing, standing)
    if standing != "failed" and one.failed:
        words += f", {one.failed} failed"
    if one.cells and one.cells < repeats:
        words += f", {repeats - one.cells} missing"
    return words


# --- the open cell --------------------------------------------------------------------------------


def draw(page: Evaluation, run: Run, wanted: Wanted, earlier: Run | None) -> bool:
    """Draw the answer that the address names; False if the run does not have it, which is said.

    `earlier` is the run that is compared with, where questions are wanted that are worse.
    """
    try:
        position = position_of(page.store, run, st.query_params[QUESTION])
    except BackendError as fault:
        show_fault(fault)
        return False
    ids = [one.approach for one in run.approaches]
    said = st.query_params.get(APPROACH)
    key = (said if said in ids else ids[0], position, number_in_address(REPEAT, run.repeats) - 1)
    found = cell_at(page.store, run, key)
    _beside(page, run, wanted, key, earlier)
    badges = " :red-badge[critical]" if found.sample.critical else ""
    question = escaped(found.sample.question) if found.texts else "The text of this question was not kept."
    st.markdown(f"## {question}", anchors=False)
    listed = escaped(", ".join(found.sample.tags))
    st.caption(f"Question {escaped(found.sample.id)} of {escaped(run.set_name)} \u00b7 {listed}{badges}")
    _switch(page, run, found, key, wanted)
    answer, facts = st.columns([1.5, 1], gap="large")
    with answer:
        _texts(found)
        _mark(page, run, found, key)
    with facts:
        _facts(found)
    return True


def _beside(page: Evaluation, run: Run, wanted: Wanted, key: CellKey, earlier: Run | None) -> None:
    """Back to the matrix, and to the neighbours among the questions that are wanted."""
    approach, position, repeat = key
    place = place_of(page.store, run, wanted, position, earlier)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("All answers", key="close_cell", icon=":material/arrow_back:", on_click=close_cell)
        for label, icon, other in (
            ("Previous", ":material/chevron_left:", place.before),
            ("Next", ":material/chevron_right:", place.after),
        ):
            target = (id_at(page.store, run, other), approach, repeat) if other is not None else ()
            st.button(label, key=label.lower(), icon=icon, on_click=open_cell, args=target, disabled=other is None)
        among = f"{place.number:,} of {place.total:,}" if place.number else f"not among the {place.total:,} wanted"
        st.markdown(f"Question {escaped(among)}", width="content")
        undo_button(page, run)


def _switch(page: Evaluation, run: Run, found: CellDetail, key: CellKey, wanted: Wanted) -> None:
    """The other answers to the question, how they stand, and the repeats of this one."""
    approach, position, repeat = key
    with st.container(horizontal=True, vertical_alignment="center"):
        for id, one in answers_to(page.store, run, position, wanted.scorer).items():
            with st.container(border=id == approach, width="content", gap=None):
                st.markdown(title_of(id))
                words, icon = standing_words(one, run.repeats), ICONS[one.standing]
                if id == approach:
                    st.markdown(f"{icon} {escaped(words)}")
                    continue
                st.button(
                    words,
                    key=f"switch:{id}",
                    icon=icon,
                    type="tertiary",
                    on_click=open_cell,
                    args=(found.sample.id, id, repeat),
                )
        if run.repeats > 1:
            numbered = list(range(1, run.repeats + 1))
            st.session_state["cell:repeat"] = repeat + 1
            st.selectbox(
                "Time asked",
                numbered,
                key="cell:repeat",
                width=110,
                on_change=lambda: open_cell(found.sample.id, approach, st.session_state["cell:repeat"] - 1),
            )


# --- texts ----------------------------------------------------------------------------------------


def _texts(found: CellDetail) -> None:
    cell = found.cell
    if cell is None:
        st.info("This answer is missing: it was not asked yet, or its approach was given up.")
    elif cell.failed:
        st.error(escaped(cell.error or "It failed; no reason is known."), icon=":material/error:")
    elif cell.text is None:
        st.info("The text of this answer was not kept (store.keep_texts).", icon=":material/visibility_off:")
    else:
        st.markdown("**Answer**")
        _text(cell.text)
        if cell.error:
            st.caption(f":material/info: {escaped(cell.error)}")
    if not found.texts:
        return
    sample = found.sample
    st.markdown("**Reference**")
    if sample.reference_answer:
        _text(sample.reference_answer)
    else:
        st.caption("The question has no reference answer.")
    if sample.key_facts:
        facts = "; ".join(" or ".join(group[:3]) for group in sample.key_facts)
        st.caption(f"Key facts: {escaped(facts)}")
    if cell is not None and cell.text and sample.reference_answer:
        _difference(sample.reference_answer, cell.text)


def _text(text: str) -> None:
    """A text letter by letter; a long one without Markdown, which takes a browser too long."""
    if len(text) > MOST:
        st.text(plain(text))
    else:
        st.markdown(escaped(text) if text.strip() else "*nothing*")


def _difference(reference: str, answer: str) -> None:
    st.markdown("**Difference to the reference**")
    pieces = word_difference(reference, answer)
    if pieces is None:
        st.caption("The texts are too long to be compared word by word.")
        return
    if all(piece.kind == "same" for piece in pieces):
        st.caption("They say the same, word by word.")
        return
    marks = {"same": "", "missing": "~~", "added": "**"}
    words = " ".join(f"{marks[piece.kind]}{escaped(piece.text)}{marks[piece.kind]}" for piece in pieces)
    st.markdown(words)
    st.caption("~~Struck~~ is only in the reference, **bold** only in the answer; upper and lower case do not count.")


# --- figures --------------------------------------------------------------------------------------


def _facts(found: CellDetail) -> None:
    cell = found.cell
    if cell is None:
        return
    how = [f"**{STATUS_WORDS[cell.status]}**"]
    how += [":orange-badge[:material/swap_horiz: stand-in]"] if cell.stand_in else []
    how += (
        [":violet-badge[:material/history: recorded earlier: compares with no time or cost]"] if cell.recorded else []
    )
    how += [f":violet-badge[:material/timer_off: no times: {escaped(cell.untimed)}]"] if cell.untimed else []
    how += [f":gray-badge[asked {cell.asked} times]"] if cell.asked > 1 else []
    st.markdown(" ".join(how))
    st.caption(escaped(f"{cell.model} \u00b7 ended {cell.ended_at:%Y-%m-%d %H:%M:%S} UTC"))
    _scores(found)
    literal_table(_measured(cell), border="horizontal")
    st.caption(f"Cost: {escaped(cell.cost.basis)}.")
    for note in cell.notes:
        st.caption(escaped(note))
    if cell.attempts:
        with st.expander(f"Attempts ({len(cell.attempts)})", icon=":material/replay:"):
            literal_table([_attempt(one) for one in cell.attempts])
    if cell.sources:
        with st.expander(f"Sources ({len(cell.sources)})", icon=":material/description:"):
            for number, one in enumerate(cell.sources, 1):
                _source(number, one)


def _scores(found: CellDetail) -> None:
    if not found.scores:
        st.caption("It has no scores yet.")
        return
    literal_table(
        [
            {"Score": scorer_title(name), "Value": score_words(one), "Why": one.reason or _why(found, name)}
            for name, one in found.scores.items()
        ],
        border="horizontal",
    )


def _why(found: CellDetail, scorer: str) -> str:
    """What an answer that is not right lacks, where texts were kept."""
    if scorer != RIGHT or not found.texts or found.cell is None:
        return ""
    return "It failed." if found.cell.failed else why_wrong(found.cell.text or "", found.sample)


def score_words(one: Score) -> str:
    """`right`-like scores as yes or no, numbers as numbers, and what is neither in words."""
    if one.value is None:
        return "scorer failed" if one.status == "failed" else "not applicable"
    return ("yes" if one.value else "no") if isinstance(one.value, bool) else f"{one.value:.3g}"


def _measured(cell: Cell) -> dict[str, str]:
    """What was measured, by name."""
    times, usage = cell.timings, cell.usage
    counted = f" (counted by {usage.source})" if usage.source else ""
    return {
        "Latency": numbers.seconds(times.latency_s),
        "First text": numbers.seconds(times.ttft_s),
        "Retrieval (in latency)": numbers.seconds(times.retrieval_s),
        "Queued (not in latency)": numbers.seconds(times.queued_s),
        "Loading (not in latency)": numbers.seconds(times.load_s),
        "Failed attempts (not in latency)": numbers.seconds(times.retry_s),
        "Tokens/s": numbers.figure(times.tokens_per_s),
        "Prompt tokens": numbers.count(usage.prompt_tokens) + counted,
        "Completion tokens": numbers.count(usage.completion_tokens),
        "Cost": numbers.dollars(cell.cost.usd),
    }


def _attempt(one: Mapping[str, object]) -> dict[str, str]:
    fault = str(one.get("fault") or "answered")
    status = f" (status {one['status']})" if one.get("status") else ""
    lasted, waited = one.get("lasted_s"), one.get("waited_s")
    return {
        "Attempt": str(one.get("number", "")),
        "What came of it": fault + status,
        "Lasted": numbers.seconds(lasted if isinstance(lasted, float) else None),
        "Then waited": numbers.seconds(waited if isinstance(waited, float) else None),
    }


def _source(number: int, one: Mapping[str, object]) -> None:
    page = f", page {one['page']}" if one.get("page") else ""
    score = one.get("score")
    near = f", similarity {score:.2f}" if isinstance(score, float) else ""
    st.markdown(f"**{number}. {escaped(str(one.get('document', '')) + page)}**{escaped(near)}")
    if one.get("text") is not None:
        st.caption(escaped(str(one["text"])))


# --- people's marks -------------------------------------------------------------------------------

_UNDO = "undo_mark"


def _mark(page: Evaluation, run: Run, found: CellDetail, key: CellKey) -> None:
    """What this browser says of the answer, and what others said."""
    if found.cell is None:
        return
    who = person(browser_id())
    said = marks_of(page.store, run, key)
    own = next((one for one in said if one.who == who), CellMark())
    keys = [f"mark:{part}:{run.id}:{key}" for part in ("verdict", "star", "comment")]
    for name, value in zip(keys, (own.verdict, own.star, own.comment), strict=True):
        st.session_state[name] = value
    changed: dict[str, Any] = {"on_change": _keep, "args": (page, run, key, found.sample.id, keys)}
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.segmented_control("Your mark", VERDICTS, key=keys[0], **changed)
            st.toggle("Star", key=keys[1], **changed)
        st.text_input("Comment", key=keys[2], max_chars=LONGEST_NOTE, **changed)
        others = [one for one in said if one.who not in (who, THUMBS)]
        thumbs = [one for one in said if one.who == THUMBS]
        for where, some in (("Others", others), ("Thumbs where it was asked", thumbs)):
            if some:
                st.caption(escaped(f"{where}: {in_words(some)}"))
        for one in (*others, *thumbs):
            if one.comment:
                st.caption(f"{escaped(one.comment)}")


def _keep(page: Evaluation, run: Run, key: CellKey, question: str, keys: Sequence[str]) -> None:
    """Keep what was said, and remember what it replaces."""
    verdict, star, comment = (st.session_state[name] for name in keys)
    who = person(browser_id())
    try:
        before = set_mark(page.store, run, key, who, CellMark(verdict, bool(star), comment or ""))
    except BackendError as fault:
        keep_fault(fault)
        return
    st.session_state.setdefault(_UNDO, []).append((run.id, key, question, before))


def undo_button(page: Evaluation, run: Run) -> None:
    """The button that takes this session's last mark in the run back; nothing where there is none."""
    made = [one for one in st.session_state.get(_UNDO, []) if one[0] == run.id]
    if made:
        _, (approach, _, _), question, _ = made[-1]
        st.button(
            "Undo the last mark",
            key="undo_mark_button",
            icon=":material/undo:",
            help=f"{escaped(plain(approach))}, question {escaped(question)}",
            on_click=_undo,
            args=(page, run),
        )


def _undo(page: Evaluation, run: Run) -> None:
    made = st.session_state[_UNDO]
    last = next(one for one in reversed(made) if one[0] == run.id)
    _, key, _, before = last
    try:
        set_mark(page.store, run, key, person(browser_id()), before)
    except BackendError as fault:
        keep_fault(fault)
        return
    made.remove(last)


def agreement_line(page: Evaluation, run: Run, scorer: str = RIGHT) -> None:
    """How far people agree with a scorer, with the way to where they do not; nothing where nobody marked."""
    found = agreement(page.store, run, scorer)
    if not found.marks:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(escaped(agreement_words(found, scorer)), width="content")
        st.button(
            "See where they differ",
            key="contested",
            type="tertiary",
            icon=":material/arrow_forward:",
            on_click=open_answers,
            args=(Wanted("contested", scorer=scorer),),
            disabled=found.agree == found.marks,
        )


def agreement_words(found: Agreement, scorer: str) -> str:
    """`People agree with Right on 17 of 20 marked answers (85 %); ...`."""
    share = f"{100 * found.agree / found.marks:.0f} %"
    of = f"{found.marks:,} marked answer{'s' if found.marks != 1 else ''}"
    return (
        f"People agree with the score {scorer_title(scorer)} on {found.agree:,} of {of} ({share}). A score that always "
        f"says the same would agree on {found.constant:,}."
    )
