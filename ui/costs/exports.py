"""What is shown on the Costs page as CSV files: every figure in full, and every input that it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import streamlit as st

from evaluation.costs.break_even import BreakEven
from evaluation.costs.curve import Curve
from evaluation.costs.inputs import Inputs
from evaluation.costs.monthly import MonthlyCost, as_decimal
from evaluation.costs.right_answers import FORMULA as PER_RIGHT
from evaluation.costs.right_answers import Accuracy, CostPerRight
from evaluation.costs.scratch import FORMULA as FROM_SCRATCH
from evaluation.costs.scratch import ScratchTraining
from evaluation.costs.sensitivity import Effect
from evaluation.spreadsheet import csv_bytes
from ui.costs.sentences import break_even_sentence, line_label

COLUMNS = ("kind", "approach", "model", "name", "value", "unit", "formula or origin", "numbers or note")
"""Of every file that is computed from the inputs, so that several can be put below each other."""

VOLUMES = (*(digit * 10**power for power in range(2, 7) for digit in (1, 2, 5)), 10**7)
"""The numbers of questions a month at which a file tells the curves."""

Row = tuple[str | Decimal, ...]
_UNKNOWN = "unknown"


def heading_with_download(
    heading: str, file: str, made: Callable[[], bytes], *, button: str = "CSV", what: str
) -> None:
    """A heading in Markdown with the button beside it that saves what is below as `file`; `what` says what is in it."""
    with st.container(horizontal=True, vertical_alignment="top"):
        st.markdown(heading, width="stretch", anchors=False)
        download_button(file, made, button=button, what=what)


def download_button(file: str, made: Callable[[], bytes], *, button: str = "CSV", what: str) -> None:
    """The button alone. The file is made when it is clicked."""
    st.download_button(
        button, made, file, "text/csv", key=f"save:{file}", icon=":material/download:", help=what, on_click="ignore"
    )


def monthly_file(costs: Sequence[MonthlyCost], inputs: Inputs) -> bytes:
    """Every part with its formula, every sum, and every input with its origin, amounts in full."""
    rows: list[Row] = []
    for cost in costs:
        head = (cost.approach, cost.model)
        for part in cost.parts:
            numbers = part.why or part.numbers
            rows.append(("part", *head, part.name, _known(part.usd), "USD a month", part.formula, numbers))
        rows.append(("sum", *head, "a month", _known(cost.usd), "USD a month", "the sum of the parts", cost.why))
        rows.append(("sum", *head, "an answer", _known(cost.per_answer), "USD", "a month ÷ its questions", cost.why))
    return _file(rows, inputs)


def break_even_file(found: Sequence[BreakEven], curves: Mapping[str, Curve], inputs: Inputs) -> bytes:
    """The points from which on what is cheaper than the paid model, and the curves that cross there."""
    paid = line_label(inputs.reference, inputs)
    rows: list[Row] = []
    for one in found:
        head = ("break-even", one.approach, inputs.profile(one.approach).model)
        sentence = break_even_sentence(one, inputs)
        for name, point in (("for good", one.lasting), ("for the first time", one.first)):
            shown = _point(one, point)
            rows.append((*head, f"cheaper than {paid} {name} from", shown, "questions a month", sentence, one.why))
        why = "machines never idle for longer than assumed, without what is fixed"
        rows.append((*head, "an answer at best", _known(one.least), "USD", why, one.why))
    for approach, curve in curves.items():
        head = ("curve", approach, inputs.profile(approach).model)
        for volume in VOLUMES:
            usd = as_decimal(curve.usd(volume))
            rows.append((*head, str(volume), usd, "USD a month", "at this number of questions a month", ""))
    return _file(rows, inputs)


def right_answers_file(
    found: Mapping[str, CostPerRight],
    costs: Mapping[str, MonthlyCost],
    accuracies: Mapping[str, Accuracy],
    inputs: Inputs,
) -> bytes:
    """What a right answer costs with its interval, the answer's cost, and how many were right as counted where."""
    rows: list[Row] = []
    for approach, one in found.items():
        head = (approach, inputs.profile(approach).model)
        ends = {"": one.usd, ", at least": one.low, ", at most": one.high}
        for end, usd in ends.items():
            note = "Wilson's 95 % interval of the share" if end else PER_RIGHT
            rows.append(("right answer", *head, f"a right answer{end}", _known(usd), "USD", note, one.why))
        cost = costs[approach]
        rows.append(("right answer", *head, "an answer", _known(cost.per_answer), "USD", "a month ÷ its questions", ""))
        accuracy = accuracies.get(approach)
        right, asked = (Decimal(accuracy.right), Decimal(accuracy.asked)) if accuracy else (None, None)
        origin = (accuracy.origin, accuracy.note) if accuracy else ("", "not counted")
        rows.append(("input", *head, "right answers", _known(right), "answers", *origin))
        rows.append(("input", *head, "questions that were asked", _known(asked), "questions", *origin))
    return _file(rows, inputs)


