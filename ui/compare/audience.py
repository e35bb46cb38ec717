"""Votes of the audience on the Compare page: opened on the answers that stand there, revealed by the presenter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from backends.base import FAILED, Answer
from backends.errors import BackendError
from backends.registry import spec_of
from backends.run.live import LiveComparison
from backends.store.database import Store
from backends.text import counted
from evaluation.ratings import votes
from evaluation.ratings.from_run import house_form
from evaluation.ratings.votes import LETTERS, LONGEST_MINUTES, Choice, Vote
from ui.ask.answers import side_by_side
from ui.evaluate.page import opened_store
from ui.resources import settings
from ui.room.invitation import invitation
from ui.shared.errors import keep_fault, show_fault, show_kept_fault
from ui.shared.tables import literal_table
from ui.shared.text import escaped

_CODES = "audience_codes"
_EVERY_S = 2.0


def vote_on(comparison: LiveComparison) -> Vote | None:
    """The vote on this comparison that goes on or was revealed. None without any, and where the store cannot be read:
    answers are shown all the same, and who opens a vote is told then."""
    try:
        store = opened_store(settings())
        if not comparison.done or not store.exists:
            return None
        return votes.vote_on(store, _screen(comparison))
    except (BackendError, OSError):
        return None


def _screen(comparison: LiveComparison) -> str:
    return votes.screen_of(comparison.question.text, [(one.approach, one.text) for one in _answered(comparison)])


def _answered(comparison: LiveComparison) -> list[Answer]:
    return [one for one in comparison.answers if one.status not in FAILED and one.text.strip()]


def draw_blind(comparison: LiveComparison, vote: Vote) -> None:
    """Draw the answers of a blind vote under letters, as phones have them, and the invitation, in place of columns."""
    st.header(escaped(comparison.question.text) or "\u2014", anchor=False)
    with side_by_side(len(vote.choices)):
        for place, one in enumerate(vote.choices):
            with st.container(border=True, height="stretch"):
                st.markdown(f"## {LETTERS[place]}", anchors=False)
                st.markdown(escaped(one.text))
    show(vote)


def show(vote: Vote) -> None:
    """Draw that a vote goes on, or what it came to."""
    store = opened_store(settings())
    try:
        if vote.revealed:
            _result(store, vote)
        else:
            _going_on(store, vote)
    except BackendError as fault:
        show_fault(fault)


def offer(comparison: LiveComparison) -> None:
    """Draw what opens a vote, once there are answers to choose from."""
    if not comparison.done or len(_answered(comparison)) < 2:
        return
    show_kept_fault()
    with st.popover("Ask the audience", icon=":material/how_to_vote:"):
        st.toggle(
            "Without names",
            True,
            key="audience_blind",
            help="Phones and this page show letters, without times and costs, until you reveal the vote.",
        )
        st.number_input("Minutes", 1, LONGEST_MINUTES, 10, key="audience_minutes")
        st.button(
            "Open the vote",
            key="audience_open",
            type="primary",
            on_click=_open,
            args=(comparison,),
        )
        st.caption("People vote with their phones, once each. How it stands is shown when you reveal it.")


def _open(comparison: LiveComparison) -> None:
    blind, minutes = bool(st.session_state["audience_blind"]), float(st.session_state["audience_minutes"])
    answered = _answered(comparison)
    choices = [
        Choice(one.approach, _name_of(one), house_form(one.text, one.status in ("refused", "below_threshold")))
        for one in answered
    ]
    try:
        store = opened_store(settings())
        vote, code = votes.open_vote(
            store, _screen(comparison), comparison.question.text, choices, blind=blind, minutes=minutes
        )
    except BackendError as fault:
        keep_fault(fault)
        return
    st.session_state.setdefault(_CODES, {})[vote.id] = code


def _name_of(answer: Answer) -> str:
    return spec_of(answer.approach).name


def _going_on(store: Store, vote: Vote) -> None:
    with st.container(border=True, key="audience"):
        st.markdown("## Vote with your phone", anchors=False)
        _count(store, vote)
        with st.container(horizontal=True):
            st.button(
                "Reveal", key="audience_reveal", type="primary", icon=":material/visibility:",
                on_click=_end, args=(store, vote, True),
            )  # fmt: skip
            st.button(
                "Discard", key="audience_discard", icon=":material/close:", on_click=_end, args=(store, vote, False)
            )
        code = st.session_state.get(_CODES, {}).get(vote.id)
        if code is None:
            st.caption("The code was shown when the vote was opened, and is kept nowhere. Discard it to open another.")
        elif vote.takes_votes():
            st.markdown(f"Code: **{escaped(code)}**")
            invitation("vote", code, qr=True)


@st.fragment(run_every=_EVERY_S)
def _count(store: Store, vote: Vote) -> None:
    """How many have voted, and for how long one can. How it stands is not shown."""
    try:
        said = counted(votes.count_of(store, vote), "vote")
    except BackendError as fault:
        show_fault(fault)
        return
    left = (vote.expires_at - datetime.now(UTC)).total_seconds()
    still = f"Open for {max(1, round(left / 60))} min more." if left > 0 else "The time is over."
    st.caption(escaped(f"{said}. {still}"))


def _end(store: Store, vote: Vote, reveal: bool) -> None:
    try:
        (votes.reveal if reveal else votes.withdraw)(store, vote)
    except BackendError as fault:
        keep_fault(fault)


def _result(store: Store, vote: Vote) -> None:
    found = votes.tally(store, vote)
    everybody = sum(found)
    with st.container(border=True, key="audience"):
        st.markdown("## What the audience said", anchors=False)
        said = counted(everybody, "vote")
        st.caption(escaped(f"{said}, each for one answer. It says what this room thinks, of one question."))
        literal_table(_rows(vote, found, everybody))
        st.button(
            "Close the result",
            key="audience_discard",
            icon=":material/close:",
            on_click=_end,
            args=(store, vote, False),
        )


def _rows(vote: Vote, found: Sequence[int], everybody: int) -> list[dict[str, str]]:
    ordered = sorted(range(len(found)), key=lambda place: -found[place])
    return [
        {
            "Answer": vote.label(place) + (" (most votes)" if found[place] == max(found) > 0 else ""),
            "Votes": f"{found[place]:,}",
            "Share": f"{100 * found[place] / everybody:.0f} %" if everybody else "\u2013",
        }
        for place in ordered
    ]
