"""Connections of long names: nothing is cut or scrolls sideways in the question box, nor where one is chosen."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.drawn import drawn

_NAMES = (
    *("enterprise-gateway-frankfurt", "internal-vllm-llama-cluster"),
    *("azure-production-west-europe", "openrouter-anthropic-primary"),
)
_CUT = """() => {
    const box = document.querySelector('[data-testid=stTextArea]').closest('[data-testid=stVerticalBlock]')
    const clipping = one => getComputedStyle(one).overflowY === 'visible' ? clipping(one.parentElement) : one
    const words = [...box.querySelectorAll('[data-testid=stCaptionContainer] p')]
    const sideways = [...document.querySelectorAll('[role=group], [role=radiogroup], [data-testid=stButtonGroup] *')]
    return [
        ...words.filter(p => p.getBoundingClientRect().bottom > clipping(p).getBoundingClientRect().bottom),
        ...sideways.filter(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === 'auto'),
    ].map(one => one.innerText)
}"""


_SCROLLS = """() => [...document.querySelectorAll('[data-testid=stMain] [data-testid=stVerticalBlock]')]
    .filter(one => getComputedStyle(one).overflowY === 'auto' && one.scrollHeight > one.clientHeight).length"""


def _connections() -> dict[str, str]:
    fields = {"BASE_URL": "http://127.0.0.1:9/v1", "MODEL": "some-model"}
    return {f"CROSSROADS_CONNECTIONS__{name.upper()}__{of}": one for name in _NAMES for of, one in fields.items()}


def test_long_names_are_read_in_full_in_the_question_box(page: Page, start_app: Callable[..., str]) -> None:
    address = start_app(CROSSROADS_SCRIPTED="true", **_connections())
    page.goto(address)
    page.get_by_label("Your question").fill("hello there")
    page.get_by_text("Expected cost: type a question.").click()
    line = page.get_by_text("Expected cost: Raw model")
    expect(line).to_be_visible()
    drawn(page)
    assert line.inner_text().count("$0.00016") == 4 + len(_NAMES)
    assert line.inner_text().endswith("(longest answer, untested)")
    for width in (1440, 800):
        page.set_viewport_size({"width": width, "height": 1000})
        page.evaluate("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        assert page.evaluate(_CUT) == [], width
    assert page.evaluate(_SCROLLS) == 0  # each would be one more stop on the way with the Tab key
    expect(page.get_by_role("link", name="Link to heading")).to_have_count(0)  # likewise
    page.goto(f"{address}/paid_api")
    expect(page.get_by_text("Ask a question or click a sample")).to_be_visible(timeout=60_000)
    expect(page.get_by_label("Your question")).to_be_visible()
    expect(page.get_by_text(_NAMES[0], exact=True)).to_be_visible()
    drawn(page)
    assert page.evaluate(_CUT) == []
