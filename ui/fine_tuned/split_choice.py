"""Which part of the pairs is kept out of training. Chosen beside the pairs, used by the training too."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from backends.fine_tuned.pairs.held_out import SplitBy
from backends.fine_tuned.train.method import TrainingSettings
from backends.settings import Settings

SEED = "train_seed"

_SHARE, _BY = "held_out_percent", "split_by"
_WORDS: dict[SplitBy, str] = {"group": "whole groups of paraphrases", "phrasing": "one phrasing of each fact"}
_EXPLAINED: dict[SplitBy, str] = {
    "group": "Nothing like a held-out question is taught, so the score says how well what was learned carries over to "
    "new things: style, format, skill. A fact that is held out cannot be known. "
    "The last state of the training is kept.",
    "phrasing": "Each held-out fact is taught in other words, so the score says whether what was taught is found when "
    "it is asked differently. For an adapter that is to learn facts. The state with the lowest held-out loss is kept.",
}


@dataclass(frozen=True, slots=True)
class SplitChoice:
    """What is held out: which share (0 to 1), by what, and the seed of the draw."""

    share: float
    by: SplitBy
    seed: int


def split_choice(current: Settings) -> SplitChoice:
    """Draw the choice; returns what was chosen."""
    st.session_state.setdefault(_SHARE, round(100 * TrainingSettings().held_out_share))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.slider("Share", 0, 50, step=5, format="%d %%", key=_SHARE, persist_state="session", width=240)
        st.segmented_control(
            "What is held out",
            list(_WORDS),
            default=TrainingSettings().split_by,
            format_func=_WORDS.__getitem__,
            required=True,
            key=_BY,
            persist_state="session",
        )
    st.caption(_EXPLAINED[split_in_force(current).by])
    return split_in_force(current)


def split_in_force(current: Settings) -> SplitChoice:
    """What was chosen, without drawing it."""
    usual = TrainingSettings()
    share, seed = st.session_state.get(_SHARE), st.session_state.get(SEED)
    return SplitChoice(
        share=usual.held_out_share if share is None else share / 100,
        by=st.session_state.get(_BY) or usual.split_by,
        seed=current.seed if seed is None else seed,
    )
