"""The Costs page's files: figures in full, every input with its origin, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backends.base import Answer, Cost, Status, Timings, Usage
from backends.spend import ledger
from backends.spend.ledger import Entry, Purpose
from backends.spend.pricing import ListedModel, Rates
from evaluation.costs.break_even import break_evens
from evaluation.costs.inputs import Inputs
from evaluation.costs.monthly import curve, month_at, monthly
from evaluation.costs.right_answers import Accuracy, cost_per_right
from evaluation.costs.scratch import fine_tuning_cost, from_scratch
from evaluation.costs.sensitivity import sensitivity
from tests.evaluation.costs.made_inputs import WAYS, made_inputs
from ui.costs import exports
from ui.costs.history import BY_DAY, answers_file, by_day_file
from ui.costs.scratch import BOXES, assumptions

HOSTILE = '=HYPERLINK("http://evil.example")'
RIGHT = {"fine_tuned": Accuracy(3, 4, "measured here", "proof of brambleworth"), "raw": Accuracy(0, 4, "measured here")}


def read(file: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.decode("utf-8-sig"), newline="")))


def monthly_file(inputs: Inputs) -> bytes:
    return exports.monthly_file([monthly(way.approach, inputs) for way in inputs.profiles], inputs)


def break_even_file(inputs: Inputs) -> bytes:
    curves = {way.approach: curve(way.approach, inputs) for way in inputs.profiles}
    return exports.break_even_file(break_evens(inputs), curves, inputs)


def right_answers_file(inputs: Inputs) -> bytes:
    costs = {way.approach: monthly(way.approach, inputs) for way in inputs.profiles}
    found = {name: cost_per_right(cost.per_answer, RIGHT.get(name), cost.why) for name, cost in costs.items()}
    return exports.right_answers_file(found, costs, RIGHT, inputs)


def what_if_file(inputs: Inputs) -> bytes:
    now = [monthly(way.approach, inputs) for way in inputs.profiles]
    return exports.what_if_file(sensitivity(inputs), now, break_evens(inputs), inputs)


def scratch_file(inputs: Inputs, **typed: str) -> bytes:
    chosen = {name: Decimal(typed.get(name, box.usual)) for name, box in BOXES.items()}
    return exports.scratch_file(from_scratch(fine_tuning_cost(inputs)), assumptions(chosen), inputs)


def price_list_file(inputs: Inputs) -> bytes:
    listed = ListedModel("maker", "Maker", "model", Rates(Decimal(1), Decimal(1), Decimal(2), "list price"))
    return exports.price_list_file([(listed, month_at(listed.rates, inputs))], inputs)


FILES = (monthly_file, break_even_file, right_answers_file, what_if_file, price_list_file, scratch_file)


@pytest.mark.parametrize("made", FILES)
def test_every_file_has_the_inputs_with_their_origins(made: Callable[[Inputs], bytes]) -> None:
    inputs = made_inputs()
    rows = read(made(inputs))
    assert tuple(rows[0]) == exports.COLUMNS
    told = {row["name"]: row for row in rows if row["kind"] == "input"}
    assert set(inputs.values) < set(told)
    assert (told["paid_api.price.input"]["value"], told["paid_api.price.input"]["formula or origin"]) == (
        "0.4",
        "your assumption",
    )
    assert told["machines are paid for"]["value"] == "all month"
    assert told["break-even with"]["value"] == "gpt-4.1-mini"


@pytest.mark.parametrize("made", FILES)
def test_no_file_has_a_cell_that_a_spreadsheet_would_run(made: Callable[[Inputs], bytes]) -> None:
    ways = tuple(replace(way, model=HOSTILE) for way in WAYS)
    inputs = made_inputs(ways=ways)
    noted = {name: replace(found, note=HOSTILE) for name, found in inputs.values.items()}
    rows = read(made(replace(inputs, values=noted)))
    cells = [cell for row in rows for name, cell in row.items() if name != "value"]
    assert any(HOSTILE in cell for cell in cells)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert not [row["value"] for row in rows if row["value"].startswith(("=", "+", "@"))]  # a number may be below 0


def values(file: bytes) -> dict[tuple[str, str, str], str]:
    return {(row["kind"], row["approach"], row["name"]): row["value"] for row in read(file)}


def test_the_month_by_part_in_full() -> None:
    found = values(monthly_file(made_inputs(rented=False)))
    assert found["part", "fine_tuned", "training"] == "1.44"
    assert found["sum", "paid_api", "a month"] == "1.125"
    assert found["sum", "paid_api", "an answer"] == "0.0001125"
    broken = values(monthly_file(made_inputs(rented=False, raw__machine_s=None)))
    assert broken["sum", "raw", "a month"] == "unknown"


def test_break_even_points_and_their_curves() -> None:
    inputs = made_inputs(machine__at_once="4")
    found = values(break_even_file(inputs))
    (raw, *_) = break_evens(inputs)
    assert raw.lasting is not None
    assert found["break-even", "raw", "cheaper than gpt-4.1-mini for good from"] == str(raw.lasting)
    assert found["curve", "paid_api", "10000"] == "1.125"
    assert [name for kind, approach, name in found if (kind, approach) == ("curve", "raw")][:4] == [
        *("100", "200", "500", "1000")
    ]
    never = values(break_even_file(made_inputs()))
    assert never["break-even", "raw", "cheaper than gpt-4.1-mini for good from"] == "never"


def test_what_a_right_answer_costs_and_how_many_were_right() -> None:
    found = read(right_answers_file(made_inputs()))
    by_name = {(row["approach"], row["name"]): row for row in found}
    cost = Decimal(by_name["fine_tuned", "an answer"]["value"])
    assert Decimal(by_name["fine_tuned", "a right answer"]["value"]) == pytest.approx(cost / 3 * 4)
    assert by_name["raw", "a right answer"]["value"] == "unknown"
    assert by_name["raw", "a right answer"]["numbers or note"] == "no right answer"
    counted = by_name["fine_tuned", "right answers"]
    assert (counted["value"], counted["formula or origin"], counted["numbers or note"]) == (
        *("3", "measured here", "proof of brambleworth"),
    )
    assert by_name["rag", "right answers"]["value"] == "unknown"


def test_every_change_for_every_approach_with_its_sign() -> None:
    found = values(what_if_file(made_inputs(rented=False)))
    assert found["as it is", "paid_api", "a month"] == "1.125"
    assert found["paid prices halve", "paid_api", "a month"] == "0.5625"
    assert found["paid prices halve", "paid_api", "change"] == "-0.5625"
    assert Decimal(found["machine rate doubles", "paid_api", "change"]) == 0
    assert ("paid prices halve", "raw", "cheaper than gpt-4.1-mini from") in found


def test_a_training_from_scratch_with_what_is_assumed() -> None:
    rows = read(scratch_file(made_inputs(), scratch_usd="5"))
    sizes = [row["model"] for row in rows if row["name"] == "FLOPs"]
    assert sizes == ["135M", "1B", "8B", "70B", "135M, as SmolLM2 was"]
    told = {row["name"]: row for row in rows if row["kind"] == "input"}
    assert told["Tokens per parameter"]["numbers or note"] == "about 20: arXiv:2203.15556"
    assert (told["USD per GPU hour"]["value"], told["USD per GPU hour"]["numbers or note"]) == (
        "5",
        "typed in place of the usual value",
    )
    assert told["peak of a GPU"]["value"] == "989000000000000"


# --- history ------------------------------------------------------------------------------------


@pytest.fixture
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    data = tmp_path_factory.mktemp("data")

    def record(day: int, usd: str | None, status: Status = "ok", purpose: Purpose = "answer") -> None:
        cost = Cost(None if usd is None else Decimal(usd), "a price list of 2026-11-01")
        answer = Answer("paid_api", HOSTILE, "", status, timings=Timings(latency_s=2.0), usage=Usage(9, 5), cost=cost)
        ledger.append(data, answer, "real", datetime(2026, 11, day, 12, tzinfo=UTC), purpose=purpose)

    record(1, "0.0000001")
    record(1, None, "error")
    record(1, "0.5", purpose="test")
    record(2, None)
    return ledger.entries(data)


def test_the_history_by_day(entries: list[Entry]) -> None:
    first, second = read(by_day_file(entries))
    assert tuple(first) == BY_DAY
    told = (f"'{HOSTILE}", "real", "2", "1", "0.5000001", "1", "2.0", "2.0", "1", "50.0")
    assert tuple(first.values()) == ("2026-11-01", "paid_api", *told)
    assert (second["spent in USD"], second["cost unknown"]) == ("", "1")  # no amount is known: not 0


def test_every_answer_with_what_its_cost_comes_from_and_no_text(entries: list[Entry]) -> None:
    rows = read(answers_file(entries))
    assert [row["purpose"] for row in rows] == ["answer", "answer", "test", "answer"]
    assert (rows[0]["cost_usd"], rows[0]["cost_basis"]) == ("0.0000001", "a price list of 2026-11-01")
    assert rows[0]["model"] == f"'{HOSTILE}"
    assert rows[1]["cost_usd"] == ""
