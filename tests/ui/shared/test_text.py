"""Text from outside is shown letter by letter."""

from __future__ import annotations

import re

import pytest

from tests.hostile_text import CORPUS, LONG
from ui.shared.text import MOST, escaped, plain, shortened

APART = ":small[]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://evil.example/x", f"https\\:{APART}//evil\\.example/x"),
        ("HTTP://evil.example", f"HTTP\\:{APART}//evil\\.example"),
        ("see www.evil.example", f"see www{APART}\\.evil\\.example"),
        ("a.b-c@evil.example", f"a\\.b\\-c{APART}\\@evil\\.example"),
        (":material/verified:", f"\\:{APART}material/verified\\:"),
        (":material_verified:", f"\\:{APART}material\\_verified\\:"),
        (":smile: a", f"\\:{APART}smile\\: a"),
        (":smile", f"\\:{APART}smile"),
        ("a -> b", f"a \\-{APART}\\> b"),
        ("<->", f"\\<{APART}\\-{APART}\\>"),
        ("a -- b", f"a \\-{APART}\\- b"),
    ],
)
def test_what_streamlit_would_make_something_of_is_parted(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert shown.replace(APART, "").replace("\\", "") == text


def test_what_is_no_address_stays_as_it_is() -> None:
    assert escaped("a ratio of 3: 4 // wwwx @ 5, nDCG@10, quick@1") == (
        "a ratio of 3\\: 4 // wwwx \\@ 5, nDCG\\@10, quick\\@1"
    )


def test_marks_of_markdown_are_escaped_and_lines_kept() -> None:
    assert escaped("![x](y) $a$ :red[b]\n# c") == "\\!\\[x\\]\\(y\\) \\$a\\$ \\:red\\[b\\]  \n\\# c"


def test_an_empty_line_ends_no_paragraph_and_an_indented_one_is_no_code() -> None:
    assert escaped("a\n\n\tb") == f"a  \n{APART}  \n\tb"
    assert escaped("    a") == f"{APART}    a"


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_no_letter_is_lost_and_no_mark_is_left_bare(text: str) -> None:
    shown = escaped(text).replace(APART, "").replace("  \n", "\n")
    assert re.sub(r"\\(.)", r"\1", shown) == plain(text)
    assert not re.search(r"(?<!\\)[`*_{}\[\]()<>#+!|~$&@=-]", re.sub(r"\\.", "", shown))
    assert shown.encode()


def test_a_text_that_a_browser_could_not_draw_is_cut_in_its_middle() -> None:
    assert len(escaped(LONG)) == 2 * (MOST - 1) + 1
    assert escaped(LONG, None) == "\\<" * len(LONG)


def test_a_long_name_is_shortened_in_its_middle() -> None:
    assert shortened("gpt-4.1-mini", 12) == "gpt-4.1-mini"
    assert shortened("gpt-4.1-mini-2025", 12) == "gpt-4.\u2026-2025"
