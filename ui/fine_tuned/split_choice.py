"""Which part of the pairs is kept out of training. Chosen beside the pairs, used by the training too."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from backends.fine_tuned.pairs.held_out import SplitBy
from backends.fine_tuned.train.method import TrainingSettings
from backends.settings import Settings

SEED = "train_seed"

_SHARE, _BY = "held_out_percent", "split_by"
_WORDS: dict[SplitBy, str] = {"phrasing": "Is it learned? One phrasing", "group": "Does it generalise? Whole groups"}
_EXPLAINED: dict[SplitBy, str] = {
    "phrasing": "Every fact is taught, and some are asked in words that were held out: the answers show whether it is "
    "found when it is asked differently. The held-out loss falls with that of the training; it may rise again at the "
    "end, when words are learned by heart, so the state where it was lowest is kept.",
    "group": "Nothing like a held-out question is taught, so the answers show how well style, format and skill carry "
    "over to new things. A fact that is held out cannot be known, so the held-out loss rises while others are learned; "
    "the last state is kept.",
}


@dataclass(frozen=True, slots=True)
class SplitChoice:
    """What is held out: which share (0 to 1), by what, and the seed of the draw."""

    share: float
    by: SplitBy
    seed: int


def split_choice(current: Settings) -> SplitChoice:
    """Draw the choice with what it means; returns what was chosen."""
    chosen = split_boxes(current)
    st.caption(explained(chosen))
    return chosen


def explained(chosen: SplitChoice) -> str:
    """What is held out, what the answers to it show, and why their loss may rise."""
    return _EXPLAINED[chosen.by]


def split_boxes(current: Settings) -> SplitChoice:
    """Draw the choice alone; returns what was chosen."""
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
