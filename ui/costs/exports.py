"""What is shown on the Costs page as CSV files: every figure in full, and every input that it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from backends.spend.pricing import ListedModel
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


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file, by its `COLUMNS`: `explained` is a formula or an origin, `note` its numbers or a note."""

    kind: str
    name: str
    value: str | Decimal
    unit: str
    approach: str = ""
    model: str = ""
    explained: str = ""
    note: str = ""

    @property
    def cells(self) -> tuple[str | Decimal, ...]:
        """In the order of `COLUMNS`."""
        return self.kind, self.approach, self.model, self.name, self.value, self.unit, self.explained, self.note


_UNKNOWN = "unknown"


def monthly_file(costs: Sequence[MonthlyCost], inputs: Inputs) -> bytes:
    """Every part with its formula, every sum, and every input with its origin, amounts in full."""
    rows: list[Row] = []
    for cost in costs:
        row = partial(Row, approach=cost.approach, model=cost.model)
        for part in cost.parts:
            numbers = part.why or part.numbers
            usd = _known(part.usd)
            rows.append(row("part", part.name, usd, "USD a month", explained=part.formula, note=numbers))
        month, answer = _known(cost.usd), _known(cost.per_answer)
        rows.append(row("sum", "a month", month, "USD a month", explained="the sum of the parts", note=cost.why))
        rows.append(row("sum", "an answer", answer, "USD", explained="a month ÷ its questions", note=cost.why))
    return _file(rows, inputs)


def break_even_file(found: Sequence[BreakEven], curves: Mapping[str, Curve], inputs: Inputs) -> bytes:
    """The points from which on what is cheaper than the paid model, and the curves that cross there."""
    paid = line_label(inputs.reference, inputs)
    rows: list[Row] = []
    for one in found:
        row = partial(Row, "break-even", approach=one.approach, model=inputs.profile(one.approach).model, note=one.why)
        sentence = break_even_sentence(one, inputs)
        for name, point in (("for good", one.lasting), ("for the first time", one.first)):
            what = f"cheaper than {paid} {name} from"
            rows.append(row(what, _point(one, point), "questions a month", explained=sentence))
        why = "machines never idle for longer than assumed, without what is fixed"
        rows.append(row("an answer at best", _known(one.least), "USD", explained=why))
    for approach, curve in curves.items():
        row = partial(Row, "curve", approach=approach, model=inputs.profile(approach).model)
        for volume in VOLUMES:
            usd = as_decimal(curve.usd(volume))
            rows.append(row(str(volume), usd, "USD a month", explained="at this number of questions a month"))
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
        row = partial(Row, approach=approach, model=inputs.profile(approach).model)
        ends = {"": one.usd, ", at least": one.low, ", at most": one.high}
        for end, usd in ends.items():
            note = "Wilson's 95 % interval of the share" if end else PER_RIGHT
            what = f"a right answer{end}"
            rows.append(row("right answer", what, _known(usd), "USD", explained=note, note=one.why))
        answer = _known(costs[approach].per_answer)
        rows.append(row("right answer", "an answer", answer, "USD", explained="a month ÷ its questions"))
        accuracy = accuracies.get(approach)
        right, asked = (Decimal(accuracy.right), Decimal(accuracy.asked)) if accuracy else (None, None)
        origin, note = (accuracy.origin, accuracy.note) if accuracy else ("", "not counted")
        counted = partial(row, "input", explained=origin, note=note)
        rows.append(counted("right answers", _known(right), "answers"))
        rows.append(counted("questions that were asked", _known(asked), "questions"))
    return _file(rows, inputs)


def what_if_file(
    effects: Sequence[Effect], now: Sequence[MonthlyCost], now_even: Sequence[BreakEven], inputs: Inputs
) -> bytes:
    """Every approach as it is and after every change: a month, the difference, and when it breaks even then."""
    rows: list[Row] = []
    for cost in now:
        row = partial(Row, approach=cost.approach, model=cost.model)
        rows.append(row("as it is", "a month", _known(cost.usd), "USD a month", note=cost.why))
        rows += [_cheaper(row, "as it is", one, inputs) for one in now_even if one.approach == cost.approach]
        for effect in effects:
            after = effect.costs[cost.approach]
            changed = partial(row, effect.name, unit="USD a month", explained=effect.subject, note=after.why)
            rows.append(changed("a month", _known(after.usd)))
            rows.append(changed("change", _known(effect.difference[cost.approach])))
            even = [one for one in effect.break_evens if one.approach == cost.approach]
            rows += [_cheaper(row, effect.name, one, inputs) for one in even]
    return _file(rows, inputs)


def price_list_file(models: Sequence[tuple[ListedModel, Decimal]], inputs: Inputs) -> bytes:
    """What a month costs at every list price, the prices with their date, and every input with its origin."""
    rows: list[Row] = []
    for one, usd in models:
        row = partial(Row, "price list", model=one.model, note=one.rates.basis)
        rows.append(row(one.provider, usd, "USD a month", explained="tokens as those of the model compared with"))
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
            Row("from scratch", name, _known(value), unit, model=row.name, explained=FROM_SCRATCH)
            for name, (value, unit) in found.items()
        ]
    return _file([*made, *assumed], inputs)


def _file(rows: Sequence[Row], inputs: Inputs) -> bytes:
    """The rows, and below them every input with its origin."""
    billing = "all month" if inputs.rented else "per second used"
    paid = inputs.profile(inputs.reference)
    compared = line_label(paid.approach, inputs)
    choice = partial(Row, approach=paid.approach, model=paid.model, explained="your choice")
    below = [
        Row("input", "machines are paid for", billing, "", explained="assumption"),
        choice("input", "break-even with", compared, ""),
    ]
    for name, found in inputs.values.items():
        below.append(Row("input", name, _known(found.value), found.unit, explained=found.origin, note=found.note))
    return csv_bytes(COLUMNS, [row.cells for row in (*rows, *below)])


def _known(value: Decimal | None) -> str | Decimal:
    return _UNKNOWN if value is None else value


def _point(one: BreakEven, questions: int | None) -> str | Decimal:
    """A number of questions, or `never`, or that it is unknown."""
    return one.kind if questions is None else Decimal(questions)


def _cheaper(row: Callable[..., Row], kind: str, one: BreakEven, inputs: Inputs) -> Row:
    name = f"cheaper than {line_label(inputs.reference, inputs)} from"
    return row(kind, name, _point(one, one.lasting), "questions a month", note=one.why)
