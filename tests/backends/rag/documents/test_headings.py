"""Headings with and without marks, and paragraphs whose lines are joined."""

from __future__ import annotations

import pytest

from backends.rag.documents.headings import below, heading_at, headings, unwrapped, without_heading_marks


def paths(text: str, format: str = "text") -> list[str]:
    return [path for _, path in headings([text], format)[0]]


def test_markdown_headings_make_paths_and_code_has_none() -> None:
    text = "# A\n\n## B ##\n\n```\n# no heading\n```\n\n### C\n\n## D\n"
    assert paths(text, "markdown") == ["A", "A > B", "A > B > C", "A > D"]


def test_people_read_headings_without_their_marks_where_the_format_has_such() -> None:
    text = "# A\ntext\n  ## B\n```\n# code\n```"
    assert without_heading_marks(text, "a.docx") == "A\ntext\nB\n```\n# code\n```"
    assert without_heading_marks(text, "a.py") == without_heading_marks(text, "a.txt") == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. Scope\nThis policy says it.\n2. Windows\n2.1 Unopened goods\nThey go back.", ["1. Scope", "2. Windows"]),
        ("OPENING HOURS\n\nWe open at nine.\n\nTONE\n\nWe write as we speak.", ["OPENING HOURS", "TONE"]),
        ("Fares\n=====\n\nText.\n\nBicycles\n--------\n\nText.", ["Fares", "Fares > Bicycles"]),
        ("A. What is insured\nEvery cycle.\n\nB. Theft\nWithin a day.", ["A. What is insured", "B. Theft"]),
    ],
)
def test_lines_that_look_like_headings(text: str, expected: list[str]) -> None:
    assert [path for path in paths(text) if "2.1" not in path] == expected


def test_a_numbered_heading_stands_below_its_chapter() -> None:
    text = "2. Windows\nFirst.\n2.1 Unopened goods\nThey go back.\n3. Fees\nNone."
    assert paths(text) == ["2. Windows", "2. Windows > 2.1 Unopened goods", "3. Fees"]


@pytest.mark.parametrize(
    "text",
    [
        "1. Fill the tank\n2. Press the button\n3. Wait\n",  # items
        "It takes between\n4 seconds to unlock it.\n",  # a sentence that goes on
        "Cinder   14 seats   first floor\nFlint     6 seats   ground floor\n",  # columns
        "| 1 Name | 2 Size |\n",  # a row
        "Dear colleague,\n\nthanks.\n",
        "",
        "1",
        "\n\n\n",
    ],
)
def test_lines_that_only_seem_to(text: str) -> None:
    assert paths(text) == []


def test_a_pdfs_section_goes_on_on_the_next_page_and_a_slides_does_not() -> None:
    pages = ["8. Cleaning\nWipe it.", "8.1 Descaling\nEvery 12 weeks."]
    assert headings(pages, "pdf")[1] == [(0, "8. Cleaning > 8.1 Descaling")]
    assert headings(["# One\ntext", "text"], "pptx")[1] == []


def test_the_heading_of_a_place_is_the_last_one_above_it() -> None:
    found = [(0, "A"), (10, "B")]
    assert [heading_at(found, place) for place in (0, 9, 10, 99)] == ["A", "A", "B", "B"]
    assert heading_at([], 3) == ""


def test_lines_of_a_paragraph_are_joined_and_nothing_moves() -> None:
    text = "It runs every 40 minutes from 07:20 to\n17:40. Bicycles go\nin the shed.\n\nHOUSE RULES\n\n- one\n- two"
    joined = unwrapped(text, "text")
    assert len(joined) == len(text)
    assert "07:20 to 17:40" in joined
    assert joined.splitlines()[-4:] == ["HOUSE RULES", "", "- one", "- two"]
    assert unwrapped(text, "markdown") == text


def test_a_heading_inside_a_chunk_replaces_its_equals() -> None:
    assert below("2. Windows > 2.1 Unopened", "2.2 Opened") == "2. Windows > 2.2 Opened"
    assert below("2. Windows > 2.1 Unopened", "3. Fees") == "3. Fees"
    assert below("", "TONE") == "TONE"


def test_many_short_lines_take_linear_work() -> None:
    text = "\n".join(f"{number}. Item" for number in range(1, 50_000))
    assert headings([text], "text")[0] == []
