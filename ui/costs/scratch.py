"""What training a model from scratch would cost, against fine-tuning one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd
import streamlit as st

from evaluation.costs.inputs import Inputs
from evaluation.costs.scratch import (
    FORMULA,
    PEAK_FLOPS,
    TOKENS_PER_PARAMETER,
    USD_PER_GPU_HOUR,
    UTILISATION,
    ScratchTraining,
    fine_tuning_cost,
    from_scratch,
)
from ui.costs.exports import Row, scratch_file
from ui.shared import numbers
from ui.shared.downloads import heading_with_download
from ui.shared.tables import literal_table
from ui.shared.text import escaped


@dataclass(frozen=True, slots=True)
class _Box:
    """One assumption: what it is usually taken for, within which limits, and where that comes from."""

    label: str
    unit: str
    usual: Decimal
    low: float
    high: float
    step: float
    origin: str


_USD, _SHARE, _TOKENS, _SIZE = "scratch_usd", "scratch_share", "scratch_tokens", "scratch_size"
BOXES = {
    _SIZE: _Box(
        "Billions of parameters", "10⁹ parameters", Decimal(8), 0.001, 100_000.0, 1.0, "the size of your model"
    ),
    _USD: _Box(
        "USD per GPU hour",
        "USD",
        USD_PER_GPU_HOUR,
        0.0,
        1000.0,
        0.1,
        "a round figure, November 2026: rent of an H100",
    ),
    _SHARE: _Box(
        "Utilisation of the GPU (0\u20131)", "", UTILISATION, 0.01, 1.0, 0.05, "PaLM reached 0.462: arXiv:2204.02311"
    ),
    _TOKENS: _Box(
        "Tokens per parameter", "tokens", TOKENS_PER_PARAMETER, 1.0, 100_000.0, 10.0, "about 20: arXiv:2203.15556"
    ),
}
_SIZE_COLUMN = "Parameters"
_EFFORT = ("Tokens", "FLOPs", "GPU hours")
_GPU = "989 × 10¹² FLOP/s, NVIDIA H100 SXM in bfloat16, data sheet of 2023"


def draw(inputs: Inputs) -> None:
    """Assumptions, the table, and the point it makes."""
    chosen: dict[str, Decimal] = st.session_state.setdefault("scratch", {})
    for name, box in BOXES.items():
        chosen.setdefault(name, box.usual)
    fine_tuning = fine_tuning_cost(inputs)
    size = int(chosen[_SIZE] * 10**9)
    rows = from_scratch(fine_tuning, chosen[_USD], chosen[_SHARE], chosen[_TOKENS], parameters=size)
    heading_with_download(
        f"## {escaped(conclusion(rows, fine_tuning, size))}",
        "crossroads-from-scratch.csv",
        lambda: scratch_file(rows, assumptions(chosen), inputs),
        what="Every size in full, with what is assumed and where that comes from.",
    )
    with st.container(horizontal=True):
        for name, box in BOXES.items():
            _box(name, box, chosen)
    _tables(rows)
    st.caption(
        escaped(
            f"{FORMULA} 6 × parameters × tokens: arXiv:2001.08361. Peak of a GPU: {_GPU}. One run that "
            "succeeds at once, without failed runs, data and work. SmolLM2-135M, the default base model, was trained "
            "on 2 × 10¹² tokens: arXiv:2502.02737. Fine-tuning: the time of one training × the machine rate."
        )
    )


def conclusion(rows: Sequence[ScratchTraining], fine_tuning: Decimal | None, parameters: int = 8 * 10**9) -> str:
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


def table(rows: Sequence[ScratchTraining]) -> pd.DataFrame:
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


def _tables(rows: Sequence[ScratchTraining]) -> None:
    """What it takes, and what that costs: in two tables, because one of all columns is cut on a small screen."""
    whole = table(rows)
    outcome = [column for column in whole if column != _SIZE_COLUMN and column not in _EFFORT]
    for columns in (_EFFORT, outcome):
        literal_table(whole[[_SIZE_COLUMN, *columns]], border="horizontal", hide_index=True)


def assumptions(chosen: Mapping[str, Decimal]) -> list[Row]:
    """What a training from scratch is computed with, as rows of its file; a source only where its value is used."""
    rows: list[Row] = []
    for name, box in BOXES.items():
        usual = chosen[name] == box.usual
        note = box.origin if usual else "typed in place of the usual value"
        origin = "assumption" if usual else "your assumption"
        rows.append(Row("input", box.label, chosen[name], box.unit, explained=origin, note=note))
    return [*rows, Row("input", "peak of a GPU", PEAK_FLOPS, "FLOP/s", explained="NVIDIA", note=_GPU)]


def _box(name: str, box: _Box, chosen: dict[str, Decimal]) -> None:
    key = f"box:{name}"
    st.session_state[key] = float(chosen[name])

    def typed() -> None:
        chosen[name] = Decimal(repr(st.session_state[key]))

    with st.container(width=200):
        st.number_input(
            box.label,
            min_value=box.low,
            max_value=box.high,
            step=box.step,
            format="%g",
            key=key,
            on_change=typed,
        )
        st.caption(escaped(box.origin))
