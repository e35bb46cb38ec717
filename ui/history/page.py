"""The History page: what was asked, found by words and filters, and opened as it was answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import streamlit as st

from backends.base import STATUS_WORDS, Question
from backends.errors import BackendError
from backends.registry import is_known, spec_of, specs
from backends.run.live import LiveComparison
from backends.settings import Settings
from backends.store.database import Store, store_of
from backends.text import counted
from evaluation import history
from evaluation.history import Asked, Wanted
from evaluation.marks import LONGEST_NOTE, person
from ui.ask.answers import Answers
from ui.ask.bar import fold
from ui.ask.judging import Judge, judged, restore_marks
from ui.compare import overview
from ui.kept import browser_id
from ui.resources import ask, settings
from ui.shared.errors import keep_fault, show_fault, show_kept_fault
from ui.shared.text import escaped, shortened
from ui.shell import name_tab, open_page

ASKED = "asked"
"""The parameter of the address that names the entry that is open."""

_A_PAGE = 20
_SHOWN = 200  # characters of a question in the list
_DELETED = "history_deleted"
_ENDED: Mapping[str, str] = {str(status): words for status, words in STATUS_WORDS.items()}
_FILTERS = "history:"


def history_page() -> None:
    """Draw the entry that the address names, or the list."""
    id = st.query_params.get(ASKED)
    what = "Everything that was asked here, opened as it was answered: nobody is asked again."
    open_page("History", what, folded=id is not None)
    show_kept_fault()
    current = settings()
    try:
        store = store_of(current)
        if id is None:
            _list(current, store)
        else:
            _entry(current, store, id)
    except BackendError as fault:
        show_fault(fault)
        if id is not None:
            st.button("All questions", key="history_back", icon=":material/arrow_back:", on_click=_open, args=(None,))


def _open(id: str | None) -> None:
    """Name an entry in the address, or none. For callbacks."""
    if id is None:
        st.query_params.pop(ASKED, None)
    else:
        st.query_params[ASKED] = id


# --- the list ---------------------------------------------------------------------------------------------


def _list(current: Settings, store: Store) -> None:
    if not current.store.keep_texts:
        st.info("New questions are not kept: store.keep_texts is off.", icon=":material/visibility_off:")
    _bring_back(store)
    wanted = _filters(store)
    pages = -(-history.found(store, wanted, 0, 0).count // _A_PAGE)
    place = st.container()
    number = st.pagination(pages, key="history_page", max_visible_pages=7) if pages > 1 else 1
    found = history.found(store, wanted, (number - 1) * _A_PAGE, _A_PAGE)
    with place:
        if not found.count:
            _nothing(wanted)
            return
        st.caption(escaped(f"{counted(found.count, 'question')}, newest first. Times are UTC."))
        for one in found.entries:
            _line(store, one)


def _filters(store: Store) -> Wanted:
    """Draw what narrows the list down."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(
            "Words of the question or the answers", key=f"{_FILTERS}words", max_chars=200, persist_state="session"
        )
        names = {spec.id: spec.name for spec in specs()}
        approaches = st.multiselect(
            "Approach", list(names), format_func=lambda id: names[id], key=f"{_FILTERS}approaches", width=220
        )
        models = st.multiselect("Model", history.models_asked(store), key=f"{_FILTERS}models", width=260)
        statuses = st.multiselect(
            "How it ended",
            list(STATUS_WORDS),
            format_func=lambda status: STATUS_WORDS[status],
            key=f"{_FILTERS}statuses",
            width=220,
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        since = st.date_input("From", None, key=f"{_FILTERS}since", width=150)
        until = st.date_input("Until", None, key=f"{_FILTERS}until", width=150)
        starred = st.toggle("Only favourites", key=f"{_FILTERS}starred")
        everybody = st.toggle(
            "Everybody's questions",
            key=f"{_FILTERS}everybody",
            help="Also those of other browsers on this data folder.",
        )
    who = None if everybody else person(browser_id())
    return Wanted(words.strip(), tuple(approaches), tuple(models), tuple(statuses), since, until, starred, who)


def _nothing(wanted: Wanted) -> None:
    if wanted == Wanted(who=wanted.who):
        st.info("Nothing was asked here yet. What you ask on Compare or on an approach's page is found here again.")
    else:
        st.info("No question fits. Take a filter away.", icon=":material/filter_alt_off:")


def _line(store: Store, one: Asked) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        _star(store, one, f"list:{one.id}")
        with st.container(gap=None):
            question = shortened(" ".join(one.question.split()), _SHOWN) or "\u2014"
            st.markdown(f"**{escaped(question)}**")
            who = ", ".join(_ended(one))
            st.caption(escaped(f"{one.at:%Y-%m-%d %H:%M} \u00b7 {who}"))
            if one.note:
                st.caption(f":material/edit_note: {escaped(one.note)}")
        st.button("Open", key=f"history_open:{one.id}", icon=":material/open_in_full:", on_click=_open, args=(one.id,))
        st.button(
            "",
            key=f"history_delete:{one.id}",
            icon=":material/delete:",
            type="tertiary",
            help="Delete; it can be brought back.",
            on_click=_delete,
            args=(store, one),
        )


def _ended(one: Asked) -> Iterator[str]:
    """Who was asked, in the order of the approaches, and how it ended where it was not simply done."""
    order = [spec.id for spec in specs()]

    def place(column: tuple[str, str, str]) -> tuple[int, str]:
        kind = column[0].partition(":")[0]
        return (order.index(kind) if kind in order else len(order), column[0])

    for approach, _, status in sorted(one.columns, key=place):
        yield _name(approach) if status == "ok" else f"{_name(approach)} ({_ENDED.get(status, status)})"


def _name(approach: str) -> str:
    kind, _, name = approach.partition(":")
    return " ".join(filter(None, (spec_of(kind).name if is_known(kind) else kind, name)))


def _star(store: Store, one: Asked, key: str) -> None:
    st.button(
        ":orange[\u2605]" if one.star else "\u2606",
        key=f"history_star:{key}",
        type="tertiary",
        help="No favourite any more" if one.star else "Make it a favourite",
        on_click=_annotate,
        args=(store, one.id),
        kwargs={"star": not one.star},
    )


def _annotate(store: Store, id: str, star: bool | None = None, note_key: str = "") -> None:
    try:
        history.annotate(store, id, star=star, note=st.session_state[note_key] if note_key else None)
    except BackendError as fault:
        keep_fault(fault)


def _delete(store: Store, one: Asked) -> None:
    try:
        history.delete(store, one.id)
    except BackendError as fault:
        keep_fault(fault)
        return
    st.session_state[_DELETED] = one
    _open(None)


def _bring_back(store: Store) -> None:
    deleted: Asked | None = st.session_state.get(_DELETED)
    if deleted is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Deleted: {escaped(shortened(deleted.question, 80))}", width="content")
        st.button("Undo", key="history_undo", icon=":material/undo:", on_click=_restore, args=(store, deleted))


def _restore(store: Store, deleted: Asked) -> None:
    st.session_state.pop(_DELETED, None)
    try:
        history.restore(store, deleted.id)
    except BackendError as fault:
        keep_fault(fault)


# --- one entry --------------------------------------------------------------------------------------------


def _entry(current: Settings, store: Store, id: str) -> None:
    one, comparison = history.opened(store, id)
    name_tab("History", shortened(one.question, 40))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("All questions", key="history_back", icon=":material/arrow_back:", on_click=_open, args=(None,))
        st.caption(f"Asked {one.at:%Y-%m-%d %H:%M} UTC, shown as it was answered.", width="stretch")
        _star(store, one, one.id)
        if st.button(
            "Ask it again", key="history_again", icon=":material/refresh:", on_click=_again, args=(comparison,)
        ):
            st.switch_page("pages/compare.py")
        st.button(
            "Delete", key=f"history_delete:{one.id}", icon=":material/delete:", on_click=_delete, args=(store, one)
        )
    st.header(escaped(one.question), anchor=False)
    restore_marks(current.data, comparison.question, comparison.answers)
    judge = Judge(comparison.question)
    judge.explain()
    answers = comparison.answers
    verdicts = judged(answers, judge)
    marked = overview.best(answers, verdicts)
    shown = Answers("history", comparison, judge=judge)
    shown.finish({answer.approach: overview.marks_of(answer.approach, marked) for answer in answers})
    for answer in answers:
        with shown.under_text(answer.approach):
            judge.ask_reader(answer)
    note = f"history_note:{one.id}"
    st.session_state.setdefault(note, one.note)
    st.text_input("Note", key=note, max_chars=LONGEST_NOTE, on_change=_annotate, args=(store, one.id, None, note))
    st.caption(escaped(_asked_with(comparison.question)))
    overview.show(answers, verdicts, marked)


def _asked_with(question: Question) -> str:
    """The settings that all columns shared."""
    system = f' System prompt: "{question.system_prompt}".' if question.system_prompt else ""
    return (
        f"Asked with an answer length of {question.max_tokens:,} tokens, temperature {question.temperature:g}, "
        f"seed {question.seed}.{system}"
    )


def _again(comparison: LiveComparison) -> None:
    """Ask the question on Compare, of those who answered and are still there."""
    still = [one.approach for one in comparison.columns if is_known(one.approach)]
    ask("compare", still, comparison.question.text)
    fold("compare")
