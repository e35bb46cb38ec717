"""What training a model from scratch would cost, against fine-tuning one."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import streamlit as st

from evaluation.costs.inputs import Inputs
from evaluation.costs.scratch import (
    FORMULA,
    TOKENS_PER_PARAMETER,
    USD_PER_GPU_HOUR,
    UTILISATION,
    Training,
    fine_tuning_cost,
    from_scratch,
)
from ui import numbers
from ui.text import escaped

_USD, _SHARE, _TOKENS, _SIZE = "scratch_usd", "scratch_share", "scratch_tokens", "scratch_size"
_SIZE_USUAL = Decimal(8)  # billions of parameters
_SIZE_COLUMN = "Parameters"
_EFFORT = ("Tokens", "FLOPs", "GPU hours")
_GPU = "989 × 10¹² FLOP/s, NVIDIA H100 SXM in bfloat16, data sheet of 2023"


def draw(inputs: Inputs) -> None:
    """Assumptions, the table, and the point it makes."""
    chosen = st.session_state.setdefault(
        "scratch", {_USD: USD_PER_GPU_HOUR, _SHARE: UTILISATION, _TOKENS: TOKENS_PER_PARAMETER, _SIZE: _SIZE_USUAL}
    )
    fine_tuning = fine_tuning_cost(inputs)
    size = int(chosen[_SIZE] * 10**9)
    rows = from_scratch(fine_tuning, chosen[_USD], chosen[_SHARE], chosen[_TOKENS], parameters=size)
    st.markdown(f"#### {escaped(point(rows, fine_tuning, size))}")
    with st.container(horizontal=True):
        _box("Billions of parameters", _SIZE, chosen, 0.001, 100_000.0, 1.0, "the size of your model")
        _box("USD per GPU hour", _USD, chosen, 0.0, 1000.0, 0.1, "your assumption, November 2026: rent of an H100")
        _box(
            "Utilisation of the GPU (0\u20131)", _SHARE, chosen, 0.01, 1.0, 0.05, "PaLM reached 0.462: arXiv:2204.02311"
        )
        _box("Tokens per parameter", _TOKENS, chosen, 1.0, 100_000.0, 10.0, "about 20: arXiv:2203.15556")
    _tables(rows)
    st.caption(
        escaped(
            f"{FORMULA} 6 × parameters × tokens: arXiv:2001.08361. Peak of a GPU: {_GPU}. One run that "
            "succeeds at once, without failed runs, data and work. SmolLM2-135M, the default base model, was trained "
            "on 2 × 10¹² tokens: arXiv:2502.02737. Fine-tuning: the time of one training × the machine rate."
        )
    )


def point(rows: Sequence[Training], fine_tuning: Decimal | None, parameters: int = 8 * 10**9) -> str:
    """Why not to go this way; `parameters` is the size of the model in mind."""
    base, large = rows[-1], next(row for row in rows if row.parameters == parameters)
    start = (
        f"Do not train from scratch: even the small base model used here took about {numbers.dollars(base.usd)}, and "
        f"one of {large.name} parameters takes {numbers.dollars(large.usd)} "
        f"and {days(large.days[8])} on 8 GPUs at least"
    )
    if fine_tuning is None or base.factor is None or large.factor is None:
        return f"{start}."
    return (
        f"{start}. A fine-tuning costs {numbers.dollars(fine_tuning)}: "
        f"{times(base.factor)} and {times(large.factor)} less."
    )


def times(factor: Decimal) -> str:
    """A factor to three digits: `1,180,000 times`."""
    return f"{numbers.figure(factor)} times"


def days(value: Decimal) -> str:
    """Days, below one in hours or minutes."""
    for unit, parts in (("days", 1), ("hours", 24), ("min", 1440), ("s", 86_400)):
        if value * parts >= 1:
            return f"{numbers.figure(value * parts)} {unit}"
    return "under a second"


def table(rows: Sequence[Training]) -> pd.DataFrame:
    """One row per size."""
    return pd.DataFrame(
        [
            {
                _SIZE_COLUMN: row.name,
                "Tokens": numbers.power(row.tokens),
                "FLOPs": numbers.power(row.flops),
                "GPU hours": numbers.figure(row.gpu_hours),
                **{f"On {gpus:,} GPUs": days(value) for gpus, value in row.days.items()},
                "Cost": numbers.dollars(row.usd),
                "Times fine-tuning": numbers.figure(row.factor),
            }
            for row in rows
        ]
    )


def _tables(rows: Sequence[Training]) -> None:
    """What it takes, and what that costs: in two tables, because one of all columns is cut on a small screen."""
    whole = table(rows)
    outcome = [column for column in whole if column != _SIZE_COLUMN and column not in _EFFORT]
    for columns in (_EFFORT, outcome):
        st.table(whole[[_SIZE_COLUMN, *columns]].map(escaped), border="horizontal", hide_index=True)


def _box(label: str, name: str, chosen: dict[str, Any], low: float, high: float, step: float, origin: str) -> None:
    key = f"box:{name}"
    st.session_state[key] = float(chosen[name])

    def typed() -> None:
        chosen[name] = Decimal(repr(st.session_state[key]))

    with st.container(width=200):
        st.number_input(label, min_value=low, max_value=high, step=step, format="%g", key=key, on_change=typed)
        st.caption(escaped(origin))
