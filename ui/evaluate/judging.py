"""Who judges a run, and by which rubric: shown, edited, and the default restored, before the run begins."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backends.registry import spec_of, writers
from backends.settings import PAIRWISE_RUBRIC, RUBRIC, JudgeSettings, Settings
from ui.shared.approaches import option_of
from ui.shared.text import escaped

_WHO, _PAIRWISE = "evaluate_judge", "evaluate_pairwise"
_LONGEST = 8_000
_HEIGHT = 190  # pixels


def choose_judge(current: Settings, chosen: Sequence[str]) -> JudgeSettings:
    """Draw the choice; the settings of the judge for a run of the `chosen` approaches."""
    known = ["", *writers(current)]
    st.session_state.setdefault(_PAIRWISE, current.judge.pairwise)
    if st.session_state.setdefault(_WHO, current.judge.connection) not in known:
        st.session_state[_WHO] = ""
    who = st.session_state[_WHO]
    words = spec_of(who).name if who else "nobody"
    with st.expander(f"Judge: {escaped(words)}", icon=":material/gavel:", key="evaluate_judging", on_change="rerun"):
        who = _who(known)
        rubric = _rubric("What makes an answer right", "evaluate_rubric", current.judge.rubric, RUBRIC, bool(who))
        pairwise = st.toggle(
            "Also compare the answers of each two approaches, in both orders",
            key=_PAIRWISE,
            persist_state="session",
            help="A preference counts only when both orders agree on it; otherwise the order decides, which is a tie. "
            "Two questions to the judge for each two answers.",
        )
        preferred = current.judge.pairwise_rubric
        if pairwise:
            preferred = _rubric(
                "What makes one answer better", "evaluate_pairwise_rubric", preferred, PAIRWISE_RUBRIC, bool(who)
            )
    if not who and pairwise:
        st.caption(":material/info: Nobody judges, so no answers are compared. Choose who judges.")
    if pairwise and who and len(chosen) < 2:
        st.caption(":material/info: One approach alone has nothing to be compared with.")
    if who and who in chosen:
        st.caption(
            f":material/warning: The judge, {escaped(spec_of(who).name)}, is asked as well, and may favour its own "
            "answers."
        )
    return current.judge.model_copy(
        update={"connection": who, "rubric": rubric, "pairwise": pairwise, "pairwise_rubric": preferred}
    )


def _who(known: Sequence[str]) -> str:
    st.caption(
        "A model that says of each answer whether it is right. Without one, answers are held against reference and key "
        "facts alone. What it charges counts towards the cap of the run."
    )
    return st.selectbox(
        "Who judges",
        known,
        format_func=lambda one: option_of(one) if one else "Nobody",
        key=_WHO,
        persist_state="session",
    )


def _rubric(label: str, key: str, set_: str, default: str, used: bool) -> str:
    """Draw a rubric to edit; one that is left empty is the default."""
    st.session_state.setdefault(key, set_)
    given = st.text_area(
        label,
        key=key,
        height=_HEIGHT,
        max_chars=_LONGEST,
        persist_state="session",
        help="The judge is given it as its system prompt, word for word. It also says what becomes of extra detail.",
    )
    rubric = given.strip() or default
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Restore the default",
            key=f"{key}_default",
            icon=":material/undo:",
            on_click=_restore,
            args=(key, default),
            disabled=given.strip() == default,
        )
        if not given.strip():
            st.caption("It is empty, so the default is used.")
        elif rubric != default:
            st.caption("Not the default." if used else "Not the default, and not used: nobody judges.")
    return rubric


def _restore(key: str, default: str) -> None:
    st.session_state[key] = default
