"""The bar that the question box folds into once something was asked: the question, edit, stop, ask again."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from backends.registry import approaches
from backends.run.live import LiveComparison
from ui.resources import ask, live, resume, settings, stop
from ui.shared.text import escaped, plain, shortened

_QUESTION_SHOWN = 160  # characters: two lines at 1280 pixels


def is_folded(page: str) -> bool:
    """Whether the box of `page` is folded into the bar: something was asked, and nobody edits."""
    return live(page) is not None and not st.session_state.get(f"editing:{page}")


def fold(page: str) -> None:
    """Fold the box into the bar. For callbacks."""
    st.session_state[f"editing:{page}"] = False
    st.session_state.get("typed_questions", {}).pop(page, None)


def _unfold(page: str) -> None:
    """Open the box with the question that was asked; the answers stay."""
    st.session_state[f"editing:{page}"] = True
    if comparison := live(page):
        st.session_state[f"question:{page}"] = comparison.question.text


class QuestionBar:
    """The bar of a comparison, drawn as it is now. `finish` turns stop into ask again, in the same place."""

    def __init__(self, page: str, comparison: LiveComparison) -> None:
        self._page = page
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="xsmall"):
            question = plain(comparison.question.text)
            shown = shortened(question, _QUESTION_SHOWN)
            st.header(
                escaped(shown) or "\u2014",
                anchor=False,
                width="stretch",
                help=None if shown == question else escaped(question),
            )
            self._edit = st.empty()
            self._last = st.empty()
        if is_folded(page):
            self._edit.button("Edit", key=f"edit:{page}", icon=":material/edit:", on_click=_unfold, args=(page,))
        else:
            self._edit.button("Close", key=f"close:{page}", icon=":material/unfold_less:", on_click=fold, args=(page,))
        stop_button(page, self._last)

    def finish(self) -> None:
        """Draw what can be done once every answer is there. Call it once."""
        self._last.button(
            "Ask again", key=f"again:{self._page}", icon=":material/refresh:", on_click=_again, args=(self._page,)
        )


def stop_button(page: str, place: DeltaGenerator) -> None:
    """Draw a stop button in `place` while the page's comparison runs; nothing otherwise."""
    running = live(page)
    if running and not running.done:
        place.button("Stop", key=f"stop:{page}", icon=":material/stop_circle:", on_click=stop, args=(page,))


def again_button(page: str, approach: str, place: DeltaGenerator) -> None:
    """Draw the button that asks one column again, alone; the other answers stay."""
    place.button(
        "",
        key=f"again:{page}:{approach}",
        icon=":material/refresh:",
        type="tertiary",
        help="Ask this one again; the other answers stay.",
        on_click=resume,
        args=(page, (approach,)),
    )


def _again(page: str) -> None:
    """Ask the same question of the same approaches once more; those that were removed meanwhile are left out."""
    if comparison := live(page):
        known = approaches(settings())
        ask(page, [one.approach for one in comparison.columns if one.approach in known], comparison.question.text)
