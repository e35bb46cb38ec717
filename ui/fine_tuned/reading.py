"""Teaching to read: the collection, the share of questions without an answer, and the examples that are made."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backends.errors import BackendError
from backends.fine_tuned.pairs.files import Pair
from backends.rag.approach import SAMPLE_COLLECTION
from backends.rag.prompt import refuses
from backends.run import jobs
from backends.run.jobs import Job
from backends.settings import Settings
from evaluation.reading import MOST_UNANSWERABLE, UNANSWERABLE, ReadingExamples, make_reading_examples
from ui.rag.collections import collection_bar
from ui.shared.errors import keep_fault
from ui.shared.jobs import job_view
from ui.shared.tables import plain_frame
from ui.shared.text import escaped, plain

_SHARE = "reading_unanswerable"
_MADE = "reading_examples"
"""Of this browser session: the job that makes the examples, and what it was asked for."""


def examples_key(current: Settings) -> str:
    """The key of the job that makes examples; there is one at a time."""
    return f"examples of reading {current.data.resolve()}"


def reading_examples(current: Settings, pairs: Sequence[Pair]) -> ReadingExamples | None:
    """Draw the choices, the job and what came of it; the examples, if they were made of these pairs and choices."""
    st.caption(
        "Each pair's question is searched for in the collection, as RAG does. The model learns to give the pair's "
        "answer from the sentences found, with the number of the one that holds it, or to say that the documents do "
        "not say. The facts stand in what it reads: it is taught to read, not to know them."
    )
    info = collection_bar(current)
    if (info is None or not info.documents) and current.rag.collection != SAMPLE_COLLECTION:
        st.info("This collection holds nothing yet. Add documents on the RAG page.")
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state.setdefault(_SHARE, round(100 * UNANSWERABLE))
        share = st.slider(
            "Examples without an answer",
            0,
            round(100 * MOST_UNANSWERABLE),
            step=5,
            format="%d %%",
            key=_SHARE,
            persist_state="session",
            width=240,
            help="The sentences that hold the answer are taken out, or the question is asked of other documents.",
        )
        wanted = (tuple(pairs), current, share / 100)
        running = jobs.find(examples_key(current))
        st.button(
            "Make the examples",
            key="make_examples",
            icon=":material/manage_search:",
            on_click=_start,
            args=wanted,
            disabled=running is not None and running.state.running,
        )
    return _result(wanted)


def _start(pairs: tuple[Pair, ...], current: Settings, share: float) -> None:
    try:
        job = jobs.start(
            examples_key(current),
            "Making examples of reading",
            lambda cancel: make_reading_examples(current, pairs, share, cancel),
        )
    except BackendError as fault:
        keep_fault(fault)
    else:
        st.session_state[_MADE] = (job, (pairs, current, share))


def _result(wanted: tuple[tuple[Pair, ...], Settings, float]) -> ReadingExamples | None:
    held: tuple[Job, tuple[tuple[Pair, ...], Settings, float]] | None = st.session_state.get(_MADE)
    if held is None:
        return None
    job, asked = held
    found = next((one for one in job.state.results if isinstance(one, ReadingExamples)), None)
    if found is None:
        job_view(job, "examples", cancelled="No examples were made.")
        return None
    if not _same(asked, wanted):
        st.caption(":material/history: Pairs, collection or settings have changed. Make the examples again.")
        return None
    st.markdown(f":material/check_circle: {escaped(found.words)}")
    _left_out(found)
    _one(found)
    return found


def _same(one: tuple[tuple[Pair, ...], Settings, float], other: tuple[tuple[Pair, ...], Settings, float]) -> bool:
    """Whether the examples would be the same: who writes RAG's answers does not matter."""
    pairs, settings, share = one
    others, now, other_share = other
    rag = {"generator": "raw", "adapter": None, "context": "auto", "unsupported": "auto"}
    searched, searches = (each.rag.model_copy(update=rag) for each in (settings, now))
    return (
        (pairs, share, settings.raw, settings.system_prompt, settings.max_tokens, settings.seed)
        == (others, other_share, now.raw, now.system_prompt, now.max_tokens, now.seed)
    ) and searched == searches


def _left_out(found: ReadingExamples) -> None:
    if not found.left_out:
        return
    with st.expander(f"Left out: {len(found.left_out):,}", icon=":material/filter_alt_off:"):
        st.dataframe(
            plain_frame(
                {
                    "Question": [one.question for one in found.left_out],
                    "Why": [one.reason for one in found.left_out],
                }
            ),
            hide_index=True,
            alt="The pairs of which no example was made, with the reason",
        )


def _one(found: ReadingExamples) -> None:
    """One example of each kind, as the model gets it."""
    refused = next((one for one in found.pairs if refuses(one.answer)), None)
    answered = next((one for one in found.pairs if not refuses(one.answer)), None)
    with st.expander("What an example looks like", icon=":material/visibility:"):
        for title, one in (("With an answer", answered), ("Without", refused)):
            if one is not None:
                st.markdown(f"**{escaped(title)}**")
                st.text(plain(one.prompt))
                st.caption(f":material/flag: wanted: {escaped(one.answer)}")
