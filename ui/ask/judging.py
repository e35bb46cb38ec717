"""Who is right: the reference of a question and the rule, and a person's thumbs where there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from backends.base import Answer, Question
from backends.errors import BackendError
from backends.spend.ledger import kind_of
from backends.text import encodable
from evaluation.marks import LONGEST_NOTE, mark_answer, marks
from evaluation.references import Reference, Verdict, reference_of, verdict_of
from evaluation.suggestions import drafted_reference, look_of
from ui.resources import settings
from ui.shared.errors import keep_fault, show_kept_fault
from ui.shared.question_upload import loaded_sets
from ui.shared.text import escaped

_STAR = "\u2605"
_ANSWERED = ("ok", "truncated", "refused", "below_threshold")


class Judge:
    """Judges the answers to one question: by its reference where one is known, else by the thumbs of who reads them."""

    def __init__(self, question: Question) -> None:
        self._question = question
        known = reference_of(question.text, loaded_sets())
        self._reference: Reference | None = known or drafted_reference(settings(), question.text)

    @property
    def by_rule(self) -> bool:
        """Whether a rule says what is right; if not, people do."""
        return self._reference is not None and bool(self._reference.rule)

    def __call__(self, answer: Answer) -> Verdict | None:
        """How an answer stands, None where nobody can say."""
        return verdict_of(answer, self._reference, _marked(self._question, answer))

    def explain(self) -> None:
        """One line: what to look at where the question was suggested, by which rule answers are right, what a star
        means, and the reference answer for a click."""
        show_kept_fault()
        reference = self._reference
        line = st.empty()  # which takes away at once what the question before had
        with line.container(horizontal=True, vertical_alignment="center", gap="small"):
            if look := look_of(settings(), self._question.text):
                st.markdown(f":small[:material/lightbulb: **{escaped(look)}**]", width="content")
            if reference is None or not reference.rule:
                st.caption(
                    f"No rule says what is right here: judge with the thumbs. {_STAR} says who was fastest or "
                    "cheapest, not who is right.",
                    width="content",
                )
            else:
                st.caption(f"{escaped(reference.rule)} {_STAR} is the best of several right answers.", width="content")
            if reference is not None:
                what = "The document's sentence" if reference.drafted else "Reference answer"
                with st.popover(what, type="tertiary", icon=":material/visibility:"):
                    _reveal(reference)

    def ask_reader(self, answer: Answer) -> None:
        """Under an answer that no rule judges: thumbs, and a note that is kept with it."""
        if self.by_rule or answer.status not in _ANSWERED or not answer.text.strip():
            return
        key = _key(self._question, answer)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.feedback("thumbs", key=key, on_change=_keep, args=(self._question, answer), persist_state="session")
            st.text_input(
                "Note",
                key=f"{key}:note",
                placeholder="Note",
                label_visibility="collapsed",
                max_chars=LONGEST_NOTE,
                on_change=_keep,
                args=(self._question, answer),
                persist_state="session",
            )


def restore_marks(data: Path, question: Question, answers: Sequence[Answer]) -> None:
    """Show again what was said of these answers. Call it before they are drawn. Raises `BackendError`."""
    said = {(one.approach, one.answer): one for one in marks(data, question.run)} if question.run else {}
    for answer in answers:
        if (mark := said.get((answer.approach, encodable(answer.text)))) is not None:
            key = _key(question, answer)
            st.session_state[f"{key}:note"] = mark.note
            if mark.good is not None:
                st.session_state[key] = int(mark.good)


def _reveal(reference: Reference) -> None:
    sample = reference.sample
    st.markdown(f"**{escaped(reference.answer or 'The documents do not say.')}**")
    if sample.key_facts:
        facts = (" or ".join(group[:3]) for group in sample.key_facts)
        st.caption(f"Key facts: {escaped('; '.join(facts))}")
    if reference.drafted:
        st.caption(escaped(f"From {reference.source}. The question was drafted from it, and nobody checked that."))
        return
    where = f", from {', '.join(sample.sources)}" if sample.sources else ""
    st.caption(escaped(f"Question {sample.id} of {reference.source}{where}."))


def _key(question: Question, answer: Answer) -> str:
    """What tells the thumbs of one answer from those of another: asked again, a column begins without any."""
    return f"mark:{question.run}:{answer.approach}:{hash(answer.text)}"


def _marked(question: Question, answer: Answer) -> bool | None:
    thumb = st.session_state.get(_key(question, answer))
    return None if thumb is None else bool(thumb)


def _keep(question: Question, answer: Answer) -> None:
    """Keep what was said of an answer in the data folder."""
    current = settings()
    note = st.session_state.get(f"{_key(question, answer)}:note") or ""
    kind = kind_of(current, answer.stand_in)
    try:
        mark_answer(current.data, question, answer, kind, _marked(question, answer), note)
    except BackendError as fault:
        keep_fault(fault)


def judged(answers: Sequence[Answer], judge: Callable[[Answer], Verdict | None]) -> dict[str, Verdict | None]:
    """Approach -> how its answer stands."""
    return {answer.approach: judge(answer) for answer in answers}
