"""What training from scratch costs: exact for round numbers, and far from fine-tuning."""

from __future__ import annotations

from decimal import Decimal

import pytest

from evaluation.costs.scratch import SIZES, fine_tuning_cost, from_scratch
from tests.evaluation.costs.made_inputs import made_inputs


def test_six_flops_per_parameter_and_token() -> None:
    peak, half = Decimal(10) ** 15, Decimal("0.5")
    found = {one.name: one for one in from_scratch(Decimal("0.1"), Decimal(2), half, Decimal(20), peak)}
    eight = found["8B"]
    assert eight.tokens == 160 * 10**9
    assert eight.flops == Decimal("7.68E+21")
    assert eight.gpu_hours == Decimal("7.68E+21") / (Decimal(5) * 10**14 * 3600)
    assert round(eight.gpu_hours, 6) == Decimal("4266.666667")
    assert round(eight.usd, 6) == Decimal("8533.333333")
    assert round(eight.days[8], 6) == Decimal("22.222222")
    assert round(eight.days[1024], 6) == Decimal("0.173611")
    assert eight.factor is not None
    assert round(eight.factor, 5) == Decimal("85333.33333")


def test_every_size_grows_with_the_square_of_its_parameters() -> None:
    *rows, _ = from_scratch(Decimal("0.01"))
    assert [row.parameters for row in rows] == list(SIZES.values()) == [135 * 10**6, 10**9, 8 * 10**9, 70 * 10**9]
    assert [row.flops for row in rows] == [120 * row.parameters**2 for row in rows]
    factors = [row.factor for row in rows]
    assert all(factor is not None and factor > 100 for factor in factors)
    assert factors == sorted(factors)  # type: ignore[type-var]


def test_the_default_base_model_as_it_was_trained() -> None:
    published = from_scratch(None)[-1]
    assert (published.parameters, published.tokens) == (135 * 10**6, 2 * 10**12)
    assert published.flops == Decimal("1.62E+21")
    assert round(published.usd, 2) == Decimal("2843.78")


def test_without_a_fine_tuning_cost_there_is_no_factor() -> None:
    assert {row.factor for row in from_scratch(None)} == {None}
    assert {row.factor for row in from_scratch(Decimal(0))} == {None}


def test_a_fine_tuning_costs_its_time_at_the_machine_rate() -> None:
    assert fine_tuning_cost(made_inputs()) == Decimal("0.72")
    assert fine_tuning_cost(made_inputs(training__seconds=None)) is None


def test_gpus_that_reckon_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="never finishes"):
        from_scratch(Decimal(1), utilisation=Decimal(0))
