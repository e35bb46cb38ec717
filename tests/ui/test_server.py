"""Who is let in, and what a page says of a fault that nothing caught."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from ui.server import host_allowed, origin_allowed

OURS = ["localhost", "127.0.0.1", "::1"]


@pytest.mark.parametrize(
    ("host", "allowed", "let_in"),
    [
        ("localhost:8501", OURS, True),
        ("LOCALHOST.:8501", OURS, True),
        ("127.0.0.1", OURS, True),
        ("[::1]:8501", OURS, True),
        ("evil.example:8501", OURS, False),
        ("localhost.evil.example", OURS, False),
        ("localhost@evil.example", OURS, False),
        ("[::1", OURS, False),
        ("", OURS, False),
        (None, OURS, False),
        ("app.example.com", ["*.Example.com"], True),
        ("example.com", ["*.example.com"], False),
        ("badexample.com", ["*.example.com"], False),
        ("anything", ["*"], True),
        ("anything", [], True),
    ],
)
def test_hosts(host: str | None, allowed: list[str], let_in: bool) -> None:
    assert host_allowed(host, allowed) is let_in


@pytest.mark.parametrize(
    ("origin", "host", "let_in"),
    [
        (None, "localhost:8501", True),
        ("http://localhost:8501", "localhost:8501", True),
        ("HTTP://LocalHost:8501", "localhost:8501", True),
        ("http://localhost:3000", "localhost:8501", False),
        ("http://127.0.0.1:8501", "localhost:8501", False),
        ("null", "localhost:8501", False),
        ("", "", False),
        ("http://[", "localhost:8501", False),
        ("https://app.example.com", "127.0.0.1:8501", True),
    ],
)
def test_origins(origin: str | None, host: str, let_in: bool) -> None:
    assert origin_allowed(origin, host, ["https://app.example.com"]) is let_in


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (
            'OSError(28, "No space left on device", "/x/y.part")',
            "The file y.part cannot be used: the disk is full.",
        ),
        ('BackendError("No room.", "Make some.")', "No room. Make some."),
        ('ValueError("a secret")', "This page failed unexpectedly (ValueError). The log has the details; try again."),
    ],
)
def test_a_fault_that_no_page_caught_is_a_sentence(raised: str, said: str) -> None:
    script = f"from backends.errors import BackendError\nfrom ui.server import say_fault\nassert say_fault({raised})"
    at = AppTest.from_string(script).run()
    assert not at.exception
    assert at.error[0].value.replace("\\", "").startswith(said)
