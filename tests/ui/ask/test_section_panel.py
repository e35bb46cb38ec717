"""The widgets of an approach that brings settings and no panel: one for each field, by its type."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from ui.shared.text import escaped

_PAGE = """
from decimal import Decimal
from typing import Literal
import pydantic
from pydantic import Field, SecretStr
from ui.ask.section_panel import section_panel

class Odd(pydantic.BaseModel):
    marks: int = Field(default=2, ge=0, le=9, title="Exclamation marks", description="at the **end**")
    share: float | None = Field(default=None, ge=0, le=1)
    price: Decimal = Decimal("0.50")
    loud: bool = True
    tone: Literal["calm", "glad"] = "glad"
    name: str | None = None
    key: SecretStr | None = None
    parts: list[str] = []

section_panel("odd", Odd())
"""


def test_every_field_has_a_widget_with_its_limits_or_a_sentence() -> None:
    at = AppTest.from_string(_PAGE).run()
    assert not at.exception
    numbers = {one.label: (one.min, one.max, one.value) for one in at.number_input}
    assert numbers["Exclamation marks"] == (0, 9, 2)
    assert numbers["Share"] == (0.0, 1.0, None)
    assert numbers["Price"][2] == 0.5
    assert at.number_input[0].help == escaped("at the **end**")
    assert [(one.label, one.value) for one in at.toggle] == [("Loud", True)]
    assert [(one.label, one.options, one.value) for one in at.selectbox] == [("Tone", ["calm", "glad"], "glad")]
    assert [(one.label, one.value) for one in at.text_input] == [("Name", ""), ("Key", "")]
    assert [one.value for one in at.caption] == [escaped("Parts: set it with --set odd.parts=VALUE.")]


def test_a_change_becomes_a_setting_of_this_browser_session() -> None:
    at = AppTest.from_string(_PAGE).run()
    at.number_input[0].set_value(5).run()
    assert not at.exception
    assert at.session_state["setting_overrides"] == {"odd.marks": 5}
