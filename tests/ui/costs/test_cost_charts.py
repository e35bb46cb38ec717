"""What the charts of the Costs page are told to draw."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from evaluation.costs.curve import Curve
from evaluation.costs.history import Spend
from evaluation.costs.monthly import monthly
from evaluation.costs.right_answers import CostPerRight
from evaluation.costs.sensitivity import sensitivity
from tests.evaluation.costs.made_inputs import made_inputs
from ui.costs.history_charts import by_day_chart, model_chart, spend_chart
from ui.costs.monthly_chart import FEWEST, MOST, monthly_chart, spread_apart, volumes
from ui.costs.per_month import table_columns
from ui.costs.right_answers import right_chart
from ui.costs.what_if import table, tornado

INK = "#123456"


def rows(chart: Any) -> list[dict[str, Any]]:
    """Every row that any layer draws."""
    return [row for data in chart.to_dict()["datasets"].values() for row in data]


def test_curves_are_drawn_over_the_whole_axis_and_at_both_sides_of_every_step() -> None:
    stepped = Curve(step_usd=Fraction(73), step_questions=Fraction(262_800))
    drawn = volumes([stepped])
    assert (drawn[0], drawn[-1]) == (FEWEST, MOST)
    assert drawn == sorted(set(drawn))
    assert {262_800, 262_801, 525_600, 525_601} <= set(drawn)


def test_a_break_even_is_marked_and_named_at_its_place() -> None:
    curves = {"Fine-tuned": Curve(Fraction(10), Fraction(1, 1000)), "gpt": Curve(per_question=Fraction(2, 1000))}
    chart = monthly_chart(curves, {"Fine-tuned": "#c2700a", "gpt": "#8446c9"}, {"Fine-tuned": 10_001}, 5_000, INK)
    found = rows(chart)
    (dot, _) = [row for row in found if row.get("label") == "Fine-tuned: from 10,100"]
    assert (dot["questions"], dot["usd"]) == (10_001, 20.001)
    assert [row["label"] for row in found if row["questions"] == 5_000 and "label" in row] == ["your 5,000"]
    names = [row for row in found if row.get("name") and row["questions"] > MOST]
    assert {row["name"]: round(row["usd"], 6) for row in names} == {"Fine-tuned": 10_010.0, "gpt": 20_000.0}


def test_a_break_even_beyond_the_axis_and_a_cost_of_nothing_are_not_drawn() -> None:
    free = {"Raw model": Curve(), "gpt": Curve(per_question=Fraction(1))}
    chart = monthly_chart(free, {"Raw model": "#2f6fde", "gpt": "#8446c9"}, {"Raw model": 1}, 100, INK)
    assert {row["approach"] for row in rows(chart) if "approach" in row} == {"gpt"}
    assert monthly_chart({"Raw model": Curve()}, {"Raw model": "#2f6fde"}, {}, 100, INK).to_dict()


@pytest.mark.parametrize(
    ("values", "placed"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        ([1.0, 1.0], [0.75, 1.25]),
        ([1.2, 1.0, 5.0], [1.35, 0.85, 5.0]),
        ([0.0, 0.0, 0.0], [-0.5, 0.0, 0.5]),
        ([0.0, 0.2, 0.6], [pytest.approx(-7 / 30), pytest.approx(8 / 30), pytest.approx(23 / 30)]),
        ([], []),
    ],
)
def test_names_are_kept_apart_in_their_order(values: list[float], placed: list[float]) -> None:
    assert spread_apart(values, 0.5) == pytest.approx(placed)


def test_names_stay_on_the_chart() -> None:
    assert spread_apart([0.0, 0.0, 0.1], 0.5, low=0.0) == pytest.approx([0.0, 0.5, 1.0])
    assert spread_apart([2.0, 2.0, 1.9], 0.5, high=2.0) == pytest.approx([1.5, 2.0, 1.0])
    assert spread_apart([0.0, 0.4, 1.0], 0.5, 0.0, 1.0) == pytest.approx([0.0, 0.5, 1.0])


def test_a_right_answer_that_has_no_cost_is_told_in_words() -> None:
    found = {
        "Fine-tuned": CostPerRight(Decimal("0.01"), Decimal("0.009"), Decimal("0.012")),
        "Raw model": CostPerRight(None, Decimal("0.2"), why="no right answer"),
        "RAG": CostPerRight(Decimal(0), Decimal(0), Decimal(0)),
    }
    drawn = {row["approach"]: row for row in rows(right_chart(found, dict.fromkeys(found, "#000000"), INK))}
    assert (drawn["Fine-tuned"]["usd"], drawn["Fine-tuned"]["low"], drawn["Fine-tuned"]["high"]) == (0.01, 0.009, 0.012)
    assert (drawn["Raw model"]["usd"], drawn["Raw model"]["words"]) == (None, "no right answer")
    assert (drawn["RAG"]["usd"], drawn["RAG"]["words"]) == (None, "$0")


def test_the_tornado_has_the_largest_change_first() -> None:
    inputs = made_inputs(rented=False)
    now, effects = monthly("paid_api", inputs), sensitivity(inputs)
    chart = tornado(effects, now, "#8446c9", INK)
    bars = [row for row in rows(chart) if "change" in row and "at" not in row]
    assert [row["change"] for row in bars[:3]] == [
        "ten times the questions",
        "paid prices double",
        "answers twice as long",
    ]
    assert (bars[0]["from"], bars[0]["to"]) == (1.125, 11.25)
    shown = table(effects, now, inputs)
    assert list(shown.columns) == ["What if", "A month", "Change"]
    assert list(shown["Change"])[:3] == ["", "\u2212$0.562", "+$1.12"]


def test_the_table_of_a_local_approach_tells_its_break_even() -> None:
    inputs = made_inputs(rented=False, fine_tuned__machine_s="1")
    shown = table(sensitivity(inputs), monthly("fine_tuned", inputs), inputs)
    points = dict(zip(shown["What if"], shown["Cheaper than the paid model"], strict=True))
    assert points["as it is"] == "from 116,000 on"
    assert points["paid prices halve"] == "never"
    assert points["paid prices double"] == "from 11,600 on"


def test_spend_is_stacked_by_day_with_the_days_sum_above() -> None:
    day = date(2026, 11, 12)
    spent = [Spend(day, "raw", "m", Decimal("0.1"), 2, 0), Spend(day, "rag", "n", Decimal("0.2"), 1, 0)]
    found = rows(spend_chart(spent, {"Raw model": "#2f6fde", "RAG": "#16825d"}, INK))
    assert [row["usd"] for row in found if "approach" in row] == [0.1, 0.2]
    assert [row["label"] for row in found if "approach" not in row] == ["$0.3"]


def test_a_day_without_a_value_leaves_a_gap() -> None:
    chart = by_day_chart([(date(2026, 11, 12), "RAG", None)], "seconds", ".3f", {"RAG": "#16825d"})
    assert [row["value"] for row in rows(chart)] == [None]


def test_a_day_without_an_answer_leaves_a_gap_too() -> None:
    """A line from the 12th to the 14th would tell of a 13th that nobody measured."""
    told = [(date(2026, 11, 12), "RAG", 1.0), (date(2026, 11, 14), "RAG", 3.0), (date(2026, 11, 13), "Raw model", 2.0)]
    drawn = rows(by_day_chart(told, "seconds", ".3f", {"RAG": "#16825d", "Raw model": "#2f6fde"}))
    assert [(row["day"][-2:], row["value"]) for row in drawn if row["approach"] == "RAG"] == [
        ("12", 1.0),
        ("13", None),
        ("14", 3.0),
    ]


def test_of_many_days_only_the_dearest_has_its_sum_and_no_day_is_left_out() -> None:
    spent = [Spend(date(2026, 11, day), "raw", "m", Decimal(day), 1, 0) for day in (1, 3, 5, 7, 9, 11, 13, 15, 30, 17)]
    chart = spend_chart(spent, {"Raw model": "#2f6fde"}, INK)
    assert [row["label"] for row in rows(chart) if "approach" not in row] == ["$30"]
    domain = chart.to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert (domain[0], domain[-1], len(domain)) == ("2026-11-01", "2026-11-30", 30)


def test_spend_by_model_is_summed_over_the_days_and_unknown_stays_unknown() -> None:
    days = (date(2026, 11, 12), date(2026, 11, 13))
    spent = [Spend(day, "paid_api", "gpt", Decimal("0.25"), 2, 1) for day in days]
    spent += [Spend(days[0], "paid_api:own", "long " * 20, Decimal(0), 3, 3)]
    found = rows(model_chart(spent, {"Paid API": "#8446c9"}, INK))
    assert [(row["model"], row["label"], row["answers"], row["unknown"]) for row in found] == [
        ("gpt", "$0.5", 4, 2),
        ("long " * 20, "unknown", 3, 3),
    ]


def test_models_whose_names_begin_alike_have_bars_of_their_own_with_both_ends_of_the_name() -> None:
    """Two adapters on the same base: only the end of the name tells them apart."""
    base = "HuggingFaceTB/SmolLM2-135M-Instruct (Q4_1 weights), a name that is long + adapter "
    day = date(2026, 11, 12)
    spent = [Spend(day, "fine_tuned", f"{base}{name}", Decimal(1), 1, 0) for name in ("brambleworth", "other")]
    chart = model_chart(spent, {"Fine-tuned": "#c2700a"}, INK)
    bars = [row["bar"] for row in rows(chart)]
    assert [(bar.startswith("Fine-tuned \u00b7 HuggingFaceTB"), len(bar) < 100) for bar in bars] == [(True, True)] * 2
    assert [bar.rpartition(" ")[2] for bar in bars] == ["brambleworth", "other"]
    alike = [Spend(day, "raw", f"{'a' * 60}{name}{'b' * 60}", Decimal(1), 1, 0) for name in ("1", "2")]
    chart = model_chart(alike, {"Raw model": "#2f6fde"}, INK)
    assert len({row["bar"] for row in rows(chart)}) == 1
    assert chart.to_dict()["layer"][0]["encoding"]["y"]["sort"] == [0, 1]


def test_the_legend_of_long_names_has_its_own_room() -> None:
    def legend_and_height(names: list[str]) -> tuple[int, int]:
        chart = by_day_chart([(date(2026, 11, 12), names[0], 1.0)], "s", ".3f", dict.fromkeys(names, INK)).to_dict()
        return chart["layer"][0]["encoding"]["color"]["legend"]["columns"], chart["height"]

    few, low = legend_and_height(["Raw model", "Fine-tuned", "Paid API", "RAG"])
    many, high = legend_and_height(["Raw model", "RAG", f"Paid API \u00b7 {'a' * 32}"])
    assert (few, many, high - low) == (4, 1, 60)


def test_a_long_name_leaves_room_for_the_lines_and_is_whole_in_its_tooltip() -> None:
    name = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
    chart = monthly_chart({name: Curve(per_question=Fraction(1))}, {name: "#8446c9"}, {}, 100, INK, {name: "#000001"})
    (end,) = [row for row in rows(chart) if "name" in row]
    assert (end["name"], end["approach"], end["colour"]) == ("meta-llama/\u2026ruct-Turbo", name, "#000001")


def test_a_cost_that_falls_has_its_number_at_its_own_end() -> None:
    inputs = made_inputs()
    now, effects = monthly("raw", inputs), sensitivity(inputs)
    ends = {row["change"]: row.get("at") for row in rows(tornado(effects, now, "#2f6fde", INK)) if "change" in row}
    assert ends["machine rate halves"] is None  # before the bar, not beside the line that stands for now
    assert ends["machine rate doubles"] == float(now.usd or 0) * 2


def test_many_approaches_stand_in_several_tables_of_like_width() -> None:
    assert table_columns(list("abcde")) == [list("abcde")]
    assert table_columns(list("abcdef")) == [list("abc"), list("def")]
    assert table_columns(list("abcdefghi")) == [list("abcde"), list("fghi")]


def test_what_changes_nothing_has_no_bar() -> None:
    inputs = made_inputs()
    now, effects = monthly("raw", inputs), sensitivity(inputs)
    changes = {row["change"] for row in rows(tornado(effects, now, "#2f6fde", INK)) if "change" in row}
    assert changes == {"machine rate halves", "machine rate doubles"}
    assert len(table(effects, now, inputs)) == len(effects) + 1
