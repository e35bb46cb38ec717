"""The Costs page on a small screen: what is said in a table can be read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

_CUT = """() => [...document.querySelectorAll('[data-testid=stTable], [data-testid=stTable] *')]
    .filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0)
    .filter(one => getComputedStyle(one).overflowX !== 'visible')
    .map(one => `${one.tagName} of ${one.clientWidth} px holds ${one.scrollWidth}`)"""


@pytest.mark.parametrize("width", [800, 1440])
def test_no_table_is_cut(page: Page, start_app: Callable[..., str], width: int) -> None:
    page.set_viewport_size({"width": width, "height": 1000})
    address = start_app(CROSSROADS_SCRIPTED="true")
    for section in ("Per month", "Per right answer", "What if", "From scratch"):
        page.goto(f"{address}/costs?costs={section.replace(' ', '+')}")
        expect(page.get_by_test_id("stTable").last).to_be_visible(timeout=60_000)
        expect(page.get_by_test_id("stTable")).to_have_count(2 if section == "From scratch" else 1)
        assert page.evaluate(_CUT) == [], section
