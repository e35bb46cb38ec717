"""Where no sentence of the documents answers well enough: what came nearest, and answering from it all the same."""

from __future__ import annotations

import streamlit as st

from backends.base import Answer
from backends.rag.documents.tables import parts_of
from backends.rag.search.sentences import in_words
from ui.ask.evidence import open_passage
from ui.resources import resume, settings
from ui.shared.text import escaped


def show_nearest(page: str, answer: Answer) -> None:
    """Under an answer of `page` that is below the threshold: the nearest sentences, and the button *Answer anyway*.

    Nothing for other answers. Where it was answered all the same, the answer has its passages, and nothing is offered.
    """
    below = answer.below_threshold
    if below is None or not below.refused or below.best is None:
        return
    st.button(
        "Answer anyway",
        key=f"anyway:{page}:{answer.approach}",
        icon=":material/edit_note:",
        help="Asks this one again without the threshold; the other answers stay.",
        on_click=resume,
        args=(page, (answer.approach,)),
        kwargs={"changed": {"rag.answer_anyway": True}},
    )
    with st.expander(f"Nearest sentences ({len(below.nearest)})", icon=":material/format_quote:"):
        for number, (passage, score) in enumerate(below.nearest, 1):
            above = " > ".join(filter(None, (passage.document, parts_of(passage.heading)[0])))
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                if st.button(
                    f":blue[\\[{number}\\]]",
                    key=f"nearest:{page}:{answer.approach}:{number}",
                    type="tertiary",
                    help="Open the passage in its document.",
                ):
                    open_passage(settings(), passage, number)
                st.caption(f"{escaped(above)} \u00b7 {score:.2f}", width="content")
            old = f" :red-badge[:material/history: {escaped(passage.superseded)}]" if passage.superseded else ""
            st.markdown(f"{escaped(in_words(passage))}{old}")
