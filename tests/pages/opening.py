"""A page opened without the rest of the app."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

from tests.scripted import PATIENCE_S

HOME = Path(__file__).resolve().parents[2]


def opened(page: str, **address: str) -> AppTest:
    """`pages/{page}.py`, run once; `address` are the parameters in its address."""
    at = AppTest.from_file(str(HOME / "pages" / f"{page}.py"), default_timeout=PATIENCE_S)
    for name, value in address.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception, at.exception
    return at


def markdown_in(at: AppTest, prefix: str) -> list[str]:
    """What stands in the containers whose key begins so, in their order: `answer-` for texts, `state-` for verdicts."""
    found = [node for node in at.main if isinstance(node, Block) and (node.key or "").startswith(prefix)]
    return [text.value for container in found for text in container.markdown]


def everything(at: AppTest) -> str:
    """All that a page sends to the browser, values of fields and their placeholders included, without backslashes."""
    nodes = (*at.main, *at.sidebar)
    return "\n".join(str(getattr(node, "proto", "")) for node in nodes).replace("\\", "")
