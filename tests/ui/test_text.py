"""Text from outside is shown letter by letter."""

from __future__ import annotations

import pytest

from ui.text import escaped, shortened

JOINER = "\u2060"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://evil.example/x", f"https\\:{JOINER}//evil\\.example/x"),
        ("HTTP://evil.example", f"HTTP\\:{JOINER}//evil\\.example"),
        ("see www.evil.example", f"see www{JOINER}\\.evil\\.example"),
        ("a.b-c@evil.example", f"a\\.b\\-c{JOINER}\\@evil\\.example"),
    ],
)
def test_an_address_is_parted_so_that_no_link_comes_of_it(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert shown.replace(JOINER, "").replace("\\", "") == text


def test_what_is_no_address_stays_as_it_is() -> None:
    assert escaped("a ratio of 3: 4 // wwwx @ 5, nDCG@10, quick@1") == (
        "a ratio of 3\\: 4 // wwwx \\@ 5, nDCG\\@10, quick\\@1"
    )


def test_marks_of_markdown_are_escaped_and_lines_kept() -> None:
    assert escaped("![x](y) $a$ :red[b]\n# c") == "\\!\\[x\\]\\(y\\) \\$a\\$ \\:red\\[b\\]  \n\\# c"


def test_a_long_name_is_shortened_in_its_middle() -> None:
    assert shortened("gpt-4.1-mini", 12) == "gpt-4.1-mini"
    assert shortened("gpt-4.1-mini-2025", 12) == "gpt-4.\u2026-2025"
