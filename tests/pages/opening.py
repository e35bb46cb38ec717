"""A page opened without the rest of the app."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.scripted import PATIENCE_S

HOME = Path(__file__).resolve().parents[2]


def opened(page: str) -> AppTest:
    """`pages/{page}.py`, run once."""
    at = AppTest.from_file(str(HOME / "pages" / f"{page}.py"), default_timeout=PATIENCE_S).run()
    assert not at.exception, at.exception
    return at


def everything(at: AppTest) -> str:
    """All that a page sends to the browser, values of fields and their placeholders included, without backslashes."""
    nodes = (*at.main, *at.sidebar)
    return "\n".join(str(getattr(node, "proto", "")) for node in nodes).replace("\\", "")
