"""Where a cap on spending stopped a question: raise it for this browser session and go on, nothing lost."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal

import streamlit as st

from backends.base import Answer
from ui.resources import override, resume
from ui.shared.text import escaped

_CENT = Decimal("0.01")
_NAMES = {"budget.per_day_usd": "The day's budget", "budget.per_run_usd": "The run's budget"}


def raise_cap(page: str, answer: Answer, answers: Sequence[Answer]) -> None:
    """Draw the control under an answer that a cap stopped; nothing under any other.

    Going on asks every approach that the same cap stopped, and no other: their answers stay.
    """
    stopped = answer.stopped_by
    if stopped is None:
        return
    again = {
        one.approach: one.stopped_by for one in answers if one.stopped_by and one.stopped_by.setting == stopped.setting
    }
    others_usd = sum((one.worst_usd for approach, one in again.items() if approach != answer.approach), Decimal(0))
    least, enough = (
        usd.quantize(_CENT, ROUND_CEILING) for usd in (stopped.needed_usd, stopped.needed_usd + others_usd)
    )
    key = f"cap:{page}:{answer.approach}"
    with st.form(key, border=True):
        st.number_input(
            f"{_NAMES[stopped.setting]} for this browser session (USD)",
            min_value=float(least),
            value=float(enough),
            step=0.01,
            format="%.2f",
            key=f"{key}:usd",
            help="Enough for the worst case of all that it stopped here. Other sessions keep their cap; "
            f"{escaped(stopped.setting)} in the environment or .env changes it for all.",
        )
        st.form_submit_button(
            "Raise it and ask again",
            icon=":material/savings:",
            on_click=_raise,
            args=(page, stopped.setting, key, tuple(again)),
        )


def _raise(page: str, setting: str, key: str, approaches: Sequence[str]) -> None:
    override(setting, str(Decimal(repr(st.session_state[f"{key}:usd"])).quantize(_CENT)))
    resume(page, approaches)
