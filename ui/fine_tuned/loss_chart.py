"""The loss while a training goes on. Every value is drawn as it was measured: nothing is smoothed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from backends.fine_tuned.events import StepRecord

HEIGHT = 340  # pixels
TRAINING, HELD_OUT = "training pairs", "held-out pairs"

_COLOURS = {TRAINING: "#8fa3c7", HELD_OUT: "#c2700a"}


def lowest_step(records: Sequence[StepRecord]) -> StepRecord | None:
    """The step with the lowest held-out loss, the first of equals; None where nothing was held out."""
    measured = [record for record in records if record.held_out_loss is not None]
    return min(measured, key=lambda record: record.held_out_loss or 0.0, default=None)


def loss_rows(records: Sequence[StepRecord]) -> pd.DataFrame:
    """One row per measured loss; `label` stands at the lowest held-out one only."""
    lowest = lowest_step(records)
    rows = [(record.step, TRAINING, record.loss, "") for record in records]
    rows += [
        (record.step, HELD_OUT, record.held_out_loss, _label(record) if record is lowest else "")
        for record in records
        if record.held_out_loss is not None
    ]
    return pd.DataFrame(rows, columns=["step", "of", "loss", "label"]).astype(
        {"step": "int64", "of": "str", "loss": "float64", "label": "str"}
    )


def _label(record: StepRecord) -> str:
    return f"\u2605 lowest: step {record.step}, {record.held_out_loss:.3g}"


def loss_spec(steps: int, ink: str) -> dict[str, Any]:
    """The chart without its data, which the browser then updates in place; `ink` is the colour of text.

    `steps` in all, so that the axis does not move while the training goes on.
    """
    line = alt.Chart().encode(
        x=alt.X(
            "step:Q",
            title="step",
            scale=alt.Scale(domain=[0, max(steps, 1)], nice=False),
            axis=alt.Axis(tickCount=10, tickMinStep=1),
        ),
        y=alt.Y("loss:Q", title="loss (nats per answer token)", scale=alt.Scale(zero=True)),
        color=alt.Color(
            "of:N",
            scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values())),
            legend=alt.Legend(orient="top", title=None),
        ),
        tooltip=[alt.Tooltip("of:N", title="of"), "step:Q", alt.Tooltip("loss:Q", format=".3g")],
    )
    held_out = f"datum.of == '{HELD_OUT}'"
    marked = line.transform_filter("datum.label != ''")
    chart = alt.layer(
        line.mark_line(strokeWidth=2),
        line.transform_filter(held_out).mark_point(filled=True, size=60, opacity=1),
        marked.mark_rule(strokeDash=[4, 4], opacity=0.7).encode(y=alt.Y()),
        marked.mark_text(align="left", dx=8, dy=-12, fontSize=13).encode(text="label:N", color=alt.value(ink)),
    )
    spec: dict[str, Any] = chart.properties(height=HEIGHT).to_dict(validate=False)
    spec.pop("datasets", None)  # Altair's stand-in for no data, which would take the place of ours
    for layer in spec["layer"]:
        layer.pop("data", None)
    return spec