def what_if_file(
    effects: Sequence[Effect], now: Sequence[MonthlyCost], now_even: Sequence[BreakEven], inputs: Inputs
) -> bytes:
    """Every approach as it is and after every change: a month, the difference, and when it breaks even then."""
    rows: list[Row] = []
    for cost in now:
        head = (cost.approach, cost.model)
        rows.append(("as it is", *head, "a month", _known(cost.usd), "USD a month", "", cost.why))
        rows += [_cheaper("as it is", *head, one, inputs) for one in now_even if one.approach == cost.approach]
        for effect in effects:
            after = effect.costs[cost.approach]
            change = effect.difference[cost.approach]
            rows.append((effect.name, *head, "a month", _known(after.usd), "USD a month", effect.subject, after.why))
            rows.append((effect.name, *head, "change", _known(change), "USD a month", effect.subject, after.why))
            rows += [
                _cheaper(effect.name, *head, one, inputs) for one in effect.break_evens if one.approach == cost.approach
            ]
    return _file(rows, inputs)


def scratch_file(rows: Sequence[ScratchTraining], assumed: Sequence[Row], inputs: Inputs) -> bytes:
    """What a training from scratch takes and costs by size, with its own assumptions (`assumed`) and the inputs."""
    made: list[Row] = []
    for row in rows:
        found = {
            "parameters": (Decimal(row.parameters), "parameters"),
            "tokens": (row.tokens, "tokens"),
            "FLOPs": (row.flops, "floating point operations"),
            "GPU hours": (row.gpu_hours, "hours"),
            **{f"time on {gpus:,} GPUs": (days, "days") for gpus, days in row.days.items()},
            "cost": (row.usd, "USD"),
            "cost ÷ cost of a fine-tuning": (row.factor, "times"),
        }
        made += [
            ("from scratch", "", row.name, name, _known(value), unit, FROM_SCRATCH, "")
            for name, (value, unit) in found.items()
        ]
    return _file([*made, *assumed], inputs)


def _file(rows: Sequence[Row], inputs: Inputs) -> bytes:
    """The rows, and below them every input with its origin."""
    billing = "all month" if inputs.rented else "per second used"
    paid = inputs.profile(inputs.reference)
    below: list[Row] = [
        ("input", "", "", "machines are paid for", billing, "", "your assumption", ""),
        (
            "input",
            paid.approach,
            paid.model,
            "break-even with",
            line_label(paid.approach, inputs),
            "",
            "your choice",
            "",
        ),
    ]
    for name, found in inputs.values.items():
        below.append(("input", "", "", name, _known(found.value), found.unit, found.origin, found.note))
    return csv_bytes(COLUMNS, [*rows, *below])


def _known(value: Decimal | None) -> str | Decimal:
    return _UNKNOWN if value is None else value


def _point(one: BreakEven, questions: int | None) -> str | Decimal:
    """A number of questions, or `never`, or that it is unknown."""
    return one.kind if questions is None else Decimal(questions)


def _cheaper(kind: str, approach: str, model: str, one: BreakEven, inputs: Inputs) -> Row:
    name = f"cheaper than {line_label(inputs.reference, inputs)} from"
    return (kind, approach, model, name, _point(one, one.lasting), "questions a month", "", one.why)
