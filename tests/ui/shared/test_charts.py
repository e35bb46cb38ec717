"""Text in an approach's colour can be read in both themes."""

from __future__ import annotations

import pytest

from backends.registry import SHADES, specs
from ui.shared.charts import PAGE, contrast, legible


def test_contrast_as_it_is_defined() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_what_can_be_read_keeps_its_colour() -> None:
    assert legible("#6b2fb3", "light") == "#6b2fb3"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("colour", [*(spec.hex for spec in specs()), *SHADES])
def test_every_colour_can_be_read(colour: str, theme: str) -> None:
    assert contrast(legible(colour, theme), PAGE[theme]) >= 4.5
