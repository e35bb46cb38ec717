"""The section Ratings: sessions in which colleagues judge the answers of a run blind, and what they say."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backends.errors import BackendError
from evaluation.ratings import sessions
from evaluation.ratings.from_run import Items, items_of_run
from evaluation.ratings.model import (
    CRITERIA,
    FULL_PANEL,
    LEAST_RATERS,
    Item,
    Kind,
    Plan,
    RatingSession,
    State,
    order_of,
)
from evaluation.ratings.planner import ASSUMED, plan_words
from evaluation.ratings.sessions import MOST_APPROACHES, Invitation
from evaluation.runs.model import Run
from ui.evaluate import rating_results
from ui.evaluate.figures import name_of
from ui.evaluate.page import Evaluation, run_label
from ui.room.invitation import invitation
from ui.shared import numbers
from ui.shared.errors import keep_fault, show_fault
from ui.shared.text import escaped, plain

SESSION = "session"
"""The parameter of the address that names the rating session that is open."""

_INVITED = "rating_invited"
_DELETED = "rating_deleted"

KINDS: dict[Kind, str] = {
    "best": "The best answer",
    "rank": "An order of all answers",
    "pairwise": "The better of two",
    "scale": "1 to 5 on criteria",
}
_STATES: dict[State, str] = {"open": "open", "paused": "paused", "closed": "closed", "locked": "locked"}
_SHOWN = 3  # items in the preview


def draw(page: Evaluation) -> None:
    """Draw the section."""
    listed = sessions.all_sessions(page.store)
    _bring_back(page)
    if not listed:
        st.info(
            "Scores do not say what people prefer. In a rating session colleagues judge the answers of a run without "
            "knowing which approach wrote what, and the result has an interval that holds for other raters and items."
        )
    if listed:
        _opened(page, _chosen(listed))
    if page.run is None:
        st.caption("Begin with a run: its answers are what is rated.")
    elif not listed:
        with st.container(border=True):
            _new(page, page.run)
    else:
        form = st.expander("New session", icon=":material/add:", key="rating_new", on_change="rerun")
        if form.open:
            with form:
                _new(page, page.run)


def _chosen(listed: Sequence[RatingSession]) -> RatingSession:
    by_id = {one.id: one for one in listed}
    said = st.query_params.get(SESSION)
    st.session_state["rating_session"] = said if said in by_id else listed[0].id
    chosen = st.selectbox(
        "Session",
        list(by_id),
        format_func=lambda id: _label(by_id[id]),
        key="rating_session",
        on_change=lambda: st.query_params.update({SESSION: st.session_state["rating_session"]}),
    )
    return by_id[chosen]


def _label(session: RatingSession) -> str:
    return f"{session.created_at:%Y-%m-%d %H:%M} UTC \u00b7 {plain(session.name)}"


# --- a new one ------------------------------------------------------------------------------------


def _new(page: Evaluation, run: Run) -> None:
    ids = [one.approach for one in run.approaches]
    if len(ids) < 2:
        st.caption("This run has one approach alone: its answers compare with nothing.")
        return
    st.caption(f"From the run {escaped(run_label(run))}.")
    left, right = st.columns(2)
    with left:
        name = st.text_input("Name", run.set_name, max_chars=sessions.LONGEST_NAME, key="rating_name")
        chosen = st.multiselect(
            "Whose answers", ids, ids, format_func=name_of, max_selections=MOST_APPROACHES, key="rating_approaches"
        )
        kind: Kind = st.selectbox("What is asked", list(KINDS), format_func=KINDS.__getitem__, key="rating_kind")
        criteria = (
            st.multiselect(
                "Criteria", list(CRITERIA), list(CRITERIA[:2]), accept_new_options=True, key="rating_criteria"
            )
            if kind == "scale"
            else []
        )
    if len(chosen) < 2:
        st.caption("Choose two approaches or more.")
        return
    try:
        found = items_of_run(page.store, run, chosen, kind)
    except BackendError as fault:
        show_fault(fault)
        return
    with right:
        most = min(len(found.items), sessions.MOST_ITEMS)
        if most < 1:
            st.caption(escaped(found.left_out or "This run has no answers yet."))
            return
        count = st.number_input("Items", 1, most, min(most, FULL_PANEL), key="rating_items")
        people = st.number_input("People who will rate", 2, sessions.MOST_RATERS, 5, key="rating_people")
        per_item = None
        if count > FULL_PANEL:
            per_item = st.number_input("Ratings for each item", LEAST_RATERS, 50, LEAST_RATERS, key="rating_per_item")
        days = st.number_input("Days that the invitation holds", 1, 365, 14, key="rating_days")
        with st.container(horizontal=True):
            ties = st.toggle("Ties", True, key="rating_ties")
            all_bad = st.toggle("All bad", True, key="rating_all_bad")
    st.caption("  \n".join(map(escaped, plan_words(ASSUMED, people, count, per_item))))
    if found.left_out:
        st.caption(escaped(found.left_out))
    _preview(found)
    plan = Plan(kind, tuple(criteria), ties, all_bad, per_item, core=min(10, count // 10) if per_item else 0)
    st.button(
        "Make the session",
        key="rating_begin",
        type="primary",
        icon=":material/how_to_vote:",
        on_click=_begin,
        args=(page, run, name, plan, found, int(count), float(days)),
    )


def _preview(found: Items) -> None:
    """What raters will see of the first items."""
    with st.expander("What raters will see", icon=":material/visibility:"):
        for item in found.items[:_SHOWN]:
            st.markdown(f"**{escaped(item.question)}**")
            for place, name in enumerate(order_of(0, "", item), 1):
                st.markdown(f"{numbers.count(place)}. {escaped(item.answers[name])}")
        st.caption(
            "Every rater gets an order of their own. Citations are left out and refusals have the same words for all, "
            "so that neither gives an approach away."
        )


def _begin(page: Evaluation, run: Run, name: str, plan: Plan, found: Items, count: int, days: float) -> None:
    try:
        invitation = sessions.begin_session(page.store, name, plan, _spread(found, count), days=days, run=run.id)
    except BackendError as fault:
        keep_fault(fault)
        return
    _remember(invitation)
    st.query_params[SESSION] = invitation.session.id


def _spread(found: Items, count: int) -> list[Item]:
    """So many items, taken evenly from all of them."""
    items = list(found.items)
    return [items[place * len(items) // count] for place in range(count)]


def _remember(invitation: Invitation) -> None:
    """The code is kept for this browser session alone."""
    st.session_state.setdefault(_INVITED, {})[invitation.session.id] = invitation.code


# --- one session ----------------------------------------------------------------------------------


def _opened(page: Evaluation, session: RatingSession) -> None:
    with st.container(border=True):
        asked = KINDS[session.plan.kind].lower()
        names = ", ".join(name_of(one) for one in session.approaches)
        rated = f"{session.plan.per_item} ratings for each item" if session.plan.per_item else "everybody rates all"
        st.markdown(f"## {escaped(session.name)}", anchors=False)
        st.caption(
            escaped(
                f"{_STATES[session.state]}, until {session.expires_at:%Y-%m-%d %H:%M} UTC \u00b7 asked is {asked} of "
                f"{names} \u00b7 {rated}" + (f" \u00b7 round {session.round}" if session.round > 1 else "")
            )
        )
        _invitation(page, session)
        _buttons(page, session)
    rating_results.draw(page, session)


def _invitation(page: Evaluation, session: RatingSession) -> None:
    code = st.session_state.get(_INVITED, {}).get(session.id)
    if code is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("The code of the invitation was shown when it was made, and is kept nowhere.", width="content")
            st.button(
                "Make a new code",
                key="rating_code",
                icon=":material/key:",
                on_click=_renew,
                args=(page, session),
                help="The old one lets nobody in any more. Who has joined goes on with their own link.",
            )
        return
    invitation("rate", code)


def _renew(page: Evaluation, session: RatingSession) -> None:
    try:
        _remember(Invitation(session, sessions.renew_code(page.store, session.id)))
    except BackendError as fault:
        keep_fault(fault)


def _buttons(page: Evaluation, session: RatingSession) -> None:
    moves: dict[State, tuple[tuple[str, str, State], ...]] = {
        "open": (
            ("Pause", ":material/pause:", "paused"),
            ("Close", ":material/stop_circle:", "closed"),
            ("Lock and reveal", ":material/lock:", "locked"),
        ),
        "paused": (("Go on", ":material/play_arrow:", "open"), ("Lock and reveal", ":material/lock:", "locked")),
        "closed": (("Open again", ":material/play_arrow:", "open"), ("Lock and reveal", ":material/lock:", "locked")),
        "locked": (("Unlock", ":material/lock_open:", "closed"),),
    }
    with st.container(horizontal=True):
        for label, icon, state in moves[session.state]:
            st.button(
                label,
                key=f"rating_{state}",
                icon=icon,
                on_click=_set_state,
                args=(page, session, state),
            )
        if session.state == "locked" and session.round == 1:
            st.button(
                "Rate again",
                key="rating_again",
                icon=":material/replay:",
                on_click=_second_round,
                args=(page, session),
                help="After the answers were revealed and discussed. What was said before stays, and both are shown.",
            )
        st.button("Delete", key="rating_delete", icon=":material/delete:", on_click=_delete, args=(page, session))


def _set_state(page: Evaluation, session: RatingSession, state: State) -> None:
    try:
        sessions.set_state(page.store, session.id, state)
    except BackendError as fault:
        keep_fault(fault)


def _second_round(page: Evaluation, session: RatingSession) -> None:
    try:
        sessions.begin_second_round(page.store, session.id)
    except BackendError as fault:
        keep_fault(fault)


def _delete(page: Evaluation, session: RatingSession) -> None:
    try:
        sessions.delete_session(page.store, session.id)
    except BackendError as fault:
        keep_fault(fault)
        return
    st.session_state[_DELETED] = session
    st.query_params.pop(SESSION, None)


def _bring_back(page: Evaluation) -> None:
    deleted: RatingSession | None = st.session_state.get(_DELETED)
    if deleted is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"The session {escaped(deleted.name)} was deleted.", width="content")
        st.button("Undo", key="rating_undo", icon=":material/undo:", on_click=_restore, args=(page, deleted))


def _restore(page: Evaluation, deleted: RatingSession) -> None:
    del st.session_state[_DELETED]
    try:
        sessions.restore_session(page.store, deleted.id)
    except BackendError as fault:
        keep_fault(fault)
        return
    st.query_params[SESSION] = deleted.id
